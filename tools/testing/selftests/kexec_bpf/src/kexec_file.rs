// SPDX-License-Identifier: GPL-2.0

//! `kexec_file_load(2)`, which has to keep to the same policy.

use std::io;
use std::os::fd::AsRawFd;

use crate::harness::{equal, Result};
use crate::load::{file, image, loaded, lockdown, secure_boot, unload};
use crate::uapi::SYS_KEXEC_FILE_LOAD;

tests![signed_kernel, changed_kernel, envelopes];

/// Loads a kernel alone. Returns 0 or an errno.
fn load(kernel: &[u8]) -> Result<i32> {
    const KEXEC_FILE_NO_INITRAMFS: libc::c_ulong = 4;
    let kernel = file(kernel)?;
    let cmdline = std::ptr::null::<libc::c_char>();
    // SAFETY: With a length of 0 the kernel does not look at the command line.
    let ret = unsafe {
        libc::syscall(
            SYS_KEXEC_FILE_LOAD,
            kernel.as_raw_fd(),
            -1,
            0,
            cmdline,
            KEXEC_FILE_NO_INITRAMFS,
        )
    };
    match ret {
        0 => Ok(0),
        _ => Ok(io::Error::last_os_error().raw_os_error().unwrap_or(0)),
    }
}

fn signed_kernel() -> Result {
    equal("errno", load(&image("linux")?)?, 0)?;
    equal("a kernel is loaded", loaded()?, true)?;
    unload()
}

fn changed_kernel() -> Result {
    let mut kernel = image("linux")?;
    let middle = kernel.len() / 2;
    kernel[middle] ^= 1;
    loads_unless_enforced(&kernel, libc::EKEYREJECTED)
}

/// A kernel that is refused where signatures are enforced: under lockdown with EPERM, else with
/// this errno.
pub fn loads_unless_enforced(kernel: &[u8], errno: i32) -> Result {
    let errno = match (lockdown().as_str(), secure_boot()) {
        (_, true) => errno,
        ("none", _) => 0,
        _ => libc::EPERM,
    };
    equal("errno", load(kernel)?, errno)?;
    equal("a kernel is loaded", loaded()?, errno == 0)?;
    match errno {
        0 => unload(),
        _ => Ok(()),
    }
}

/// UKI and zboot image: no loader of any architecture takes one for its own.
fn envelopes() -> Result {
    for name in ["good", "zboot-gzip", "zboot-zstd"] {
        let errno = load(&image(name)?)?;
        equal(
            format!("{name}: errno {errno} says that it is no kernel"),
            [libc::ENOEXEC, libc::EINVAL].contains(&errno),
            true,
        )?;
    }
    Ok(())
}
