// SPDX-License-Identifier: GPL-2.0

//! A load in a process of its own, which can be killed, watched and limited.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::ptr;
use std::slice;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::process::{
    pidfd_getfd, pidfd_open, pidfd_send_signal, waitpid, Pid, PidfdFlags, PidfdGetfdFlags, Signal,
    WaitOptions,
};

use crate::harness::{Context, Result};
use crate::load::{syscall, Load, Loaded};
use crate::uapi::ARGS_SIZE_VER0;

/// A killed process has ended by then, even on a busy machine.
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
                // Present, so that it is not charged to a cgroup later.
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

    /// The text so far.
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

/// What a child does.
#[derive(Clone, Copy, Default)]
pub struct Plan<'a> {
    /// How often it loads; 0 stands for once.
    pub times: u32,
    /// `cgroup.procs` of the cgroup that it joins first.
    pub joins: Option<&'a File>,
}

/// The child.
pub struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    log: Shared,
    waited: bool,
}

impl Child {
    /// Starts a load.
    pub fn start(load: &Load<'_>) -> Result<Self> {
        Self::with_plan(load, &Plan::default())
    }

    /// Starts a process that follows a plan.
    pub fn with_plan(load: &Load<'_>, plan: &Plan<'_>) -> Result<Self> {
        Self::run(|log| {
            if let Some(procs) = plan.joins {
                let _ = rustix::io::write(procs, b"0");
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
    /// and returns the exit status of the process.
    pub fn run(body: impl FnOnce((u64, u64)) -> i32) -> Result<Self> {
        let log = Shared::new()?;
        // SAFETY: The child ends without a return from here. It has no other threads, so it must
        // not take a lock that one of them may hold. fork() itself takes care of the allocator's
        // locks.
        let pid = match unsafe { libc::fork() } {
            -1 => return Err(io::Error::last_os_error()).context("fork"),
            0 => {
                let errno = body((log.start as u64, LOG_SIZE as u64));
                // SAFETY: There are no requirements.
                unsafe { libc::_exit(errno) }
            }
            pid => Pid::from_raw(pid).expect("it is a process"),
        };
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).context("pidfd_open")?;
        Ok(Self {
            pid,
            pidfd,
            log,
            waited: false,
        })
    }

    /// Copies one of its descriptors into this process.
    pub fn descriptor(&self, number: i32) -> Result<OwnedFd> {
        pidfd_getfd(&self.pidfd, number, PidfdGetfdFlags::empty()).context("pidfd_getfd")
    }

    /// Its number.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        let signal = Signal::from_named_raw(signal).expect("it has a name");
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }

    /// Whether it ends within `ms` milliseconds.
    pub fn ends_within(&self, ms: i32) -> bool {
        let mut ends = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let timeout = Timespec {
            tv_sec: i64::from(ms / 1000),
            tv_nsec: i64::from(ms % 1000) * 1_000_000,
        };
        poll(&mut ends, Some(&timeout)) == Ok(1)
    }

    /// Kills it without waiting for its end.
    pub fn abandon(mut self) {
        self.signal(libc::SIGKILL);
        self.waited = true;
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<(End, Loaded)> {
        if !self.ends_within(HANG_MS) {
            return Err(
                format!("process {} does not end, log:\n{}", self.pid(), self.log()).into(),
            );
        }
        let status = waitpid(Some(self.pid), WaitOptions::empty())?;
        let (_, status) = status.ok_or("it does not end")?;
        self.waited = true;
        let end = match status.terminating_signal() {
            Some(signal) => End::Killed(signal),
            None => End::Returned(status.exit_status().unwrap_or(-1)),
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
            let _ = waitpid(Some(self.pid), WaitOptions::NOHANG);
        }
    }
}
