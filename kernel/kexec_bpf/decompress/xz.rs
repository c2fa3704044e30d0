// SPDX-License-Identifier: GPL-2.0

//! xz streams (version 1.2 of the .xz file format): how long the output is.
//!
//! The index at the end of the stream records it. The decoder later compares the index with the
//! blocks and with its own checksum.

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
        read,
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
    algorithm: bindings::bpf_kexec_algo_BPF_KEXEC_XZ,
    magic: &HEADER_MAGIC,
    unpack,
    #[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
    sample: SAMPLE,
};

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
const SAMPLE: &[u8] = b"\xfd7zXZ\0\0\x01i\"\xde6\x02\0!\x01\x16\0\0\0t/\xe5\xa3\xe0\0\x1d\
    \0\r]\x005\x99Kv\xe6\x8ei\xbfl\x91|\0\0\0\0\0\0k\xc5\r/\0\x01%\x1e\xafXz2\x90B\x99\r\
    \x01\0\0\0\0\x01YZ";

const HEADER_MAGIC: [u8; 6] = *b"\xfd7zXZ\0";
const FOOTER_MAGIC: [u8; 2] = *b"YZ";
const HEADER_LEN: u64 = 12;
const FOOTER_LEN: u64 = 12;

/// The most bytes of a number. Each has 7 bits of it.
const NUMBER_MAX: u32 = 9;

/// LZMA makes less than this many bytes of one: a match of 273 bytes takes 14 symbols of 0.022 bits
/// at least.
const RATIO: u64 = 7100;

/// The length of the output of a stream that takes up all of the data.
pub fn output_len(data: &[u8]) -> Result<u64, ParseError> {
    if read(data, 0) != Ok(HEADER_MAGIC) {
        return Err(ParseError::malformed("no xz magic", 0));
    }
    // The decoder does not verify the others.
    if !matches!(read::<[u8; 2]>(data, 6)?, [0, 0 | 1]) {
        return Err(ParseError::unsupported(
            "xz checks other than CRC-32 are not supported",
            6,
        ));
    }

    let footer = (data.len() as u64).saturating_sub(FOOTER_LEN);
    if read(data, footer.saturating_add(10)) != Ok(FOOTER_MAGIC) {
        return Err(ParseError::malformed("no xz footer", footer));
    }
    let words = u64::from(le32(data, footer.saturating_add(4))?).saturating_add(1);
    let start = words
        .checked_mul(4)
        .and_then(|len| footer.checked_sub(len))
        .ok_or(ParseError::malformed("no room for the xz index", footer))?;
    let mut index = Reader::new(slice(data, 0, footer, "no xz index")?);
    index.skip(start)?;
    if index.array() != Ok([0]) {
        return Err(ParseError::malformed("no xz index", start));
    }
    let mut blocks_len = HEADER_LEN;
    let mut output_len = 0u64;
    let count = number(&mut index)?;
    if count > BLOCKS_MAX as u64 {
        return Err(ParseError::too_big(
            TOO_MANY_BLOCKS,
            start.saturating_add(1),
        ));
    }
    for _ in 0..count {
        let unpadded_len = number(&mut index)?;
        blocks_len = blocks_len.saturating_add(unpadded_len.next_multiple_of(4));
        output_len = output_len.saturating_add(number(&mut index)?);
    }
    // This also finds streams or padding after the first stream.
    if blocks_len != start {
        return Err(ParseError::malformed(
            "the xz index does not account for all data before it",
            start,
        ));
    }
    Ok(output_len)
}

/// Reads a number, the lowest bits first.
fn number(data: &mut Reader<'_>) -> Result<u64, ParseError> {
    let at = data.at();
    let mut number = 0;
    for byte in 0..NUMBER_MAX {
        let [bits] = data.array()?;
        number |= u64::from(bits & 0x7f).wrapping_shl(byte.saturating_mul(7));
        if bits & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(ParseError::malformed(
        "an xz number has more than 9 bytes",
        at,
    ))
}

fn unpack(src: &[u8], want: OutputLen, new: NewBuffer<'_>) -> Result<Buffer, ParseError> {
    let len = output_len(src)?;
    if len > (src.len() as u64).saturating_mul(RATIO) {
        let wrong = "the output is longer than LZMA can make it";
        return Err(ParseError::whole(Kind::Malformed, wrong));
    }
    let mut out = want.buffer(len, new)?;
    let room = lacking(&out, len);
    let used = klib::unxz(src, &mut out, room).map_err(|errno| match errno {
        ENOMEM => ParseError::no_memory(),
        EINTR => ParseError::interrupted(),
        EOPNOTSUPP => ParseError::whole(Kind::Unsupported, "an xz filter is not supported"),
        _ => ParseError::whole(Kind::Malformed, "the xz stream is malformed"),
    })?;
    match used == src.len() && out.len() as u64 == len {
        true => Ok(out),
        false => Err(ParseError::malformed(
            "the xz stream does not end where it should",
            used as u64,
        )),
    }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_xz)]
mod tests {
    use super::*;
    use crate::{
        decompress::tests::{
            concat,
            decompress, //
        },
        error::Kind, //
    };

    fn encode(mut number: u64, to: &mut KVVec<u8>) -> Result<(), ParseError> {
        while number > 0x7f {
            to.push(number as u8 | 0x80, GFP_KERNEL)?;
            number >>= 7;
        }
        Ok(to.push(number as u8, GFP_KERNEL)?)
    }

    /// A stream without checksums: blocks of zeroes, and an index of these numbers.
    fn stream(blocks_len: usize, index: &[u8]) -> Result<KVVec<u8>, ParseError> {
        let mut data = concat(&[&HEADER_MAGIC, &[0, 1, 0, 0, 0, 0]])?;
        data.extend_with(blocks_len, 0, GFP_KERNEL)?;
        let start = data.len();
        data.push(0, GFP_KERNEL)?;
        data.extend_from_slice(index, GFP_KERNEL)?;
        let padding = data.len().next_multiple_of(4) + 4 - data.len();
        data.extend_with(padding, 0, GFP_KERNEL)?;
        let words = ((data.len() - start) / 4 - 1) as u32;
        for part in [&[0; 4][..], &words.to_le_bytes(), &[0, 1], &FOOTER_MAGIC] {
            data.extend_from_slice(part, GFP_KERNEL)?;
        }
        Ok(data)
    }

    fn records(records: &[(u64, u64)]) -> Result<KVVec<u8>, ParseError> {
        let mut index = KVVec::new();
        encode(records.len() as u64, &mut index)?;
        for &(unpadded_len, len) in records {
            encode(unpadded_len, &mut index)?;
            encode(len, &mut index)?;
        }
        Ok(index)
    }

    fn kind(data: &[u8]) -> Option<Kind> {
        output_len(data).err().map(|error| error.kind)
    }

    #[test]
    fn lengths() -> Result<(), ParseError> {
        for (blocks, blocks_len, len) in [
            (&[][..], 0, 0),
            (&[(20, 0)], 20, 0),
            (&[(21, 127)], 24, 127),
            (&[(24, 128)], 24, 128),
            (
                &[(20, 1 << 30), (127, 1), (128, 1 << 40)],
                276,
                (1 << 40) + (1 << 30) + 1,
            ),
            (&[(20, (1 << 63) - 1)], 20, (1 << 63) - 1),
            (&[(20, (1 << 63) - 1); 3], 60, u64::MAX),
            (&[(20, 1); 1000], 20_000, 1000),
        ] {
            let data = stream(blocks_len, &records(blocks)?)?;
            assert_eq!(output_len(&data), Ok(len));
            for other in [blocks_len + 4, blocks_len.wrapping_sub(4)] {
                if other < 1 << 20 {
                    let data = stream(other, &records(blocks)?)?;
                    assert_eq!(kind(&data), Some(Kind::Malformed));
                }
            }
        }
        Ok(())
    }

    #[test]
    fn many_blocks() -> Result<(), ParseError> {
        let data = |count| -> Result<KVVec<u8>, ParseError> {
            let blocks = KVVec::from_elem((4, 1), count, GFP_KERNEL)?;
            stream(4 * count, &records(&blocks)?)
        };
        assert_eq!(output_len(&data(BLOCKS_MAX)?), Ok(BLOCKS_MAX as u64));
        let at = (HEADER_LEN as usize + 4 * (BLOCKS_MAX + 1) + 1) as u64;
        let error = ParseError::too_big(TOO_MANY_BLOCKS, at);
        assert_eq!(output_len(&data(BLOCKS_MAX + 1)?), Err(error));
        Ok(())
    }

    #[test]
    fn truncated_at_every_byte() -> Result<(), ParseError> {
        let data = stream(44, &records(&[(20, 1), (21, 300)])?)?;
        assert_eq!(output_len(&data), Ok(301));
        for len in 0..data.len() {
            assert_eq!(kind(&data[..len]), Some(Kind::Malformed));
        }
        Ok(())
    }

    #[test]
    fn what_follows() -> Result<(), ParseError> {
        let data = stream(20, &records(&[(20, 1)])?)?;
        let at = data.len() as u64;
        // Padding, and one stream more.
        let padded = concat(&[&data, &[0; 4]])?;
        let wrong = output_len(&padded).err().map(|error| error.wrong);
        assert_eq!(wrong, Some("no xz footer"));
        let error = ParseError::malformed(
            "the xz index does not account for all data before it",
            at + 32,
        );
        assert_eq!(output_len(&concat(&[&data, &data])?), Err(error));
        Ok(())
    }

    #[test]
    fn numbers() -> Result<(), ParseError> {
        for number in [
            0,
            0x7f,
            0x80,
            0x3fff,
            0x4000,
            (1 << 56) - 1,
            1 << 56,
            (1 << 63) - 1,
        ] {
            let mut bytes = KVVec::new();
            encode(number, &mut bytes)?;
            assert_eq!(super::number(&mut Reader::new(&bytes)), Ok(number));
            for len in 0..bytes.len() {
                assert!(super::number(&mut Reader::new(&bytes[..len])).is_err());
            }
        }
        let mut ten = Reader::new(&[0xff; 10]);
        let error = ParseError::malformed("an xz number has more than 9 bytes", 0);
        assert_eq!(super::number(&mut ten), Err(error));
        Ok(())
    }

    #[test]
    fn checks() -> Result<(), ParseError> {
        let mut data = stream(20, &records(&[(20, 1)])?)?;
        for check in 0..=0xff {
            data[7] = check;
            let want = match check {
                0 | 1 => Ok(1),
                // CRC-64, SHA-256, and a number without a meaning.
                _ => Err(ParseError::unsupported(
                    "xz checks other than CRC-32 are not supported",
                    6,
                )),
            };
            assert_eq!(output_len(&data), want);
        }
        data[7] = 1;
        data[6] = 1;
        assert_eq!(kind(&data), Some(Kind::Unsupported));
        Ok(())
    }

    #[test]
    fn malformed() -> Result<(), ParseError> {
        let mut data = stream(20, &records(&[(20, 1)])?)?;
        let end = data.len();
        // Magic numbers, the index's first byte, its length.
        for at in [0, 5, 32, end - 1, end - 2, end - 5, end - 8] {
            data[at] ^= 0xff;
            assert_eq!(kind(&data), Some(Kind::Malformed));
            data[at] ^= 0xff;
        }
        // More records than there are, also with those that the checksum could be.
        for (count, want) in [
            (4, Kind::Malformed),
            (5, Kind::Malformed),
            (BLOCKS_MAX as u64, Kind::Malformed),
            (BLOCKS_MAX as u64 + 1, Kind::TooBig),
            ((1 << 63) - 1, Kind::TooBig),
        ] {
            let mut index = KVVec::new();
            for number in [count, 20, 1] {
                encode(number, &mut index)?;
            }
            assert_eq!(kind(&stream(20, &index)?), Some(want));
        }
        Ok(())
    }

    #[test]
    fn more_than_lzma_can_make() {
        // An index of 284000 bytes, which is 40 times the ratio; nothing else is right.
        let mut src =
            *b"\xfd7zXZ\0\0\x01.crc\0\0\0\0\0\x01\x04\xe0\xaa\x11\0\0.crc.crc\x02\0\0\0\0\x01YZ";
        let wrong = |src: &[u8]| {
            decompress(src, OutputLen::AtMost(1 << 20))
                .err()
                .map(|e| e.wrong)
        };
        assert_eq!(wrong(&src), Some("the xz stream is malformed"));
        src[19] += 1;
        assert_eq!(
            wrong(&src),
            Some("the output is longer than LZMA can make it")
        );
    }
}
