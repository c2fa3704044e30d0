// SPDX-License-Identifier: GPL-2.0

//! kexec of signed UEFI images, taken apart by the BPF program that they carry.
//!
//! Data flows one way:
//!
//! ```text
//! fd -> image: read once, signature checked over just these bytes
//!          |  pe: where the sections are
//!          v
//!       .bpf -> object { elf, btf, map, link } -> loader: a program without fd and ID
//!          |
//!          v
//!       level: the program runs; kfuncs give it resources and take its decisions
//!          |  decompress { gzip, zstd, xz, lz4, lzo }, initrd { cpio }, cmdline
//!          v
//!       parts: kernel, initrd, command line -> kexec_file
//! ```
//!
//! If the kernel that came out is itself a PE image with `.bpf`, it is the next level's image.
//!
//! `unsafe` is in `ffi`, `decompress`, `library`, `memory` and `exports` only.
//!
//! A load waits for files and for memory of user space as long as those like. It holds no lock
//! then, nor is its program being run; see `kexec_bpf_enter()` in `shim.c`.

use kernel::{
    bindings,
    prelude::*,
    uaccess::UserPtr, //
};

// Bytes in, facts out: nothing of the kernel, so that they are tested and fuzzed on the host, where
// they are public.
#[forbid(unsafe_code)]
pub mod bytes;
#[forbid(unsafe_code)]
pub mod cpio;
#[forbid(unsafe_code)]
pub mod error;
#[forbid(unsafe_code)]
pub mod gzip;
#[forbid(unsafe_code)]
pub mod lz4;
#[forbid(unsafe_code)]
pub mod lzo;
#[forbid(unsafe_code)]
pub mod object;
#[forbid(unsafe_code)]
pub mod pe;
#[forbid(unsafe_code)]
pub mod xz;
#[forbid(unsafe_code)]
pub mod zstd;

// One load, in the order of the flow.
#[forbid(unsafe_code)]
mod buffer;
#[forbid(unsafe_code)]
mod cmdline;
mod decompress;
#[forbid(unsafe_code)]
mod digest;
#[forbid(unsafe_code)]
mod image;
#[forbid(unsafe_code)]
mod initrd;
#[forbid(unsafe_code)]
mod kfuncs;
#[forbid(unsafe_code)]
mod level;
mod library;
#[forbid(unsafe_code)]
mod loader;
#[forbid(unsafe_code)]
mod log;
#[forbid(unsafe_code)]
mod parts;
#[forbid(unsafe_code)]
mod resource;
#[forbid(unsafe_code)]
mod session;
#[forbid(unsafe_code)]
mod test_run;

// The C edge.
mod exports;
mod ffi;
mod memory;

use image::VerifiedImage;
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
    if !library::killed() {
        session
            .log
            .copy_to(UserPtr::from_addr(args.log_buf as usize));
    }
    verdict
}

/// The flow.
fn run(args: &bindings::kexec_bpf_args, session: &mut Session) -> Result {
    let mut parts = Parts::of_caller(args, &mut session.log)?;
    let (file, mut image) = VerifiedImage::read(args.image_fd, session)?;
    parts.read_initrd(args, session)?;
    let private_data = loader::private_data(args.map_fd, &mut session.log)?;
    loop {
        let program = loader::load(&image.object, private_data.as_ref(), &mut session.log)?;
        parts = Level::new(&image, parts, session).decide(&program)?;
        match image.nested(&parts, session)? {
            Some(nested) => image = nested,
            None => break,
        }
    }
    drop((image, private_data));
    parts.install(&file, args.flags, session)
}
