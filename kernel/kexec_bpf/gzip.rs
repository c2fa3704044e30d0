// SPDX-License-Identifier: GPL-2.0

//! gzip members (RFC 1952): what is around the deflate stream.

use core::ops::Range;

use kernel::prelude::*;

use crate::bytes::{
    le32,
    Reader, //
};
use crate::error::{
    Error,
    Result, //
};

const DEFLATE: u8 = 8;

const FHCRC: u8 = 1 << 1;
const FEXTRA: u8 = 1 << 2;
const FNAME: u8 = 1 << 3;
const FCOMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b111 << 5;

/// Name and comment are shorter, like the extra field, whose length has 16 bits.
const TEXT_MAX: usize = 1 << 16;

/// A gzip member that takes up all of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gzip {
    /// The deflate stream. Whether it ends where the range ends, only inflating it tells.
    pub deflate: Range<usize>,
    /// CRC-32 of the output.
    pub crc32: u32,
    /// Length of the output, modulo 2^32.
    pub isize: u32,
}

impl Gzip {
    /// Reads header and trailer.
    pub fn parse(data: &[u8]) -> Result<Self> {
        let mut header = Reader::new(data);
        if header.array() != Ok([0x1f, 0x8b]) {
            return Err(Error::malformed("no gzip magic", 0));
        }
        let [method, flags] = header.array()?;
        if method != DEFLATE {
            return Err(Error::unsupported("not the deflate method", 2));
        }
        if flags & RESERVED != 0 {
            return Err(Error::unsupported("reserved gzip flags", 3));
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
            .ok_or(Error::malformed("no room for the gzip trailer", start))?;
        Ok(Self {
            deflate: start as usize..end as usize,
            crc32: le32(data, end)?,
            isize: le32(data, end.saturating_add(4))?,
        })
    }
}

/// Goes on past a zero.
fn skip_text(header: &mut Reader<'_>) -> Result {
    let at = header.at();
    for _ in 0..TEXT_MAX {
        if header.array()? == [0] {
            return Ok(());
        }
    }
    Err(Error::too_big("a name or comment of 64 KiB", at))
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_gzip)]
mod tests {
    use super::*;
    use crate::error::Kind;

    const TRAILER: [u8; 8] = [1, 0, 0, 0x80, 2, 0, 0, 0x90];

    fn member(flags: u8, fields: &[u8]) -> Result<KVVec<u8>> {
        let mut data = KVVec::new();
        let header = [0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 0xff];
        for part in [&header, fields, &[3, 0], &TRAILER] {
            data.extend_from_slice(part, GFP_KERNEL)?;
        }
        Ok(data)
    }

    fn kind(data: &[u8]) -> Option<Kind> {
        Gzip::parse(data).err().map(|error| error.kind)
    }

    #[test]
    fn optional_fields() -> Result {
        let cases: [(u8, &[u8]); 10] = [
            (0, b""),
            // FTEXT only says what the output is.
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
    fn long_texts() -> Result {
        for flag in [FNAME, FCOMMENT] {
            let mut text = KVVec::from_elem(b'n', TEXT_MAX + 1, GFP_KERNEL)?;
            text[TEXT_MAX] = 0;
            assert!(Gzip::parse(&member(flag, &text[1..])?).is_ok());
            let error = Error::too_big("a name or comment of 64 KiB", 10);
            assert_eq!(Gzip::parse(&member(flag, &text)?), Err(error));
        }
        Ok(())
    }

    #[test]
    fn fields_past_the_end() -> Result {
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
    fn refused() -> Result {
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
}
