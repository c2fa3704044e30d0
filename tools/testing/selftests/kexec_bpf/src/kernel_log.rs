// SPDX-License-Identifier: GPL-2.0

//! The kernel's log.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use crate::harness::Result;

/// The first line of each report of a kernel bug contains one of these.
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

/// Fails if the kernel's log contains such a line.
pub fn no_splats() -> Result {
    let mut log = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/kmsg")?;
    let mut record = [0; 8192];
    let mut found = String::new();
    // Each read returns one record. After the last one it fails, as it would have to wait.
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
