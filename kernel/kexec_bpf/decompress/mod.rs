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

mod format;
pub mod gzip;
pub mod lz4;
pub mod lzo;
pub mod xz;
pub mod zstd;

pub use format::{
    Format,
    NewBuffer,
    OutputLen, //
};

/// The formats.
pub const FORMATS: [Format; 5] = [
    gzip::FORMAT,
    zstd::FORMAT,
    xz::FORMAT,
    lz4::FORMAT,
    lzo::FORMAT,
];

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
        for Format { sample, .. } in FORMATS {
            let why = ParseError::no_memory();
            let refused = run(sample, 0, OutputLen::Exactly(30), &mut |_| Err(why)).err();
            assert_eq!(refused, Some(why));
        }
    }
}
