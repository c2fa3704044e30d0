// SPDX-License-Identifier: GPL-2.0

//! lz4's legacy frames, as `lz4 -l` makes them: a magic number, and blocks up to the end.

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
    klib, //
};

/// The format.
pub(super) const FORMAT: Format = Format {
    algorithm: bindings::bpf_kexec_algo_BPF_KEXEC_LZ4,
    magic: &MAGIC,
    unpack,
    #[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
    sample: SAMPLE,
};

/// A frame without any checksum.
#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
const SAMPLE: &[u8] = b"\x02!L\x18\x10\0\0\0okexec \x06\0\0Pexec ";

const MAGIC: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];

/// No block's output is longer.
pub const BLOCK_MAX: usize = 8 << 20;

/// No block is longer: this is the length of a block that does not compress.
const COMPRESSED_MAX: u32 = (BLOCK_MAX + BLOCK_MAX / 255 + 16) as u32;

/// lz4 makes at most this many bytes of one.
const RATIO: u64 = 255;

/// A frame that takes up all of the data, from the next block on.
#[derive(Clone)]
pub struct Frame<'a>(Reader<'a>);

impl<'a> Frame<'a> {
    /// Begins before the first block.
    pub fn parse(data: &'a [u8]) -> Result<Self, ParseError> {
        let mut frame = Reader::new(data);
        match frame.array()? {
            MAGIC => Ok(Self(frame)),
            _ => Err(ParseError::malformed("no lz4 legacy magic", 0)),
        }
    }

    /// The next block. Blocks are decoded independently of each other.
    pub fn next_block(&mut self) -> Result<Option<&'a [u8]>, ParseError> {
        if self.0.is_at_end() {
            return Ok(None);
        }
        let at = self.0.at();
        let word = self.0.array()?;
        match u32::from_le_bytes(word) {
            _ if word == MAGIC => Err(ParseError::malformed("a second lz4 frame", at)),
            len @ ..=COMPRESSED_MAX => self.0.bytes(len.into()).map(Some),
            _ => Err(ParseError::malformed("an lz4 block is too long", at)),
        }
    }

    /// The output of the blocks that are left is at most this long.
    pub fn bound(&self) -> Result<u64, ParseError> {
        let mut rest = self.clone();
        let mut bound = 0u64;
        for _ in 0..BLOCKS_MAX {
            let Some(block) = rest.next_block()? else {
                return Ok(bound);
            };
            let most = (block.len() as u64).saturating_mul(RATIO);
            bound = bound.saturating_add(most.min(BLOCK_MAX as u64));
        }
        match rest.0.is_at_end() {
            true => Ok(bound),
            false => Err(ParseError::too_big(TOO_MANY_BLOCKS, rest.0.at())),
        }
    }
}

fn unpack(src: &[u8], want: OutputLen, new: NewBuffer<'_>) -> Result<Buffer, ParseError> {
    let mut frame = Frame::parse(src)?;
    let bound = frame.bound()?;
    let most = match want {
        OutputLen::Exactly(len) if len > bound => return Err(OTHER_LENGTH),
        OutputLen::Exactly(len) => len,
        // With room for a whole block, so that none fails for being too long.
        OutputLen::AtMost(most) => bound.min(most.saturating_add(BLOCK_MAX as u64)),
    };
    let mut out = new(most)?;
    while let Some(block) = frame.next_block()? {
        let room = lacking(&out, most).min(BLOCK_MAX);
        klib::unlz4(block, &mut out, room)
            .map_err(|_| ParseError::whole(Kind::Malformed, "an lz4 block is malformed"))?;
        if matches!(want, OutputLen::AtMost(most) if out.len() as u64 > most) {
            return Err(TOO_LONG);
        }
        if klib::killed() {
            return Err(ParseError::interrupted());
        }
    }
    match want {
        OutputLen::Exactly(len) if len != out.len() as u64 => Err(OTHER_LENGTH),
        _ => Ok(out),
    }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_lz4)]
mod tests {
    use super::*;
    use crate::{
        decompress::tests::concat,
        error::Kind, //
    };

    fn frame(blocks: &[usize]) -> Result<KVVec<u8>, ParseError> {
        let mut data = concat(&[&MAGIC])?;
        for &len in blocks {
            data.extend_from_slice(&(len as u32).to_le_bytes(), GFP_KERNEL)?;
            data.extend_with(len, 0, GFP_KERNEL)?;
        }
        Ok(data)
    }

    fn bound(data: &[u8]) -> Result<u64, ParseError> {
        Frame::parse(data)?.bound()
    }

    #[test]
    fn blocks() -> Result<(), ParseError> {
        let most = COMPRESSED_MAX as usize;
        for (blocks, want) in [
            (&[][..], 0),
            (&[0], 0),
            (&[1], 255),
            (&[32896], 32896 * 255),
            (&[32897], BLOCK_MAX as u64),
            (&[most, 3, most], 2 * BLOCK_MAX as u64 + 765),
        ] {
            let data = frame(blocks)?;
            assert_eq!(bound(&data), Ok(want));
            let mut rest = Frame::parse(&data)?;
            for &len in blocks {
                assert_eq!(rest.next_block()?.map(<[u8]>::len), Some(len));
            }
            assert_eq!(rest.next_block(), Ok(None));
            assert_eq!(rest.next_block(), Ok(None));
        }
        Ok(())
    }

    #[test]
    fn many_blocks() -> Result<(), ParseError> {
        let most = frame(&KVVec::from_elem(1, BLOCKS_MAX, GFP_KERNEL)?)?;
        assert_eq!(bound(&most), Ok(255 * BLOCKS_MAX as u64));
        let more = concat(&[&most, &[1, 0, 0, 0, 0]])?;
        let error = ParseError::too_big(TOO_MANY_BLOCKS, most.len() as u64);
        assert_eq!(bound(&more), Err(error));
        Ok(())
    }

    #[test]
    fn truncated_at_every_byte() -> Result<(), ParseError> {
        let data = frame(&[10, 20])?;
        for len in 0..data.len() {
            // Between blocks nothing is missing.
            match (len, bound(&data[..len])) {
                (4, bound) => assert_eq!(bound, Ok(0)),
                (18, bound) => assert_eq!(bound, Ok(2550)),
                (_, bound) => assert_eq!(bound.err().map(|e| e.kind), Some(Kind::Malformed)),
            }
        }
        Ok(())
    }

    #[test]
    fn refused() -> Result<(), ParseError> {
        for (data, want) in [
            (
                &[][..],
                ParseError::malformed("the data ends inside a field", 0),
            ),
            // The format after this one.
            (
                b"\x04\"M\x18",
                ParseError::malformed("no lz4 legacy magic", 0),
            ),
            (
                &frame(&[3, COMPRESSED_MAX as usize + 1])?,
                ParseError::malformed("an lz4 block is too long", 11),
            ),
            (
                &concat(&[&frame(&[3])?, &frame(&[])?])?,
                ParseError::malformed("a second lz4 frame", 11),
            ),
        ] {
            assert_eq!(bound(data), Err(want));
        }
        Ok(())
    }
}
