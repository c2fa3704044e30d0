// SPDX-License-Identifier: GPL-2.0

//! A builder of PE images, which sets them field by field. The tests in host/ include this file, so
//! that it uses nothing of this crate.

/// The length of the header of a section.
pub const SECTION_LEN: usize = 40;

/// An image.
#[derive(Clone)]
pub struct Image {
    pub file: Vec<u8>,
    /// The offset of the PE header.
    pub pe: usize,
}

impl Image {
    /// PE32+ headers with 16 data directories and no sections, of this length. The PE header begins
    /// at `pe`.
    pub fn new(machine: u16, pe: usize, len: usize) -> Self {
        let file = vec![0; len];
        let mut image = Self { file, pe };
        image.put(0, b"MZ");
        image.put32(0x3c, pe);
        image.put(pe, b"PE\0\0");
        image.put16(pe + 4, machine.into());
        image.put16(pe + 20, image.section(0) - image.optional(0));
        image.put16(image.optional(0), 0x20b);
        image.put32(image.optional(60), len);
        image.put32(image.optional(108), 16);
        image
    }

    /// The offset of a field of the optional header.
    pub fn optional(&self, field: usize) -> usize {
        self.pe + 24 + field
    }

    /// The offset of a data directory.
    pub fn directory(&self, index: usize) -> usize {
        self.optional(112 + 8 * index)
    }

    /// The offset of the header of a section.
    pub fn section(&self, index: usize) -> usize {
        self.directory(16) + SECTION_LEN * index
    }

    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        self.file[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub fn put16(&mut self, at: usize, value: usize) {
        self.put(at, &(value as u16).to_le_bytes());
    }

    pub fn put32(&mut self, at: usize, value: usize) {
        self.put(at, &(value as u32).to_le_bytes());
    }

    /// Adds a section at the end of the file. Its address is that of the bytes in the file.
    pub fn add_section(&mut self, name: &[u8], size: usize, bytes: &[u8]) {
        let count = [self.file[self.pe + 6], self.file[self.pe + 7]];
        let (count, at) = (u16::from_le_bytes(count).into(), self.file.len());
        let header = self.section(count);
        self.put16(self.pe + 6, count + 1);
        self.put(header, name);
        for (field, value) in [(8, size), (12, at), (16, bytes.len()), (20, at)] {
            self.put32(header + field, value);
        }
        self.file.extend(bytes);
    }

    /// Adds a certificate table of this length at the end of the file.
    pub fn add_certificates(&mut self, len: usize) {
        let entry = self.directory(4);
        self.put32(entry, self.file.len());
        self.put32(entry + 4, len);
        self.file.resize(self.file.len() + len, 0xcc);
    }
}
