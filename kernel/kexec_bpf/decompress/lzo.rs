// SPDX-License-Identifier: GPL-2.0

//! Files of lzop, as it makes them without options: a header, and blocks up to an empty one.

use kernel::{
    bindings,
    prelude::*, //
};

use super::format::{
    Format,
    NewBuffer,
    OutputLen, //
};
use crate::{
    buffer::Buffer,
    bytes::{
        slice,
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
    algorithm: bindings::bpf_kexec_algo_BPF_KEXEC_LZO,
    magic: MAGIC.split_at(4).0,
    unpack,
    #[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
    sample: SAMPLE,
};

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
const SAMPLE: &[u8] =
    b"\x89LZO\0\r\n\x1a\n\x10@ \xa0\x09@\x03\x09\x03\0\0\r\0\0\x81\xa4\0\0\0\0\0\0\0\0\0\
    +\xbd\x02\x9b\0\0\0\x1e\0\0\0\r\xad\x8e\n\xf1\x17kexec 6\x14\0\x11\0\0\0\0\0\0";

const MAGIC: [u8; 9] = *b"\x89LZO\0\r\n\x1a\n";

/// The headers of earlier versions are shorter.
const VERSION_MIN: u16 = 0x0940;

/// LZO1X-1, LZO1X-1(15) and LZO1X-999 differ in how they search: one decoder fits all.
const LZO1X_MAX: u8 = 3;

// Flags: the output of each block has a checksum. No other flag that changes the format is
// supported.
const ADLER32: u32 = 1;
const CHANGES_FORMAT: u32 = 0x3fc3;

/// No block's output is longer.
const BLOCK_MAX: u32 = 256 << 10;

/// LZO1X makes at most 255 bytes of one; of the runs of zeroes that Linux added, 4 make 2051.
const RATIO: u64 = 513;

const MALFORMED: ParseError = ParseError::whole(Kind::Malformed, "an lzop block is malformed");

/// A file that takes up all of the data, and the part of it that was not read yet.
#[derive(Clone)]
pub struct File<'a> {
    /// The bytes that the checksum of the header covers.
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
    pub fn parse(data: &'a [u8]) -> Result<Self, ParseError> {
        let mut rest = Reader::new(data);
        if rest.array() != Ok(MAGIC) {
            return Err(ParseError::malformed("no lzop magic", 0));
        }
        let start = rest.at();
        if u16::from_be_bytes(rest.array()?) < VERSION_MIN {
            return Err(ParseError::unsupported(
                "versions of lzop before 0.940 are not supported",
                start,
            ));
        }
        // Versions of the library, and of lzop to extract.
        rest.skip(4)?;
        let at = rest.at();
        let [method, _level] = rest.array()?;
        if !(1..=LZO1X_MAX).contains(&method) {
            return Err(ParseError::unsupported("not an LZO1X method", at));
        }
        let at = rest.at();
        if u32::from_be_bytes(rest.array()?) & CHANGES_FORMAT != ADLER32 {
            return Err(ParseError::unsupported(
                "lzop flags other than Adler-32 are not supported",
                at,
            ));
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
    pub fn next_block(&mut self) -> Result<Option<Block<'a>>, ParseError> {
        let at = self.rest.at();
        let len = u32::from_be_bytes(self.rest.array()?);
        if len == 0 {
            return match self.rest.is_at_end() {
                true => Ok(None),
                false => Err(ParseError::malformed(
                    "bytes follow the lzop file",
                    self.rest.at(),
                )),
            };
        }
        let data_len = u32::from_be_bytes(self.rest.array()?);
        if len > BLOCK_MAX || data_len > len {
            return Err(ParseError::malformed("an lzop block is too long", at));
        }
        Ok(Some(Block {
            len: len as usize,
            adler32: u32::from_be_bytes(self.rest.array()?),
            data: self.rest.bytes(data_len.into())?,
        }))
    }

    /// The length of the output of the blocks that are left.
    pub fn output_len(&self) -> Result<u64, ParseError> {
        let mut rest = self.clone();
        let mut output_len = 0u64;
        // The end is a block too.
        for _ in 0..=BLOCKS_MAX {
            let Some(block) = rest.next_block()? else {
                return Ok(output_len);
            };
            output_len = output_len.saturating_add(block.len as u64);
        }
        Err(ParseError::too_big(TOO_MANY_BLOCKS, rest.rest.at()))
    }
}

fn unpack(src: &[u8], want: OutputLen, new: NewBuffer<'_>) -> Result<Buffer, ParseError> {
    let mut file = File::parse(src)?;
    if klib::adler32(file.header) != file.adler32 {
        return Err(ParseError::malformed(
            "the checksum of the lzop header is wrong",
            9,
        ));
    }
    let len = file.output_len()?;
    if len > (src.len() as u64).saturating_mul(RATIO) {
        let wrong = "the output is longer than LZO can make it";
        return Err(ParseError::whole(Kind::Malformed, wrong));
    }
    let mut out = want.buffer(len, new)?;
    while let Some(block) = file.next_block()? {
        let start = out.len();
        if block.data.len() == block.len {
            out.extend_from_slice(block.data, GFP_KERNEL_ACCOUNT)?;
        } else {
            klib::unlzo(block.data, &mut out, block.len).map_err(|_| MALFORMED)?;
        }
        if klib::adler32(out.get(start..).unwrap_or_default()) != block.adler32 {
            return Err(MALFORMED);
        }
        if klib::killed() {
            return Err(ParseError::interrupted());
        }
    }
    Ok(out)
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_lzo)]
mod tests {
    use super::*;
    use crate::{
        decompress::tests::{
            concat,
            decompress, //
        },
        error::Kind, //
    };

    fn header(version: u16, method: u8, flags: u32, name: &[u8]) -> Result<KVVec<u8>, ParseError> {
        concat(&[
            &MAGIC,
            &version.to_be_bytes(),
            &[0x20, 0xa0, 9, 0x40, method, 9],
            &flags.to_be_bytes(),
            &[0; 12],
            &[name.len() as u8],
            name,
            b"sum.",
        ])
    }

    /// As lzop is when it reads from a pipe.
    const FLAGS: u32 = 0x0300_000d;

    fn file(blocks: &[(u32, u32)]) -> Result<KVVec<u8>, ParseError> {
        let mut data = header(0x1040, 3, FLAGS, b"")?;
        for (len, data_len) in blocks {
            for word in [len.to_be_bytes(), data_len.to_be_bytes(), *b"sum."] {
                data.extend_from_slice(&word, GFP_KERNEL)?;
            }
            data.extend_with(*data_len as usize, b'x', GFP_KERNEL)?;
        }
        data.extend_from_slice(&[0; 4], GFP_KERNEL)?;
        Ok(data)
    }

    fn output_len(data: &[u8]) -> Result<u64, ParseError> {
        File::parse(data)?.output_len()
    }

    #[test]
    fn headers() -> Result<(), ParseError> {
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
            let data = header(version, method, flags, name)?;
            let parsed = File::parse(&data);
            if let Some(at) = want {
                let error = parsed.err().map(|error| (error.kind, error.at));
                assert_eq!(error, Some((Kind::Unsupported, Some(at))));
                continue;
            }
            let file = parsed?;
            assert_eq!(file.header, &data[9..data.len() - 4]);
            assert_eq!(file.adler32.to_be_bytes(), *b"sum.");
            for len in 0..data.len() {
                let error = File::parse(&data[..len]).err();
                assert_eq!(error.map(|e| e.kind), Some(Kind::Malformed));
            }
        }
        // Each flag that changes the format.
        for bit in [1, 6, 7, 8, 9, 10, 11, 12, 13] {
            let error = File::parse(&header(0x1040, 3, FLAGS | (1 << bit), b"")?).err();
            assert_eq!(error.map(|e| e.kind), Some(Kind::Unsupported));
        }
        Ok(())
    }

    #[test]
    fn blocks() -> Result<(), ParseError> {
        for (blocks, want) in [
            (&[][..], 0),
            (&[(1, 1)], 1),
            (&[(30, 13), (30, 30), (1, 0)], 61),
            (
                &[(BLOCK_MAX, BLOCK_MAX), (BLOCK_MAX, 1)],
                2 * u64::from(BLOCK_MAX),
            ),
        ] {
            let data = file(blocks)?;
            assert_eq!(output_len(&data), Ok(want));
            let mut file = File::parse(&data)?;
            for &(len, data_len) in blocks {
                let data = KVVec::from_elem(b'x', data_len as usize, GFP_KERNEL)?;
                let want = Block {
                    len: len as usize,
                    adler32: u32::from_be_bytes(*b"sum."),
                    data: &data,
                };
                assert_eq!(file.next_block(), Ok(Some(want)));
            }
            assert_eq!(file.next_block(), Ok(None));
        }
        for block in [(0x4_0001, 1), (u32::MAX, 1), (30, 31), (1, u32::MAX)] {
            let mut data = file(&[])?;
            let at = data.len() as u64 - 4;
            data.truncate(at as usize);
            for word in [block.0.to_be_bytes(), block.1.to_be_bytes()] {
                data.extend_from_slice(&word, GFP_KERNEL)?;
            }
            let error = ParseError::malformed("an lzop block is too long", at);
            assert_eq!(output_len(&data), Err(error));
        }
        Ok(())
    }

    #[test]
    fn many_blocks() -> Result<(), ParseError> {
        let mut blocks = KVVec::from_elem((1, 0), BLOCKS_MAX, GFP_KERNEL)?;
        assert_eq!(output_len(&file(&blocks)?), Ok(BLOCKS_MAX as u64));
        blocks.push((1, 0), GFP_KERNEL)?;
        let more = file(&blocks)?;
        let error = ParseError::too_big(TOO_MANY_BLOCKS, more.len() as u64 - 4);
        assert_eq!(output_len(&more), Err(error));
        Ok(())
    }

    #[test]
    fn truncated_at_every_byte_and_longer() -> Result<(), ParseError> {
        let data = file(&[(30, 13), (30, 30)])?;
        for len in 0..data.len() {
            let error = output_len(&data[..len]).err();
            assert_eq!(error.map(|e| e.kind), Some(Kind::Malformed));
        }
        for more in [&b"\0"[..], &data] {
            let error = ParseError::malformed("bytes follow the lzop file", data.len() as u64);
            assert_eq!(output_len(&concat(&[&data, more])?), Err(error));
        }
        let error = File::parse(b"\x89LZO\0\r\n\x1a\r").err();
        assert_eq!(error, Some(ParseError::malformed("no lzop magic", 0)));
        Ok(())
    }

    #[test]
    fn more_than_lzo_can_make() -> Result<(), ParseError> {
        // Behind the header is the length of the first block's output.
        const AT: usize = 38;

        let wrong = |len: u64| -> Result<Option<&str>, ParseError> {
            let mut src = concat(&[SAMPLE])?;
            src[AT..AT + 4].copy_from_slice(&(len as u32).to_be_bytes());
            let error = decompress(&src, OutputLen::AtMost(1 << 20)).err();
            Ok(error.map(|error| error.wrong))
        };
        let most = SAMPLE.len() as u64 * RATIO;
        assert_eq!(wrong(most)?, Some("an lzop block is malformed"));
        let error = wrong(most + 1)?;
        assert_eq!(error, Some("the output is longer than LZO can make it"));
        Ok(())
    }
}
