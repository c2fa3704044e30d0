// SPDX-License-Identifier: GPL-2.0

//! Buffers that count for the budget that all loads share, those of `kexec_file_load(2)` too.

use core::ops::{
    Deref,
    DerefMut, //
};

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*, //
};

use crate::{
    error::{
        Kind,
        ParseError, //
    },
    klib, //
};

/// A share of the budget, which is given back when it is dropped.
///
/// # Invariants
///
/// So many bytes were charged.
struct Share(u64);

impl Share {
    /// Takes `len` bytes, unless that is over the budget.
    fn take(len: u64) -> Result<Self, ParseError> {
        let wrong = "all loads together would take more than half of the memory";
        klib::charge(len).map_err(|_| ParseError::whole(Kind::TooBig, wrong))?;
        // INVARIANT: They were charged.
        Ok(Self(len))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        klib::uncharge(self.0);
    }
}

/// A buffer of a length that is known beforehand, charged to the caller's memory cgroup.
///
/// It must not be filled beyond that length, because more is not counted. When it is dropped, its
/// share of the budget is given back.
pub struct Buffer {
    bytes: VVec<u8>,
    _share: Share,
}

impl Buffer {
    /// An empty buffer with room for `len` bytes at least, unless that is over the budget.
    pub fn new(len: u64) -> Result<Self, ParseError> {
        let share = Share::take(len)?;
        let bytes = VVec::with_capacity(len as usize, GFP_KERNEL_ACCOUNT)?;
        Ok(Self {
            bytes,
            _share: share,
        })
    }
}

impl Deref for Buffer {
    type Target = VVec<u8>;

    fn deref(&self) -> &VVec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut VVec<u8> {
        &mut self.bytes
    }
}

// There is no budget without KEXEC_BPF.
#[cfg(all(CONFIG_KEXEC_BPF, CONFIG_KEXEC_BPF_KUNIT_TEST))]
#[kunit_tests(kexec_bpf_buffer)]
mod tests {
    use super::*;

    /// The most bytes that can be taken now.
    fn most() -> u64 {
        let (mut fits, mut over) = (0, 1 << 63);
        while over - fits > 1 {
            let len = fits + (over - fits) / 2;
            match Share::take(len) {
                Ok(_) => fits = len,
                Err(_) => over = len,
            }
        }
        fits
    }

    #[test]
    fn what_lives_counts_and_nothing_else() -> Result<(), ParseError> {
        let most = most();
        assert!(most > 1 << 20);
        assert!(Share::take(u64::MAX).is_err());

        let held = Share::take(most - 10)?;
        assert!(Buffer::new(11).is_err_and(|error| error.kind == Kind::TooBig));
        let ten = Buffer::new(10)?;
        assert!(Buffer::new(1).is_err_and(|error| error.kind == Kind::TooBig));
        assert!(Buffer::new(0).is_ok());
        drop(ten);
        assert!(Buffer::new(10).is_ok());
        drop(held);
        assert!(Share::take(most).is_ok());
        assert!(Share::take(most + 1).is_err());
        Ok(())
    }
}
