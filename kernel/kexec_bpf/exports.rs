// SPDX-License-Identifier: GPL-2.0

//! The functions that C calls. Pointers become references or copies, results become errnos.

use core::{
    mem::{
        offset_of,
        size_of, //
    },
    ptr, //
};

use kernel::{
    bindings::{
        self,
        bpf_kexec_ctx,
        bpf_kexec_range, //
    },
    container_of,
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*, //
};

use crate::{
    ffi::{
        HasContext,
        Program,
        ProgramMemory, //
    },
    level::{
        CallError,
        Level, //
    },
    test_run, //
};

fn errno(result: Result) -> c_int {
    result.map_or_else(|error| error.to_errno(), |()| 0)
}

/// `kexec_bpf_load(2)`
///
/// # Safety
///
/// `args` is valid for reading, and nothing writes to it.
#[export]
pub(crate) unsafe extern "C" fn kexec_bpf_rs_load(args: *const bindings::kexec_bpf_args) -> c_int {
    // SAFETY: The system call passes its own copy of the argument, which it does not change.
    errno(crate::load(unsafe { &*args }))
}

/// `BPF_PROG_TEST_RUN`
///
/// # Safety
///
/// `prog` is a program of type `BPF_PROG_TYPE_KEXEC` that the caller keeps alive; `run` is valid
/// for reading and writing, and nothing else refers to it.
#[export]
pub(crate) unsafe extern "C" fn kexec_bpf_rs_test_run(
    prog: *mut bindings::bpf_prog,
    run: *mut bindings::kexec_bpf_test_run,
) -> c_int {
    // SAFETY: bpf(2) passes a local variable of its own, and waits for this function to return.
    let run = unsafe { &mut *run };
    // SAFETY: bpf(2) calls the operation of the program's type, and has a reference to the program.
    errno(unsafe { Program::with_borrowed(prog, |program| test_run::test_run(program, run)) })
}

// SAFETY: The offset is that of a field of this type, and `call()` takes the context for that
// field.
unsafe impl HasContext for Level<'_> {
    const CONTEXT: usize = offset_of!(Level<'static>, ctx);
}

/// Executes a kfunc at the level whose program called it. Meanwhile no program counts as running,
/// so that nobody has to wait for the end of one while the kfunc waits.
///
/// # Safety
///
/// A program that [`Program::run()`] runs has called a kfunc, and passed `ctx` as its context.
unsafe fn call(
    ctx: *mut bpf_kexec_ctx,
    body: impl for<'level> FnOnce(&mut Level<'level>) -> Result<i64, CallError>,
) -> i64 {
    // SAFETY: The verifier lets programs pass their own context only, and `Program::run()` gave
    // this one that of a `Level`.
    let level = unsafe { container_of!(ctx, Level<'_>, ctx) };
    // SAFETY: A program runs, as it has called.
    unsafe { bindings::kexec_bpf_leave() };
    // SAFETY: The level lives until the program returns. A run has one thread, and `Program::run()`
    // does not touch the level meanwhile.
    let result = unsafe { &mut *level }.call(body);
    // SAFETY: It was left above.
    unsafe { bindings::kexec_bpf_enter() };
    result
}

/// Copies a range from a program. A C function does so, as for [`ProgramMemory`].
///
/// # Safety
///
/// `from` is valid for reading. It can have any alignment.
unsafe fn read_range(from: *const bpf_kexec_range) -> bpf_kexec_range {
    let mut range = bpf_kexec_range::default();
    let to = ptr::from_mut(&mut range);
    // SAFETY: The caller found `from` to be valid, and `range` is the kernel's own. Any bytes are a
    // range.
    unsafe { bindings::memcpy(to.cast(), from.cast(), size_of::<bpf_kexec_range>()) };
    range
}

/// Copies a range to a program.
///
/// # Safety
///
/// `to` is valid for writing. It can have any alignment.
unsafe fn write_range(to: *mut bpf_kexec_range, range: &bpf_kexec_range) {
    let from = ptr::from_ref(range);
    // SAFETY: The caller found `to` to be valid, and `range` is the kernel's own.
    unsafe { bindings::memcpy(to.cast(), from.cast(), size_of::<bpf_kexec_range>()) };
}

/// `bpf_kexec_carrier()`
///
/// # Safety
///
/// The arguments are those of the kfunc. The verifier has checked them, except for the alignment of
/// pointers.
#[export]
pub(crate) unsafe extern "C" fn kexec_bpf_rs_carrier(
    ctx: *mut bpf_kexec_ctx,
    op: u64,
    range: *mut bpf_kexec_range,
    buf: *mut c_void,
    len: u64,
) -> i64 {
    // SAFETY: The verifier found that it is valid for a range.
    let mut copy = unsafe { read_range(range) };
    // SAFETY: The verifier found that it is NULL, or valid for `len` bytes until the kfunc returns.
    let buffer = unsafe { ProgramMemory::new(buf, len) };
    // SAFETY: The verifier found that it is the context.
    let result = unsafe { call(ctx, |level| level.carrier(op, &mut copy, &buffer)) };
    // SAFETY: The verifier found that it is valid for a range.
    unsafe { write_range(range, &copy) };
    result
}

/// `bpf_kexec_decompress()`
///
/// # Safety
///
/// The arguments are those of the kfunc. The verifier has checked them, except for the alignment of
/// pointers.
#[export]
pub(crate) unsafe extern "C" fn kexec_bpf_rs_decompress(
    ctx: *mut bpf_kexec_ctx,
    src: *const bpf_kexec_range,
    algo: u64,
    out_len: u64,
    flags: u64,
) -> i64 {
    // SAFETY: The verifier found that it is valid for a range.
    let src = unsafe { read_range(src) };
    // SAFETY: The verifier found that it is the context.
    unsafe { call(ctx, |level| level.decompress(&src, algo, out_len, flags)) }
}

/// `bpf_kexec_initrd_append()`
///
/// # Safety
///
/// The arguments are those of the kfunc. The verifier has checked them, except for the alignment of
/// pointers.
#[export]
pub(crate) unsafe extern "C" fn kexec_bpf_rs_initrd_append(
    ctx: *mut bpf_kexec_ctx,
    src: *const bpf_kexec_range,
    path: *const c_void,
    path_len: u64,
    mode: u64,
) -> i64 {
    // SAFETY: The verifier found that it is valid for a range.
    let src = unsafe { read_range(src) };
    // SAFETY: The verifier found that it is NULL, or valid for so many bytes until the kfunc
    // returns.
    let memory = unsafe { ProgramMemory::new(path.cast_mut(), path_len) };
    let path = (!path.is_null()).then_some(&memory);
    // SAFETY: The verifier found that it is the context.
    unsafe { call(ctx, |level| level.initrd_append(&src, path, mode)) }
}

/// `bpf_kexec_cmdline_append()`
///
/// # Safety
///
/// The arguments are those of the kfunc. The verifier has checked them, except for the alignment of
/// pointers.
#[export]
pub(crate) unsafe extern "C" fn kexec_bpf_rs_cmdline_append(
    ctx: *mut bpf_kexec_ctx,
    text: *const c_void,
    len: u64,
    flags: u64,
) -> i64 {
    // SAFETY: The verifier found that it is valid for `len` bytes until the kfunc returns.
    let text = unsafe { ProgramMemory::new(text.cast_mut(), len) };
    // SAFETY: The verifier found that it is the context.
    unsafe { call(ctx, |level| level.cmdline_append(&text, flags)) }
}

/// `bpf_kexec_read_fd()`
///
/// # Safety
///
/// The arguments are those of the kfunc. The verifier has checked them, except for the alignment of
/// pointers.
#[export]
pub(crate) unsafe extern "C" fn kexec_bpf_rs_read_fd(
    ctx: *mut bpf_kexec_ctx,
    fd: i64,
    flags: u64,
    digest: *const bpf_kexec_range,
) -> i64 {
    let digest = (!digest.is_null()).then(|| {
        // SAFETY: The verifier found that it is valid for a range if it is not NULL.
        unsafe { read_range(digest) }
    });
    // SAFETY: The verifier found that it is the context.
    unsafe { call(ctx, |level| level.read_fd(fd, flags, digest.as_ref())) }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_exports)]
mod tests {
    use super::*;

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
