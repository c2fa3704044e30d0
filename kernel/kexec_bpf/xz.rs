// SPDX-License-Identifier: GPL-2.0

//! xz streams (version 1.2 of the .xz file format): how long the output is.
//!
//! The index says so, which is at the end. The decoder compares it with the blocks, and what is
//! read here with its checksums.

use crate::bytes::{
    array,
    le32,
    slice,
    Reader,
    BLOCKS_MAX,
    TOO_MANY_BLOCKS, //
};
use crate::error::{
    Error,
    Result, //
};

const HEADER_MAGIC: [u8; 6] = *b"\xfd7zXZ\0";
const FOOTER_MAGIC: [u8; 2] = *b"YZ";
const HEADER_LEN: u64 = 12;
const FOOTER_LEN: u64 = 12;

/// Bytes of a number at most, with 7 bits each.
const NUMBER_MAX: u32 = 9;

/// The length of the output of a stream that takes up all of the data.
pub fn output_len(data: &[u8]) -> Result<u64> {
    if array(data, 0) != Ok(HEADER_MAGIC) {
        return Err(Error::malformed("no xz magic", 0));
    }
    // The decoder would not look at the others.
    if !matches!(array(data, 6)?, [0, 0 | 1]) {
        return Err(Error::unsupported("an xz check other than CRC-32", 6));
    }

    let footer = (data.len() as u64).saturating_sub(FOOTER_LEN);
    if array(data, footer.saturating_add(10)) != Ok(FOOTER_MAGIC) {
        return Err(Error::malformed("no xz footer", footer));
    }
    let words = u64::from(le32(data, footer.saturating_add(4))?).saturating_add(1);
    let start = words
        .checked_mul(4)
        .and_then(|len| footer.checked_sub(len))
        .ok_or(Error::malformed("no room for the xz index", footer))?;
    let mut index = Reader::new(slice(data, 0, footer, "no xz index")?);
    index.skip(start)?;
    if index.array() != Ok([0]) {
        return Err(Error::malformed("no xz index", start));
    }
    let mut blocks_len = HEADER_LEN;
    let mut output_len = 0u64;
    let count = number(&mut index)?;
    if count > BLOCKS_MAX as u64 {
        return Err(Error::too_big(TOO_MANY_BLOCKS, start.saturating_add(1)));
    }
    for _ in 0..count {
        let unpadded_len = number(&mut index)?;
        blocks_len = blocks_len.saturating_add(unpadded_len.next_multiple_of(4));
        output_len = output_len.saturating_add(number(&mut index)?);
    }
    // So it is with streams or padding after the first stream.
    if blocks_len != start {
        return Err(Error::malformed(
            "an xz index that is not of all the data before it",
            start,
        ));
    }
    Ok(output_len)
}

/// Reads a number, the lowest bits first.
fn number(data: &mut Reader<'_>) -> Result<u64> {
    let at = data.at();
    let mut number = 0;
    for byte in 0..NUMBER_MAX {
        let [bits] = data.array()?;
        number |= u64::from(bits & 0x7f).wrapping_shl(byte.saturating_mul(7));
        if bits & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Error::malformed("an xz number of more than 9 bytes", at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn encode(mut number: u64) -> Vec<u8> {
        let mut bytes = vec![];
        while number > 0x7f {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    }

    /// A stream without checksums: blocks of zeroes, and an index of these numbers.
    fn stream(blocks_len: usize, index: &[u8]) -> Vec<u8> {
        let mut data = [&HEADER_MAGIC[..], &[0, 1, 0, 0, 0, 0]].concat();
        data.resize(data.len() + blocks_len, 0);
        let start = data.len();
        data.push(0);
        data.extend(index);
        data.resize(data.len().next_multiple_of(4) + 4, 0);
        let words = ((data.len() - start) / 4 - 1) as u32;
        data.extend([&[0; 4][..], &words.to_le_bytes(), &[0, 1], &FOOTER_MAGIC].concat());
        data
    }

    fn records(records: &[(u64, u64)]) -> Vec<u8> {
        let mut index = encode(records.len() as u64);
        for &(unpadded_len, len) in records {
            index.extend(encode(unpadded_len));
            index.extend(encode(len));
        }
        index
    }

    #[test]
    fn lengths() {
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
            let data = stream(blocks_len, &records(blocks));
            assert_eq!(output_len(&data), Ok(len));
            for other in [blocks_len + 4, blocks_len.wrapping_sub(4)] {
                if other < 1 << 20 {
                    let data = stream(other, &records(blocks));
                    assert_eq!(output_len(&data).unwrap_err().kind, Kind::Malformed);
                }
            }
        }
    }

    #[test]
    fn many_blocks() {
        let data = |count| stream(4 * count, &records(&vec![(4, 1); count]));
        assert_eq!(output_len(&data(BLOCKS_MAX)), Ok(BLOCKS_MAX as u64));
        let at = (HEADER_LEN as usize + 4 * (BLOCKS_MAX + 1) + 1) as u64;
        assert_eq!(
            output_len(&data(BLOCKS_MAX + 1)),
            Err(Error::too_big(TOO_MANY_BLOCKS, at))
        );
    }

    #[test]
    fn truncated_at_every_byte() {
        let data = stream(44, &records(&[(20, 1), (21, 300)]));
        assert_eq!(output_len(&data), Ok(301));
        for len in 0..data.len() {
            let error = output_len(&data[..len]).unwrap_err();
            assert_eq!(error.kind, Kind::Malformed, "{len}");
        }
    }

    #[test]
    fn what_follows() {
        let data = stream(20, &records(&[(20, 1)]));
        let at = data.len() as u64;
        // Padding, and one stream more.
        let rule = output_len(&[&data[..], &[0; 4]].concat())
            .unwrap_err()
            .wrong;
        assert_eq!(rule, "no xz footer");
        let error = output_len(&data.repeat(2)).unwrap_err();
        assert_eq!(
            error,
            Error::malformed("an xz index that is not of all the data before it", at + 32)
        );
    }

    #[test]
    fn numbers() {
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
            let bytes = encode(number);
            assert_eq!(super::number(&mut Reader::new(&bytes)), Ok(number));
            for len in 0..bytes.len() {
                assert!(super::number(&mut Reader::new(&bytes[..len])).is_err());
            }
        }
        let mut ten = Reader::new(&[0xff; 10]);
        let error = Error::malformed("an xz number of more than 9 bytes", 0);
        assert_eq!(super::number(&mut ten), Err(error));
    }

    #[test]
    fn checks() {
        let mut data = stream(20, &records(&[(20, 1)]));
        for check in 0..=0xff {
            data[7] = check;
            match check {
                0 | 1 => assert_eq!(output_len(&data), Ok(1)),
                // CRC-64, SHA-256, and what has no meaning.
                _ => assert_eq!(
                    output_len(&data),
                    Err(Error::unsupported("an xz check other than CRC-32", 6))
                ),
            }
        }
        data[7] = 1;
        data[6] = 1;
        assert_eq!(output_len(&data).unwrap_err().kind, Kind::Unsupported);
    }

    #[test]
    fn malformed() {
        let good = stream(20, &records(&[(20, 1)]));
        let end = good.len();
        // Magic numbers, the index's first byte, its length.
        for at in [0, 5, 32, end - 1, end - 2, end - 5, end - 8] {
            let mut data = good.clone();
            data[at] ^= 0xff;
            assert_eq!(output_len(&data).unwrap_err().kind, Kind::Malformed, "{at}");
        }
        // More records than there are, also with those that the checksum could be.
        for (count, kind) in [
            (4, Kind::Malformed),
            (5, Kind::Malformed),
            (BLOCKS_MAX as u64, Kind::Malformed),
            (BLOCKS_MAX as u64 + 1, Kind::TooBig),
            ((1 << 63) - 1, Kind::TooBig),
        ] {
            let index = [encode(count), encode(20), encode(1)].concat();
            let error = output_len(&stream(20, &index)).unwrap_err();
            assert_eq!(error.kind, kind, "{count}");
        }
    }
}
