// SPDX-License-Identifier: GPL-2.0

//! Memory of a program: pieces of its stack, or of the values of its maps.
//!
//! In a test run, other tasks can write to the values of the maps at any time. So there are no
//! references to that memory. It is copied, and what is looked at is the copy. The C function does
//! it: what the bytes are while they change is for its memory model to say, not for that of Rust.

use core::{
    marker::PhantomData,
    mem::size_of,
    ptr, //
};

use kernel::{
    bindings::{
        self,
        bpf_kexec_range, //
    },
    ffi::c_void,
    prelude::*, //
};

/// Bytes that a program passed to a kfunc.
///
/// # Invariants
///
/// `start` is valid for reading and writing `len` bytes for `'a`. They can change at any time.
pub(crate) struct ProgramMemory<'a> {
    start: *mut c_void,
    len: usize,
    kfunc: PhantomData<&'a ()>,
}

impl ProgramMemory<'_> {
    /// What a program passed as a pointer and a length.
    ///
    /// # Safety
    ///
    /// `start` is NULL, or valid for reading and writing `len` bytes for the lifetime of what is
    /// returned. It can have any alignment.
    pub(crate) unsafe fn new(start: *mut c_void, len: u64) -> Self {
        let len = match start.is_null() {
            true => 0,
            // Nothing is valid for more bytes than an address can count.
            false => len as usize,
        };
        // INVARIANT: By the safety requirements.
        Self {
            start,
            len,
            kfunc: PhantomData,
        }
    }

    /// The length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Copies the first bytes to all of `to`. `ERANGE` if there are not so many.
    pub(crate) fn read(&self, to: &mut [u8]) -> Result {
        if to.len() > self.len {
            return Err(ERANGE);
        }
        // SAFETY: By the type invariant, `start` is valid for so many bytes, and so is `to`. They
        // do not overlap: `to` is memory of the kernel's own.
        unsafe { bindings::memcpy(to.as_mut_ptr().cast(), self.start, to.len()) };
        Ok(())
    }

    /// Copies all of `from` to `at` bytes behind the start. `ERANGE` if it does not fit.
    pub(crate) fn write(&self, at: usize, from: &[u8]) -> Result {
        if at.checked_add(from.len()).is_none_or(|end| end > self.len) {
            return Err(ERANGE);
        }
        let to = self.start.wrapping_byte_add(at);
        // SAFETY: By the type invariant, `to` is valid for so many bytes, and so is `from`. They do
        // not overlap: `from` is memory of the kernel's own.
        unsafe { bindings::memcpy(to, from.as_ptr().cast(), from.len()) };
        Ok(())
    }
}

/// Copies a range from a program.
///
/// # Safety
///
/// `from` is valid for reading. It can have any alignment.
pub(crate) unsafe fn read_range(from: *const bpf_kexec_range) -> bpf_kexec_range {
    let mut range = bpf_kexec_range::default();
    let to = ptr::from_mut(&mut range);
    // SAFETY: By the safety requirements; `range` is the kernel's own, and any bytes are a range.
    unsafe { bindings::memcpy(to.cast(), from.cast(), size_of::<bpf_kexec_range>()) };
    range
}

/// Copies a range to a program.
///
/// # Safety
///
/// `to` is valid for writing. It can have any alignment.
pub(crate) unsafe fn write_range(to: *mut bpf_kexec_range, range: &bpf_kexec_range) {
    let from = ptr::from_ref(range);
    // SAFETY: By the safety requirements; `range` is the kernel's own.
    unsafe { bindings::memcpy(to.cast(), from.cast(), size_of::<bpf_kexec_range>()) };
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_memory)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        let mut bytes = *b"0123456789";
        let start = bytes.as_mut_ptr().wrapping_add(1);
        // SAFETY: So many bytes are behind `start`, and they live until the end of the function.
        let memory = unsafe { ProgramMemory::new(start.cast(), 8) };
        assert_eq!(memory.len(), 8);
        let mut copy = [0; 9];
        assert_eq!(memory.read(&mut copy), Err(ERANGE));
        assert!(memory.read(&mut copy[..8]).is_ok());
        assert_eq!(&copy, b"12345678\0");
        for (at, from, fits) in [
            (0, &b"abcdefgh"[..], true),
            (0, b"abcdefghi", false),
            (8, b"", true),
            (7, b"z", true),
            (8, b"z", false),
            (usize::MAX, b"z", false),
        ] {
            assert_eq!(memory.write(at, from).is_ok(), fits);
        }
        assert_eq!(&bytes, b"0abcdefgz9");
    }

    #[test]
    fn null_is_empty() {
        // SAFETY: It is NULL.
        let memory = unsafe { ProgramMemory::new(ptr::null_mut(), 8) };
        assert_eq!(memory.len(), 0);
        assert!(memory.read(&mut []).is_ok());
        assert!(memory.write(0, b"").is_ok());
        assert_eq!(memory.read(&mut [0]), Err(ERANGE));
        assert_eq!(memory.write(0, b"x"), Err(ERANGE));
    }

    #[test]
    fn ranges_at_any_address() {
        let range = bpf_kexec_range {
            resource: 1,
            flags: 2,
            offset: 3,
            len: 4,
        };
        let mut room = [0u8; 2 * size_of::<bpf_kexec_range>()];
        for at in 0..8 {
            let place = room.as_mut_ptr().wrapping_add(at).cast();
            // SAFETY: There is room for a range behind each of the first bytes.
            unsafe { write_range(place, &range) };
            // SAFETY: There is a range.
            let read = unsafe { read_range(place) };
            assert_eq!((read.resource, read.flags), (1, 2));
            assert_eq!((read.offset, read.len), (3, 4));
        }
    }
}
