// SPDX-License-Identifier: GPL-2.0

//! Compressed streams that take long to decode and yield little.

/// Two deflate blocks with Huffman tables of their own, of 286 and 30 codes, that hold nothing but
/// their end. Their 236 bits each come to whole bytes.
const BLOCKS: [u8; 59] = *b"\
    \xec\x1d\x03\x60\x18\x30\x6c\xb6\x6d\xdb\xb6\x6d\xdb\xb6\x6d\xdb\xb6\x6d\xdb\xb6\
    \x6d\xdc\xb6\x6d\xdb\x4c\x6a\xdb\x78\xc4\xde\x31\x00\x86\x01\xc3\x66\xdb\xb6\x6d\
    \xdb\xb6\x6d\xdb\xb6\x6d\xdb\xb6\x6d\xdb\xc6\x6d\xdb\xb6\xcd\xa4\xb6\x8d\x47";

/// The last block, of that sort too.
const LAST_BLOCK: [u8; 30] = *b"\
    \xed\x1d\x03\x60\x18\x30\x6c\xb6\x6d\xdb\xb6\x6d\xdb\xb6\x6d\xdb\xb6\x6d\xdb\xb6\
    \x6d\xdc\xb6\x6d\xdb\x4c\x6a\xdb\x78\x04";

/// gzip of about this length.
pub fn gzip(len: usize) -> Vec<u8> {
    [
        b"\x1f\x8b\x08\0\0\0\0\0\0\0",
        &BLOCKS.repeat(len / BLOCKS.len())[..],
        &LAST_BLOCK,
        &[0; 8],
    ]
    .concat()
}

/// xz of about this length: LZMA2 chunks that make a zero each, and begin with a reset of the
/// decoder.
pub fn xz(len: usize) -> Vec<u8> {
    // Without the first byte, which says what is reset. Lengths are less one.
    const CHUNK: [u8; 10] = [0, 0, 0, 5, 0, 0, 0, 0, 0, 0];
    // Dictionary, properties and state; state alone.
    const FIRST: u8 = 0xe0;
    const NEXT: u8 = 0xa0;

    let count = len / (1 + CHUNK.len());
    let next = [&[NEXT][..], &CHUNK].concat();
    // The properties are a byte more.
    let first = [&[FIRST][..], &CHUNK[..4], &[0], &CHUNK[4..]].concat();
    let header = with_crc32(b"\x02\0\x21\x01\x04\0\0\0");
    let mut block = [header, first, next.repeat(count - 1), vec![0]].concat();
    let mut index = vec![0, 1];
    index.extend(number(block.len()));
    index.extend(number(count));
    for part in [&mut block, &mut index] {
        part.resize(part.len().next_multiple_of(4), 0);
    }
    let index = with_crc32(&index);
    let words = (index.len() / 4 - 1) as u32;
    let footer = [&words.to_le_bytes()[..], &[0; 2]].concat();
    [
        b"\xfd7zXZ\0",
        &with_crc32(&[0; 2])[..],
        &block,
        &index,
        &crc32(&footer),
        &footer,
        b"YZ",
    ]
    .concat()
}

fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn with_crc32(bytes: &[u8]) -> Vec<u8> {
    [bytes, &crc32(bytes)].concat()
}

fn crc32(bytes: &[u8]) -> [u8; 4] {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum().to_le_bytes()
}
