// SPDX-License-Identifier: GPL-2.0

//! The audit record that each load leaves.

use std::os::fd::OwnedFd;
use std::process;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{bind, recv, socket_with, AddressFamily, RecvFlags, SocketFlags, SocketType};

use support::harness::{Context, Result};
use support::load::{file, image, unload, Load, Loaded};
use support::uapi::{DRY_RUN, ON_CRASH};

tests! {
    EVERYWHERE;
    of_a_load,
    of_dry_runs,
    of_refusals,
}

const AUDIT_KEXEC_BPF: u16 = 1340;
/// `AUDIT_NLGRP_READLOG`, as a bit.
const READLOG: u32 = 1;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// A socket that receives all audit records.
struct Listener(OwnedFd);

impl Listener {
    fn new() -> Result<Self> {
        let flags = SocketFlags::empty();
        let audit = Some(netlink::AUDIT);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, audit)?;
        bind(&socket, &SocketAddrNetlink::new(0, READLOG))?;
        Ok(Self(socket))
    }

    /// Waits for the record of this load, and returns its text. Records of earlier loads may arrive
    /// late.
    fn record(&self, run: &Loaded) -> Result<String> {
        let mut message = [0u8; 8192];
        loop {
            let (len, _) = recv(&self.0, &mut message, RecvFlags::empty())?;
            if len > HEADER && message[4..6] == AUDIT_KEXEC_BPF.to_ne_bytes() {
                let record = String::from_utf8_lossy(&message[HEADER..len]).into_owned();
                let digest = field(&record, "digest").unwrap_or_default();
                let digest = digest.rsplit(':').next().unwrap_or_default();
                let digest = format!("digest {digest}");
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
