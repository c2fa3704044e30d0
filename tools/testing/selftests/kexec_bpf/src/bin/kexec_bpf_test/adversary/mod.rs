// SPDX-License-Identifier: GPL-2.0

//! The adversary is root and tries everything that root can do. No attempt may make the kernel
//! accept what it should refuse, crash it, read from it, or keep others from loading.
//!
//! Each test makes attempts of one kind: all of them with `--all`, otherwise a fixed sample.

pub mod attached;
pub mod envelope;
pub mod files;
pub mod hooks;
pub mod limits;
pub mod replaced;
pub mod stalls;
pub mod watchers;
pub mod withdrawn;

// What these share.
mod authenticode;
pub mod functions;
mod memory;
mod mutate;
pub mod programs;
mod random;
mod scene;

use std::sync::atomic::{AtomicBool, Ordering};

pub use programs::attach;

static ALL: AtomicBool = AtomicBool::new(false);

/// Has the tests try everything.
pub fn set_all() {
    ALL.store(true, Ordering::Relaxed);
}

/// Whether the tests try everything, instead of a sample.
pub fn all() -> bool {
    ALL.load(Ordering::Relaxed)
}
