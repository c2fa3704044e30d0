// SPDX-License-Identifier: GPL-2.0

//! The adversary is root and tries everything that root can do. No attempt may make the kernel
//! accept what it should refuse, crash it, read from it, or keep others from loading.
//!
//! Each test walks a kind of attempts: all of them with `--all`, else a sample that is always the
//! same.

mod authenticode;
mod envelope;
mod files;
mod functions;
mod hooks;
mod limits;
mod memory;
mod mutate;
mod programs;
mod random;
mod scene;
mod stalls;
mod watchers;

use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::Test;

/// The tests in their order.
pub const TESTS: &[&[Test]] = &[
    hooks::TESTS,
    watchers::TESTS,
    files::TESTS,
    envelope::TESTS,
    stalls::TESTS,
    limits::TESTS,
];

/// What lasts until the machine ends.
pub const LAST: &[Test] = envelope::LAST;

static ALL: AtomicBool = AtomicBool::new(false);

/// Says that everything is to be tried.
pub fn set_all() {
    ALL.store(true, Ordering::Relaxed);
}

/// Whether everything is to be tried, in place of a sample.
pub fn all() -> bool {
    ALL.load(Ordering::Relaxed)
}
