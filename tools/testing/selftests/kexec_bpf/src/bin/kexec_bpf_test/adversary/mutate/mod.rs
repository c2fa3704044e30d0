// SPDX-License-Identifier: GPL-2.0

//! Changes of what no signature covers of a signed image: the certificate table, the messages in
//! it, and the two fields of the headers.

mod changes;
mod elements;

use support::der::Element;
use support::pe;

use super::random::Random;

pub use changes::CHANGES;

/// The parts of an image that no signature covers.
#[derive(Clone)]
pub struct Envelope {
    pub message: Element,
    /// How much of the message is kept, in 256ths.
    pub kept: usize,
    pub behind_message: Vec<u8>,
    /// The bits that are flipped in the header of the entry.
    pub header: [u8; 8],
    pub before: Vec<u8>,
    pub after: Vec<u8>,
    pub checksum: Option<u32>,
    /// The numbers that are added to offset and length of the table.
    pub directory: (u32, u32),
}

impl Envelope {
    /// The envelope of an image with this message.
    pub fn new(message: Element) -> Self {
        Self {
            message,
            kept: 256,
            behind_message: vec![],
            header: [0; 8],
            before: vec![],
            after: vec![],
            checksum: None,
            directory: (0, 0),
        }
    }

    /// The image in this envelope in place of its own.
    pub fn around(&self, image: &[u8]) -> Vec<u8> {
        let mut message = self.message.encode();
        message.truncate(message.len() * self.kept / 256);
        message.extend(&self.behind_message);
        let mut entry = pe::certificate(&message);
        for (byte, change) in entry.iter_mut().zip(self.header) {
            *byte ^= change;
        }
        let table = [&self.before[..], &entry, &self.after].concat();
        let mut image = pe::with_certificates(image, &table);
        let (at, len) = pe::certificates(&image);
        let entry = pe::certificate_entry(&image);
        let offset = (at as u32).wrapping_add(self.directory.0);
        let len = (len as u32).wrapping_add(self.directory.1);
        pe::put(&mut image, entry, offset.to_le_bytes());
        pe::put(&mut image, entry + 4, len.to_le_bytes());
        if let Some(checksum) = self.checksum {
            let at = pe::checksum(&image);
            pe::put(&mut image, at, checksum.to_le_bytes());
        }
        image
    }
}

/// A change. `None` if there is nothing to change in this way.
pub type Change = fn(&mut Envelope, &mut Random, &[Element]) -> Option<()>;
