// SPDX-License-Identifier: GPL-2.0

//! What C calls: pointers become references or copies, results become errnos.

use core::mem::offset_of;

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
        self,
        Context,
        Program, //
    },
    level::Level,
    memory::{
        read_range,
        write_range,
        ProgramMemory, //
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
    // SAFETY: It is valid and does not change, by the safety requirements.
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
    // SAFETY: It is valid and nothing else refers to it, by the safety requirements.
    let run = unsafe { &mut *run };
    // SAFETY: It has this type and stays alive, by the safety requirements.
    errno(unsafe { Program::with_borrowed(prog, |program| test_run::test_run(program, run)) })
}

// SAFETY: The offset is that of a field of this type, and `call()` takes the context for that
// field.
unsafe impl Context for Level<'_> {
    const CONTEXT: usize = offset_of!(Level<'static>, ctx);
}

/// Does what a kfunc is called for, at the level that its program runs at.
///
/// # Safety
///
/// A program that [`Program::run()`] runs has called a kfunc, and `ctx` is what it passed as its
/// context.
unsafe fn call(
    ctx: *mut bpf_kexec_ctx,
    body: impl for<'level> FnOnce(&mut Level<'level>) -> Result<i64>,
) -> i64 {
    let body = || {
        // SAFETY: The verifier lets programs pass their own context only, and `Program::run()` gave
        // them that of a `Level`.
        let level = unsafe { container_of!(ctx, Level<'_>, ctx) };
        // SAFETY: The level lives until the program returns. A run has one thread, and
        // `Program::run()` does not touch the level meanwhile.
        unsafe { &mut *level }.call(body)
    };
    // SAFETY: A program has called.
    unsafe { ffi::outside_of_program(body) }
}

/// `bpf_kexec_carrier()`
///
/// # Safety
///
/// The arguments are those of the kfunc: the verifier has checked them, but for the alignment of
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
/// The arguments are those of the kfunc: the verifier has checked them, but for the alignment of
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
/// The arguments are those of the kfunc: the verifier has checked them, but for the alignment of
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
/// The arguments are those of the kfunc: the verifier has checked them, but for the alignment of
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
/// The arguments are those of the kfunc: the verifier has checked them.
#[export]
pub(crate) unsafe extern "C" fn kexec_bpf_rs_read_fd(
    ctx: *mut bpf_kexec_ctx,
    fd: i64,
    flags: u64,
) -> i64 {
    // SAFETY: The verifier found that it is the context.
    unsafe { call(ctx, |level| level.read_fd(fd, flags)) }
}
