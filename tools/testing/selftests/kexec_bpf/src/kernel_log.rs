// SPDX-License-Identifier: GPL-2.0

//! What the kernel printed meanwhile.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::thread::sleep;
use std::time::Duration;

use crate::harness::{skip, Result};
use crate::load::debugfs;

tests![no_leaks, no_splats];

/// Fails if there is memory that nobody can free any more, where the kernel looks for such.
fn no_leaks() -> Result {
    const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";
    if !debugfs() || !fs::exists(KMEMLEAK)? {
        return skip(format!("there is no {KMEMLEAK}, or lockdown closes it"));
    }
    // What is younger than 5 seconds is not looked at, nor what one scan alone found.
    for _ in 0..2 {
        sleep(Duration::from_secs(6));
        fs::write(KMEMLEAK, "scan")?;
    }
    match fs::read_to_string(KMEMLEAK)? {
        none if none.is_empty() => Ok(()),
        leaks => Err(leaks.into()),
    }
}

/// What is in the first line of a report that something is wrong with the kernel.
const SPLATS: [&str; 9] = [
    "BUG: ",
    "WARNING: ",
    "INFO: task ",
    "INFO: rcu",
    "Oops: ",
    "UBSAN: ",
    "general protection fault",
    "rust_kernel: panicked",
    "memory leaks",
];

/// Fails if one was printed that is still there to be read.
pub fn no_splats() -> Result {
    let mut log = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/kmsg")?;
    let mut record = [0; 8192];
    let mut found = String::new();
    // A record a read; at the end there would be a wait.
    while let Ok(len) = log.read(&mut record) {
        let line = String::from_utf8_lossy(&record[..len]);
        if SPLATS.iter().any(|splat| line.contains(splat)) {
            found.push_str(&line);
        }
    }
    match found.is_empty() {
        true => Ok(()),
        false => Err(found.into()),
    }
}
