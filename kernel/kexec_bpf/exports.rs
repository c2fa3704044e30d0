// SPDX-License-Identifier: GPL-2.0

//! What C calls: pointers become references, results become errnos.

use core::slice;

use kernel::{
    bindings::{
        self,
        bpf_kexec_ctx,
        bpf_kexec_range, //
    },
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*, //
};

use crate::{
    ffi::Program,
    level::Level,
    test_run, //
};

fn errno(result: Result) -> c_int {
    result.map_or_else(|error| error.to_errno(), |()| 0)
}

/// `kexec_bpf_load(2)`
///
/// # Safety
///
/// `args` is valid for reading. The caller holds the lock that lets one load run at a time.
#[export]
pub(crate) unsafe extern "C" fn kexec_bpf_rs_load(args: *const bindings::kexec_bpf_args) -> c_int {
    // SAFETY: By the safety requirements.
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
    // SAFETY: By the safety requirements.
    errno(unsafe { Program::with_borrowed(prog, |program| test_run::test_run(program, &mut *run)) })
}

/// The level that a program runs at.
///
/// # Safety
///
/// `ctx` is the context of a running program; the reference is not kept after the kfunc returns.
unsafe fn level<'a>(ctx: *mut bpf_kexec_ctx) -> &'a mut Level<'a> {
    // SAFETY: The verifier lets programs pass their own context only, which is the first field of a
    // `Level`. A run has one thread, and `Program::run()` does not touch the level meanwhile.
    unsafe { &mut *ctx.cast() }
}

/// The memory that a program passed.
///
/// # Safety
///
/// `data` is NULL, or the verifier found that it is valid for `len` bytes for the program, that is,
/// until the kfunc returns.
unsafe fn memory<'a>(data: *mut c_void, len: u64) -> &'a mut [u8] {
    if data.is_null() {
        return &mut [];
    }
    // SAFETY: By the safety requirements. Programs run on one thread; a map's value may change at
    // any time, but no other task has the maps of a program that the kernel loaded, and for a test
    // run plain bytes of any value are fine.
    unsafe { slice::from_raw_parts_mut(data.cast(), len as usize) }
}

/// `bpf_kexec_carrier()`
///
/// # Safety
///
/// The arguments are those of the kfunc: the verifier has checked them.
#[export]
pub(crate) unsafe extern "C" fn kexec_bpf_rs_carrier(
    ctx: *mut bpf_kexec_ctx,
    op: u64,
    range: *mut bpf_kexec_range,
    buf: *mut c_void,
    len: u64,
) -> i64 {
    // SAFETY: By the safety requirements. `range` is copied, as the buffer may overlap it.
    let (level, mut copy, buffer) = unsafe { (level(ctx), *range, memory(buf, len)) };
    let result = level.call(|level| level.carrier(op, &mut copy, buffer));
    // SAFETY: By the safety requirements.
    unsafe { *range = copy };
    result
}

/// `bpf_kexec_decompress()`
///
/// # Safety
///
/// The arguments are those of the kfunc: the verifier has checked them.
#[export]
pub(crate) unsafe extern "C" fn kexec_bpf_rs_decompress(
    ctx: *mut bpf_kexec_ctx,
    src: *const bpf_kexec_range,
    algo: u64,
    out_len: u64,
    flags: u64,
) -> i64 {
    // SAFETY: By the safety requirements.
    let (level, src) = unsafe { (level(ctx), *src) };
    level.call(|level| level.decompress(&src, algo, out_len, flags))
}

/// `bpf_kexec_initrd_append()`
///
/// # Safety
///
/// The arguments are those of the kfunc: the verifier has checked them.
#[export]
pub(crate) unsafe extern "C" fn kexec_bpf_rs_initrd_append(
    ctx: *mut bpf_kexec_ctx,
    src: *const bpf_kexec_range,
    path: *const c_void,
    path_len: u64,
    mode: u64,
) -> i64 {
    // SAFETY: By the safety requirements.
    let (level, src, name) = unsafe { (level(ctx), *src, memory(path.cast_mut(), path_len)) };
    let path = (!path.is_null()).then_some(&*name);
    level.call(|level| level.initrd_append(&src, path, mode))
}

/// `bpf_kexec_cmdline_append()`
///
/// # Safety
///
/// The arguments are those of the kfunc: the verifier has checked them.
#[export]
pub(crate) unsafe extern "C" fn kexec_bpf_rs_cmdline_append(
    ctx: *mut bpf_kexec_ctx,
    text: *const c_void,
    len: u64,
    flags: u64,
) -> i64 {
    // SAFETY: By the safety requirements.
    let (level, text) = unsafe { (level(ctx), memory(text.cast_mut(), len)) };
    level.call(|level| level.cmdline_append(text, flags))
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
    // SAFETY: By the safety requirements.
    let level = unsafe { level(ctx) };
    level.call(|level| level.read_fd(fd, flags))
}
