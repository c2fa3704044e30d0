// SPDX-License-Identifier: GPL-2.0

//! Calls of `kexec_file_load(2)`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

use crate::harness::{equal, Result};
use crate::load::{file, image, loaded, lockdown, secure_boot, unload};
use crate::uapi::SYS_KEXEC_FILE_LOAD;

/// `KEXEC_FILE_ON_CRASH`
pub const ON_CRASH: libc::c_ulong = 2;

/// Loads a kernel, with an initrd if there is one. Returns 0 or an errno.
pub fn load_files(kernel: &File, initrd: Option<&File>, flags: libc::c_ulong) -> i32 {
    const KEXEC_FILE_NO_INITRAMFS: libc::c_ulong = 4;
    let (initrd, no_initrd) = match initrd {
        Some(file) => (file.as_raw_fd(), 0),
        None => (-1, KEXEC_FILE_NO_INITRAMFS),
    };
    let cmdline = ptr::null::<libc::c_char>();
    let kernel = kernel.as_raw_fd();
    // SAFETY: With a length of 0 the kernel does not look at the command line.
    let ret = unsafe {
        libc::syscall(
            SYS_KEXEC_FILE_LOAD,
            kernel,
            initrd,
            0,
            cmdline,
            flags | no_initrd,
        )
    };
    match ret {
        0 => 0,
        _ => io::Error::last_os_error().raw_os_error().unwrap_or(0),
    }
}

/// Loads a kernel alone. Returns 0 or an errno.
pub fn load(kernel: &[u8]) -> Result<i32> {
    Ok(load_files(&file(kernel)?, None, 0))
}

/// The kernel with a byte changed in its middle.
pub fn changed_kernel() -> Result<Vec<u8>> {
    let mut kernel = image("linux")?;
    let middle = kernel.len() / 2;
    kernel[middle] ^= 1;
    Ok(kernel)
}

/// Fails unless a kernel is refused where signatures are enforced, and loaded elsewhere. Lockdown
/// refuses it with `EPERM`, secure boot with this errno.
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
