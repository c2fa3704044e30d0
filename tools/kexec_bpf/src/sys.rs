// SPDX-License-Identifier: GPL-2.0

//! The system calls.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use crate::uapi::{Args, SYS_KEXEC_BPF_LOAD, SYS_KEXEC_FILE_LOAD};

/// More than the kernel has to say; it cuts what does not fit.
const LOG_SIZE: usize = 1 << 20;

/// Calls `kexec_bpf_load(2)`. Returns its result and its log.
pub fn kexec_bpf_load(
    flags: u32,
    image: &File,
    initrd: Option<&File>,
    cmdline: &[u8],
) -> (io::Result<()>, String) {
    let mut log = vec![0u8; LOG_SIZE];
    let args = Args {
        flags,
        image_fd: image.as_raw_fd(),
        initrd_fd: initrd.map_or(-1, |file| file.as_raw_fd()),
        map_fd: -1,
        cmdline: cmdline.as_ptr() as u64,
        cmdline_len: cmdline.len() as u64,
        log_buf: log.as_mut_ptr() as u64,
        log_size: log.len() as u64,
    };
    // SAFETY: The kernel reads `args` and `cmdline` and writes up to `log_size` bytes to `log`;
    // all three outlive the call.
    let result = unsafe { libc::syscall(SYS_KEXEC_BPF_LOAD, &args, size_of::<Args>()) };
    let result = check(result);

    log.truncate(log.iter().position(|&byte| byte == 0).unwrap_or(log.len()));
    (result, String::from_utf8_lossy(&log).into_owned())
}

/// Drops the loaded kernel, or the loaded crash kernel.
pub fn unload(crash: bool) -> io::Result<()> {
    const KEXEC_FILE_UNLOAD: libc::c_ulong = 1 << 0;
    const KEXEC_FILE_ON_CRASH: libc::c_ulong = 1 << 1;

    let flags = KEXEC_FILE_UNLOAD | if crash { KEXEC_FILE_ON_CRASH } else { 0 };
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: With this flag the kernel looks at no other argument.
    check(unsafe { libc::syscall(SYS_KEXEC_FILE_LOAD, -1, -1, 0usize, none, flags) })
}

/// Reboots into the loaded kernel, without stopping any process first. Returns only on failure.
pub fn reboot_into_loaded() -> io::Error {
    // SAFETY: Neither call touches memory of this process.
    unsafe {
        libc::sync();
        libc::reboot(libc::LINUX_REBOOT_CMD_KEXEC);
    }
    io::Error::last_os_error()
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
