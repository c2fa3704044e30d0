// SPDX-License-Identifier: GPL-2.0

//! What the kernel printed.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use crate::harness::Result;

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
