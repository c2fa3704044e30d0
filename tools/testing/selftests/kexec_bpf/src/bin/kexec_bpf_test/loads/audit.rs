// SPDX-License-Identifier: GPL-2.0

//! The audit record that each load leaves.

use std::io;
use std::os::fd::OwnedFd;
use std::process;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{bind, recv, sendto, socket_with};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use support::harness::{equal, Context, Result};
use support::load::{file, image, unload, Load, Loaded};
use support::uapi::{DRY_RUN, ON_CRASH};

tests! {
    EVERYWHERE;
    of_a_load,
    of_dry_runs,
    of_refusals,
    none_while_audit_is_off,
}

const AUDIT_KEXEC_BPF: u16 = 1340;
/// `AUDIT_NLGRP_READLOG`, as a bit.
const READLOG: u32 = 1;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// A socket that receives all audit records. Audit is on until it is dropped.
struct Listener(OwnedFd);

impl Listener {
    fn new() -> Result<Self> {
        let flags = SocketFlags::empty();
        let audit = Some(netlink::AUDIT);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, audit)?;
        bind(&socket, &SocketAddrNetlink::new(0, READLOG))?;
        let listener = Self(socket);
        listener.set_enabled(true)?;
        Ok(listener)
    }

    /// Turns audit on or off.
    fn set_enabled(&self, enabled: bool) -> io::Result<()> {
        const AUDIT_SET: u16 = 1001;
        const NLM_F_REQUEST: u16 = 1;
        const AUDIT_STATUS_ENABLED: u32 = 1;
        // The start of `struct audit_status`: the fields to set, and the first of them.
        let status = [AUDIT_STATUS_ENABLED, u32::from(enabled)];
        let len = (HEADER + size_of_val(&status)) as u32;
        let mut message = vec![0; HEADER];
        message[..4].copy_from_slice(&len.to_ne_bytes());
        message[4..6].copy_from_slice(&AUDIT_SET.to_ne_bytes());
        message[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
        message.extend(status.map(u32::to_ne_bytes).concat());
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&self.0, &message, SendFlags::empty(), &kernel)?;
        Ok(())
    }

    /// Waits for the next record of a load, and returns its text.
    fn next(&self) -> Result<String> {
        let mut message = [0u8; 8192];
        loop {
            let (len, _) = recv(&self.0, &mut message, RecvFlags::empty())?;
            if len > HEADER && message[4..6] == AUDIT_KEXEC_BPF.to_ne_bytes() {
                return Ok(String::from_utf8_lossy(&message[HEADER..len]).into_owned());
            }
        }
    }

    /// Waits for the record of this load, and returns its text. Records of earlier loads may arrive
    /// late.
    fn record(&self, run: &Loaded) -> Result<String> {
        loop {
            let record = self.next()?;
            if is_of(&record, run) {
                return Ok(record);
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.set_enabled(false);
    }
}

/// Whether the record is of this load.
fn is_of(record: &str, run: &Loaded) -> bool {
    let digest = field(record, "digest").unwrap_or_default();
    let digest = format!("digest {}", digest.rsplit(':').next().unwrap_or_default());
    run.log.iter().any(|line| line.ends_with(&digest))
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

/// Whether the fields of a record have these values.
fn check(record: &str, want: &[(&str, &str)]) -> Result {
    match want
        .iter()
        .all(|(name, value)| field(record, name) == Some(value))
    {
        true => Ok(()),
        false => Err(format!("{record}: not {want:?}").into()),
    }
}

/// Checks the fields that the record of each good load has.
fn check_good(record: &str) -> Result {
    // The name has spaces, so audit writes it as hexadecimal digits.
    let signer = field(record, "signer").and_then(unhex);
    let digest = field(record, "digest").unwrap_or_default();
    let key = field(record, "prog-key").unwrap_or_default();
    let good = is_hex(digest.strip_prefix("sha256:").unwrap_or_default(), 64)
        && is_hex(key, 64)
        && signer.as_deref() == Some(b"kexec_bpf test key, trusted")
        // Tools of the audit system take this name for the key of a rule.
        && field(record, "key").is_none();
    if !good {
        return Err(record.into());
    }
    let pid = process::id().to_string();
    check(
        record,
        &[("verdict", "0"), ("res", "1"), ("pid", &pid), ("uid", "0")],
    )
}

fn of_a_load() -> Result {
    let listener = Listener::new()?;
    let file = file(&image("good")?)?;
    let load = Load {
        flags: 0,
        ..Load::dry(&file)
    };
    let run = load.run();
    if run.errno == 0 {
        unload()?;
    }
    let record = listener.record(&run)?;
    check_good(&record)?;
    check(&record, &[("op", "load"), ("kexec-type", "default")])
}

fn of_dry_runs() -> Result {
    let listener = Listener::new()?;
    let file = file(&image("plain")?)?;
    for (flags, kind) in [(DRY_RUN, "default"), (DRY_RUN | ON_CRASH, "crash")] {
        let load = Load {
            flags,
            ..Load::dry(&file)
        };
        let run = load.run();
        let record = listener.record(&run)?;
        check_good(&record)?;
        check(&record, &[("op", "dry-run"), ("kexec-type", kind)])?;
    }
    Ok(())
}

fn of_refusals() -> Result {
    let listener = Listener::new()?;
    let run = Load::dry(&file(&image("nobpf")?)?).run();
    run.refused(libc::ENOEXEC, "image: there is no section .bpf")
        .context("nobpf")?;
    let record = listener.record(&run)?;
    let verdict = (-libc::ENOEXEC).to_string();
    check(
        &record,
        &[
            ("op", "dry-run"),
            ("prog-key", "?"),
            ("verdict", &verdict),
            ("res", "0"),
        ],
    )
}

fn none_while_audit_is_off() -> Result {
    let listener = Listener::new()?;
    listener.set_enabled(false)?;
    let without = Load::dry(&file(&image("nobpf")?)?).run();
    listener.set_enabled(true)?;
    let with = Load::dry(&file(&image("plain")?)?).run();
    loop {
        let record = listener.next()?;
        equal(&record, is_of(&record, &without), false)?;
        if is_of(&record, &with) {
            return Ok(());
        }
    }
}
