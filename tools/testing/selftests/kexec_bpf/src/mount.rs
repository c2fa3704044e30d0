// SPDX-License-Identifier: GPL-2.0

//! File systems that tests mount.

use std::ffi::CString;
use std::io;
use std::path::Path;

use crate::harness::{Context, Result};
use crate::load::lockdown;

/// Where debugfs is.
pub const DEBUGFS: &str = "/sys/kernel/debug";
/// Where tracefs is.
pub const TRACEFS: &str = "/sys/kernel/tracing";

/// A path, or other text, as system calls take it.
pub fn c_string(text: impl AsRef<Path>) -> CString {
    CString::new(text.as_ref().as_os_str().as_encoded_bytes()).expect("it has no NUL")
}

/// Mounts a file system of this kind.
pub fn mount(kind: &str, target: &Path, options: &str) -> Result {
    let (name, target, options) = (c_string(kind), c_string(target), c_string(options));
    // SAFETY: All are strings that end with a NUL.
    let mounted = unsafe {
        libc::mount(
            name.as_ptr(),
            target.as_ptr(),
            name.as_ptr(),
            0,
            options.as_ptr().cast(),
        )
    };
    match mounted {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()).context(kind),
    }
}

/// Unmounts a file system.
pub fn unmount(target: &Path, flags: i32) {
    // SAFETY: It is a string that ends with a NUL.
    unsafe { libc::umount2(c_string(target).as_ptr(), flags) };
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
