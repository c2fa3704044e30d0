// SPDX-License-Identifier: GPL-2.0

//! lz4's legacy frames, as `lz4 -l` makes them: a magic number, and blocks up to the end.

use crate::bytes::{
    Reader,
    BLOCKS_MAX,
    TOO_MANY_BLOCKS, //
};
use crate::error::{
    Error,
    Result, //
};

const MAGIC: u32 = 0x184c_2102;

/// No block's output is longer.
pub const BLOCK_MAX: usize = 8 << 20;

/// No block is longer: so long is what does not compress.
const COMPRESSED_MAX: u32 = (BLOCK_MAX + BLOCK_MAX / 255 + 16) as u32;

/// lz4 makes at most this many bytes of one.
const RATIO: u64 = 255;

/// What is left of a frame that takes up all of the data.
#[derive(Clone)]
pub struct Frame<'a>(Reader<'a>);

impl<'a> Frame<'a> {
    /// Begins before the first block.
    pub fn parse(data: &'a [u8]) -> Result<Self> {
        let mut frame = Reader::new(data);
        match u32::from_le_bytes(frame.array()?) {
            MAGIC => Ok(Self(frame)),
            _ => Err(Error::malformed("no lz4 legacy magic", 0)),
        }
    }

    /// The next block, which is to be decoded on its own.
    pub fn next_block(&mut self) -> Result<Option<&'a [u8]>> {
        if self.0.is_at_end() {
            return Ok(None);
        }
        let at = self.0.at();
        match u32::from_le_bytes(self.0.array()?) {
            MAGIC => Err(Error::malformed("a second lz4 frame", at)),
            len @ ..=COMPRESSED_MAX => self.0.bytes(len.into()).map(Some),
            _ => Err(Error::malformed("a longer lz4 block than there can be", at)),
        }
    }

    /// What the rest of the frame makes is no longer.
    pub fn bound(&self) -> Result<u64> {
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
            false => Err(Error::too_big(TOO_MANY_BLOCKS, rest.0.at())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn frame(blocks: &[usize]) -> Vec<u8> {
        let mut data = MAGIC.to_le_bytes().to_vec();
        for &len in blocks {
            data.extend((len as u32).to_le_bytes());
            data.resize(data.len() + len, 0);
        }
        data
    }

    fn bound(data: &[u8]) -> Result<u64> {
        Frame::parse(data)?.bound()
    }

    #[test]
    fn blocks() {
        let most = COMPRESSED_MAX as usize;
        for (blocks, want) in [
            (&[][..], 0),
            (&[0], 0),
            (&[1], 255),
            (&[32896], 32896 * 255),
            (&[32897], BLOCK_MAX as u64),
            (&[most, 3, most], 2 * BLOCK_MAX as u64 + 765),
        ] {
            let data = frame(blocks);
            assert_eq!(bound(&data), Ok(want));
            let mut rest = Frame::parse(&data).unwrap();
            for &len in blocks {
                assert_eq!(rest.next_block().unwrap().unwrap().len(), len);
            }
            assert_eq!(rest.next_block(), Ok(None));
            assert_eq!(rest.next_block(), Ok(None));
        }
    }

    #[test]
    fn many_blocks() {
        let most = frame(&vec![1; BLOCKS_MAX]);
        assert_eq!(bound(&most), Ok(255 * BLOCKS_MAX as u64));
        let more = [&most[..], &[1, 0, 0, 0, 0]].concat();
        let error = Error::too_big(TOO_MANY_BLOCKS, most.len() as u64);
        assert_eq!(bound(&more), Err(error));
    }

    #[test]
    fn truncated_at_every_byte() {
        let data = frame(&[10, 20]);
        for len in 0..data.len() {
            // Between blocks nothing is missing.
            match (len, bound(&data[..len])) {
                (4, bound) => assert_eq!(bound, Ok(0)),
                (18, bound) => assert_eq!(bound, Ok(2550)),
                (_, bound) => assert_eq!(bound.unwrap_err().kind, Kind::Malformed, "{len}"),
            }
        }
    }

    #[test]
    fn refused() {
        for (data, want) in [
            (vec![], Error::malformed("the data ends inside a field", 0)),
            // The format after this one.
            (
                b"\x04\"M\x18".to_vec(),
                Error::malformed("no lz4 legacy magic", 0),
            ),
            (
                frame(&[3, COMPRESSED_MAX as usize + 1]),
                Error::malformed("a longer lz4 block than there can be", 11),
            ),
            (
                [frame(&[3]), frame(&[])].concat(),
                Error::malformed("a second lz4 frame", 11),
            ),
        ] {
            assert_eq!(bound(&data), Err(want));
        }
    }
}
