// SPDX-License-Identifier: GPL-2.0

//! PE images: makes small ones with the builder of `pe_image.rs`, and finds fields in images that
//! tools made.

use crate::arch::MACHINE;
use crate::pe_image::{Image, SECTION_LEN};

const FILE_ALIGNMENT: usize = 512;

/// An unsigned image with these sections.
pub fn image(sections: &[(&str, &[u8])]) -> Vec<u8> {
    const PE: usize = 0x80;
    const HEADERS_LEN: usize = PE + 24 + 112 + 16 * 8;
    let len = HEADERS_LEN + SECTION_LEN * sections.len();
    let mut image = Image::new(MACHINE, PE, len.next_multiple_of(FILE_ALIGNMENT));
    for (name, bytes) in sections {
        let padded_len = bytes.len().next_multiple_of(FILE_ALIGNMENT);
        let mut padded = bytes.to_vec();
        padded.resize(padded_len, 0);
        image.add_section(name.as_bytes(), bytes.len(), &padded);
    }
    image.file
}

/// A section of an image.
pub struct Section {
    pub name: String,
    /// The offset of its contents.
    pub at: usize,
    pub len: usize,
}

fn number(image: &[u8], at: usize, len: usize) -> usize {
    let bytes = image[at..at + len].iter().rev();
    bytes.fold(0, |number, &byte| (number << 8) | usize::from(byte))
}

/// The sections of a well-formed image.
pub fn sections(image: &[u8]) -> Vec<Section> {
    let pe = number(image, 0x3c, 4);
    let table = pe + 24 + number(image, pe + 20, 2);
    (0..number(image, pe + 6, 2))
        .map(|index| {
            let header = table + SECTION_LEN * index;
            let name = &image[header..header + 8];
            let name = String::from_utf8_lossy(name).trim_end_matches('\0').into();
            let len = number(image, header + 8, 4).min(number(image, header + 16, 4));
            let at = number(image, header + 20, 4);
            Section { name, at, len }
        })
        .collect()
}

/// The offset and the length of the certificate table.
pub fn certificates(image: &[u8]) -> (usize, usize) {
    let directory = certificate_entry(image);
    (number(image, directory, 4), number(image, directory + 4, 4))
}

/// The offset of the directory entry of the certificate table.
pub fn certificate_entry(image: &[u8]) -> usize {
    number(image, 0x3c, 4) + 24 + 112 + 4 * 8
}

/// Puts a field into an image.
pub fn put<const N: usize>(image: &mut [u8], at: usize, field: [u8; N]) {
    image[at..at + N].copy_from_slice(&field);
}

/// The offset of the header that begins with "PE".
pub fn header(image: &[u8]) -> usize {
    number(image, 0x3c, 4)
}

/// The length of the DER element that these bytes begin with, if its length takes two bytes, as in
/// PKCS #7 messages.
pub fn der_len(bytes: &[u8]) -> usize {
    4 + usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))
}

/// The offset of the checksum.
pub fn checksum(image: &[u8]) -> usize {
    number(image, 0x3c, 4) + 24 + 64
}

/// The image with this certificate table instead of its own.
pub fn with_certificates(image: &[u8], table: &[u8]) -> Vec<u8> {
    let at = match certificates(image) {
        (0, _) => image.len(),
        (at, _) => at,
    };
    let mut image = [&image[..at], table].concat();
    let entry = certificate_entry(&image);
    image[entry..entry + 4].copy_from_slice(&(at as u32).to_le_bytes());
    image[entry + 4..entry + 8].copy_from_slice(&(table.len() as u32).to_le_bytes());
    image
}

/// A certificate table with this PKCS#7 message.
pub fn certificate(message: &[u8]) -> Vec<u8> {
    const REVISION: u16 = 0x200;
    const TYPE_PKCS_SIGNED_DATA: u16 = 2;
    let len = message.len() as u32 + 8;
    let mut table = len.to_le_bytes().to_vec();
    table.extend(REVISION.to_le_bytes());
    table.extend(TYPE_PKCS_SIGNED_DATA.to_le_bytes());
    table.extend(message);
    table.resize(table.len().next_multiple_of(8), 0);
    table
}
