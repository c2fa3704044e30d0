// SPDX-License-Identifier: GPL-2.0

//! What all formats of compression have in common.

use kernel::{
    bindings,
    prelude::*, //
};

use crate::{
    buffer::Buffer,
    error::{
        Kind,
        ParseError, //
    },
};

/// A compression format.
pub struct Format {
    /// Its number in `enum bpf_kexec_algo`.
    pub algorithm: bindings::bpf_kexec_algo,
    /// The bytes that its data begins with.
    pub magic: &'static [u8],
    /// Decompresses all of some data.
    pub(super) unpack: fn(&[u8], OutputLen, NewBuffer<'_>) -> Result<Buffer, ParseError>,
    /// `"kexec "`, five times.
    #[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
    pub sample: &'static [u8],
}

/// The length of the output.
#[derive(Clone, Copy, Debug)]
pub enum OutputLen {
    /// Just this length.
    Exactly(u64),
    /// This length or less.
    AtMost(u64),
}

/// Makes a buffer for so many bytes, as [`Buffer::new()`] does.
pub type NewBuffer<'a> = &'a mut dyn FnMut(u64) -> Result<Buffer, ParseError>;

pub(super) const TOO_LONG: ParseError =
    ParseError::whole(Kind::TooBig, "the output is longer than the limit");
pub(super) const OTHER_LENGTH: ParseError = ParseError::whole(
    Kind::Malformed,
    "the output does not have the requested length",
);

impl OutputLen {
    /// A buffer for an output whose length is known to be `len`.
    pub(super) fn buffer(self, len: u64, new: NewBuffer<'_>) -> Result<Buffer, ParseError> {
        match self {
            Self::Exactly(want) if want != len => Err(OTHER_LENGTH),
            Self::AtMost(most) if most < len => Err(TOO_LONG),
            _ => new(len),
        }
    }
}

/// The bytes that an output lacks to be of `len` bytes. The buffer may have room for more.
pub(super) fn lacking(out: &Buffer, len: u64) -> usize {
    len.saturating_sub(out.len() as u64) as usize
}
