// SPDX-License-Identifier: GPL-2.0

//! Memory that makes whoever touches it wait.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};

use support::child::Child;
use support::harness::{Context, Result};

/// The length of such memory, in bytes: a page.
pub const LEN: usize = 4096;

/// The number of the userfaultfd's descriptor in the child.
const USERFAULTFD: i32 = 900;
/// A child touches its memory long before that.
const HANG: Duration = Duration::from_secs(60);

fn map(flags: i32, fd: i32) -> u64 {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: Nothing else is at an address that the kernel chooses.
    let start = unsafe { libc::mmap(ptr::null_mut(), LEN, access, flags, fd, 0) };
    start as u64
}

/// The address of a private mapping of a file. It stays until the process ends.
pub fn mapped(file: &File) -> u64 {
    map(libc::MAP_PRIVATE, file.as_raw_fd())
}

/// The address of memory that a userfaultfd handles, which nobody reads. It stays until the process
/// ends. Only a child should call this.
pub fn handled_by_userfaultfd() -> io::Result<u64> {
    const UFFDIO_API: u32 = 0xc018_aa3f;
    const UFFDIO_REGISTER: u32 = 0xc020_aa00;
    const UFFD_API: u64 = 0xaa;
    const MODE_MISSING: u64 = 1;

    let start = map(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1);
    let mut api = [UFFD_API, 0, 0];
    let mut register = [start, LEN as u64, MODE_MISSING, 0];
    // SAFETY: The structures are `struct uffdio_api` and `struct uffdio_register`, and the mapping
    // is this process's own.
    unsafe {
        let fd = libc::syscall(libc::SYS_userfaultfd, libc::O_NONBLOCK | libc::O_CLOEXEC) as i32;
        if fd < 0
            || libc::ioctl(fd, UFFDIO_API as _, api.as_mut_ptr()) != 0
            || libc::ioctl(fd, UFFDIO_REGISTER as _, register.as_mut_ptr()) != 0
            || libc::dup2(fd, USERFAULTFD) < 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(start)
}

/// Waits until the child's memory is touched.
pub fn touched(child: &Child) -> Result<OwnedFd> {
    let start = Instant::now();
    let fd = loop {
        match child.descriptor(USERFAULTFD) {
            Ok(fd) => break fd,
            Err(error) if start.elapsed() > HANG || child.ends_within(0) => return Err(error),
            Err(_) => sleep(Duration::from_millis(5)),
        }
    };
    let mut touched = [PollFd::new(&fd, PollFlags::IN)];
    let timeout = Timespec {
        tv_sec: HANG.as_secs() as i64,
        tv_nsec: 0,
    };
    match poll(&mut touched, Some(&timeout)) {
        Ok(1) => Ok(fd),
        _ => Err("nobody touches the memory").context(child.log()),
    }
}
