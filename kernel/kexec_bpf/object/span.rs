// SPDX-License-Identifier: GPL-2.0

//! Bytes of an object that know where they lie in it.

use core::ffi::CStr;

use kernel::prelude::*;

use crate::{bytes, error::ParseError};

/// The longest string with its NUL, which is longer than any name. It bounds the time to read one.
const STRING_MAX: usize = 512;

/// Consecutive bytes of an object. Offsets count from the start of the span, errors name the byte
/// of the object.
///
/// # Invariants
///
/// `start` is at most the length of `object`.
#[derive(Clone, Copy)]
pub struct Span<'a> {
    /// The object up to the end of the span.
    object: &'a [u8],
    start: u64,
}

impl<'a> Span<'a> {
    /// All of the object.
    pub fn whole(object: &'a [u8]) -> Self {
        // INVARIANT: Zero is at most any length.
        Self { object, start: 0 }
    }

    /// The byte of the object at offset `at`.
    pub fn at(&self, at: u64) -> u64 {
        self.start.saturating_add(at)
    }

    /// The size of the span in bytes.
    pub fn size(&self) -> u64 {
        self.bytes().len() as u64
    }

    /// The bytes of the span.
    pub fn bytes(&self) -> &'a [u8] {
        self.object.get(self.start as usize..).unwrap_or_default()
    }

    /// The `len` bytes at `at`. `wrong` says what is wrong if there are fewer.
    pub fn subspan(&self, at: u64, len: u64, wrong: &'static str) -> Result<Self, ParseError> {
        let start = self.at(at);
        bytes::slice(self.object, start, len, wrong)?;
        let end = start.saturating_add(len);
        // INVARIANT: The slice above begins inside the object, at `start`.
        Ok(Self {
            object: bytes::slice(self.object, 0, end, wrong)?,
            start,
        })
    }

    /// The little-endian `u32` at `at`.
    pub fn le32(&self, at: u64) -> Result<u32, ParseError> {
        bytes::le32(self.object, self.at(at))
    }

    /// The structure at `at`.
    pub fn read<T: FromBytes>(&self, at: u64) -> Result<T, ParseError> {
        bytes::read(self.object, self.at(at))
    }

    /// The NUL-terminated string at `at`.
    pub fn string(&self, at: u64) -> Result<&'a CStr, ParseError> {
        let bytes = usize::try_from(at)
            .ok()
            .and_then(|at| self.bytes().get(at..))
            .ok_or(ParseError::malformed(
                "a string lies outside its table",
                self.at(at),
            ))?;
        let bytes = bytes.get(..STRING_MAX).unwrap_or(bytes);
        CStr::from_bytes_until_nul(bytes)
            .map_err(|_| ParseError::malformed("a string has no terminating NUL", self.at(at)))
    }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_span)]
mod tests {
    use super::*;
    use zerocopy::little_endian::{
        U16,
        U64, //
    };

    #[test]
    fn spans_of_spans() -> Result<(), ParseError> {
        let object = *b"0123abc\0ef\0xyz";
        let span = Span::whole(&object).subspan(4, 7, "whole")?;
        assert_eq!(span.bytes(), b"abc\0ef\0");
        assert_eq!(span.size(), 7);
        assert_eq!(span.subspan(4, 3, "inner")?.bytes(), b"ef\0");
        assert_eq!(span.subspan(7, 0, "empty")?.bytes(), b"");
        for (at, len) in [(0, 8), (7, 1), (8, 0), (1, u64::MAX), (u64::MAX, 1)] {
            let error = ParseError::malformed("inner", 4_u64.saturating_add(at));
            assert_eq!(span.subspan(at, len, "inner").err(), Some(error));
        }
        Ok(())
    }

    #[test]
    fn fields() -> Result<(), ParseError> {
        let object = [0xff, 1, 2, 3, 4, 5, 6, 7, 8, 0xff];
        let span = Span::whole(&object).subspan(1, 8, "whole")?;
        assert_eq!(span.read::<U16>(6).map(U16::get), Ok(0x0807));
        assert_eq!(span.le32(4), Ok(0x0807_0605));
        assert_eq!(span.read::<U64>(0).map(U64::get), Ok(0x0807_0605_0403_0201));
        assert_eq!(span.read(7), Ok([8_u8]));
        for at in [7, 8, u64::MAX] {
            let error = span.read::<U16>(at).unwrap_err();
            assert_eq!(error.at, Some(span.at(at)));
        }
        Ok(())
    }

    #[test]
    fn strings() -> Result<(), ParseError> {
        let span = Span::whole(b"..ab\0cd").subspan(2, 5, "whole")?;
        assert_eq!(span.string(0), Ok(c"ab"));
        assert_eq!(span.string(2), Ok(c""));
        for at in [3, 5, 6, u64::MAX] {
            let error = span.string(at).unwrap_err();
            assert_eq!(error.at, Some(span.at(at)));
        }
        let mut long = [b'x'; STRING_MAX + 1];
        long[STRING_MAX] = 0;
        assert!(Span::whole(&long).string(0).is_err());
        assert_eq!(Span::whole(&long).string(1)?.count_bytes(), STRING_MAX - 1);
        Ok(())
    }
}
