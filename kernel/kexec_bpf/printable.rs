// SPDX-License-Identifier: GPL-2.0

//! Text that came with an image, as it may be shown.
//!
//! Written as it is, it could send control sequences to a terminal, or forge a line of the log.

use core::fmt::{
    self,
    Write, //
};

/// A byte of untrusted text: `?` unless it is printable ASCII.
pub const fn printable(byte: u8) -> u8 {
    match byte {
        b' '..=b'~' => byte,
        _ => b'?',
    }
}

/// Untrusted text, which prints as [`printable()`] has it.
pub struct Printable<'a>(pub &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0 {
            f.write_char(char::from(printable(byte)))?;
        }
        Ok(())
    }
}

/// A short copy of an untrusted name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name, padded with NULs.
    bytes: [u8; Name::MAX],
}

impl Name {
    /// Longer names are cut to this length.
    pub const MAX: usize = 47;

    /// No name.
    pub const EMPTY: Self = Self {
        bytes: [0; Self::MAX],
    };

    /// Copies a name up to its first NUL.
    pub fn new(name: &[u8]) -> Self {
        let mut copy = Self::EMPTY;
        let name = name.iter().take_while(|&&byte| byte != 0);
        for (to, &byte) in copy.bytes.iter_mut().zip(name) {
            *to = byte;
        }
        copy
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.bytes.iter().take_while(|&&byte| byte != 0).count();
        Printable(self.bytes.get(..len).unwrap_or(&self.bytes)).fmt(f)
    }
}
