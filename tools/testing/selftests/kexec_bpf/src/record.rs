// SPDX-License-Identifier: GPL-2.0

//! The audit record that each load leaves.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::harness::{Context, Result};
use crate::load::{file, image, Load, Loaded};

tests![of_a_load, of_a_refusal];

const AUDIT_KEXEC_BPF: u16 = 1340;
/// `AUDIT_NLGRP_READLOG`, as a bit.
const READLOG: u32 = 1;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// Whoever listens gets all records.
struct Listener(OwnedFd);

impl Listener {
    fn new() -> Result<Self> {
        // SAFETY: There are no requirements.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT) };
        if fd < 0 {
            return Err(io::Error::last_os_error().into());
        }
        // SAFETY: The descriptor is new.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: Zeroes are a valid address.
        let mut address: libc::sockaddr_nl = unsafe { zeroed() };
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = READLOG;
        let len = size_of::<libc::sockaddr_nl>() as u32;
        // SAFETY: The address is of this length.
        match unsafe { libc::bind(fd, (&raw const address).cast(), len) } {
            0 => Ok(Self(socket)),
            _ => Err(io::Error::last_os_error().into()),
        }
    }

    /// The text of this load's record. Waits for it: a test that hangs has failed. Those of loads
    /// before can be late.
    fn record(&self, run: &Loaded) -> Result<String> {
        let mut message = [0u8; 8192];
        loop {
            // SAFETY: The buffer is of this length.
            let len = unsafe {
                let to = message.as_mut_ptr().cast();
                libc::recv(self.0.as_raw_fd(), to, message.len(), 0)
            };
            let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
            if len > HEADER && message[4..6] == AUDIT_KEXEC_BPF.to_ne_bytes() {
                let record = String::from_utf8_lossy(&message[HEADER..len]).into_owned();
                let digest = format!("digest {}", field(&record, "digest").unwrap_or_default());
                if run.log.iter().any(|line| line.ends_with(&digest)) {
                    return Ok(record);
                }
            }
        }
    }
}

/// The value of a field.
fn field<'a>(record: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = record.split([' ', '\n', '\0']);
    fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(digits).collect()
}

fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn of_a_load() -> Result {
    let listener = Listener::new()?;
    let run = Load::dry(&file(&image("plain")?)?).run();
    let record = listener.record(&run)?;
    // There are spaces in the name, so audit writes it as hexadecimal digits.
    let signer = field(&record, "signer").and_then(unhex);
    let good = is_hex(field(&record, "digest").unwrap_or_default(), 64)
        && is_hex(field(&record, "key").unwrap_or_default(), 64)
        && signer.as_deref() == Some(b"kexec_bpf test key, trusted")
        && field(&record, "verdict") == Some("0")
        && field(&record, "res") == Some("1");
    match good {
        true => Ok(()),
        false => Err(record.into()),
    }
}

fn of_a_refusal() -> Result {
    let listener = Listener::new()?;
    let run = Load::dry(&file(&image("nobpf")?)?).run();
    run.refused(libc::ENOEXEC, "image: there is no section .bpf")
        .context("nobpf")?;
    let record = listener.record(&run)?;
    let verdict = format!("{}", -libc::ENOEXEC);
    match (field(&record, "verdict"), field(&record, "res")) {
        (Some(text), Some("0")) if text == verdict => Ok(()),
        _ => Err(record.into()),
    }
}
