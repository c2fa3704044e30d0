// SPDX-License-Identifier: GPL-2.0

//! Checks whether a trusted key signed an image, independently of the kernel. This looks for a
//! proof in the message, and ignores the rest of it.

use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::{Pkcs1v15Sign, RsaPublicKey};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use support::der::{context, Element, OCTET_STRING, SEQUENCE, SET};
use support::harness::Result;
use support::pe;

const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;

/// Object identifiers.
const SHA1: &[u8] = &[0x2b, 0x0e, 3, 2, 0x1a];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
/// The prefix of those for RSA with a digest, in certificates.
const RSA_WITH: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];

/// The length of the fixed part of `WIN_CERTIFICATE`.
const ENTRY_LEN: usize = 8;

/// The keys and digests in the machine's keyrings.
#[derive(Clone, Default)]
pub struct Keys {
    trusted: Vec<RsaPublicKey>,
    revoked: Vec<RsaPublicKey>,
    revoked_digests: Vec<Vec<u8>>,
}

impl Keys {
    /// Adds the key of a certificate to those that are trusted.
    pub fn trust(&mut self, certificate: &[u8]) -> Result {
        self.trusted.push(key_in(certificate)?);
        Ok(())
    }

    /// Adds the key of a certificate to those that are revoked.
    pub fn revoke(&mut self, certificate: &[u8]) -> Result {
        self.revoked.push(key_in(certificate)?);
        Ok(())
    }

    /// Adds the digests of an image to those that are revoked.
    pub fn revoke_image(&mut self, image: &[u8]) -> Result {
        let covered = covered(image).ok_or("the image has no certificate table")?;
        let digest = Algorithm::Sha256.digest(&covered);
        self.revoked_digests.push(digest);
        Ok(())
    }

    /// Whether a trusted key that is not revoked, or one that such a key certifies, signed this
    /// image, and the image is not revoked.
    pub fn signed(&self, image: &[u8]) -> bool {
        let Some(covered) = covered(image) else {
            return false;
        };
        let digest = Algorithm::Sha256.digest(&covered);
        if self.revoked_digests.contains(&digest) {
            return false;
        }
        let (at, _) = pe::certificates(image);
        let mut table = &image[at..];
        while let Some(len) = table.first_chunk().map(|len| u32::from_le_bytes(*len)) {
            let end = table.len().min(len as usize);
            let message = table.get(ENTRY_LEN..end).and_then(Element::parse);
            if message.is_some_and(|(message, _)| self.vouch(&message, &covered).is_some()) {
                return true;
            }
            let next = (len as usize).max(ENTRY_LEN).next_multiple_of(8);
            table = table.get(next..).unwrap_or_default();
        }
        false
    }

    /// `Some` if the message proves that for these bytes of an image.
    fn vouch(&self, message: &Element, covered: &[u8]) -> Option<()> {
        let signed_data = message.at(&[1, 0])?;
        let content = signed_data.at(&[2, 1, 0])?;
        let imprint = content.at(&[1])?;
        let digest = bytes(imprint.at(&[1])?)?;
        let algorithm = Algorithm::of(imprint.at(&[0])?)?;
        if algorithm.digest(covered) != digest {
            return None;
        }
        let parts = signed_data.elements();
        let certificates = parts.iter().find(|part| part.tag == context(0));
        let keys = self.certified(certificates.map_or(&[], Element::elements));
        let signers = parts.iter().skip(3).filter(|part| part.tag == SET);
        let mut signers = signers.flat_map(Element::elements);
        signers
            .any(|signer| {
                let of = |key| signature_fits(signer, &inside(content), key).is_some();
                keys.iter().any(of)
            })
            .then_some(())
    }

    /// The trusted keys, and those that they certify, without the revoked ones.
    fn certified(&self, certificates: &[Element]) -> Vec<RsaPublicKey> {
        let good = |key: &RsaPublicKey| !self.revoked.contains(key);
        let mut keys: Vec<_> = self
            .trusted
            .iter()
            .filter(|key| good(key))
            .cloned()
            .collect();
        loop {
            let new = certificates.iter().find_map(|certificate| {
                let key = key_of(certificate).filter(good)?;
                let by = |by| certificate_fits(certificate, by).is_some();
                (!keys.contains(&key) && keys.iter().any(by)).then_some(key)
            });
            match new {
                Some(key) => keys.push(key),
                None => return keys,
            }
        }
    }
}

/// The bytes that an Authenticode digest covers. `None` if there is no certificate table, or if it
/// is not the end of the file.
fn covered(image: &[u8]) -> Option<Vec<u8>> {
    let (at, len) = pe::certificates(image);
    let (checksum, entry) = (pe::checksum(image), pe::certificate_entry(image));
    if len == 0 || at.checked_add(len)? != image.len() {
        return None;
    }
    let parts = [
        image.get(..checksum)?,
        image.get(checksum + 4..entry)?,
        image.get(entry + 8..at)?,
    ];
    Some(parts.concat())
}

/// The contents of an element, as bytes.
fn inside(element: &Element) -> Vec<u8> {
    match bytes(element) {
        Some(bytes) => bytes.to_vec(),
        None => element
            .elements()
            .iter()
            .flat_map(Element::encode)
            .collect(),
    }
}

fn bytes(element: &Element) -> Option<&[u8]> {
    match &element.contents {
        support::der::Contents::Bytes(bytes) => Some(bytes),
        support::der::Contents::Elements(_) => None,
    }
}

/// `Some` if the key made the signature of a SignerInfo over this content.
fn signature_fits(signer: &Element, content: &[u8], key: &RsaPublicKey) -> Option<()> {
    let parts = signer.elements();
    let algorithm = Algorithm::of(parts.get(2)?)?;
    let signature = parts.iter().find(|part| part.tag == OCTET_STRING)?;
    let signed = match parts.iter().find(|part| part.tag == context(0)) {
        None => content.to_vec(),
        Some(attributes) => {
            let is_digest = |attribute: &&Element| {
                let kind = attribute.at(&[0]).and_then(bytes);
                kind == Some(MESSAGE_DIGEST)
            };
            let attribute = attributes.elements().iter().find(is_digest)?;
            if bytes(attribute.at(&[1, 0])?)? != algorithm.digest(content) {
                return None;
            }
            // The signature covers them with the tag of a set, not with the tag that they have
            // here.
            let mut set = attributes.clone();
            set.tag = SET;
            set.encode()
        }
    };
    algorithm.verify(key, &signed, bytes(signature)?)
}

/// `Some` if the key made the signature of a certificate.
fn certificate_fits(certificate: &Element, key: &RsaPublicKey) -> Option<()> {
    let [signed, algorithm, signature] = certificate.elements() else {
        return None;
    };
    let [0, signature @ ..] = bytes(signature)? else {
        return None;
    };
    Algorithm::of(algorithm)?.verify(key, &signed.encode(), signature)
}

/// The key in a certificate.
fn key_of(certificate: &Element) -> Option<RsaPublicKey> {
    let fields = certificate.at(&[0])?.elements();
    // The version comes first, if there is one.
    let fields = match fields.first()?.tag == context(0) {
        true => &fields[1..],
        false => fields,
    };
    let info = fields.get(5).filter(|info| info.tag == SEQUENCE)?;
    let key = info.at(&[1]).filter(|key| key.tag == BIT_STRING)?;
    let [0, key @ ..] = bytes(key)? else {
        return None;
    };
    RsaPublicKey::from_pkcs1_der(key).ok()
}

fn key_in(certificate: &[u8]) -> Result<RsaPublicKey> {
    let parsed = Element::parse(certificate);
    let key = parsed.and_then(|(certificate, _)| key_of(&certificate));
    Ok(key.ok_or("the certificate has no RSA key")?)
}

/// The digest algorithms that the kernel may accept.
#[derive(Clone, Copy)]
enum Algorithm {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    /// By an AlgorithmIdentifier.
    fn of(identifier: &Element) -> Option<Self> {
        let oid = identifier.at(&[0]).filter(|oid| oid.tag == OID)?;
        match bytes(oid)? {
            SHA1 => Some(Self::Sha1),
            SHA256 => Some(Self::Sha256),
            SHA384 => Some(Self::Sha384),
            SHA512 => Some(Self::Sha512),
            oid => match oid.strip_prefix(RSA_WITH)? {
                [5] => Some(Self::Sha1),
                [11] => Some(Self::Sha256),
                [12] => Some(Self::Sha384),
                [13] => Some(Self::Sha512),
                _ => None,
            },
        }
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// `Some` if the key made this signature.
    fn verify(self, key: &RsaPublicKey, signed: &[u8], signature: &[u8]) -> Option<()> {
        let scheme = match self {
            Self::Sha1 => Pkcs1v15Sign::new::<Sha1>(),
            Self::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
            Self::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
            Self::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
        };
        key.verify(scheme, &self.digest(signed), signature).ok()
    }
}
