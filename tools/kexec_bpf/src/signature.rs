// SPDX-License-Identifier: GPL-2.0

//! The signatures of an image, as they are written in it. Whether one is valid and its key trusted
//! is for the kernel to say.

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier};
use object::pod::from_bytes;
use object::read::pe::PeFile64;
use object::{LittleEndian as LE, U32};
use serde::Serialize;
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier, OctetString};
use x509_cert::der::{Reader, SliceReader};
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::text::hex;

const PKCS_SIGNED_DATA: u16 = 2;
const ENTRY_ALIGNMENT: usize = 8;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// A certificate table has entries of several types.
#[derive(Serialize, Debug, PartialEq, Eq)]
#[serde(untagged)]
pub enum Entry {
    Signature(Signature),
    Other { error: String },
}

#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct Signature {
    pub algorithm: String,
    /// The digest that is signed.
    pub digest: String,
    /// Whether that is the image's, if it can be computed.
    pub digest_matches: Option<bool>,
    pub signers: Vec<Signer>,
}

/// Whose key made a signature. No signature covers this.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Only a certificate in the signature has it.
    pub subject: Option<String>,
    pub issuer: String,
    pub serial: String,
}

/// What Authenticode digests of an image: three pieces.
pub struct Covered<'a>([&'a [u8]; 3]);

impl<'a> Covered<'a> {
    /// The image up to its certificate table, but for the checksum and where that table is.
    pub fn of(pe: &PeFile64<'a>, image: &'a [u8], certificates: usize) -> Option<Self> {
        let optional = pe.dos_header().nt_headers_offset() as usize + 24;
        let (checksum, directory) = (optional + 64, optional + 112 + 4 * 8);
        Some(Self([
            image.get(..checksum)?,
            image.get(checksum + 4..directory)?,
            image.get(directory + 8..certificates)?,
        ]))
    }

    pub fn sha256(&self) -> String {
        self.digest::<Sha256>()
    }

    fn digest<D: Digest>(&self) -> String {
        let digest = self
            .0
            .iter()
            .fold(D::new(), |digest, piece| digest.chain_update(piece));
        hex(&digest.finalize())
    }
}

/// Reads the certificate table.
pub fn entries(mut table: &[u8], covered: Option<&Covered>) -> Vec<Entry> {
    let mut entries = Vec::new();
    while !table.is_empty() {
        let Some((kind, data, rest)) = split(table) else {
            let error = "the certificate table is malformed".into();
            entries.push(Entry::Other { error });
            break;
        };
        table = rest;
        entries.push(match read(kind, data, covered) {
            Ok(signature) => Entry::Signature(signature),
            Err(error) => Entry::Other { error },
        });
    }
    entries
}

/// The type and the data of the first entry, and the entries that follow.
fn split(table: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (length, _) = from_bytes::<U32<LE>>(table).ok()?;
    let length = length.get(LE) as usize;
    let kind = u16::from_le_bytes(table.get(6..8)?.try_into().ok()?);
    let next = length.next_multiple_of(ENTRY_ALIGNMENT).min(table.len());
    Some((kind, table.get(8..length)?, &table[next..]))
}

fn read(kind: u16, data: &[u8], covered: Option<&Covered>) -> Result<Signature, String> {
    if kind != PKCS_SIGNED_DATA {
        return Err(format!("an entry of type {kind}, which is not a signature"));
    }
    let malformed = |error| format!("a malformed signature: {error}");
    // Padding may follow.
    let mut reader = SliceReader::new(data).map_err(malformed)?;
    let content: ContentInfo = reader.decode().map_err(malformed)?;
    if content.content_type != SIGNED_DATA {
        return Err(format!("not signed data, but {}", content.content_type));
    }
    let signed: SignedData = content.content.decode_as().map_err(malformed)?;
    let Some(content) = &signed.encap_content_info.econtent else {
        return Err("a signature over nothing".into());
    };
    let (algorithm, digest) = digest(content.into()).map_err(malformed)?;
    let (algorithm, actual) = match algorithm.to_string().as_str() {
        "2.16.840.1.101.3.4.2.1" => ("sha256", covered.map(Covered::digest::<Sha256>)),
        "2.16.840.1.101.3.4.2.2" => ("sha384", covered.map(Covered::digest::<Sha384>)),
        "2.16.840.1.101.3.4.2.3" => ("sha512", covered.map(Covered::digest::<Sha512>)),
        "1.3.14.3.2.26" => ("sha1", None),
        "1.2.840.113549.2.5" => ("md5", None),
        other => return Err(format!("a signature with an unknown digest, {other}")),
    };
    let digest = hex(digest.as_bytes());
    let signers = signed.signer_infos.0.iter();
    Ok(Signature {
        algorithm: algorithm.into(),
        digest_matches: actual.map(|actual| actual == digest),
        digest,
        signers: signers
            .map(|signer| self::signer(&signer.sid, &signed))
            .collect(),
    })
}

/// The algorithm and the digest in Authenticode's `SpcIndirectDataContent`.
fn digest(content: AnyRef) -> x509_cert::der::Result<(ObjectIdentifier, OctetString)> {
    content.sequence(|reader| {
        let _data: AnyRef = reader.decode()?;
        let info: AnyRef = reader.decode()?;
        info.sequence(|reader| {
            let algorithm: AlgorithmIdentifierOwned = reader.decode()?;
            Ok((algorithm.oid, reader.decode()?))
        })
    })
}

fn signer(id: &SignerIdentifier, signed: &SignedData) -> Signer {
    match id {
        SignerIdentifier::IssuerAndSerialNumber(id) => Signer {
            subject: subject(id, signed),
            issuer: id.issuer.to_string(),
            serial: hex(id.serial_number.as_bytes()),
        },
        SignerIdentifier::SubjectKeyIdentifier(id) => Signer {
            subject: None,
            issuer: format!("subject key ID {}", hex(id.0.as_bytes())),
            serial: String::new(),
        },
    }
}

/// The subject of the signer's certificate, if the signature holds it.
fn subject(id: &IssuerAndSerialNumber, signed: &SignedData) -> Option<String> {
    let certificates = signed.certificates.as_ref()?.0.iter();
    let mut certificates = certificates.filter_map(|choice| match choice {
        CertificateChoices::Certificate(certificate) => Some(&certificate.tbs_certificate),
        CertificateChoices::Other(_) => None,
    });
    let found = certificates.find(|certificate| {
        certificate.issuer == id.issuer && certificate.serial_number == id.serial_number
    });
    Some(found?.subject.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_a_table() {
        let entry = |len: u32, kind: u8, data: &[u8]| {
            let mut entry = len.to_le_bytes().to_vec();
            entry.extend([0, 2, kind, 0]);
            entry.extend(data);
            entry
        };
        let errors = |table: &[u8]| -> Vec<String> {
            let entries = entries(table, None).into_iter();
            let errors = entries.map(|entry| match entry {
                Entry::Other { error } => error,
                Entry::Signature(signature) => panic!("{signature:?}"),
            });
            errors.collect()
        };
        let malformed = "the certificate table is malformed";
        let other = "an entry of type 1, which is not a signature";
        assert_eq!(errors(b""), [""; 0]);
        for (table, expected) in [
            (vec![8], vec![malformed]),
            (entry(7, 1, b""), vec![malformed]),
            (entry(8, 1, b""), vec![other]),
            (entry(9, 1, b""), vec![malformed]),
            (entry(9, 1, b"x"), vec![other]),
            (entry(u32::MAX, 1, b"x"), vec![malformed]),
            // The next one begins at a multiple of 8.
            (entry(9, 1, &[0; 8]), vec![other]),
            (
                [entry(9, 1, &[0; 8]), entry(8, 1, b"")].concat(),
                vec![other; 2],
            ),
            (
                [entry(9, 1, &[0; 8]), vec![1]].concat(),
                vec![other, malformed],
            ),
        ] {
            assert_eq!(errors(&table), expected, "{table:?}");
        }
        // A sequence with an object identifier: of data, and of signed data without any.
        let data = b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
        let [error] = &errors(&entry(21, 2, data))[..] else {
            panic!("not one entry");
        };
        assert!(error.starts_with("a malformed signature: "), "{error}");
        let data = b"\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x02\x04\x00";
        let error = "not signed data, but 1.2.840.113549.1.7.1";
        assert_eq!(errors(&entry(25, 2, data)), [error]);
    }
}
