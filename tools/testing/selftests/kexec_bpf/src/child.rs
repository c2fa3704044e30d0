// SPDX-License-Identifier: GPL-2.0

//! A load in a process of its own, which can be killed, watched and limited.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::slice;

use crate::harness::{Context, Result};
use crate::load::{syscall, Load, Loaded};
use crate::uapi::ARGS_SIZE_VER0;

/// No process that was killed lives that long, even on a machine that does much else.
const HANG_MS: i32 = 600_000;
const LOG_SIZE: usize = 1 << 16;

/// How a child ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// The last load returned this errno, or 0.
    Returned(i32),
    /// By a signal.
    Killed(i32),
}

/// Memory that a child shares with us.
struct Shared {
    start: *mut u8,
}

impl Shared {
    fn new() -> Result<Self> {
        // SAFETY: There are no requirements.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                LOG_SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                // Present, so that no one has to pay for it later.
                libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_POPULATE,
                -1,
                0,
            )
        };
        match start {
            libc::MAP_FAILED => Err(io::Error::last_os_error().into()),
            start => Ok(Self {
                start: start.cast(),
            }),
        }
    }

    /// The text until now.
    fn text(&self) -> String {
        // SAFETY: The mapping is of this length. Another process may write: any bytes are fine.
        let bytes = unsafe { slice::from_raw_parts(self.start, LOG_SIZE) };
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: It is mapped, and no reference to it is left.
        unsafe { libc::munmap(self.start.cast(), LOG_SIZE) };
    }
}

/// What a child does besides to load.
#[derive(Clone, Copy, Default)]
pub struct Plan<'a> {
    /// How often it loads; 0 is once.
    pub times: u32,
    /// `cgroup.procs` of the cgroup that it joins first.
    pub joins: Option<&'a File>,
}

/// The child.
pub struct Child {
    pid: i32,
    pidfd: OwnedFd,
    log: Shared,
    waited: bool,
}

impl Child {
    /// Starts a load.
    pub fn start(load: &Load<'_>) -> Result<Self> {
        Self::with_plan(load, &Plan::default())
    }

    /// Starts a process that loads by a plan.
    pub fn with_plan(load: &Load<'_>, plan: &Plan<'_>) -> Result<Self> {
        Self::run(|log| {
            if let Some(procs) = plan.joins {
                // SAFETY: There is one byte.
                unsafe { libc::write(procs.as_raw_fd(), c"0".as_ptr().cast(), 1) };
            }
            let args = load.args(log);
            let mut errno = 0;
            for _ in 0..plan.times.max(1) {
                errno = syscall(&args, ARGS_SIZE_VER0);
            }
            errno
        })
    }

    /// Starts a process that runs `body`, which gets the address and size of a buffer for the log
    /// and returns the errno of the process's end.
    pub fn run(body: impl FnOnce((u64, u64)) -> i32) -> Result<Self> {
        let log = Shared::new()?;
        // SAFETY: The child ends without a return from here. Other threads are not in it: what it
        // does may take no lock of theirs but those of the allocator, which fork() puts in order.
        let pid = match unsafe { libc::fork() } {
            -1 => return Err(io::Error::last_os_error()).context("fork"),
            0 => {
                let errno = body((log.start as u64, LOG_SIZE as u64));
                // SAFETY: There are no requirements.
                unsafe { libc::_exit(errno) }
            }
            pid => pid,
        };
        // SAFETY: The child is not waited for yet, and the descriptor is new.
        let pidfd =
            unsafe { OwnedFd::from_raw_fd(libc::syscall(libc::SYS_pidfd_open, pid, 0) as i32) };
        Ok(Self {
            pid,
            pidfd,
            log,
            waited: false,
        })
    }

    /// A descriptor of its own, in this process.
    pub fn descriptor(&self, number: i32) -> Result<OwnedFd> {
        let pidfd = self.pidfd.as_raw_fd();
        // SAFETY: There are no requirements.
        match unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd, number, 0) } {
            -1 => Err(io::Error::last_os_error()).context("pidfd_getfd"),
            // SAFETY: It is new.
            fd => Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) }),
        }
    }

    /// Its number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The log until now.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: The child is ours, and not waited for yet.
        unsafe { libc::kill(self.pid, signal) };
    }

    /// Whether it ends within `ms` milliseconds.
    pub fn ends_within(&self, ms: i32) -> bool {
        let mut poll = libc::pollfd {
            fd: self.pidfd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: There is one structure.
        unsafe { libc::poll(&mut poll, 1, ms) == 1 }
    }

    /// Kills it without waiting for its end.
    pub fn abandon(mut self) {
        self.signal(libc::SIGKILL);
        self.waited = true;
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<(End, Loaded)> {
        if !self.ends_within(HANG_MS) {
            return Err(format!("process {} does not end, log:\n{}", self.pid, self.log()).into());
        }
        let mut status = 0;
        // SAFETY: `status` is there for the call to write to; the child is ours.
        unsafe { libc::waitpid(self.pid, &mut status, 0) };
        self.waited = true;
        let end = match libc::WIFSIGNALED(status) {
            true => End::Killed(libc::WTERMSIG(status)),
            false => End::Returned(libc::WEXITSTATUS(status)),
        };
        let errno = match end {
            End::Returned(errno) => errno,
            End::Killed(_) => libc::EINTR,
        };
        let log = self.log().lines().map(Into::into).collect();
        Ok((end, Loaded { errno, log }))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.waited {
            self.signal(libc::SIGKILL);
            self.ends_within(HANG_MS);
            // SAFETY: No status is asked for; the child is ours.
            unsafe { libc::waitpid(self.pid, ptr::null_mut(), libc::WNOHANG) };
        }
    }
}
