// SPDX-License-Identifier: GPL-2.0

//! kexec of signed UEFI images, taken apart by the BPF program that they carry.
//!
//! Data flows one way. The names are those of the files:
//!
//! ```text
//! exports           the system call, the test run and the kfuncs, for C
//! kexec_bpf_main    the flow of a load; its state: session, its text for the caller: log
//!    |
//!    v
//! image             is read once, and its signature is checked over these bytes
//!    |  file        reads a whole file
//!    |  pe          finds the sections, and the bytes that the signature covers
//!    |  signature   is good if its components, sbat, are not revoked
//!    |  identity    signer, digest and key of an image
//!    v
//! loader            makes a program of .bpf, which gets neither a descriptor nor an ID
//!    |  object      { span, elf, roles, btf, map, link, btf_ext, btf_fixup, linked }
//!    v
//! level             runs the program; calls: the kfuncs
//!    |  decompress  { format, gzip, zstd, xz, lz4, lzo }
//!    |  initrd      { cpio }
//!    |  cmdline
//!    v
//! parts             initrd and command line go to kexec_file, with the kernel
//! ```
//!
//! If the kernel that a program bound is itself a PE image with `.bpf`, it is the image of the next
//! level. `test_run` runs one level for `BPF_PROG_TEST_RUN`.
//!
//! Bytes are in a `resource`, whose `buffer` counts for a budget. All of these use `ffi` and
//! `klib`, which call C; `refusal`, `error`, `errno` and `printable`, for refusals; `bytes`, which
//! reads fields; and `sort`.
//!
//! `unsafe` is in `exports`, `ffi` and `klib` only, and in `benchmark` where that is built.
//!
//! Files and memory of user space can make a load wait for any time. Meanwhile it holds no lock,
//! and its program does not count as running; see `kexec_bpf_enter()` in `prog_type.c`.

use core::ffi::CStr;

use kernel::{
    bindings,
    prelude::*,
    uaccess::UserPtr, //
};

// Modules are in the order of the flow. Those that are `pub` take bytes and return facts, and
// call nothing of the kernel but `klib`. The host builds the same files to test and to fuzz them.

mod exports;

#[forbid(unsafe_code)]
mod session;

#[forbid(unsafe_code)]
mod log;

#[forbid(unsafe_code)]
mod image;

#[forbid(unsafe_code)]
mod file;

#[forbid(unsafe_code)]
pub mod pe;

#[forbid(unsafe_code)]
mod signature;

#[forbid(unsafe_code)]
pub mod sbat;

#[forbid(unsafe_code)]
mod identity;

#[forbid(unsafe_code)]
mod loader;

#[forbid(unsafe_code)]
pub mod object;

#[forbid(unsafe_code)]
mod level;

#[forbid(unsafe_code)]
mod calls;

#[forbid(unsafe_code)]
pub mod decompress;

#[forbid(unsafe_code)]
pub mod initrd;

#[forbid(unsafe_code)]
mod cmdline;

#[forbid(unsafe_code)]
mod parts;

#[forbid(unsafe_code)]
mod test_run;

#[forbid(unsafe_code)]
mod resource;

#[forbid(unsafe_code)]
pub mod buffer;

mod ffi;

pub mod klib;

#[cfg(CONFIG_KEXEC_BPF_KUNIT_BENCHMARK)]
mod benchmark;

#[forbid(unsafe_code)]
mod errno;

#[forbid(unsafe_code)]
mod refusal;

#[forbid(unsafe_code)]
pub mod error;

#[forbid(unsafe_code)]
pub mod printable;

#[forbid(unsafe_code)]
pub mod bytes;

#[forbid(unsafe_code)]
pub mod sort;

use image::Image;
use level::Level;
use log::Log;
use parts::Parts;
use refusal::{
    Context,
    Refusal, //
};
use session::Session;

// Files that the host builds too have no bindings, and repeat constants of the interface.
const _: () = {
    // `==` is not for constants.
    const fn is_name(name: &CStr, bytes: &[u8]) -> bool {
        let name = name.to_bytes_with_nul();
        let mut at = 0;
        while at < name.len() && at < bytes.len() && name[at] == bytes[at] {
            at += 1;
        }
        at == name.len() && at == bytes.len()
    }

    assert!(pe::IMAGE_MAX == bindings::KEXEC_BPF_IMAGE_MAX as u64);
    assert!(object::OBJECT_MAX == bindings::KEXEC_BPF_OBJECT_MAX as usize);
    assert!(initrd::cpio::PATH_MAX == bindings::KEXEC_BPF_PATH_MAX as usize);
    assert!(initrd::cpio::DIR_MODE_SHIFT == bindings::BPF_KEXEC_DIR_MODE_SHIFT);
    assert!(is_name(
        object::roles::PROGRAM,
        bindings::KEXEC_BPF_PROG_SECTION
    ));
    assert!(is_name(
        image::OBJECT_SECTION,
        bindings::KEXEC_BPF_PE_SECTION
    ));
    assert!(is_name(loader::PRIVATE, bindings::KEXEC_BPF_PRIVATE_MAP));
};

/// The prefix of what `pr_info!` and its like print.
const __LOG_PREFIX: &[u8] = b"kexec_bpf\0";

/// `kexec_bpf_load(2)`, after its argument was copied and its caller found to be allowed.
fn load(args: &bindings::kexec_bpf_args) -> Result {
    // Without memory for a log, the load is refused, and that is recorded as well.
    let (log, started) = match Log::new(args.log_size).context(fmt!("log")) {
        Ok(log) => (log, Ok(())),
        Err(refusal) => (Log::new(0)?, Err(refusal)),
    };
    let is_crash = args.flags & bindings::KEXEC_BPF_ON_CRASH != 0;
    let mut session = Session::new(log, is_crash, ffi::sig_enforced());
    // `run()` gives back what it took, before anyone sees the verdict.
    let verdict = started
        .and_then(|()| run(args, &mut session))
        .map_err(|refusal| {
            session.log.not_loaded(&refusal);
            refusal.errno
        });
    session.record(args.flags, verdict);
    // A task that is killed does not read it any more, but it may take long to write it.
    if !klib::killed() {
        session
            .log
            .copy_to(UserPtr::from_addr(args.log_buf as usize));
    }
    verdict
}

/// The flow.
fn run(args: &bindings::kexec_bpf_args, session: &mut Session) -> Result<(), Refusal> {
    let mut parts = Parts::of_caller(args, &mut session.log)?;
    let (file, mut image) = Image::read(args.image_fd, session)?;
    parts.read_initrd(args, session)?;
    let private_data = loader::private_data(args.map_fd)?;
    let kernel = loop {
        let program = loader::load(&image.object, private_data.as_ref(), &mut session.log)?;
        let kernel;
        (kernel, parts) = Level::of_image(&image, parts, session).decide(&program)?;
        match image.nested(&kernel, session)? {
            Some(nested) => image = nested,
            None => break kernel,
        }
    };
    // These are not needed any more. kexec_file needs room for copies.
    drop((image, private_data));
    parts.install(&kernel, &file, args.flags, session)
}
