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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_bytes() {
        let shown: Vec<u8> = (0..=u8::MAX).map(printable).collect();
        let text: Vec<u8> = (b' '..=b'~').collect();
        let rest = 256 - 32 - text.len();
        assert_eq!(shown, [&[b'?'; 32], &text[..], &vec![b'?'; rest]].concat());
    }

    #[test]
    fn names_are_cut_and_made_printable() {
        assert_eq!(Name::new(b"").to_string(), "");
        assert_eq!(Name::new(b"\0x").to_string(), "");
        assert_eq!(Name::new(b"a b\n\x1b\x7f\xff").to_string(), "a b????");
        for len in [Name::MAX - 1, Name::MAX, Name::MAX + 1, 1000] {
            let name = vec![b'x'; len];
            assert_eq!(Name::new(&name).to_string().len(), len.min(Name::MAX));
        }
    }
}
