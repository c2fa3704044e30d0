// SPDX-License-Identifier: GPL-2.0

//! Decompression, in one shot into the final buffer.
//!
//! A format is a file here, with a `FORMAT` that is listed in [`FORMATS`], and a decoder in
//! `klib.rs`. The host crate has a decoder of user space in its own `klib.rs`, and an encoder in
//! `tests/streams/encoders.rs`. Its tests fail for an algorithm of the interface without a format,
//! and for a format without an encoder.

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

pub mod gzip;
pub mod lz4;
pub mod lzo;
pub mod xz;
pub mod zstd;

/// A compression format.
pub struct Format {
    /// Its number in `enum bpf_kexec_algo`.
    pub algorithm: bindings::bpf_kexec_algo,
    /// The bytes that its data begins with.
    pub magic: &'static [u8],
    /// Decompresses all of some data.
    unpack: fn(&[u8], OutputLen, NewBuffer<'_>) -> Result<Buffer, ParseError>,
    /// `"kexec "`, five times.
    #[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
    pub sample: &'static [u8],
}

/// The formats.
pub const FORMATS: [Format; 5] = [
    gzip::FORMAT,
    zstd::FORMAT,
    xz::FORMAT,
    lz4::FORMAT,
    lzo::FORMAT,
];

/// The length of the output.
#[derive(Clone, Copy, Debug)]
pub enum OutputLen {
    /// Just this length.
    Exactly(u64),
    /// This length or less.
    AtMost(u64),
}

/// Makes a buffer for so many bytes. `EFBIG` if that is over the budget of all loads.
pub type NewBuffer<'a> = &'a mut dyn FnMut(u64) -> Result<Buffer>;

const TOO_LONG: ParseError = ParseError::whole(Kind::TooBig, "the output is longer than the limit");
const OTHER_LENGTH: ParseError = ParseError::whole(
    Kind::Malformed,
    "the output does not have the requested length",
);

/// Decompresses all of `src` by an algorithm of `enum bpf_kexec_algo`.
pub fn run(
    src: &[u8],
    algo: u64,
    want: OutputLen,
    new: NewBuffer<'_>,
) -> Result<Buffer, ParseError> {
    const BY_MAGIC: u64 = bindings::bpf_kexec_algo_BPF_KEXEC_BY_MAGIC as u64;

    let is_asked_for = |format: &&Format| match algo {
        BY_MAGIC => src.starts_with(format.magic),
        _ => u64::from(format.algorithm) == algo,
    };
    match FORMATS.iter().find(is_asked_for) {
        Some(format) => (format.unpack)(src, want, new),
        None => Err(ParseError::whole(
            Kind::Unsupported,
            "the algorithm is not supported",
        )),
    }
}

impl OutputLen {
    /// A buffer for an output whose length is known to be `len`.
    fn buffer(self, len: u64, new: NewBuffer<'_>) -> Result<Buffer, ParseError> {
        match self {
            Self::Exactly(want) if want != len => Err(OTHER_LENGTH),
            Self::AtMost(most) if most < len => Err(TOO_LONG),
            _ => allocate(len, new),
        }
    }
}

fn allocate(len: u64, new: NewBuffer<'_>) -> Result<Buffer, ParseError> {
    let wrong = "with the output, all loads would take over half of the memory";
    new(len).map_err(|error| match error {
        EFBIG => ParseError::whole(Kind::TooBig, wrong),
        _ => ParseError::no_memory(),
    })
}

/// The bytes that an output lacks to be of `len` bytes. The buffer may have room for more.
fn lacking(out: &Buffer, len: u64) -> usize {
    len.saturating_sub(out.len() as u64) as usize
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_decompress)]
mod tests {
    use super::*;

    const TEXT: [[u8; 6]; 5] = [*b"kexec "; 5];

    pub(super) fn concat(parts: &[&[u8]]) -> Result<KVVec<u8>, ParseError> {
        let mut all = KVVec::new();
        for part in parts {
            all.extend_from_slice(part, GFP_KERNEL)?;
        }
        Ok(all)
    }

    pub(super) fn decompress(src: &[u8], want: OutputLen) -> Result<Buffer, ParseError> {
        run(src, 0, want, &mut Buffer::new)
    }

    pub(super) fn is_sample(result: Result<Buffer, ParseError>) -> bool {
        result.is_ok_and(|out| out[..] == *TEXT.as_flattened())
    }

    fn kind(src: &[u8], want: OutputLen) -> Option<Kind> {
        decompress(src, want).err().map(|error| error.kind)
    }

    #[test]
    fn lengths() {
        for Format { sample, .. } in FORMATS {
            for want in [
                OutputLen::Exactly(30),
                OutputLen::AtMost(30),
                OutputLen::AtMost(31),
            ] {
                assert!(is_sample(decompress(sample, want)));
            }
            assert_eq!(kind(sample, OutputLen::Exactly(29)), Some(Kind::Malformed));
            assert_eq!(kind(sample, OutputLen::Exactly(31)), Some(Kind::Malformed));
            assert_eq!(kind(sample, OutputLen::AtMost(29)), Some(Kind::TooBig));
        }
    }

    #[test]
    fn truncated_at_every_byte() {
        for Format { sample, .. } in FORMATS {
            for len in 4..sample.len() {
                assert!(decompress(&sample[..len], OutputLen::Exactly(30)).is_err());
            }
        }
    }

    #[test]
    fn other_formats_and_limits() {
        assert_eq!(kind(b"", OutputLen::AtMost(1)), Some(Kind::Unsupported));
        assert_eq!(
            kind(b"\x04\x22\x4d\x18", OutputLen::AtMost(1)),
            Some(Kind::Unsupported)
        );
        for (why, kind) in [(EFBIG, Kind::TooBig), (ENOMEM, Kind::NoMemory)] {
            for Format { sample, .. } in FORMATS {
                let refused = run(sample, 0, OutputLen::Exactly(30), &mut |_| Err(why)).err();
                assert_eq!(refused.map(|error| error.kind), Some(kind));
            }
        }
    }
}
