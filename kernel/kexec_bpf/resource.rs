// SPDX-License-Identifier: GPL-2.0

//! Bytes that user space cannot reach, and which of them a signature covers.

use core::ops::Range;

use kernel::{
    alloc::{
        flags::GFP_KERNEL_ACCOUNT,
        AllocError, //
    },
    prelude::*,
    sync::Arc, //
};

use crate::buffer::Buffer;

/// A buffer that no longer changes.
struct Origin {
    bytes: Buffer,
    covered: Covered,
}

/// Which bytes of a buffer a signature covers.
#[derive(Clone)]
pub(crate) enum Covered {
    /// No byte.
    Nothing,
    /// Every byte.
    Everything,
    /// The bytes of a PE image in these ranges. The checksum, the certificate directory entry and
    /// the certificate table lie between and after them.
    Ranges([Range<usize>; 3]),
}

/// A piece of a buffer, which it keeps alive.
///
/// # Invariants
///
/// `range` is within the buffer.
#[derive(Clone)]
pub(crate) struct Resource {
    origin: Arc<Origin>,
    range: Range<usize>,
}

impl Resource {
    /// All of a new buffer.
    pub(crate) fn new(bytes: Buffer, covered: Covered) -> Result<Self, AllocError> {
        let range = 0..bytes.len();
        let origin = Arc::new(Origin { bytes, covered }, GFP_KERNEL_ACCOUNT)?;
        // INVARIANT: It is all of the buffer.
        Ok(Self { origin, range })
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // By the type invariant there are such bytes.
        self.origin
            .bytes
            .get(self.range.clone())
            .unwrap_or_default()
    }

    /// The length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.range.len() as u64
    }

    /// A piece of this piece, if there are so many bytes.
    pub(crate) fn piece(&self, offset: u64, len: u64) -> Option<Self> {
        let end = offset.checked_add(len)?;
        if end > self.len() {
            return None;
        }
        let at = |offset: u64| self.range.start.checked_add(offset as usize);
        // INVARIANT: It ends no later than `self.range`.
        Some(Self {
            origin: self.origin.clone(),
            range: at(offset)?..at(end)?,
        })
    }

    /// True if a signature covers every byte; false for an empty range.
    pub(crate) fn is_verified(&self) -> bool {
        let Range { start, end } = self.range;
        let is_covered = match &self.origin.covered {
            Covered::Nothing => false,
            Covered::Everything => true,
            Covered::Ranges(ranges) => ranges
                .iter()
                .any(|range| range.start <= start && end <= range.end),
        };
        is_covered && start != end
    }

    /// What a signature covers of a buffer that is made from all these bytes and nothing else.
    pub(crate) fn covers_result(&self) -> Covered {
        if self.is_verified() {
            Covered::Everything
        } else {
            Covered::Nothing
        }
    }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_resource)]
mod tests {
    use super::*;

    fn resource(covered: Covered) -> Result<Resource> {
        let mut bytes = Buffer::new(10)?;
        bytes.extend_from_slice(b"0123456789", GFP_KERNEL_ACCOUNT)?;
        Ok(Resource::new(bytes, covered)?)
    }

    #[test]
    fn pieces() -> Result {
        let whole = resource(Covered::Nothing)?;
        let piece = whole.piece(2, 6).ok_or(ERANGE)?;
        assert_eq!(piece.bytes(), b"234567");
        for (offset, len, want) in [(1, 5, &b"34567"[..]), (6, 0, b"")] {
            assert!(piece
                .piece(offset, len)
                .is_some_and(|piece| piece.bytes() == want));
        }
        for (offset, len) in [(0, 7), (6, 1), (7, 0), (u64::MAX, 1), (1, u64::MAX)] {
            assert!(piece.piece(offset, len).is_none());
        }
        Ok(())
    }

    #[test]
    fn a_range_that_touches_an_uncovered_byte_is_unverified() -> Result {
        let whole = resource(Covered::Ranges([0..2, 3..5, 6..10]))?;
        assert!(!whole.is_verified());
        for (offset, len, want) in [
            (0, 2, true),
            (0, 3, false),
            (2, 1, false),
            (3, 2, true),
            (3, 3, false),
            (5, 2, false),
            (6, 4, true),
            (0, 0, false),
            (6, 0, false),
        ] {
            let piece = whole.piece(offset, len).ok_or(ERANGE)?;
            assert_eq!(piece.is_verified(), want);
        }
        // A piece of an unverified piece can be verified.
        let piece = whole.piece(2, 3).and_then(|piece| piece.piece(1, 2));
        assert!(piece.is_some_and(|piece| piece.is_verified()));
        assert!(resource(Covered::Everything)?.is_verified());
        assert!(!resource(Covered::Nothing)?.is_verified());
        Ok(())
    }
}
