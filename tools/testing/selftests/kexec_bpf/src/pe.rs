// SPDX-License-Identifier: GPL-2.0

//! PE images: makes small ones, and finds fields in others.

use crate::uapi::MACHINE;

const PE_AT: usize = 0x80;
const OPTIONAL_LEN: usize = 112 + 16 * 8;
const SECTION_LEN: usize = 40;
const FILE_ALIGN: usize = 512;

/// An unsigned image with these sections.
pub fn image(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let table = PE_AT + 24 + OPTIONAL_LEN;
    let mut at = (table + SECTION_LEN * sections.len()).next_multiple_of(FILE_ALIGN);
    let mut image = vec![0; at];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &(PE_AT as u32).to_le_bytes());
    put(PE_AT, b"PE\0\0");
    put(PE_AT + 4, &MACHINE.to_le_bytes());
    put(PE_AT + 6, &(sections.len() as u16).to_le_bytes());
    put(PE_AT + 20, &(OPTIONAL_LEN as u16).to_le_bytes());
    put(PE_AT + 24, &0x20bu16.to_le_bytes());
    put(PE_AT + 24 + 60, &(at as u32).to_le_bytes());
    put(PE_AT + 24 + 108, &16u32.to_le_bytes());
    let mut contents = Vec::new();
    for (index, (name, bytes)) in sections.iter().enumerate() {
        let header = table + SECTION_LEN * index;
        let raw_len = bytes.len().next_multiple_of(FILE_ALIGN);
        put(header, name.as_bytes());
        for (field, value) in [(8, bytes.len()), (12, at), (16, raw_len), (20, at)] {
            put(header + field, &(value as u32).to_le_bytes());
        }
        contents.extend(*bytes);
        contents.resize(contents.len().next_multiple_of(FILE_ALIGN), 0);
        at += raw_len;
    }
    image.extend(contents);
    image
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
