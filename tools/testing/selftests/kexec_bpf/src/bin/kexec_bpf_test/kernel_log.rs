// SPDX-License-Identifier: GPL-2.0

//! What the kernel printed meanwhile.

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

/// Fails if there is memory that nobody can free any more, where the kernel looks for such.
fn no_leaks() -> Result {
    let kmemleak = format!("{DEBUGFS}/kmemleak");
    if !debugfs() || !fs::exists(&kmemleak)? {
        return skip(format!("there is no {kmemleak}, or lockdown closes it"));
    }
    // What is younger than 5 seconds is not looked at, nor what one scan alone found.
    for _ in 0..2 {
        sleep(Duration::from_secs(6));
        fs::write(&kmemleak, "scan")?;
    }
    match fs::read_to_string(&kmemleak)? {
        none if none.is_empty() => Ok(()),
        leaks => Err(leaks.into()),
    }
}
