// SPDX-License-Identifier: GPL-2.0

//! The kernel reports no bugs and no memory leaks after the tests.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use support::harness::{skip, Result};
use support::kernel_log::no_splats;
use support::mount::{debugfs, DEBUGFS};

tests! {
    EVERYWHERE.in_turn(Turn::Always);
    no_leaks,
    no_splats,
}

/// Fails if kmemleak finds a leak. Skipped if the kernel does not have it.
fn no_leaks() -> Result {
    let kmemleak = format!("{DEBUGFS}/kmemleak");
    if !debugfs() || !fs::exists(&kmemleak)? {
        return skip(format!("there is no {kmemleak}, or lockdown closes it"));
    }
    // kmemleak reports memory that is older than 5 seconds and that two scans found.
    for _ in 0..2 {
        sleep(Duration::from_secs(6));
        fs::write(&kmemleak, "scan")?;
    }
    match fs::read_to_string(&kmemleak)? {
        none if none.is_empty() => Ok(()),
        leaks => Err(leaks.into()),
    }
}
