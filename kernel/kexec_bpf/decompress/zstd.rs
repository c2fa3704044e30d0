// SPDX-License-Identifier: GPL-2.0

//! zstd frames (RFC 8878): how long one is, and how long its output can become.
//!
//! A streamed frame, as the kernel's own build makes it, does not say how much it holds. The
//! headers of its blocks do, closely enough to refuse a bomb before any memory is taken for it.

use kernel::{
    bindings,
    prelude::*, //
};

use super::format::{
    lacking,
    Format,
    NewBuffer,
    OutputLen,
    OTHER_LENGTH,
    TOO_LONG, //
};
use crate::{
    buffer::Buffer,
    bytes::{
        Reader,
        BLOCKS_MAX,
        TOO_MANY_BLOCKS, //
    },
    error::{
        Kind,
        ParseError, //
    },
    klib::Unzstd, //
};

/// The format.
pub(super) const FORMAT: Format = Format {
    algorithm: bindings::bpf_kexec_algo_BPF_KEXEC_ZSTD,
    magic: &MAGIC,
    unpack,
    #[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
    sample: SAMPLE,
};

/// Without content size, with checksum.
#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
const SAMPLE: &[u8] = b"\x28\xb5\x2f\xfd\x04\x68\x65\0\0\x30kexec \x01\0\x01K\x11\x8c\xe6\x15\xac";

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const SKIPPABLE: u32 = 0x184d_2a50;
const BLOCK_MAX: u64 = 128 << 10;

// Flags of the frame header; the lowest two bits and the highest two are numbers.
const CHECKSUM: u8 = 1 << 2;
const RESERVED: u8 = 1 << 3;
const SINGLE_SEGMENT: u8 = 1 << 5;

// Of a block header.
const LAST: u64 = 1;
const RAW: u64 = 0;
const RLE: u64 = 1;
const COMPRESSED: u64 = 2;

/// A compressed block has the headers of its two parts at least, of a byte each.
const COMPRESSED_MIN: u64 = 2;

/// A zstd frame at the start of some data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Length of the output, if the frame records it.
    pub content_size: Option<u64>,
    /// The output of a valid frame is at most this long. A decoder may make more of an invalid one,
    /// so give it no more room than this.
    pub bound: u64,
    /// Length of the frame itself, including its checksum.
    pub len: usize,
}

impl Frame {
    /// Walks from the header through all blocks to the checksum, without decoding anything.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut frame = Reader::new(data);
        let magic = frame.array()?;
        if u32::from_le_bytes(magic) & !0xf == SKIPPABLE {
            return Err(ParseError::unsupported(
                "skippable zstd frames are not supported",
                0,
            ));
        }
        if magic != MAGIC {
            return Err(ParseError::malformed("no zstd magic", 0));
        }

        let [descriptor] = frame.array()?;
        if descriptor & RESERVED != 0 {
            return Err(ParseError::unsupported("a reserved zstd flag is set", 4));
        }
        let window = match descriptor & SINGLE_SEGMENT {
            0 => Some(window(frame.array()?)),
            _ => None,
        };
        let dictionary_at = frame.at();
        let dictionary_len = match descriptor & 3 {
            3 => 4,
            len => len.into(),
        };
        if number(&mut frame, dictionary_len)? != 0 {
            return Err(ParseError::unsupported(
                "zstd dictionaries are not supported",
                dictionary_at,
            ));
        }
        let size_at = frame.at();
        let content_size = match (descriptor >> 6, window) {
            (0, Some(_)) => None,
            (0, None) => Some(number(&mut frame, 1)?),
            (1, _) => Some(number(&mut frame, 2)?.saturating_add(256)),
            (2, _) => Some(number(&mut frame, 4)?),
            _ => Some(number(&mut frame, 8)?),
        };

        // A single segment is its own window.
        let block_max = window
            .or(content_size)
            .map_or(BLOCK_MAX, |window| window.min(BLOCK_MAX));
        let bound = blocks(&mut frame, block_max)?;
        if descriptor & CHECKSUM != 0 {
            frame.skip(4)?;
        }
        if content_size.is_some_and(|size| size > bound) {
            return Err(ParseError::malformed(
                "the zstd blocks cannot hold the content size",
                size_at,
            ));
        }
        Ok(Self {
            content_size,
            bound,
            len: frame.at() as usize,
        })
    }
}

/// Walks through the blocks, each of which makes at most `block_max` bytes. Returns the most bytes
/// that all of them can make.
fn blocks(frame: &mut Reader<'_>, block_max: u64) -> Result<u64, ParseError> {
    let mut bound = 0u64;
    for _ in 0..BLOCKS_MAX {
        let at = frame.at();
        let [low, middle, high] = frame.array()?;
        let header = u64::from_le_bytes([low, middle, high, 0, 0, 0, 0, 0]);
        let size = header >> 3;
        if size > block_max {
            return Err(ParseError::malformed(
                "a zstd block is larger than its window",
                at,
            ));
        }
        let (len, output) = match (header >> 1) & 3 {
            RAW => (size, size),
            RLE => (1, size),
            COMPRESSED if size < COMPRESSED_MIN => {
                return Err(ParseError::malformed(
                    "a compressed zstd block is too short",
                    at,
                ))
            }
            COMPRESSED => (size, block_max),
            _ => {
                return Err(ParseError::malformed(
                    "a zstd block has the reserved type",
                    at,
                ))
            }
        };
        frame.skip(len)?;
        bound = bound.saturating_add(output);
        if header & LAST != 0 {
            return Ok(bound);
        }
    }
    Err(ParseError::too_big(TOO_MANY_BLOCKS, frame.at()))
}

/// Reads a little-endian number of up to 8 bytes.
fn number(frame: &mut Reader<'_>, len: usize) -> Result<u64, ParseError> {
    let mut bytes = [0; 8];
    for byte in bytes.iter_mut().take(len) {
        [*byte] = frame.array()?;
    }
    Ok(u64::from_le_bytes(bytes))
}

/// The window size: a power of two from 1 KiB to 2 TiB, and some eighths of it.
#[allow(clippy::arithmetic_side_effects, reason = "less than 2^42")]
fn window([descriptor]: [u8; 1]) -> u64 {
    let base = 1024u64 << (descriptor >> 3);
    base + base / 8 * u64::from(descriptor & 7)
}

fn unpack(src: &[u8], want: OutputLen, new: NewBuffer<'_>) -> Result<Buffer, ParseError> {
    let frame = Frame::parse(src)?;
    if frame.len != src.len() {
        return Err(ParseError::malformed(
            "bytes follow the zstd frame",
            frame.len as u64,
        ));
    }
    let (len, mut out) = match (frame.content_size, want) {
        (Some(size), _) => (size, want.buffer(size, new)?),
        (None, OutputLen::Exactly(len)) if len > frame.bound => return Err(OTHER_LENGTH),
        (None, OutputLen::Exactly(len)) => (len, new(len)?),
        (None, OutputLen::AtMost(most)) => {
            let len = frame.bound.min(most);
            (len, new(len)?)
        }
    };
    let mut decoder = Unzstd::new().map_err(|_| ParseError::no_memory())?;
    let room = lacking(&out, len);
    match (
        decoder.decode(src, &mut out, room),
        frame.content_size,
        want,
    ) {
        (Ok(()), ..) => (),
        // With room for all that valid blocks can make, these are not.
        (Err(ENOSPC), None, OutputLen::AtMost(most)) if most < frame.bound => return Err(TOO_LONG),
        (Err(ENOSPC), None, OutputLen::Exactly(_)) => return Err(OTHER_LENGTH),
        _ => {
            return Err(ParseError::whole(
                Kind::Malformed,
                "the zstd frame is malformed",
            ))
        }
    }
    match want {
        OutputLen::Exactly(len) if len != out.len() as u64 => Err(OTHER_LENGTH),
        _ => Ok(out),
    }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_zstd)]
mod tests {
    use super::*;
    use crate::{
        decompress::tests::{
            concat,
            decompress, //
        },
        error::Kind, //
    };

    const LAST_RAW_ABC: [u8; 6] = [(3 << 3) | 1, 0, 0, b'a', b'b', b'c'];

    fn frame(header: &[u8], rest: &[u8]) -> Result<KVVec<u8>, ParseError> {
        concat(&[&MAGIC, header, rest])
    }

    fn block(kind: u64, size: u64, last: bool) -> Result<KVVec<u8>, ParseError> {
        let header = (size << 3) | (kind << 1) | u64::from(last);
        let len = if kind == RLE { 1 } else { size };
        let mut block = concat(&[&header.to_le_bytes()[..3]])?;
        block.extend_with(len as usize, 0, GFP_KERNEL)?;
        Ok(block)
    }

    fn kind(data: &[u8]) -> Option<Kind> {
        Frame::parse(data).err().map(|error| error.kind)
    }

    #[test]
    fn headers() -> Result<(), ParseError> {
        let cases: [(&[u8], Option<u64>); 10] = [
            // A window; no size, or one of 2, 4 or 8 bytes.
            (&[0x00, 0x58], None),
            (&[0x40, 0x58, 0, 0], Some(256)),
            (&[0x80, 0x58, 3, 0, 0, 0], Some(3)),
            (&[0xc0, 0x58, 3, 0, 0, 0, 0, 0, 0, 0], Some(3)),
            // A single segment, of as many bytes as it holds; or 1 to 8 bytes to say so.
            (&[0x20, 3], Some(3)),
            (&[0xa0, 3, 0, 0, 0], Some(3)),
            (&[0xe0, 3, 0, 0, 0, 0, 0, 0, 0], Some(3)),
            // The dictionary that means none, in 1, 2 and 4 bytes.
            (&[0x01, 0x58, 0], None),
            (&[0x22, 0, 0, 3], Some(3)),
            (&[0x23, 0, 0, 0, 0, 3], Some(3)),
        ];
        for (header, content_size) in cases {
            let (blocks, bound) = match content_size {
                Some(256) => (concat(&[&block(RLE, 253, false)?, &LAST_RAW_ABC])?, 256),
                _ => {
                    let (raw, rle) = (block(RAW, 3, false)?, block(RLE, 3, false)?);
                    (concat(&[&raw, &rle, &LAST_RAW_ABC])?, 9)
                }
            };
            let data = frame(header, &blocks)?;
            let parsed = Frame::parse(&data)?;
            assert_eq!(parsed.content_size, content_size);
            assert_eq!(parsed.bound, bound);
            assert_eq!(parsed.len, data.len());
            for len in 0..data.len() {
                assert_eq!(kind(&data[..len]), Some(Kind::Malformed));
            }
        }
        Ok(())
    }

    #[test]
    fn checksum_and_what_follows() -> Result<(), ParseError> {
        let mut data = frame(&[0x04, 0x58], &LAST_RAW_ABC)?;
        for _ in 0..4 {
            assert_eq!(kind(&data), Some(Kind::Malformed));
            data.push(0, GFP_KERNEL)?;
        }
        let parsed = Frame::parse(&data)?;
        assert_eq!(parsed.len, data.len());
        data.push(0, GFP_KERNEL)?;
        assert_eq!(Frame::parse(&data), Ok(parsed));
        Ok(())
    }

    #[test]
    fn bounds_of_blocks() -> Result<(), ParseError> {
        // Each type of block, at the limit and over it, for some windows.
        for (descriptor, window) in [
            (0x00, 1 << 10),
            (0x01, 1152),
            (0x38, 128 << 10),
            (0xff, 15 << 38),
        ] {
            assert_eq!(super::window([descriptor]), window);
            let max = window.min(BLOCK_MAX);
            for (kind, output) in [(RAW, max), (RLE, max), (COMPRESSED, max)] {
                let data = frame(&[0, descriptor], &block(kind, max, true)?)?;
                assert_eq!(Frame::parse(&data)?.bound, output);
                let data = frame(&[0, descriptor], &block(kind, max + 1, true)?)?;
                assert_eq!(self::kind(&data), Some(Kind::Malformed));
            }
            // The output of a raw or RLE block has the length in the block's header. That of a
            // compressed block can be as long as the format allows.
            for (kind, output) in [(RAW, 7), (RLE, 7), (COMPRESSED, max)] {
                let data = frame(&[0, descriptor], &block(kind, 7, true)?)?;
                assert_eq!(Frame::parse(&data)?.bound, output);
            }
        }
        Ok(())
    }

    #[test]
    fn content_that_the_blocks_cannot_hold() -> Result<(), ParseError> {
        let header = [0xc0, 0x58, 255, 255, 255, 255, 255, 255, 255, 255];
        for header in [&[0x20, 4][..], &header, &[0x20, 0]] {
            let data = frame(header, &LAST_RAW_ABC)?;
            assert_eq!(kind(&data), Some(Kind::Malformed));
        }
        assert!(Frame::parse(&frame(&[0x20, 3], &LAST_RAW_ABC)?).is_ok());
        // Nothing, in a window of nothing.
        assert_eq!(Frame::parse(&frame(&[0x20, 0], &[1, 0, 0])?)?.bound, 0);
        Ok(())
    }

    #[test]
    fn many_blocks() -> Result<(), ParseError> {
        let data = |block: &[u8], count| -> Result<KVVec<u8>, ParseError> {
            let mut data = frame(&[0, 0x58], &[])?;
            for _ in 0..count {
                data.extend_from_slice(block, GFP_KERNEL)?;
            }
            data.extend_from_slice(&LAST_RAW_ABC, GFP_KERNEL)?;
            Ok(data)
        };
        let count = 10_000;
        let largest = data(&block(RLE, BLOCK_MAX, false)?, count)?;
        let bound = Frame::parse(&largest)?.bound;
        assert_eq!(bound, count as u64 * BLOCK_MAX + 3);

        // The last one included.
        let empty = block(RAW, 0, false)?;
        assert_eq!(Frame::parse(&data(&empty, BLOCKS_MAX - 1)?)?.bound, 3);
        let error = ParseError::too_big(TOO_MANY_BLOCKS, 6 + 3 * BLOCKS_MAX as u64);
        assert_eq!(Frame::parse(&data(&empty, BLOCKS_MAX)?), Err(error));
        Ok(())
    }

    #[test]
    fn compressed_blocks_of_nothing() -> Result<(), ParseError> {
        for size in 0..4 {
            let data = frame(&[0, 0x58], &block(COMPRESSED, size, true)?)?;
            let bound = Frame::parse(&data).map(|frame| frame.bound);
            let error = ParseError::malformed("a compressed zstd block is too short", 6);
            assert_eq!(bound, if size < 2 { Err(error) } else { Ok(BLOCK_MAX) });
        }
        Ok(())
    }

    #[test]
    fn refused() -> Result<(), ParseError> {
        // Not zstd; and its formats before the first release.
        assert_eq!(kind(&[]), Some(Kind::Malformed));
        let other = [0x27, 0xb5, 0x2f, 0xfd, 0, 0x58];
        assert_eq!(kind(&other), Some(Kind::Malformed));
        for magic in 0x184d_2a50u32..=0x184d_2a5f {
            let data = concat(&[&magic.to_le_bytes(), &[0; 4]])?;
            assert_eq!(kind(&data), Some(Kind::Unsupported));
        }
        // The reserved bit, and the unused one.
        let data = frame(&[0x08, 0x58], &LAST_RAW_ABC)?;
        assert_eq!(kind(&data), Some(Kind::Unsupported));
        assert!(Frame::parse(&frame(&[0x10, 0x58], &LAST_RAW_ABC)?).is_ok());
        // Dictionaries.
        let cases: [&[u8]; 3] = [&[1, 0x58, 1], &[2, 0x58, 0, 1], &[3, 0x58, 0, 0, 0, 1]];
        for header in cases {
            let data = frame(header, &LAST_RAW_ABC)?;
            assert_eq!(kind(&data), Some(Kind::Unsupported));
        }
        // The reserved type of block.
        let data = frame(&[0, 0x58], &block(3, 3, true)?)?;
        assert_eq!(kind(&data), Some(Kind::Malformed));
        Ok(())
    }

    #[test]
    fn damaged() -> Result<(), ParseError> {
        // The first block.
        const BODY: usize = 10;

        let mut src = concat(&[SAMPLE])?;
        for at in BODY..src.len() {
            src[at] ^= 1;
            assert!(decompress(&src, OutputLen::AtMost(1000)).is_err());
            src[at] ^= 1;
        }
        Ok(())
    }

    #[test]
    fn blocks_that_make_too_much() {
        // A window of 1 KiB, and a block: a literal, and a match of 65539 bytes.
        let src = b"\x28\xb5\x2f\xfd\0\0\x55\0\0\x09x\x01\x54\x01\0\x34\0\0\x01";
        let kind = |most| {
            decompress(src, OutputLen::AtMost(most))
                .err()
                .map(|e| e.kind)
        };
        for most in [1024, 1025, 1 << 20] {
            assert_eq!(kind(most), Some(Kind::Malformed));
        }
        // With this limit the frame cannot be told from a valid one that is too long.
        assert_eq!(kind(1023), Some(Kind::TooBig));
    }
}
