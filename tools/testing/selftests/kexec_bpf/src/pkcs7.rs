// SPDX-License-Identifier: GPL-2.0

//! PKCS #7 messages that tests change: no signature covers the list of certificates and signers.

use crate::der::{context, Element, SEQUENCE, SET};
use crate::harness::Result;
use crate::pe;

/// The length of the fields before the message in `WIN_CERTIFICATE`.
const HEADER_LEN: usize = 8;

/// Paths of fields in a certificate that has a version.
const SERIAL: [usize; 2] = [0, 1];
const ISSUER: [usize; 2] = [0, 3];
const SUBJECT: [usize; 2] = [0, 5];
/// The path of the value in an attribute of a subject.
const VALUE: [usize; 2] = [0, 1];

/// The index of the signer's name in a SignerInfo.
const NAMES: usize = 1;

/// A message: ContentInfo of RFC 2315 with SignedData in it.
#[derive(Clone)]
pub struct Message(pub Element);

impl Message {
    /// The message that these bytes begin with.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let (element, _) = Element::parse(bytes).ok_or("this is not a message")?;
        Ok(Self(element))
    }

    /// The message of a signed image.
    pub fn of(image: &[u8]) -> Result<Self> {
        let (at, len) = pe::certificates(image);
        let table = image.get(at + HEADER_LEN..at + len);
        Self::parse(table.ok_or("the image has no message")?)
    }

    /// The image with this message instead of its own.
    pub fn into_image(self, image: &[u8]) -> Vec<u8> {
        pe::with_certificates(image, &pe::certificate(&self.0.encode()))
    }

    /// The certificates.
    pub fn certificates(&mut self) -> Result<&mut Vec<Element>> {
        Ok(certificates(&mut self.0).ok_or("the message has no certificates")?)
    }

    /// The SignerInfos.
    pub fn signers(&mut self) -> Result<&mut Vec<Element>> {
        Ok(signers(&mut self.0).ok_or("the message has no SignerInfos")?)
    }

    /// Removes the certificates.
    pub fn without_certificates(mut self) -> Result<Self> {
        let fields = fields(&mut self.0).ok_or("the message has no SignedData")?;
        fields.retain(|field| field.tag != context(0));
        Ok(self)
    }

    /// Changes the case of the last letter of each certificate's subject. Key, issuer, serial
    /// number and key IDs stay the same.
    pub fn with_subjects_changed(mut self) -> Result<Self> {
        for certificate in self.certificates()? {
            let attributes = certificate.at_mut(&SUBJECT).and_then(Element::elements_mut);
            let attribute = attributes.and_then(|attributes| attributes.last_mut());
            let value = attribute.and_then(|attribute| attribute.at_mut(&VALUE));
            let text = value.and_then(Element::bytes_mut);
            let letter = text.and_then(|text| text.last_mut());
            *letter.ok_or("a certificate has no subject")? ^= 0x20;
        }
        Ok(self)
    }

    /// Adds this SignerInfo.
    pub fn with_signer(mut self, signer: Element) -> Result<Self> {
        self.signers()?.push(signer);
        Ok(self)
    }

    /// The same, before the others.
    pub fn with_first_signer(mut self, signer: Element) -> Result<Self> {
        self.signers()?.insert(0, signer);
        Ok(self)
    }

    /// Adds the SignerInfos of another message, and its certificates.
    pub fn with_all_of(mut self, mut other: Self) -> Result<Self> {
        self.certificates()?.append(other.certificates()?);
        self.signers()?.append(other.signers()?);
        Ok(self)
    }

    /// The first SignerInfo.
    pub fn signer(&mut self) -> Result<Element> {
        Ok(self.signers()?.first().ok_or("nobody signed")?.clone())
    }

    /// The issuer and the serial number of the first certificate.
    pub fn issued(&mut self) -> Result<Element> {
        let certificate = self.certificates()?.first();
        let certificate = certificate.ok_or("there is no certificate")?;
        let fields = [ISSUER, SERIAL]
            .iter()
            .map(|path| certificate.at(path).cloned());
        let fields = fields.collect::<Option<_>>();
        let fields = fields.ok_or("the certificate is malformed")?;
        Ok(Element::constructed(SEQUENCE, fields))
    }
}

/// The fields of the SignedData in a message.
fn fields(message: &mut Element) -> Option<&mut Vec<Element>> {
    message.at_mut(&[1, 0])?.elements_mut()
}

/// The certificates of a message.
pub fn certificates(message: &mut Element) -> Option<&mut Vec<Element>> {
    let mut fields = fields(message)?.iter_mut();
    let certificates = fields.find(|field| field.tag == context(0));
    certificates?.elements_mut()
}

/// The SignerInfos of a message.
pub fn signers(message: &mut Element) -> Option<&mut Vec<Element>> {
    let last = fields(message)?.last_mut();
    last.filter(|field| field.tag == SET)?.elements_mut()
}

/// This SignerInfo with another name of the signer.
pub fn naming(mut signer: Element, names: Element) -> Result<Element> {
    *signer
        .at_mut(&[NAMES])
        .ok_or("the SignerInfo is malformed")? = names;
    Ok(signer)
}
