// SPDX-License-Identifier: GPL-2.0

//! Checked reads from untrusted bytes.

use crate::error::{
    Error,
    Result, //
};

/// The `len` bytes at `at`; where there are fewer, `rule` is broken.
pub fn slice<'a>(data: &'a [u8], at: u64, len: u64, rule: &'static str) -> Result<&'a [u8]> {
    range(data, at, len).ok_or(Error::malformed(rule, at))
}

/// The little-endian `u16` at `at`.
pub fn le16(data: &[u8], at: u64) -> Result<u16> {
    array(data, at).map(u16::from_le_bytes)
}

/// The little-endian `u32` at `at`.
pub fn le32(data: &[u8], at: u64) -> Result<u32> {
    array(data, at).map(u32::from_le_bytes)
}

/// The little-endian `u64` at `at`.
pub fn le64(data: &[u8], at: u64) -> Result<u64> {
    array(data, at).map(u64::from_le_bytes)
}

/// The `N` bytes at `at`.
pub fn array<const N: usize>(data: &[u8], at: u64) -> Result<[u8; N]> {
    range(data, at, N as u64)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(Error::malformed("the data ends inside a field", at))
}

fn range(data: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(at).ok()?;
    let end = usize::try_from(at.checked_add(len)?).ok()?;
    data.get(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

    #[test]
    fn fields() {
        assert_eq!(le16(&DATA, 6), Ok(0x0807));
        assert_eq!(le32(&DATA, 4), Ok(0x0807_0605));
        assert_eq!(le64(&DATA, 0), Ok(0x0807_0605_0403_0201));
        assert_eq!(array(&DATA, 7), Ok([8]));
        for at in [7, 8, 9, u64::MAX - 1, u64::MAX] {
            let error = Error::malformed("the data ends inside a field", at);
            assert_eq!(le16(&DATA, at), Err(error));
            assert_eq!(le32(&DATA, at), Err(error));
            assert_eq!(le64(&DATA, at), Err(error));
        }
    }

    #[test]
    fn slices() {
        assert_eq!(slice(&DATA, 0, 8, ""), Ok(&DATA[..]));
        assert_eq!(slice(&DATA, 8, 0, ""), Ok(&[][..]));
        for (at, len) in [(0, 9), (8, 1), (9, 0), (1, u64::MAX), (u64::MAX, 1)] {
            let error = Error::malformed("too short", at);
            assert_eq!(slice(&DATA, at, len, "too short"), Err(error));
        }
    }
}
