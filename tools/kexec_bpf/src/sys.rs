// SPDX-License-Identifier: GPL-2.0

//! The system calls.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::uapi::{Args, SYS_KEXEC_BPF_LOAD, SYS_KEXEC_FILE_LOAD};

/// More than the kernel has to say; it cuts what does not fit.
const LOG_SIZE: usize = 1 << 20;

/// Calls `kexec_bpf_load(2)`. Returns its result and its log.
pub fn kexec_bpf_load(
    flags: u32,
    image: &File,
    initrd: Option<&File>,
    private_data: Option<&OwnedFd>,
    cmdline: &[u8],
) -> (io::Result<()>, String) {
    let mut log = vec![0u8; LOG_SIZE];
    let args = Args {
        flags,
        image_fd: image.as_raw_fd(),
        initrd_fd: initrd.map_or(-1, |file| file.as_raw_fd()),
        map_fd: private_data.map_or(-1, |map| map.as_raw_fd()),
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

/// An array map of one element, which is `value`: private data for a program.
pub fn array_map(value: &[u8]) -> io::Result<OwnedFd> {
    const BPF_MAP_CREATE: libc::c_int = 0;
    const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
    const BPF_MAP_TYPE_ARRAY: u32 = 2;

    // The first fields of `union bpf_attr` for each command; the kernel takes the others as 0.
    #[repr(C)]
    struct MapCreate {
        map_type: u32,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
    }
    #[repr(C)]
    struct MapUpdateElem {
        map_fd: u32,
        key: u64,
        value: u64,
        flags: u64,
    }
    let key = 0u32;
    let create = MapCreate {
        map_type: BPF_MAP_TYPE_ARRAY,
        key_size: size_of_val(&key) as u32,
        value_size: value.len() as u32,
        max_entries: 1,
    };
    // SAFETY: The kernel reads `create`, of the size that it is told.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_MAP_CREATE, &create, size_of_val(&create)) };
    check(fd)?;
    // SAFETY: The descriptor is new, and nobody else's.
    let map = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    let update = MapUpdateElem {
        map_fd: map.as_raw_fd() as u32,
        key: &raw const key as u64,
        value: value.as_ptr() as u64,
        flags: 0,
    };
    // SAFETY: The kernel reads `update`, and a key and a value of the sizes of the map. All three
    // outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_MAP_UPDATE_ELEM,
            &update,
            size_of_val(&update),
        )
    })?;
    Ok(map)
}

/// Whether a file is on a FAT file system.
pub fn is_on_fat(file: &File) -> io::Result<bool> {
    let mut facts = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: The kernel writes a `statfs` to `facts`, unless it fails.
    let facts = unsafe {
        check(libc::fstatfs(file.as_raw_fd(), facts.as_mut_ptr()).into())?;
        facts.assume_init()
    };
    Ok(facts.f_type == libc::MSDOS_SUPER_MAGIC)
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
