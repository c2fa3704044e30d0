// SPDX-License-Identifier: GPL-2.0

//! The kernel's keyrings, and what the tests add to them.

use std::ffi::CString;
use std::fs;
use std::io;

use crate::harness::{Context, Result};
use crate::load::stored;

/// The kernel's keys, one per line.
fn keys() -> Result<String> {
    Ok(fs::read_to_string("/proc/keys")?)
}

/// Adds the key of this name to the secondary keyring, unless it was added before.
pub fn trust(name: &str) -> Result {
    if keys()?.contains(&format!("kexec_bpf test key, {name}:")) {
        return Ok(());
    }
    let certificate = stored(&format!("policy/{name}.der"))?;
    add_key(".secondary_trusted_keys", "asymmetric", "", &certificate)
}

/// Adds this entry to the blacklist with its signature, unless it was added before.
pub fn blacklist(name: &str) -> Result {
    let entry = entry(name)?;
    if keys()?.contains(&entry) {
        return Ok(());
    }
    let signature = stored(&format!("policy/{name}.entry.p7"))?;
    add_key(".blacklist", "blacklist", &entry, &signature)
}

/// The description of an entry of the blacklist.
pub fn entry(name: &str) -> Result<String> {
    Ok(String::from_utf8(stored(&format!("policy/{name}.entry"))?)?)
}

/// Adds a key to one of the kernel's keyrings.
pub fn add_key(keyring: &str, kind: &str, description: &str, payload: &[u8]) -> Result {
    match try_add_key(keyring, kind, description, payload)? {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)).context(keyring),
    }
}

/// The same, but returns the errno, or 0.
pub fn try_add_key(keyring: &str, kind: &str, description: &str, payload: &[u8]) -> Result<i32> {
    let keys = keys()?;
    let line = keys
        .lines()
        .find(|line| line.contains(&format!(" {keyring}: ")));
    let serial = line.and_then(|line| line.split(' ').next()).unwrap_or("");
    let serial = i32::from_str_radix(serial, 16).context(keyring)?;
    let (kind, description) = (CString::new(kind)?, CString::new(description)?);
    // SAFETY: These are strings, and the length is that of the payload.
    let key = unsafe {
        libc::syscall(
            libc::SYS_add_key,
            kind.as_ptr(),
            description.as_ptr(),
            payload.as_ptr(),
            payload.len(),
            serial,
        )
    };
    match key {
        0.. => Ok(0),
        _ => Ok(io::Error::last_os_error().raw_os_error().unwrap_or(0)),
    }
}
