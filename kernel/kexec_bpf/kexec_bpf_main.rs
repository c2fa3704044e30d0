// SPDX-License-Identifier: GPL-2.0

//! kexec of signed UEFI images, taken apart by the BPF program that they carry.
//!
//! Data flows one way. The names are those of the files:
//!
//! ```text
//! exports           C calls load(), and the kfuncs
//! kexec_bpf_main    the flow; session: what a load keeps on its way, log: what its caller reads
//!    |
//!    v
//! image             read once, and its signature checked over just these bytes
//!    |  pe          where the sections are, and what the signature covers
//!    |  identity    digest, signer and key of an image
//!    v
//! loader            from .bpf to a program that is loaded with neither fd nor ID
//!    |  object      what is loaded: span, elf, map, btf, link, sort, btf_ext, btf_fixup, linked
//!    v
//! level             a run of the program; calls: its kfuncs, which copy its memory
//!    |  decompress  gzip, zstd, xz, lz4, lzo
//!    |  parts       initrd { cpio }, cmdline
//!    v
//! parts             go to kexec_file, with the kernel
//! ```
//!
//! If the kernel that came out is itself a PE image with `.bpf`, it is the image of the next level.
//! `test_run` is the way of `BPF_PROG_TEST_RUN`, from `level` on.
//!
//! All bytes are a `resource`, in a `buffer` that counts for a budget. Below all of these are
//! `ffi`, `klib` and `memory`, with what C has; `error`, `errno`, `printable` and `text`, for
//! refusals; and `bytes`, for parsers.
//!
//! `unsafe` is in `ffi`, `klib`, `memory` and `exports` only.
//!
//! A load waits for files and for memory of user space as long as those like. It holds no lock
//! then, nor is its program being run; see `kexec_bpf_enter()` in `shim.c`.

use kernel::{
    bindings,
    prelude::*,
    uaccess::UserPtr, //
};

// In the order of the flow. Those that are `pub` take bytes and return facts. They call nothing of
// the kernel but `klib`, so that the same files are tested and fuzzed on the host.

mod exports;

#[forbid(unsafe_code)]
mod session;

#[forbid(unsafe_code)]
mod log;

#[forbid(unsafe_code)]
mod image;

#[forbid(unsafe_code)]
pub mod pe;

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
mod parts;

#[forbid(unsafe_code)]
pub mod initrd;

#[forbid(unsafe_code)]
mod cmdline;

#[forbid(unsafe_code)]
mod test_run;

#[forbid(unsafe_code)]
mod resource;

#[forbid(unsafe_code)]
pub mod buffer;

mod ffi;

pub mod klib;

mod memory;

#[cfg(CONFIG_KEXEC_BPF_KUNIT_BENCHMARK)]
mod benchmark;

#[forbid(unsafe_code)]
mod errno;

#[forbid(unsafe_code)]
pub mod error;

#[forbid(unsafe_code)]
pub mod printable;

#[forbid(unsafe_code)]
mod text;

#[forbid(unsafe_code)]
pub mod bytes;

use image::Image;
use level::Level;
use log::Log;
use parts::Parts;
use session::Session;

/// The prefix of what `pr_info!` and its like print.
const __LOG_PREFIX: &[u8] = b"kexec_bpf\0";

/// `kexec_bpf_load(2)`, after its argument was copied and its caller found to be allowed.
fn load(args: &bindings::kexec_bpf_args) -> Result {
    // Without memory for a log, the load is refused, and that is recorded as well.
    let (log, started) = match Log::new(args.log_size) {
        Ok(log) => (log, Ok(())),
        Err(errno) => (Log::new(0)?, Err(errno)),
    };
    let is_crash = args.flags & bindings::KEXEC_BPF_ON_CRASH != 0;
    let mut session = Session::new(log, is_crash, ffi::sig_enforced());
    // What it takes is given back before anyone sees what came of it.
    let verdict = started.and_then(|()| run(args, &mut session));
    if let Err(errno) = verdict {
        session.log.not_loaded(errno);
    }
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
fn run(args: &bindings::kexec_bpf_args, session: &mut Session) -> Result {
    let mut parts = Parts::of_caller(args, &mut session.log)?;
    let (file, mut image) = Image::read(args.image_fd, session)?;
    parts.read_initrd(args, session)?;
    let private_data = loader::private_data(args.map_fd, &mut session.log)?;
    let kernel = loop {
        let program = loader::load(&image.object, private_data.as_ref(), &mut session.log)?;
        let kernel;
        (kernel, parts) = Level::of_image(&image, parts, session).decide(&program)?;
        match image.nested(&kernel, session)? {
            Some(nested) => image = nested,
            None => break kernel,
        }
    };
    // What is not needed any more makes room for the copies of kexec_file.
    drop((image, private_data));
    parts.install(&kernel, &file, args.flags, session)
}
