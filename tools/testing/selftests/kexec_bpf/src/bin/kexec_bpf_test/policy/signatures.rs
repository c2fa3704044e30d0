// SPDX-License-Identifier: GPL-2.0

//! "Signature policy" of Documentation/bpf/kexec.rst: the rows of its table, one by one.

use std::os::fd::AsRawFd;

use support::embedded::returned_flags;
use support::harness::{equal, Context, Result};
use support::keyring::{blacklist, trust};
use support::load::{enforced, file, image, policy_image, secure_boot, stored, Load};
use support::object::Input;
use support::pe::{certificate, certificates, sections, with_certificates};
use support::pkcs7::Message;
use support::script::{read_fd, Script};
use support::uapi::{ENFORCED, HANDLE, SIGNED, VERIFY_PE};

use super::without_certificates;

tests! {
    EVERYWHERE
        .and_secure_boot()
        .in_turn(Turn::FreshKeyrings);
    damaged_certificate_tables,
    each_row,
}

const DOCUMENTATION: &str = include_str!("../../../../../../../../Documentation/bpf/kexec.rst");

/// The verdict on an image where signatures are enforced.
#[derive(Clone, Copy)]
enum Verdict<'a> {
    Loads,
    /// The errno, and the reason in the log.
    Refused(i32, &'a str),
}
use Verdict::{Loads, Refused};

const UNKNOWN: Verdict<'_> = Refused(libc::EKEYREJECTED, "no trusted key signed it");
const MALFORMED: Verdict<'_> = Refused(libc::ELIBBAD, "its signature is malformed");

/// A row of the table, and an image for it.
struct Row {
    /// The first column.
    signature: &'static str,
    image: fn() -> Result<Vec<u8>>,
    /// Who certified the signer, if it loads.
    signer: &'static str,
    /// The verdict before a change, and the change, which stays until the machine ends.
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
            change: None,
        }
    }

    const fn by(self, signer: &'static str) -> Self {
        Self { signer, ..self }
    }

    const fn after(self, before: Verdict<'static>, change: fn() -> Result) -> Self {
        Self {
            change: Some((before, change)),
            ..self
        }
    }
}

/// Nearly all images differ only in their signatures.
#[rustfmt::skip]
const ROWS: [Row; 42] = [
    Row::new("none", || policy_image("none")),
    Row::new("by a key of the builtin keyring", || policy_image("builtin")),
    Row::new("by a key that one of the builtin keyring certifies", || policy_image("chain"))
        .by("kexec_bpf test key, secondary"),
    Row::new("by a key of the secondary keyring", || policy_image("secondary"))
        .by("kexec_bpf test key, secondary")
        .after(UNKNOWN, || trust("secondary")),
    Row::new("by a key of a keyring, without its certificate", || without_certificates("withdrawn"))
        .by("")
        .after(UNKNOWN, || trust("withdrawn")),
    Row::new("by a key of the platform keyring", || policy_image("platform")).by(PLATFORM),
    Row::new("by a key that no keyring knows", || policy_image("untrusted")),
    Row::new("by a trusted key, with SHA-1", || policy_image("sha1")),
    Row::new("by a trusted key, with SHA-384", || policy_image("sha384")),
    Row::new("by a trusted key, with SHA-512", || policy_image("sha512")),
    Row::new("by a trusted key, with MD5", || policy_image("md5")),
    Row::new("by a trusted key; the image was changed since", changed),
    Row::new("by a trusted key, of another image", of_another_image),
    Row::new("by a trusted key, then another by an unknown key", || policy_image("first")),
    Row::new("by an unknown key, then another by a trusted key", || policy_image("second")),
    Row::new("malformed, then another by a trusted key",
             || signed_by_all(&["malformed", "builtin"])),
    Row::new("by a revoked key, then another by a trusted key",
             || signed_by_all(&["revoked", "builtin"])),
    Row::new("by a revoked key, then another by an unknown key",
             || signed_by_all(&["revoked", "untrusted"])),
    Row::new("by an unknown key, then another by a revoked key",
             || signed_by_all(&["untrusted", "revoked"])),
    Row::new("by an unknown key, with one by a trusted key in it", || policy_image("nested")),
    Row::new("by a trusted key, in a table of 17 certificates", seventeen),
    Row::new("by a trusted key, twice in one message", twice),
    Row::new("by a trusted key, certified for another usage", || policy_image("usage")),
    Row::new("by a trusted key, over nothing", || message("empty")),
    Row::new("by a trusted key, over what is not Authenticode", || message("data")),
    Row::new("by a trusted key, over malformed Authenticode", || message("other")),
    Row::new("malformed", || signed_by_all(&["malformed"])),
    Row::new("by a key on the revocation list", || policy_image("revoked")),
    Row::new("the same, without its certificate", || without_certificates("revoked")),
    Row::new("the same, with its certificate changed", || with_subjects_changed("revoked")),
    Row::new("by a key on the list that no keyring has", || policy_image("leaked")),
    Row::new("the same, without its certificate", || without_certificates("leaked")),
    Row::new("the same, and more signers in the message", signers_added),
    Row::new("by a key that one on the revocation list certifies", || policy_image("of-revoked")),
    Row::new("by a key whose certificate is on the blacklist", || policy_image("withdrawn"))
        .after(Loads, || blacklist("withdrawn")),
    Row::new("the same, without the certificate", || without_certificates("withdrawn")),
    Row::new("the same, with the certificate changed", || with_subjects_changed("withdrawn")),
    Row::new("by a key that such a key certifies", || policy_image("of-withdrawn")),
    Row::new("by a trusted key, of an image on the blacklist",
             || policy_image("blacklisted-trusted"))
        .after(Loads, || blacklist("image")),
    Row::new("the same, with SHA-512", || policy_image("blacklisted-sha512")),
    Row::new("the same, by an unknown key", || policy_image("blacklisted-untrusted")),
    Row::new("the same, not signed", || policy_image("blacklisted-none")),
];

fn changed() -> Result<Vec<u8>> {
    let mut image = policy_image("builtin")?;
    // The first section does not have the program.
    let at = sections(&image)[0].at;
    image[at] ^= 1;
    Ok(image)
}

fn of_another_image() -> Result<Vec<u8>> {
    let other = image("plain")?;
    let (at, len) = certificates(&other);
    Ok(with_certificates(
        &policy_image("none")?,
        &other[at..at + len],
    ))
}

/// The image with the signatures of these images, one behind another.
fn signed_by_all(names: &[&str]) -> Result<Vec<u8>> {
    let mut table = vec![];
    for name in names {
        match *name {
            "malformed" => table.extend(certificate(b"text")),
            _ => {
                let image = policy_image(name)?;
                let (at, len) = certificates(&image);
                table.extend(&image[at..at + len]);
            }
        }
    }
    Ok(with_certificates(&policy_image("none")?, &table))
}

fn seventeen() -> Result<Vec<u8>> {
    signed_by_all(&["builtin"; 17])
}

/// The image with this PKCS#7 message.
fn message(name: &str) -> Result<Vec<u8>> {
    let message = stored(&format!("policy/{name}.p7"))?;
    Ok(with_certificates(
        &policy_image("none")?,
        &certificate(&message),
    ))
}

fn with_subjects_changed(name: &str) -> Result<Vec<u8>> {
    let image = policy_image(name)?;
    Ok(Message::of(&image)?
        .with_subjects_changed()?
        .into_image(&image))
}

fn twice() -> Result<Vec<u8>> {
    let image = policy_image("builtin")?;
    let mut message = Message::of(&image)?;
    let signer = message.signer()?;
    Ok(message.with_signer(signer)?.into_image(&image))
}

/// Signed by the leaked key twice, and by one whose certificate falsely names the leaked key as its
/// issuer.
fn signers_added() -> Result<Vec<u8>> {
    let image = policy_image("leaked")?;
    let mut message = Message::of(&image)?;
    let signer = message.signer()?;
    let message = message.with_signer(signer)?;
    let message = message.with_all_of(Message::of(&policy_image("false")?)?)?;
    Ok(message.into_image(&image))
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

/// Fails unless the image counts as signed by the builtin key.
pub fn signed(image: &[u8]) -> Result {
    check(image, &ROWS[1], Loads)
}

/// Fails unless the image does not count as signed, for this reason.
pub fn not_signed(image: &[u8], errno: i32, why: &str) -> Result {
    check(image, &ROWS[1], Refused(errno, why))
}

/// Fails unless this is the verdict of a load, and that of a program that reads the image as a
/// signed file.
fn check(image: &[u8], row: &Row, verdict: Verdict<'_>) -> Result {
    let run = Load::dry(&file(image)?).run();
    let enforcement = if enforced() { ENFORCED } else { 0 };
    let signed = format!("image: signed by '{}', digest *", row.signer);
    // The program ran. It refuses every image.
    let ran = |first: &str, flags| {
        let returned = format!("refused: {}", returned_flags(flags));
        let end = format!("not loaded: -{}", libc::ECANCELED);
        run.check(libc::ECANCELED, &[first, "level 0: key *", &returned, &end])
    };
    match verdict {
        Loads => {
            ran(&signed, SIGNED | enforcement)?;
            let digest = run.log[0].rsplit(' ').next().unwrap_or_default();
            equal("digits of the digest", digest.len(), 64)?;
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
    let image = policy_image("builtin")?;
    let (at, len) = certificates(&image);
    let table = &image[at..at + len];
    for (what, change, verdict) in [
        ("none", &[][..], Loads),
        ("length 0", &[(0, 0), (1, 0)], MALFORMED),
        ("length 7", &[(0, 7), (1, 0)], MALFORMED),
        ("length 8", &[(0, 8), (1, 0)], MALFORMED),
        ("length 11", &[(0, 11), (1, 0)], MALFORMED),
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
