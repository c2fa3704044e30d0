// SPDX-License-Identifier: GPL-2.0

//! zstd frames (RFC 8878): how long one is, and how long its output can become.
//!
//! A streamed frame, as the kernel's own build makes it, does not say how much it holds. The
//! headers of its blocks do, closely enough to refuse a bomb before any memory is taken for it.

use crate::bytes::{
    Reader,
    BLOCKS_MAX,
    TOO_MANY_BLOCKS, //
};
use crate::error::{
    Error,
    Result, //
};

const MAGIC: u32 = 0xfd2f_b528;
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
    /// Length of the output, if the frame says so.
    pub content_size: Option<u64>,
    /// No valid frame's output is longer. A decoder may make more of an invalid one: give it no
    /// more room than this.
    pub bound: u64,
    /// Length of the frame itself, including its checksum.
    pub len: usize,
}

impl Frame {
    /// Walks from the header through all blocks to the checksum, without decoding anything.
    pub fn parse(data: &[u8]) -> Result<Self> {
        let mut frame = Reader::new(data);
        let magic = u32::from_le_bytes(frame.array()?);
        if magic & !0xf == SKIPPABLE {
            return Err(Error::unsupported("a skippable zstd frame", 0));
        }
        if magic != MAGIC {
            return Err(Error::malformed("no zstd magic", 0));
        }

        let [descriptor] = frame.array()?;
        if descriptor & RESERVED != 0 {
            return Err(Error::unsupported("a reserved zstd flag", 4));
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
            return Err(Error::unsupported("a zstd dictionary", dictionary_at));
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
            return Err(Error::malformed(
                "more zstd content than its blocks can hold",
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

/// Walks through the blocks, each of which makes `block_max` bytes or less. Returns how much all of
/// them can make.
fn blocks(frame: &mut Reader<'_>, block_max: u64) -> Result<u64> {
    let mut bound = 0u64;
    for _ in 0..BLOCKS_MAX {
        let at = frame.at();
        let [low, middle, high] = frame.array()?;
        let header = u64::from_le_bytes([low, middle, high, 0, 0, 0, 0, 0]);
        let size = header >> 3;
        if size > block_max {
            return Err(Error::malformed("a zstd block larger than its window", at));
        }
        let (len, output) = match (header >> 1) & 3 {
            RAW => (size, size),
            RLE => (1, size),
            COMPRESSED if size < COMPRESSED_MIN => {
                return Err(Error::malformed("a compressed zstd block of nothing", at))
            }
            COMPRESSED => (size, block_max),
            _ => return Err(Error::malformed("a reserved type of zstd block", at)),
        };
        frame.skip(len)?;
        bound = bound.saturating_add(output);
        if header & LAST != 0 {
            return Ok(bound);
        }
    }
    Err(Error::too_big(TOO_MANY_BLOCKS, frame.at()))
}

/// Reads a little-endian number of up to 8 bytes.
fn number(frame: &mut Reader<'_>, len: usize) -> Result<u64> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    const LAST_RAW_ABC: [u8; 6] = [(3 << 3) | 1, 0, 0, b'a', b'b', b'c'];

    fn frame(header: &[u8], rest: &[u8]) -> Vec<u8> {
        [&MAGIC.to_le_bytes(), header, rest].concat()
    }

    fn block(kind: u64, size: u64, last: bool) -> Vec<u8> {
        let header = (size << 3) | (kind << 1) | u64::from(last);
        let len = if kind == RLE { 1 } else { size };
        let mut block = header.to_le_bytes()[..3].to_vec();
        block.resize(3 + len as usize, 0);
        block
    }

    fn kind(data: &[u8]) -> Kind {
        Frame::parse(data).unwrap_err().kind
    }

    #[test]
    fn headers() {
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
            // Enough for 256 bytes.
            let blocks = [
                &block(RAW, 3, false)[..],
                &block(RLE, 3, false),
                &LAST_RAW_ABC,
            ]
            .concat();
            let blocks = match content_size {
                Some(256) => [block(RLE, 253, false), LAST_RAW_ABC.to_vec()].concat(),
                _ => blocks,
            };
            let data = frame(header, &blocks);
            let parsed = Frame::parse(&data).unwrap();
            assert_eq!(parsed.content_size, content_size);
            assert_eq!(
                parsed.bound,
                if content_size == Some(256) { 256 } else { 9 }
            );
            assert_eq!(parsed.len, data.len());
            for len in 0..data.len() {
                assert_eq!(kind(&data[..len]), Kind::Malformed);
            }
        }
    }

    #[test]
    fn checksum_and_what_follows() {
        let mut data = frame(&[0x04, 0x58], &LAST_RAW_ABC);
        for _ in 0..4 {
            assert_eq!(kind(&data), Kind::Malformed);
            data.push(0);
        }
        let parsed = Frame::parse(&data).unwrap();
        assert_eq!(parsed.len, data.len());
        data.push(0);
        assert_eq!(Frame::parse(&data), Ok(parsed));
    }

    #[test]
    fn bounds_of_blocks() {
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
                let data = frame(&[0, descriptor], &block(kind, max, true));
                assert_eq!(Frame::parse(&data).unwrap().bound, output);
                let data = frame(&[0, descriptor], &block(kind, max + 1, true));
                assert_eq!(self::kind(&data), Kind::Malformed);
            }
            // A compressed block may hold more than it is long, the others may not.
            for (kind, output) in [(RAW, 7), (RLE, 7), (COMPRESSED, max)] {
                let data = frame(&[0, descriptor], &block(kind, 7, true));
                assert_eq!(Frame::parse(&data).unwrap().bound, output);
            }
        }
    }

    #[test]
    fn content_that_the_blocks_cannot_hold() {
        assert!(Frame::parse(&frame(&[0x20, 3], &LAST_RAW_ABC)).is_ok());
        assert_eq!(kind(&frame(&[0x20, 4], &LAST_RAW_ABC)), Kind::Malformed);
        let header = [0xc0, 0x58, 255, 255, 255, 255, 255, 255, 255, 255];
        assert_eq!(kind(&frame(&header, &LAST_RAW_ABC)), Kind::Malformed);
        // Nothing, in a window of nothing.
        assert_eq!(
            Frame::parse(&frame(&[0x20, 0], &[1, 0, 0])).unwrap().bound,
            0
        );
        assert_eq!(kind(&frame(&[0x20, 0], &LAST_RAW_ABC)), Kind::Malformed);
    }

    #[test]
    fn many_blocks() {
        let count = 10_000;
        let mut blocks = block(RLE, BLOCK_MAX, false).repeat(count);
        blocks.extend(LAST_RAW_ABC);
        let parsed = Frame::parse(&frame(&[0, 0x58], &blocks)).unwrap();
        assert_eq!(parsed.bound, count as u64 * BLOCK_MAX + 3);

        // The last one included.
        let empty = block(RAW, 0, false);
        let data = |count| {
            frame(
                &[0, 0x58],
                &[&empty.repeat(count)[..], &LAST_RAW_ABC].concat(),
            )
        };
        assert_eq!(Frame::parse(&data(BLOCKS_MAX - 1)).unwrap().bound, 3);
        let error = Frame::parse(&data(BLOCKS_MAX)).unwrap_err();
        let at = 6 + 3 * BLOCKS_MAX as u64;
        assert_eq!(error, Error::too_big(TOO_MANY_BLOCKS, at));
    }

    #[test]
    fn compressed_blocks_of_nothing() {
        for size in 0..4 {
            let data = frame(&[0, 0x58], &block(COMPRESSED, size, true));
            let bound = Frame::parse(&data).map(|frame| frame.bound);
            let error = Error::malformed("a compressed zstd block of nothing", 6);
            assert_eq!(bound, if size < 2 { Err(error) } else { Ok(BLOCK_MAX) });
        }
    }

    #[test]
    fn refused() {
        // Not zstd; and its formats before the first release.
        assert_eq!(kind(&[]), Kind::Malformed);
        assert_eq!(kind(&[0x27, 0xb5, 0x2f, 0xfd, 0, 0x58]), Kind::Malformed);
        for magic in 0x184d_2a50u32..=0x184d_2a5f {
            let data = [magic.to_le_bytes(), [0; 4]].concat();
            assert_eq!(kind(&data), Kind::Unsupported);
        }
        // The reserved bit, and the unused one.
        assert_eq!(
            kind(&frame(&[0x08, 0x58], &LAST_RAW_ABC)),
            Kind::Unsupported
        );
        assert!(Frame::parse(&frame(&[0x10, 0x58], &LAST_RAW_ABC)).is_ok());
        // Dictionaries.
        let cases: [&[u8]; 3] = [&[1, 0x58, 1], &[2, 0x58, 0, 1], &[3, 0x58, 0, 0, 0, 1]];
        for header in cases {
            assert_eq!(kind(&frame(header, &LAST_RAW_ABC)), Kind::Unsupported);
        }
        // The reserved type of block.
        assert_eq!(
            kind(&frame(&[0, 0x58], &block(3, 3, true))),
            Kind::Malformed
        );
    }
}
