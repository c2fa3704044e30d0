// SPDX-License-Identifier: GPL-2.0

//! The kinds of changes: of PKCS #7 messages, of the table around them, and of the headers.

use support::der::{context, Contents, Element, Length, INTEGER, OCTET_STRING, SEQUENCE};
use support::pe;
use support::pkcs7::{certificates, signers};

use super::elements::{
    any, any_constructed, bit_changed, inserted, leaves, oid_changed, removed, swapped, twice,
};
use super::Change;
use crate::adversary::random::Random;

const OID: u8 = 0x06;
/// `[0]`, primitive: the subject key ID by which a SignerInfo names a certificate.
const KEY_ID: u8 = 0x80;
/// Contents of the OID of a certificate's extension with that.
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];

/// All kinds of changes. Some take elements from the messages of other images.
pub const CHANGES: &[(&str, Change)] = &[
    ("a SignerInfo twice", |e, r, _| {
        twice(signers(&mut e.message)?, r)
    }),
    ("a SignerInfo removed", |e, r, _| {
        removed(signers(&mut e.message)?, r)
    }),
    ("SignerInfos swapped", |e, r, _| {
        swapped(signers(&mut e.message)?, r)
    }),
    ("a SignerInfo of another message", |e, r, others| {
        let mut other = r.choose(others)?.clone();
        let other = r.choose(signers(&mut other)?)?.clone();
        inserted(signers(&mut e.message)?, r, other)
    }),
    (
        "SignerInfos of another message in place of all",
        |e, r, others| {
            let mut other = r.choose(others)?.clone();
            *signers(&mut e.message)? = signers(&mut other)?.clone();
            Some(())
        },
    ),
    (
        "genuine SignerInfos twice, and a false one",
        |e, r, others| {
            let genuine = signers(&mut e.message)?.clone();
            let mut lie = r.choose(&genuine)?.clone();
            match r.below(3) {
                0 => signature_changed(&mut lie, r)?,
                1 => renamed(&mut lie, r, others)?,
                _ => {
                    renamed(&mut lie, r, others)?;
                    signature_changed(&mut lie, r)?;
                }
            }
            signers(&mut e.message)?.extend([genuine, vec![lie]].concat());
            Some(())
        },
    ),
    ("a false SignerInfo added", |e, r, others| {
        let mut lie = r.choose(signers(&mut e.message)?)?.clone();
        renamed(&mut lie, r, others)?;
        inserted(signers(&mut e.message)?, r, lie)
    }),
    ("a SignerInfo renamed", |e, r, others| {
        let index = r.index(signers(&mut e.message)?)?;
        renamed(&mut signers(&mut e.message)?[index], r, others)
    }),
    ("a SignerInfo that names nobody", |e, r, _| {
        let index = r.index(signers(&mut e.message)?)?;
        let name = signers(&mut e.message)?[index].at_mut(&[1])?;
        let path = r.choose(&leaves(name))?.clone();
        bit_changed(name.at_mut(&path)?, r)
    }),
    ("a signature changed", |e, r, _| {
        let index = r.index(signers(&mut e.message)?)?;
        signature_changed(&mut signers(&mut e.message)?[index], r)
    }),
    ("a digest algorithm of a SignerInfo", |e, r, _| {
        let index = r.index(signers(&mut e.message)?)?;
        oid_changed(signers(&mut e.message)?[index].at_mut(&[2, 0])?, r)
    }),
    ("a signature algorithm of a SignerInfo", |e, r, _| {
        let index = r.index(signers(&mut e.message)?)?;
        let signer = &mut signers(&mut e.message)?[index];
        let at = signer
            .elements()
            .iter()
            .position(|part| part.tag == OCTET_STRING)?;
        oid_changed(signer.at_mut(&[at.checked_sub(1)?, 0])?, r)
    }),
    ("a version of a SignerInfo", |e, r, _| {
        let index = r.index(signers(&mut e.message)?)?;
        *signers(&mut e.message)?[index].at_mut(&[0])? =
            Element::primitive(INTEGER, &[r.next() as u8]);
        Some(())
    }),
    ("attributes removed", |e, r, _| {
        let index = r.index(signers(&mut e.message)?)?;
        let parts = signers(&mut e.message)?[index].elements_mut()?;
        parts.retain(|part| part.tag != context(0));
        Some(())
    }),
    ("an attribute removed", |e, r, _| {
        removed(attributes(&mut e.message, r)?, r)
    }),
    ("an attribute twice", |e, r, _| {
        twice(attributes(&mut e.message, r)?, r)
    }),
    ("attributes swapped", |e, r, _| {
        swapped(attributes(&mut e.message, r)?, r)
    }),
    ("an attribute changed", |e, r, _| {
        let attributes = attributes(&mut e.message, r)?;
        let attribute = r.index(attributes)?;
        let path = r.choose(&leaves(&attributes[attribute]))?.clone();
        bit_changed(attributes[attribute].at_mut(&path)?, r)
    }),
    ("an attribute of another message", |e, r, others| {
        let mut other = r.choose(others)?.clone();
        let all = attributes(&mut other, r)?;
        let other = r.choose(all)?.clone();
        inserted(attributes(&mut e.message, r)?, r, other)
    }),
    ("attributes that are not signed", |e, r, _| {
        let index = r.index(signers(&mut e.message)?)?;
        let signer = &mut signers(&mut e.message)?[index];
        let signed = signer
            .elements()
            .iter()
            .find(|part| part.tag == context(0))?;
        let mut unsigned = signed.clone();
        unsigned.tag = context(1);
        signer.elements_mut()?.push(unsigned);
        Some(())
    }),
    ("all certificates removed", |e, _, _| {
        let parts = e.message.at_mut(&[1, 0])?.elements_mut()?;
        parts.retain(|part| part.tag != context(0));
        Some(())
    }),
    ("a certificate removed", |e, r, _| {
        removed(certificates(&mut e.message)?, r)
    }),
    ("a certificate twice", |e, r, _| {
        twice(certificates(&mut e.message)?, r)
    }),
    ("certificates swapped", |e, r, _| {
        swapped(certificates(&mut e.message)?, r)
    }),
    ("a certificate of another message", |e, r, others| {
        let other = certificate_of(r, others)?;
        inserted(certificates(&mut e.message)?, r, other)
    }),
    (
        "a certificate of another message in place of one",
        |e, r, others| {
            let other = certificate_of(r, others)?;
            let index = r.index(certificates(&mut e.message)?)?;
            certificates(&mut e.message)?[index] = other;
            Some(())
        },
    ),
    ("all certificates of all messages", |e, _, others| {
        for other in others {
            let other = certificates(&mut other.clone()).cloned();
            certificates(&mut e.message)?.extend(other.unwrap_or_default());
        }
        Some(())
    }),
    ("a field of a certificate changed", |e, r, _| {
        let certificate = r.index(certificates(&mut e.message)?)?;
        let fields = certificates(&mut e.message)?[certificate].at_mut(&[0])?;
        let path = r.choose(&leaves(fields))?.clone();
        bit_changed(fields.at_mut(&path)?, r)
    }),
    ("a name in a certificate changed", |e, r, _| {
        let certificate = r.index(certificates(&mut e.message)?)?;
        let fields = certificates(&mut e.message)?[certificate].at_mut(&[0])?;
        // Issuer and subject, behind version, serial number and algorithm.
        let name = fields.at_mut(&[[3, 5][r.below(2)]])?;
        let path = leaves(name).pop()?;
        bit_changed(name.at_mut(&path)?, r)
    }),
    (
        "a field of a certificate by that of another",
        |e, r, others| {
            let other = certificate_of(r, others)?;
            let certificate = r.index(certificates(&mut e.message)?)?;
            let field = r.below(8);
            let field = &[0, field][..];
            *certificates(&mut e.message)?[certificate].at_mut(field)? = other.at(field)?.clone();
            Some(())
        },
    ),
    ("a signature of a certificate changed", |e, r, _| {
        let certificate = r.index(certificates(&mut e.message)?)?;
        bit_changed(certificates(&mut e.message)?[certificate].at_mut(&[2])?, r)
    }),
    (
        "a certificate's signature by that of another",
        |e, r, others| {
            let other = certificate_of(r, others)?;
            let certificate = r.index(certificates(&mut e.message)?)?;
            *certificates(&mut e.message)?[certificate].at_mut(&[2])? = other.at(&[2])?.clone();
            Some(())
        },
    ),
    ("revocation lists", |e, r, others| {
        let list = Element::constructed(context(1), vec![certificate_of(r, others)?]);
        inserted(e.message.at_mut(&[1, 0])?.elements_mut()?, r, list)
    }),
    ("the content of another message", |e, r, others| {
        *e.message.at_mut(&[1, 0, 2])? = r.choose(others)?.at(&[1, 0, 2])?.clone();
        Some(())
    }),
    ("the type of the content", |e, r, _| {
        oid_changed(e.message.at_mut(&[1, 0, 2, 0])?, r)
    }),
    ("the content changed", |e, r, _| {
        let content = e.message.at_mut(&[1, 0, 2])?;
        let path = r.choose(&leaves(content))?.clone();
        bit_changed(content.at_mut(&path)?, r)
    }),
    ("the content removed", |e, _, _| {
        e.message.at_mut(&[1, 0, 2])?.elements_mut()?.truncate(1);
        Some(())
    }),
    ("the digest algorithms", |e, r, _| {
        let all = e.message.at_mut(&[1, 0, 1])?.elements_mut()?;
        match r.below(3) {
            0 => all.clear(),
            1 => twice(all, r)?,
            _ => {
                let index = r.index(all)?;
                oid_changed(all[index].at_mut(&[0])?, r)?;
            }
        }
        Some(())
    }),
    ("the version", |e, r, _| {
        *e.message.at_mut(&[1, 0, 0])? = Element::primitive(INTEGER, &[r.next() as u8]);
        Some(())
    }),
    ("an OID changed", |e, r, _| {
        let is_oid = |path: &Vec<usize>| e.message.at(path).is_some_and(|leaf| leaf.tag == OID);
        let mut oids = leaves(&e.message);
        oids.retain(is_oid);
        let path = r.choose(&oids)?.clone();
        oid_changed(e.message.at_mut(&path)?, r)
    }),
    ("indefinite lengths", |e, r, _| {
        for _ in 0..=r.below(4) {
            any_constructed(&mut e.message, r)?.length = Length::Indefinite;
        }
        Some(())
    }),
    ("all lengths indefinite", |e, _, _| {
        for path in e.message.paths() {
            let element = e.message.at_mut(&path)?;
            if matches!(element.contents, Contents::Elements(_)) {
                element.length = Length::Indefinite;
            }
        }
        Some(())
    }),
    ("a longer length", |e, r, _| {
        any(&mut e.message, r)?.length = Length::Long(1 + r.below(9) as u8);
        Some(())
    }),
    ("a wrong length", |e, r, _| {
        let bytes = (0..1 + r.below(4)).map(|_| r.next() as u8).collect();
        any(&mut e.message, r)?.length = Length::Bytes(bytes);
        Some(())
    }),
    ("an indefinite length of bytes", |e, r, _| {
        let path = r.choose(&leaves(&e.message))?.clone();
        e.message.at_mut(&path)?.length = Length::Indefinite;
        Some(())
    }),
    ("an element removed", |e, r, _| {
        removed(any_constructed(&mut e.message, r)?.elements_mut()?, r)
    }),
    ("an element twice", |e, r, _| {
        twice(any_constructed(&mut e.message, r)?.elements_mut()?, r)
    }),
    ("elements swapped", |e, r, _| {
        swapped(any_constructed(&mut e.message, r)?.elements_mut()?, r)
    }),
    ("a tag changed", |e, r, _| {
        any(&mut e.message, r)?.tag ^= 1 << r.below(8);
        Some(())
    }),
    ("a bit changed", |e, r, _| {
        let path = r.choose(&leaves(&e.message))?.clone();
        bit_changed(e.message.at_mut(&path)?, r)
    }),
    ("an element emptied", |e, r, _| {
        any(&mut e.message, r)?.contents = Contents::Bytes(vec![]);
        Some(())
    }),
    ("an element longer", |e, r, _| {
        let path = r.choose(&leaves(&e.message))?.clone();
        let more = vec![r.next() as u8; [1, 127, 128, 5000][r.below(4)]];
        e.message.at_mut(&path)?.bytes_mut()?.extend(more);
        Some(())
    }),
    ("an element shorter", |e, r, _| {
        let path = r.choose(&leaves(&e.message))?.clone();
        let bytes = e.message.at_mut(&path)?.bytes_mut()?;
        let len = r.index(bytes)?;
        bytes.truncate(len);
        Some(())
    }),
    ("an element wrapped", |e, r, _| {
        let element = any(&mut e.message, r)?;
        for _ in 0..[1, 2, 20, 200][r.below(4)] {
            *element = Element::constructed(SEQUENCE, vec![element.clone()]);
        }
        Some(())
    }),
    (
        "an element of another message in place of one",
        |e, r, others| {
            let path = r.choose(&e.message.paths())?.clone();
            *e.message.at_mut(&path)? = r.choose(others)?.at(&path)?.clone();
            Some(())
        },
    ),
    ("the message cut", |e, r, _| {
        e.kept = r.below(256);
        Some(())
    }),
    ("bytes behind the message", |e, r, _| {
        e.behind_message = vec![r.next() as u8; 1 + r.below(64)];
        Some(())
    }),
    ("another message behind the message", |e, r, others| {
        e.behind_message = r.choose(others)?.encode();
        Some(())
    }),
    ("a bit of the entry's header", |e, r, _| {
        e.header[r.below(8)] ^= 1 << r.below(8);
        Some(())
    }),
    ("an entry before it", |e, r, others| {
        e.before = pe::certificate(&r.choose(others)?.encode());
        Some(())
    }),
    ("an entry behind it", |e, r, others| {
        e.after = pe::certificate(&r.choose(others)?.encode());
        Some(())
    }),
    ("an entry of nothing before it", |e, _, _| {
        e.before = pe::certificate(&[]);
        Some(())
    }),
    ("bytes behind the entry", |e, r, _| {
        e.after = vec![r.next() as u8; 8 * (1 + r.below(16))];
        Some(())
    }),
    ("the image's checksum", |e, r, _| {
        e.checksum = Some(r.next() as u32);
        Some(())
    }),
    ("the offset of the table", |e, r, _| {
        e.directory.0 = [8, 1, u32::MAX - 7, r.next() as u32][r.below(4)];
        Some(())
    }),
    ("the length of the table", |e, r, _| {
        e.directory.1 = [8, 1, u32::MAX - 7, r.next() as u32][r.below(4)];
        Some(())
    }),
];

fn certificate_of(random: &mut Random, messages: &[Element]) -> Option<Element> {
    let mut other = random.choose(messages)?.clone();
    random.choose(certificates(&mut other)?).cloned()
}

/// The attributes of one of the SignerInfos.
fn attributes<'a>(message: &'a mut Element, random: &mut Random) -> Option<&'a mut Vec<Element>> {
    let signers = signers(message)?;
    let index = random.index(signers)?;
    let mut parts = signers[index].elements_mut()?.iter_mut();
    parts.find(|part| part.tag == context(0))?.elements_mut()
}

/// Makes a SignerInfo name a certificate of some message, in one of the two possible ways.
fn renamed(signer: &mut Element, random: &mut Random, messages: &[Element]) -> Option<()> {
    let certificate = certificate_of(random, messages)?;
    let fields = certificate.at(&[0])?;
    // Version and serial number come first, then the algorithm.
    let (serial, issuer) = (fields.at(&[1])?.clone(), fields.at(&[3])?.clone());
    let (version, name) = match random.below(2) {
        0 => (1, Element::constructed(SEQUENCE, vec![issuer, serial])),
        _ => (3, Element::primitive(KEY_ID, &subject_key_id(fields)?)),
    };
    *signer.at_mut(&[0])? = Element::primitive(INTEGER, &[version]);
    *signer.at_mut(&[1])? = name;
    Some(())
}

fn subject_key_id(fields: &Element) -> Option<Vec<u8>> {
    let extensions = fields
        .elements()
        .iter()
        .find(|part| part.tag == context(3))?;
    let extensions = extensions.at(&[0])?.elements();
    let extension = extensions.iter().find(|extension| {
        let oid = extension.at(&[0]).map(|oid| &oid.contents);
        oid == Some(&Contents::Bytes(SUBJECT_KEY_ID.to_vec()))
    })?;
    let Contents::Bytes(value) = &extension.elements().last()?.contents else {
        return None;
    };
    match Element::parse(value)?.0.contents {
        Contents::Bytes(id) => Some(id),
        Contents::Elements(_) => None,
    }
}

fn signature_changed(signer: &mut Element, random: &mut Random) -> Option<()> {
    let mut parts = signer.elements_mut()?.iter_mut();
    bit_changed(parts.find(|part| part.tag == OCTET_STRING)?, random)
}
