// SPDX-License-Identifier: GPL-2.0

//! Checked reads from untrusted bytes.

use core::ops::Range;

use kernel::prelude::*;
use zerocopy::little_endian::U32;

use crate::error::ParseError;

/// The most blocks of a compressed stream. Before the first block is decoded, the headers of all
/// blocks are read, which no signal interrupts; and each block takes time to decode even if it has
/// no output. Compressors make at most some ten thousand blocks of 1 GiB of data.
pub const BLOCKS_MAX: usize = 1 << 18;

/// The reason to refuse a stream of more blocks.
pub const TOO_MANY_BLOCKS: &str = "there are too many compressed blocks";

const ENDS_INSIDE: &str = "the data ends inside a field";

/// The range of the `len` bytes at `at`. `wrong` says what is wrong if `data` has fewer.
pub fn range(
    data: &[u8],
    at: u64,
    len: u64,
    wrong: &'static str,
) -> Result<Range<usize>, ParseError> {
    at.checked_add(len)
        .filter(|&end| end <= data.len() as u64)
        .map(|end| at as usize..end as usize)
        .ok_or_else(|| ParseError::malformed(wrong, at))
}

/// The `len` bytes at `at`. `wrong` says what is wrong if `data` has fewer.
pub fn slice<'a>(
    data: &'a [u8],
    at: u64,
    len: u64,
    wrong: &'static str,
) -> Result<&'a [u8], ParseError> {
    let range = range(data, at, len, wrong)?;
    data.get(range)
        .ok_or_else(|| ParseError::malformed(wrong, at))
}

/// The little-endian `u32` at `at`.
pub fn le32(data: &[u8], at: u64) -> Result<u32, ParseError> {
    read(data, at).map(U32::get)
}

/// The structure, or array of bytes, at `at`.
pub fn read<T: FromBytes>(data: &[u8], at: u64) -> Result<T, ParseError> {
    let bytes = slice(data, at, size_of::<T>() as u64, ENDS_INSIDE)?;
    T::read_from_bytes(bytes).map_err(|_| ParseError::malformed(ENDS_INSIDE, at))
}

/// Reads one field after another.
#[derive(Clone)]
pub struct Reader<'a> {
    data: &'a [u8],
    at: u64,
}

impl<'a> Reader<'a> {
    /// Begins at the first byte.
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// Where the next field is.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let array = read(self.data, self.at)?;
        self.at = self.at.saturating_add(N as u64);
        Ok(array)
    }

    /// Whether all fields were read.
    pub fn is_at_end(&self) -> bool {
        self.at >= self.data.len() as u64
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: u64) -> Result<&'a [u8], ParseError> {
        let bytes = slice(self.data, self.at, len, ENDS_INSIDE)?;
        self.at = self.at.saturating_add(len);
        Ok(bytes)
    }

    /// Goes on by `len` bytes.
    pub fn skip(&mut self, len: u64) -> Result<(), ParseError> {
        self.bytes(len).map(|_| ())
    }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_bytes)]
mod tests {
    use super::*;
    use zerocopy::little_endian::{
        U16,
        U64, //
    };

    const DATA: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

    #[test]
    fn fields() {
        assert_eq!(read::<U16>(&DATA, 6).map(U16::get), Ok(0x0807));
        assert_eq!(le32(&DATA, 4), Ok(0x0807_0605));
        assert_eq!(
            read::<U64>(&DATA, 0).map(U64::get),
            Ok(0x0807_0605_0403_0201)
        );
        assert_eq!(read(&DATA, 7), Ok([8_u8]));
        for at in [7, 8, 9, u64::MAX - 1, u64::MAX] {
            let error = ParseError::malformed("the data ends inside a field", at);
            assert_eq!(read::<U16>(&DATA, at), Err(error));
            assert_eq!(le32(&DATA, at), Err(error));
            assert_eq!(read::<U64>(&DATA, at), Err(error));
        }
    }

    #[test]
    fn reader() {
        let mut reader = Reader::new(&DATA);
        assert_eq!(reader.array(), Ok([1, 2]));
        assert_eq!(reader.skip(3), Ok(()));
        assert_eq!(reader.array(), Ok([6]));
        let error = ParseError::malformed("the data ends inside a field", 6);
        assert_eq!(reader.array::<3>(), Err(error));
        assert_eq!(reader.skip(u64::MAX), Err(error));
        assert_eq!(reader.at(), 6);
        assert_eq!(reader.bytes(3), Err(error));
        assert!(!reader.is_at_end());
        assert_eq!(reader.clone().bytes(2), Ok(&[7, 8][..]));
        assert_eq!(reader.skip(2), Ok(()));
        assert!(reader.is_at_end());
        assert_eq!(reader.skip(0), Ok(()));
        assert_eq!(reader.array(), Ok([]));
    }

    #[test]
    fn slices() {
        assert_eq!(slice(&DATA, 0, 8, ""), Ok(&DATA[..]));
        assert_eq!(slice(&DATA, 8, 0, ""), Ok(&[][..]));
        assert_eq!(range(&DATA, 3, 4, ""), Ok(3..7));
        for (at, len) in [(0, 9), (8, 1), (9, 0), (1, u64::MAX), (u64::MAX, 1)] {
            let error = ParseError::malformed("too short", at);
            assert_eq!(slice(&DATA, at, len, "too short"), Err(error));
        }
    }
}
