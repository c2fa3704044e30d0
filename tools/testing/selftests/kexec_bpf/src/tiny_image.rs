// SPDX-License-Identifier: GPL-2.0

//! Changes of tiny.efi, an image of a few KiB, and the verdict on the changed image.

use crate::harness::{equal, Context, Result};
use crate::load::{dry_run, enforced, image, Loaded};
use crate::pe::{self, put};

/// Offsets in the image.
pub const PE: usize = 0x78;
pub const OPTIONAL: usize = PE + 24;
pub const DIRECTORIES: usize = OPTIONAL + 112;
pub const CERTIFICATES: usize = DIRECTORIES + 4 * 8;
pub const TEXT: usize = DIRECTORIES + 16 * 8;
pub const BPF: usize = TEXT + 40;
pub const TABLE_END: usize = BPF + 40;
pub const HEADERS_END: usize = 0x400;
pub const TEXT_END: usize = HEADERS_END + 1024;

/// Offsets of fields of the headers.
pub const SECTION_COUNT: usize = PE + 6;
pub const OPTIONAL_LEN: usize = PE + 20;
pub const HEADERS_LEN: usize = OPTIONAL + 60;
pub const CHECKSUM: usize = OPTIONAL + 64;
pub const DIRECTORY_COUNT: usize = OPTIONAL + 108;

/// Offsets of fields in the header of a section.
pub const VIRTUAL_SIZE: usize = 8;
pub const RAW_SIZE: usize = 16;
pub const RAW_AT: usize = 20;

/// The largest value of a field.
pub const MOST: usize = u32::MAX as usize;

/// The rules that sections can break.
pub const GAP: &str = "gap or overlap: no section begins here";
pub const REACH: &str = "the sections reach into the certificate table or past the file";

/// What can be wrong with a signature: the errno, and the reason in the log.
pub const MISFIT: (i32, &str) = (
    libc::EKEYREJECTED,
    "its signature does not match, or is not trusted",
);
pub const UNTRUSTED: (i32, &str) = (libc::EKEYREJECTED, "no trusted key signed it");
pub const MALFORMED: (i32, &str) = (libc::ELIBBAD, "its signature is malformed");
pub const UNSUPPORTED: (i32, &str) = (libc::ENOPKG, "its signature is of an unsupported type");

/// A signed image of two sections, `.text` and `.bpf`. Its certificate table begins where they end.
pub struct Tiny {
    pub bytes: Vec<u8>,
    /// Where the certificate table is.
    pub table: usize,
}

impl Tiny {
    pub fn new() -> Result<Self> {
        let bytes = image("tiny")?;
        let sections: Vec<_> = pe::sections(&bytes).iter().map(|s| s.at).collect();
        equal("sections", sections, vec![HEADERS_END, TEXT_END])?;
        equal("headers", pe::certificate_entry(&bytes), CERTIFICATES)?;
        let (table, _) = pe::certificates(&bytes);
        Ok(Self { bytes, table })
    }

    /// The image without its signature.
    pub fn unsigned() -> Result<Self> {
        let mut tiny = Self::new()?;
        tiny.bytes.truncate(tiny.table);
        tiny.certificates(0, 0);
        Ok(tiny)
    }

    pub fn put16(&mut self, at: usize, value: usize) {
        put(&mut self.bytes, at, (value as u16).to_le_bytes());
    }

    pub fn put32(&mut self, at: usize, value: usize) {
        put(&mut self.bytes, at, (value as u32).to_le_bytes());
    }

    /// Writes the directory entry of the certificate table.
    pub fn certificates(&mut self, at: usize, len: usize) {
        self.put32(CERTIFICATES, at);
        self.put32(CERTIFICATES + 4, len);
    }

    /// Adds a section that has no bytes in the file.
    pub fn third_section(&mut self, name: [u8; 8]) {
        self.put16(SECTION_COUNT, 3);
        put(&mut self.bytes, TABLE_END, name);
    }
}

/// Whether the log says that the signature is good.
pub fn is_verified(run: &Loaded) -> bool {
    first_line(run).starts_with("image: signed by ")
}

/// Whether the log says that this is wrong with the signature. Without enforcement, the load may
/// fail for another reason later.
pub fn is_unverified(run: &Loaded, (errno, why): (i32, &str)) -> bool {
    match enforced() {
        true => run.errno == errno && first_line(run) == format!("refused: image: {why}"),
        false => first_line(run) == format!("image: not verified: {why}"),
    }
}

/// Whether the log says that the image breaks a rule of PE files.
pub fn is_malformed(run: &Loaded, errno: i32) -> bool {
    let line = first_line(run);
    run.errno == errno && line.starts_with("refused: image: ") && line.contains(" (byte 0x")
}

fn first_line(run: &Loaded) -> &str {
    run.log.first().map_or("", String::as_str)
}

fn changed(change: impl Fn(&mut Tiny)) -> Result<Loaded> {
    let mut tiny = Tiny::new()?;
    change(&mut tiny);
    dry_run(&tiny.bytes)
}

/// Fails unless the image is refused after this change.
pub fn refused(errno: i32, why: &str, change: impl Fn(&mut Tiny)) -> Result {
    changed(change)?.refused(errno, &format!("image: {why}"))
}

/// Fails unless the image breaks a rule of PE files at this byte after this change. The kernel
/// checks that before the signature.
pub fn malformed(rule: &str, at: usize, change: impl Fn(&mut Tiny)) -> Result {
    refused(libc::ELIBBAD, &format!("{rule} (byte {at:#x})"), change)
}

/// Fails unless the image keeps those rules after this change, and this is wrong with its
/// signature.
pub fn unverified(what: (i32, &str), change: impl Fn(&mut Tiny)) -> Result {
    let run = changed(change)?;
    match enforced() {
        true => run.refused(what.0, &format!("image: {}", what.1)),
        false => equal("errno", run.errno, 0),
    }
    .and_then(|()| equal("unverified", is_unverified(&run, what), true))
    .context(run.log.join("\n"))
}

/// Fails unless the image is verified after this change, as the same image by the same signer.
pub fn verified(change: impl Fn(&mut Tiny)) -> Result {
    let (run, want) = (changed(change)?, changed(|_| ())?);
    equal("errno", run.errno, 0).context(run.log.join("\n"))?;
    equal("log", run.log, want.log)
}

/// Fails unless an unsigned image keeps the rules of PE files, and is accepted without enforcement.
pub fn well_formed(bytes: &[u8]) -> Result {
    let run = dry_run(bytes)?;
    match enforced() {
        true => run.refused(libc::EKEYREJECTED, "image: it is not signed"),
        false => equal("errno", run.errno, 0).context(run.log.join("\n")),
    }
}

/// Fails unless an unsigned image keeps the rules of PE files, and is refused for this reason
/// without enforcement.
pub fn well_formed_but(errno: i32, why: &str, bytes: &[u8]) -> Result {
    let run = dry_run(bytes)?;
    match enforced() {
        true => run.refused(libc::EKEYREJECTED, "image: it is not signed"),
        false => run.refused(errno, why),
    }
}
