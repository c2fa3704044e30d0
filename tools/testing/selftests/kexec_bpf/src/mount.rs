// SPDX-License-Identifier: GPL-2.0

//! File systems that tests mount.

use std::ffi::CString;
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags};

use crate::harness::{Context, Result};
use crate::load::lockdown;

/// Where debugfs is.
pub const DEBUGFS: &str = "/sys/kernel/debug";
/// Where tracefs is.
pub const TRACEFS: &str = "/sys/kernel/tracing";

/// Mounts a file system of this kind.
pub fn mount(kind: &str, target: &Path, options: &str) -> Result {
    let options = CString::new(options)?;
    rustix::mount::mount(kind, target, kind, MountFlags::empty(), &*options).context(kind)
}

/// Unmounts a file system: the next users of its files get an error, or nobody finds it any more.
pub fn unmount(target: &Path, flags: UnmountFlags) {
    let _ = rustix::mount::unmount(target, flags);
}

/// Whether debugfs can be used, which lockdown closes. Mounts it where it is not mounted.
pub fn debugfs() -> bool {
    // This fails where it is mounted.
    let _ = mount("debugfs", Path::new(DEBUGFS), "");
    lockdown() == "none"
}

/// Mounts tracefs where it is not mounted. Returns whether it can be used: lockdown level
/// "confidentiality" closes it.
pub fn tracefs() -> bool {
    if !Path::new(TRACEFS).join("kprobe_events").exists() {
        let _ = mount("tracefs", Path::new(TRACEFS), "");
    }
    lockdown() != "confidentiality"
}
