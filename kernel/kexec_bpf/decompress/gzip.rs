// SPDX-License-Identifier: GPL-2.0

//! gzip members (RFC 1952): the header and the trailer around the deflate stream.

use core::ops::Range;

use kernel::{
    bindings,
    prelude::*, //
};

use super::format::{
    lacking,
    Format,
    NewBuffer,
    OutputLen, //
};
use crate::{
    buffer::Buffer,
    bytes::{
        le32,
        Reader, //
    },
    error::ParseError,
    klib::{
        self,
        Inflate, //
    },
};

/// The format.
pub(super) const FORMAT: Format = Format {
    algorithm: bindings::bpf_kexec_algo_BPF_KEXEC_GZIP,
    magic: &MAGIC,
    unpack,
    #[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
    sample: SAMPLE,
};

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
const SAMPLE: &[u8] =
    b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xcbN\xadHMV\xc8\xc6A\x02\0k\xc5\r/\x1e\0\0\0";

const MAGIC: [u8; 2] = [0x1f, 0x8b];

const DEFLATE: u8 = 8;

const FHCRC: u8 = 1 << 1;
const FEXTRA: u8 = 1 << 2;
const FNAME: u8 = 1 << 3;
const FCOMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b111 << 5;

/// Name and comment are shorter, like the extra field, whose length has 16 bits.
const TEXT_MAX: usize = 1 << 16;

/// deflate makes at most this many bytes of one.
const RATIO: u64 = 1032;

/// The most bytes of input and of output between two looks for a signal. Both are counted, as there
/// are blocks that make no output.
const STEP: usize = 1 << 20;

/// A gzip member that takes up all of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gzip {
    /// The deflate stream. Only inflating it tells whether it ends where the range ends.
    pub deflate: Range<usize>,
    /// CRC-32 of the output.
    pub crc32: u32,
    /// Length of the output, modulo 2^32.
    pub isize: u32,
}

impl Gzip {
    /// Reads header and trailer.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut header = Reader::new(data);
        if header.array() != Ok(MAGIC) {
            return Err(ParseError::malformed("no gzip magic", 0));
        }
        let [method, flags] = header.array()?;
        if method != DEFLATE {
            return Err(ParseError::unsupported("not the deflate method", 2));
        }
        if flags & RESERVED != 0 {
            return Err(ParseError::unsupported("reserved gzip flags are set", 3));
        }
        // Time, level and system.
        header.skip(6)?;
        if flags & FEXTRA != 0 {
            let len = u16::from_le_bytes(header.array()?);
            header.skip(len.into())?;
        }
        for text in [FNAME, FCOMMENT] {
            if flags & text != 0 {
                skip_text(&mut header)?;
            }
        }
        if flags & FHCRC != 0 {
            header.skip(2)?;
        }

        let start = header.at();
        let end = (data.len() as u64)
            .checked_sub(8)
            .filter(|&end| start <= end)
            .ok_or(ParseError::malformed("no room for the gzip trailer", start))?;
        Ok(Self {
            deflate: start as usize..end as usize,
            crc32: le32(data, end)?,
            isize: le32(data, end.saturating_add(4))?,
        })
    }
}

/// Goes on past a zero.
fn skip_text(header: &mut Reader<'_>) -> Result<(), ParseError> {
    let at = header.at();
    for _ in 0..TEXT_MAX {
        if header.array()? == [0] {
            return Ok(());
        }
    }
    Err(ParseError::too_big(
        "a name or comment has no NUL within 64 KiB",
        at,
    ))
}

fn unpack(src: &[u8], want: OutputLen, new: NewBuffer<'_>) -> Result<Buffer, ParseError> {
    let gzip = Gzip::parse(src)?;
    let deflate = src.get(gzip.deflate.clone()).unwrap_or_default();
    let at = gzip.deflate.start as u64;
    let len = u64::from(gzip.isize);
    if len > (deflate.len() as u64).saturating_mul(RATIO) {
        return Err(ParseError::malformed(
            "the output is longer than deflate can make it",
            at,
        ));
    }
    let mut out = want.buffer(len, new)?;
    let mut decoder = Inflate::new().map_err(|_| ParseError::no_memory())?;
    let mut rest = deflate;
    let mut crc32 = 0;
    loop {
        let from = rest.get(..STEP).unwrap_or(rest);
        let start = out.len();
        let most = lacking(&out, len).min(STEP);
        let inflated = decoder
            .inflate(from, &mut out, most)
            .map_err(|_| ParseError::malformed("the deflate stream is malformed", at))?;
        rest = rest.get(inflated.used..).unwrap_or_default();
        crc32 = klib::crc32(crc32, out.get(start..).unwrap_or_default());
        if inflated.is_end {
            break;
        }
        if klib::killed() {
            return Err(ParseError::interrupted());
        }
    }
    if !rest.is_empty() || out.len() as u64 != len {
        return Err(ParseError::malformed(
            "the deflate stream does not end where it should",
            at,
        ));
    }
    match crc32 == gzip.crc32 {
        true => Ok(out),
        false => Err(ParseError::malformed(
            "the checksum of the output is not the one in the trailer",
            at,
        )),
    }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_gzip)]
mod tests {
    use super::*;
    use crate::{
        decompress::tests::{
            concat,
            decompress,
            is_sample, //
        },
        error::Kind, //
    };

    /// The offset of the deflate stream in it.
    const BODY: usize = 10;

    const TRAILER: [u8; 8] = [1, 0, 0, 0x80, 2, 0, 0, 0x90];

    fn member(flags: u8, fields: &[u8]) -> Result<KVVec<u8>, ParseError> {
        let header = [0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 0xff];
        concat(&[&header, fields, &[3, 0], &TRAILER])
    }

    fn kind(data: &[u8]) -> Option<Kind> {
        Gzip::parse(data).err().map(|error| error.kind)
    }

    #[test]
    fn optional_fields() -> Result<(), ParseError> {
        let cases: [(u8, &[u8]); 10] = [
            (0, b""),
            // FTEXT only says that the output is text.
            (1, b""),
            (FHCRC, b"hc"),
            (FEXTRA, b"\0\0"),
            (FEXTRA, b"\x03\0abc"),
            (FNAME, b"\0"),
            (FNAME, b"name\0"),
            (FCOMMENT, b"comment\0"),
            (FNAME | FCOMMENT, b"\0\0"),
            (FHCRC | FEXTRA | FNAME | FCOMMENT, b"\x01\0\0n\0c\0hc"),
        ];
        for (flags, fields) in cases {
            let data = member(flags, fields)?;
            let start = 10 + fields.len();
            let gzip = Gzip {
                deflate: start..start + 2,
                crc32: 0x8000_0001,
                isize: 0x9000_0002,
            };
            assert_eq!(Gzip::parse(&data), Ok(gzip));
            for len in 0..data.len() {
                // Two bytes less are a member with an empty stream.
                if len < data.len() - 2 {
                    assert_eq!(kind(&data[..len]), Some(Kind::Malformed));
                } else {
                    assert_eq!(Gzip::parse(&data[..len])?.deflate.end, len - 8);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn long_texts() -> Result<(), ParseError> {
        for flag in [FNAME, FCOMMENT] {
            let mut text = KVVec::from_elem(b'n', TEXT_MAX + 1, GFP_KERNEL)?;
            text[TEXT_MAX] = 0;
            assert!(Gzip::parse(&member(flag, &text[1..])?).is_ok());
            let error = ParseError::too_big("a name or comment has no NUL within 64 KiB", 10);
            assert_eq!(Gzip::parse(&member(flag, &text)?), Err(error));
        }
        Ok(())
    }

    #[test]
    fn fields_past_the_end() -> Result<(), ParseError> {
        for (flags, fields) in [
            (FEXTRA, &b"\xff\xff"[..]),
            (FEXTRA, &b"\x0b\0"[..]),
            (FNAME, &[b'n'; 100][..]),
            (FNAME | FCOMMENT, &b"n\0ccc"[..]),
        ] {
            let mut data = member(flags, fields)?;
            // No zero that could end a string.
            data[10 + fields.len()..].fill(1);
            assert_eq!(kind(&data), Some(Kind::Malformed));
        }
        Ok(())
    }

    #[test]
    fn refused() -> Result<(), ParseError> {
        for (at, value, want) in [
            (0, 0x1e, Kind::Malformed),
            (1, 0x9e, Kind::Malformed),
            (2, 7, Kind::Unsupported),
            (3, 0x20, Kind::Unsupported),
            (3, 0x40, Kind::Unsupported),
            (3, 0x80, Kind::Unsupported),
        ] {
            let mut data = member(0, b"")?;
            data[at] = value;
            assert_eq!(kind(&data), Some(want));
        }
        Ok(())
    }

    #[test]
    fn damaged() -> Result<(), ParseError> {
        let mut src = concat(&[SAMPLE])?;
        for at in BODY..src.len() {
            src[at] ^= 1;
            assert!(decompress(&src, OutputLen::AtMost(1000)).is_err());
            src[at] ^= 1;
        }
        Ok(())
    }

    #[test]
    fn blocks_that_make_nothing() -> Result<(), ParseError> {
        /// A stored block of no bytes.
        const NOTHING: [u8; 5] = [0, 0, 0, 0xff, 0xff];

        // Those before the last step of input end in the middle of a block.
        let count = 5 * STEP / 2 / NOTHING.len();
        let mut src = concat(&[&SAMPLE[..BODY]])?;
        for _ in 0..count {
            src.extend_from_slice(&NOTHING, GFP_KERNEL)?;
        }
        src.extend_from_slice(&SAMPLE[BODY..], GFP_KERNEL)?;
        assert!(is_sample(decompress(&src, OutputLen::Exactly(30))));
        // Without the last block, and with the trailer of an empty output.
        let end = BODY + count * NOTHING.len();
        src.truncate(end);
        src.extend_from_slice(&[0; 8], GFP_KERNEL)?;
        let error = ParseError::malformed("the deflate stream is malformed", BODY as u64);
        assert_eq!(decompress(&src, OutputLen::AtMost(1)).err(), Some(error));
        Ok(())
    }
}
