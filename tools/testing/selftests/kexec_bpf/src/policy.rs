// SPDX-License-Identifier: GPL-2.0

//! "Signature policy" of Documentation/bpf/kexec.rst: the rows of its table, one by one.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;

use crate::harness::{equal, Context, Result};
use crate::load::{enforced, file, image, secure_boot, stored, Load};
use crate::message::Message;
use crate::object::Input;
use crate::pe::{certificate, certificates, sections, with_certificates};
use crate::script::{read_fd, Script};
use crate::uapi::{ENFORCED, HANDLE, SIGNED, VERIFY_PE};

// The last rows hold until the machine ends.
tests![damaged_certificate_tables, each_row];

const DOCUMENTATION: &str = include_str!("../../../../../Documentation/bpf/kexec.rst");

/// What flags.bpf.c adds to the flags.
pub const FLAGS: u32 = 256;

/// What becomes of an image where signatures are enforced.
#[derive(Clone, Copy)]
enum Verdict<'a> {
    Loads,
    /// The errno, and the reason in the log.
    Refused(i32, &'a str),
}
use Verdict::{Loads, Refused};

const UNKNOWN: Verdict<'_> = Refused(libc::EKEYREJECTED, "no trusted key signed it");
const MISFIT: Verdict<'_> = Refused(
    libc::EKEYREJECTED,
    "its signature does not fit, or is not trusted",
);
const MALFORMED: Verdict<'_> = Refused(libc::ELIBBAD, "its signature is malformed");

/// A row of the table, and an image for it.
struct Row {
    /// The first column.
    signature: &'static str,
    image: fn() -> Result<Vec<u8>>,
    /// Who certified the signer, and how many hexadecimal digits the digest has, if it loads.
    signer: &'static str,
    digits: usize,
    /// The verdict before, and what makes it that of the row until the machine ends.
    change: Option<(Verdict<'static>, fn() -> Result)>,
}

const TRUSTED: &str = "kexec_bpf test key, trusted";
const PLATFORM: &str = "SnakeOil Test Key for EFI Secure Boot";

impl Row {
    const fn new(signature: &'static str, image: fn() -> Result<Vec<u8>>) -> Self {
        Self {
            signature,
            image,
            signer: TRUSTED,
            digits: 64,
            change: None,
        }
    }

    const fn by(self, signer: &'static str) -> Self {
        Self { signer, ..self }
    }

    const fn digits(self, digits: usize) -> Self {
        Self { digits, ..self }
    }

    const fn after(self, before: Verdict<'static>, change: fn() -> Result) -> Self {
        Self {
            change: Some((before, change)),
            ..self
        }
    }
}

/// All but a few of the images are alike, but for their signatures.
#[rustfmt::skip]
const ROWS: [Row; 32] = [
    Row::new("none", || policy("none")),
    Row::new("by a key of the builtin keyring", || policy("builtin")),
    Row::new("by a key that one of the builtin keyring certifies", || policy("chain"))
        .by("kexec_bpf test key, secondary"),
    Row::new("by a key of the secondary keyring", || policy("secondary"))
        .by("kexec_bpf test key, secondary")
        .after(UNKNOWN, || trust("secondary")),
    Row::new("by a key of a keyring, without its certificate", || without_certificates("withdrawn"))
        .by("")
        .after(UNKNOWN, || trust("withdrawn")),
    Row::new("by a key of the platform keyring", || policy("platform")).by(PLATFORM),
    Row::new("by a key that no keyring knows", || policy("untrusted")),
    Row::new("by a trusted key, with SHA-1", || policy("sha1")).digits(40),
    Row::new("by a trusted key, with SHA-384", || policy("sha384")).digits(96),
    Row::new("by a trusted key, with SHA-512", || policy("sha512")).digits(128),
    Row::new("by a trusted key, with MD5", || policy("md5")),
    Row::new("by a trusted key; the image was changed since", changed),
    Row::new("by a trusted key, of another image", of_another_image),
    Row::new("by a trusted key, then another by an unknown key", || policy("first")),
    Row::new("by an unknown key, then another by a trusted key", || policy("second")),
    Row::new("by a trusted key, twice in one message", twice),
    Row::new("by a trusted key, certified for another usage", || policy("usage")),
    Row::new("by a trusted key, over nothing", || message("empty")),
    Row::new("by a trusted key, over what is not Authenticode", || message("data")),
    Row::new("by a trusted key, over malformed Authenticode", || message("other")),
    Row::new("malformed", || Ok(with_certificates(&policy("none")?, &certificate(b"text")))),
    Row::new("by a key on the revocation list", || policy("revoked")),
    Row::new("the same, without its certificate", || without_certificates("revoked")),
    Row::new("the same, with its certificate changed", || with_subjects_changed("revoked")),
    Row::new("by a key on the list that no keyring has", || policy("leaked")),
    Row::new("the same, and more signers in the message", signers_added),
    Row::new("by a key that one on the revocation list certifies", || policy("of-revoked")),
    Row::new("by a key whose certificate is on the blacklist", || policy("withdrawn"))
        .after(Loads, || blacklist("withdrawn")),
    Row::new("the same, without the certificate", || without_certificates("withdrawn")),
    Row::new("the same, with the certificate changed", || with_subjects_changed("withdrawn")),
    Row::new("by a key that such a key certifies", || policy("of-withdrawn")),
    Row::new("by a trusted key, of an image on the blacklist", || policy("builtin"))
        .after(Loads, || blacklist("image")),
];

/// An image of scripts/policy-images.
pub fn policy(name: &str) -> Result<Vec<u8>> {
    image(&format!("policy/{name}"))
}

fn changed() -> Result<Vec<u8>> {
    let mut image = policy("builtin")?;
    // In the first section, which is not that of the program.
    let at = sections(&image)[0].at;
    image[at] ^= 1;
    Ok(image)
}

fn of_another_image() -> Result<Vec<u8>> {
    let other = image("plain")?;
    let (at, len) = certificates(&other);
    Ok(with_certificates(&policy("none")?, &other[at..at + len]))
}

/// The image with this PKCS#7 message.
fn message(name: &str) -> Result<Vec<u8>> {
    let message = stored(&format!("policy/{name}.p7"))?;
    Ok(with_certificates(&policy("none")?, &certificate(&message)))
}

/// The image without the certificates of its signature.
pub fn without_certificates(name: &str) -> Result<Vec<u8>> {
    let image = policy(name)?;
    Ok(Message::of(&image)?
        .without_certificates()?
        .into_image(&image))
}

fn with_subjects_changed(name: &str) -> Result<Vec<u8>> {
    let image = policy(name)?;
    Ok(Message::of(&image)?
        .with_subjects_changed()?
        .into_image(&image))
}

fn twice() -> Result<Vec<u8>> {
    let image = policy("builtin")?;
    let mut message = Message::of(&image)?;
    let signer = message.signer()?;
    Ok(message.with_signer(signer)?.into_image(&image))
}

/// By the leaked key twice, and by one whose certificate says falsely that the leaked one made it.
fn signers_added() -> Result<Vec<u8>> {
    let image = policy("leaked")?;
    let mut message = Message::of(&image)?;
    let signer = message.signer()?;
    let message = message.with_signer(signer)?;
    let message = message.with_all_of(Message::of(&policy("false")?)?)?;
    Ok(message.into_image(&image))
}

/// The kernel's keys, one a line.
fn keys() -> Result<String> {
    Ok(fs::read_to_string("/proc/keys")?)
}

/// Sees to it that the key of this name is in the secondary keyring, or has been before it was
/// blacklisted.
pub fn trust(name: &str) -> Result {
    if keys()?.contains(&format!("kexec_bpf test key, {name}:")) {
        return Ok(());
    }
    let certificate = stored(&format!("policy/{name}.der"))?;
    add_key(".secondary_trusted_keys", "asymmetric", "", &certificate)
}

/// Sees to it that this entry is on the blacklist. It needs a signature.
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

/// The rows of the documentation.
fn documented() -> Result<Vec<(&'static str, Verdict<'static>)>> {
    let (_, section) = DOCUMENTATION
        .split_once("\nSignature policy\n=")
        .ok_or("there is no such section")?;
    let is_border = |line: &&str| line.starts_with("==") && line.contains("  ");
    let mut lines = section.lines().skip_while(|line| !is_border(line));
    let border = lines.next().ok_or("there is no table")?;
    let second = border.find(' ').unwrap_or_default() + 2;
    let third = border.rfind(' ').unwrap_or_default() + 1;
    let rows = lines.skip(2).take_while(|line| !is_border(line));
    rows.map(|row| {
        let reason = row.get(third..).unwrap_or_default();
        let verdict = match row.get(second..third).unwrap_or(&row[second..]).trim_end() {
            "loads" => Loads,
            "``EKEYREJECTED``" => Refused(libc::EKEYREJECTED, reason),
            "``EKEYREVOKED``" => Refused(libc::EKEYREVOKED, reason),
            "``ELIBBAD``" => Refused(libc::ELIBBAD, reason),
            "``ENOPKG``" => Refused(libc::ENOPKG, reason),
            other => return Err(format!("{row}: {other}").into()),
        };
        Ok((row[..second].trim_end(), verdict))
    })
    .collect()
}

fn each_row() -> Result {
    let documented = documented()?;
    let signatures: Vec<_> = documented.iter().map(|row| row.0).collect();
    let ours: Vec<_> = ROWS.iter().map(|row| row.signature).collect();
    equal("rows", ours, signatures)?;
    for (row, (signature, verdict)) in ROWS.iter().zip(documented) {
        let image = (row.image)().context(signature)?;
        if let Some((before, change)) = row.change {
            check(&image, row, before).context(format!("{signature}, before"))?;
            change().context(signature)?;
        }
        let verdict = match row.signer {
            PLATFORM if !secure_boot() => UNKNOWN,
            _ => verdict,
        };
        check(&image, row, verdict).context(signature)?;
    }
    Ok(())
}

/// Fails unless the signature of this image is malformed.
pub fn malformed(image: &[u8]) -> Result {
    check(image, &ROWS[1], MALFORMED)
}

/// Whether the verdict is this one: of a load, and of reading a file that has to be signed.
fn check(image: &[u8], row: &Row, verdict: Verdict<'_>) -> Result {
    let run = Load::dry(&file(image)?).run();
    let enforcement = if enforced() { ENFORCED } else { 0 };
    let signed = format!("image: signed by '{}', digest *", row.signer);
    // The program was run, which refuses all.
    let ran = |first: &str, flags| {
        let returned = format!("refused: program returned {}", FLAGS + flags);
        let end = format!("not loaded: -{}", libc::ECANCELED);
        run.check(libc::ECANCELED, &[first, "level 0: key *", &returned, &end])
    };
    match verdict {
        Loads => {
            ran(&signed, SIGNED | enforcement)?;
            let digest = run.log[0].rsplit(' ').next().unwrap_or_default();
            equal("digits of the digest", digest.len(), row.digits)?;
        }
        Refused(errno, why) if enforced() => run.refused(errno, &format!("image: {why}"))?,
        Refused(_, why) => ran(&format!("image: not verified: {why}"), 0)?,
    }
    let returned = match verdict {
        Loads => HANDLE.into(),
        Refused(errno, _) => i64::from(-errno),
    };
    let file = file(image)?;
    let steps = [(read_fd(file.as_raw_fd().into(), VERIFY_PE), returned)];
    Script::load()?.check(&Input::default(), &steps)?;
    Ok(())
}

/// Each field of the certificate table.
fn damaged_certificate_tables() -> Result {
    let image = policy("builtin")?;
    let (at, len) = certificates(&image);
    let table = &image[at..at + len];
    for (what, change, verdict) in [
        ("none", &[][..], Loads),
        ("length 0", &[(0, 0), (1, 0)], MALFORMED),
        ("length 7", &[(0, 7), (1, 0)], MALFORMED),
        ("length 8", &[(0, 8), (1, 0)], MISFIT),
        ("length 11", &[(0, 11), (1, 0)], MISFIT),
        ("length 12", &[(0, 12), (1, 0)], MALFORMED),
        ("length over the table's", &[(2, 1)], MALFORMED),
        ("revision", &[(5, 1)], MALFORMED),
        ("type", &[(6, 1)], MALFORMED),
        ("tag of the message", &[(8, 0x31)], MALFORMED),
        ("length of the message", &[(10, 0xff)], MALFORMED),
        ("form of its length", &[(9, 0x83)], MALFORMED),
        ("type of the message", &[(12, 0x05)], MALFORMED),
    ] {
        let mut table = table.to_vec();
        for &(at, byte) in change {
            table[at] = byte;
        }
        let image = with_certificates(&image, &table);
        check(&image, &ROWS[1], verdict).context(what)?;
    }
    Ok(())
}
