// SPDX-License-Identifier: GPL-2.0

//! Files of lzop, as it makes them without options: a header, and blocks up to an empty one.

use crate::bytes::{
    slice,
    Reader,
    BLOCKS_MAX,
    TOO_MANY_BLOCKS, //
};
use crate::error::{
    Error,
    Result, //
};

const MAGIC: [u8; 9] = *b"\x89LZO\0\r\n\x1a\n";

/// Before it, headers were shorter.
const VERSION_MIN: u16 = 0x0940;

/// LZO1X-1, LZO1X-1(15) and LZO1X-999 differ in how they search: one decoder fits all.
const LZO1X_MAX: u8 = 3;

// Flags: the output of each block has a checksum; of those that change the format it is the only.
const ADLER32: u32 = 1;
const FORMAT: u32 = 0x3fc3;

/// No block's output is longer.
const BLOCK_MAX: u32 = 256 << 10;

/// A file that takes up all of the data, and what of it was not read yet.
#[derive(Clone)]
pub struct File<'a> {
    /// What the checksum of the header is about.
    pub header: &'a [u8],
    /// Adler-32 of the header.
    pub adler32: u32,
    rest: Reader<'a>,
}

/// One block.
#[derive(Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// Length of the output.
    pub len: usize,
    /// Adler-32 of the output.
    pub adler32: u32,
    /// LZO1X, or the output itself if that is as long.
    pub data: &'a [u8],
}

impl<'a> File<'a> {
    /// Reads the header.
    pub fn parse(data: &'a [u8]) -> Result<Self> {
        let mut rest = Reader::new(data);
        if rest.array() != Ok(MAGIC) {
            return Err(Error::malformed("no lzop magic", 0));
        }
        let start = rest.at();
        if u16::from_be_bytes(rest.array()?) < VERSION_MIN {
            return Err(Error::unsupported("an old version of lzop", start));
        }
        // Versions of the library, and of lzop to extract.
        rest.skip(4)?;
        let at = rest.at();
        let [method, _level] = rest.array()?;
        if !(1..=LZO1X_MAX).contains(&method) {
            return Err(Error::unsupported("not an LZO1X method", at));
        }
        let at = rest.at();
        if u32::from_be_bytes(rest.array()?) & FORMAT != ADLER32 {
            return Err(Error::unsupported("lzop flags other than Adler-32", at));
        }
        // Mode and time.
        rest.skip(12)?;
        let [name_len] = rest.array()?;
        rest.skip(name_len.into())?;
        Ok(Self {
            header: slice(data, start, rest.at().saturating_sub(start), "")?,
            adler32: u32::from_be_bytes(rest.array()?),
            rest,
        })
    }

    /// The next block.
    pub fn next_block(&mut self) -> Result<Option<Block<'a>>> {
        let at = self.rest.at();
        let len = u32::from_be_bytes(self.rest.array()?);
        if len == 0 {
            return match self.rest.is_at_end() {
                true => Ok(None),
                false => Err(Error::malformed(
                    "bytes after the lzop file",
                    self.rest.at(),
                )),
            };
        }
        let data_len = u32::from_be_bytes(self.rest.array()?);
        if len > BLOCK_MAX || data_len > len {
            return Err(Error::malformed("an lzop block that is too long", at));
        }
        Ok(Some(Block {
            len: len as usize,
            adler32: u32::from_be_bytes(self.rest.array()?),
            data: self.rest.bytes(data_len.into())?,
        }))
    }

    /// What the rest of the file makes is of this length.
    pub fn output_len(&self) -> Result<u64> {
        let mut rest = self.clone();
        let mut output_len = 0u64;
        // The end is a block too.
        for _ in 0..=BLOCKS_MAX {
            let Some(block) = rest.next_block()? else {
                return Ok(output_len);
            };
            output_len = output_len.saturating_add(block.len as u64);
        }
        Err(Error::too_big(TOO_MANY_BLOCKS, rest.rest.at()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn header(version: u16, method: u8, flags: u32, name: &[u8]) -> Vec<u8> {
        let mut data = MAGIC.to_vec();
        data.extend(version.to_be_bytes());
        data.extend([0x20, 0xa0, 9, 0x40, method, 9]);
        data.extend(flags.to_be_bytes());
        data.extend([0; 12]);
        data.push(name.len() as u8);
        data.extend(name);
        data.extend(b"sum.");
        data
    }

    /// As lzop is when it reads from a pipe.
    const FLAGS: u32 = 0x0300_000d;

    fn file(blocks: &[(u32, u32)]) -> Vec<u8> {
        let mut data = header(0x1040, 3, FLAGS, b"");
        for (len, data_len) in blocks {
            data.extend([len.to_be_bytes(), data_len.to_be_bytes(), *b"sum."].concat());
            data.resize(data.len() + *data_len as usize, b'x');
        }
        data.extend([0; 4]);
        data
    }

    fn output_len(data: &[u8]) -> Result<u64> {
        File::parse(data)?.output_len()
    }

    #[test]
    fn headers() {
        for (version, method, flags, name, want) in [
            (0x0940, 1, ADLER32, &b""[..], None),
            (0xffff, 2, 0xff00_003d, &[b'n'; 255], None),
            (0x1040, 3, FLAGS, b"vmlinux", None),
            (0x093f, 1, FLAGS, b"", Some(9)),
            (0x1040, 0, FLAGS, b"", Some(15)),
            (0x1040, 4, FLAGS, b"", Some(15)),
            // No checksum, another one, one more.
            (0x1040, 3, 0, b"", Some(17)),
            (0x1040, 3, 0x100, b"", Some(17)),
            (0x1040, 3, 0x101, b"", Some(17)),
        ] {
            let data = header(version, method, flags, name);
            let parsed = File::parse(&data);
            match (want, parsed) {
                (None, Ok(file)) => {
                    assert_eq!(file.header, &data[9..data.len() - 4]);
                    assert_eq!(file.adler32.to_be_bytes(), *b"sum.");
                    for len in 0..data.len() {
                        let error = File::parse(&data[..len]).err().unwrap();
                        assert_eq!(error.kind, Kind::Malformed, "{len}");
                    }
                }
                (Some(at), Err(error)) => {
                    assert_eq!((error.kind, error.at), (Kind::Unsupported, Some(at)));
                }
                _ => panic!("version {version:#x}, method {method}, flags {flags:#x}"),
            }
        }
        // Each flag that changes the format.
        for bit in [1, 6, 7, 8, 9, 10, 11, 12, 13] {
            let error = File::parse(&header(0x1040, 3, FLAGS | (1 << bit), b"")).err();
            assert_eq!(error.unwrap().kind, Kind::Unsupported, "{bit}");
        }
    }

    #[test]
    fn blocks() {
        for (blocks, want) in [
            (&[][..], 0),
            (&[(1, 1)], 1),
            (&[(30, 13), (30, 30), (1, 0)], 61),
            (
                &[(BLOCK_MAX, BLOCK_MAX), (BLOCK_MAX, 1)],
                2 * u64::from(BLOCK_MAX),
            ),
        ] {
            let data = file(blocks);
            assert_eq!(output_len(&data), Ok(want));
            let mut file = File::parse(&data).unwrap();
            for &(len, data_len) in blocks {
                let block = file.next_block().unwrap().unwrap();
                assert_eq!(block.len, len as usize);
                assert_eq!(block.adler32.to_be_bytes(), *b"sum.");
                assert_eq!(block.data, vec![b'x'; data_len as usize]);
            }
            assert_eq!(file.next_block(), Ok(None));
        }
        for block in [(0x4_0001, 1), (u32::MAX, 1), (30, 31), (1, u32::MAX)] {
            let mut data = file(&[]);
            let at = data.len() as u64 - 4;
            data.truncate(at as usize);
            data.extend([block.0.to_be_bytes(), block.1.to_be_bytes()].concat());
            assert_eq!(
                output_len(&data),
                Err(Error::malformed("an lzop block that is too long", at))
            );
        }
    }

    #[test]
    fn many_blocks() {
        let most = vec![(1, 0); BLOCKS_MAX];
        assert_eq!(output_len(&file(&most)), Ok(BLOCKS_MAX as u64));
        let more = file(&[&most[..], &[(1, 0)]].concat());
        let error = Error::too_big(TOO_MANY_BLOCKS, more.len() as u64 - 4);
        assert_eq!(output_len(&more), Err(error));
    }

    #[test]
    fn truncated_at_every_byte_and_longer() {
        let data = file(&[(30, 13), (30, 30)]);
        for len in 0..data.len() {
            assert_eq!(output_len(&data[..len]).unwrap_err().kind, Kind::Malformed);
        }
        for more in [&b"\0"[..], &data] {
            assert_eq!(
                output_len(&[&data, more].concat()),
                Err(Error::malformed(
                    "bytes after the lzop file",
                    data.len() as u64
                ))
            );
        }
        let error = File::parse(b"\x89LZO\0\r\n\x1a\r").err();
        assert_eq!(error, Some(Error::malformed("no lzop magic", 0)));
    }
}
