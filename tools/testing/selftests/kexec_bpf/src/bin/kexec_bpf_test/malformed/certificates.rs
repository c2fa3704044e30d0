// SPDX-License-Identifier: GPL-2.0

//! The certificate table. No signature covers it, so whoever has the file can change it.

use support::harness::{equal, Context, Result};
use support::load::{dry_run, image};
use support::pe;
use support::tiny_image::*;

tests! {
    ON_X86_64;
    directory_entries,
    entries,
    several_entries,
    kinds_of_digests,
    any_byte,
}

const RULE: &str = "the certificate table is empty, not aligned to 8, or not last in the file";
const FAR: &str = "the certificate table reaches past the file";

/// In `WIN_CERTIFICATE`.
const HEADER_LEN: usize = 8;
const REVISION: usize = 4;
const TYPE: usize = 6;

fn directory_entries() -> Result {
    let (end, len) = pe::certificates(&Tiny::new()?.bytes);
    let at_entry = |rule, byte, at, len| {
        malformed(rule, byte, |image| image.certificates(at, len))
            .context(format!("{len:#x} bytes at {at:#x}"))
    };
    for (at, len) in [
        // Empty, or without an address.
        (end, 0),
        (end + len, 0),
        (8, 0),
        (0, len),
        // Not last.
        (end, 8),
        (end, len - 8),
        (end - 8, len),
        // Not aligned.
        (end + 1, len - 1),
        (end + 4, len - 4),
        (end - 4, len + 4),
    ] {
        at_entry(RULE, CERTIFICATES, at, len)?;
    }
    for (at, len) in [
        (end, len + 1),
        (end, MOST),
        (end + 8, len),
        (MOST, 0),
        (MOST, 1),
        (MOST, MOST),
        (MOST - 7, 8),
    ] {
        at_entry(FAR, at, at, len)?;
    }
    // Over sections, headers, everything.
    for at in [end - 8, TEXT_END, HEADERS_END, 8, 0] {
        at_entry(REACH, end, at, end + len - at)?;
    }
    for more in 1..=9 {
        malformed(RULE, CERTIFICATES, |image| {
            image.bytes.resize(end + len + more, 0);
        })
        .context(format!("{more} bytes follow"))?;
    }
    Ok(())
}

fn entries() -> Result {
    let tiny = Tiny::new()?;
    let (at, len) = pe::certificates(&tiny.bytes);
    let signed_len = HEADER_LEN + pe::der_len(&tiny.bytes[at + HEADER_LEN..]);
    equal("length", signed_len.next_multiple_of(8), len)?;
    let entry_len = |len| move |image: &mut Tiny| image.put32(at, len);
    for wrong in [0, 1, 7, 12, signed_len - 1, len + 1, len + 8, MOST] {
        unverified(MALFORMED, entry_len(wrong)).context(format!("dwLength {wrong}"))?;
    }
    for nothing in HEADER_LEN..12 {
        unverified(MISFIT, |image| {
            let table_len = nothing.next_multiple_of(8);
            image.put32(at, nothing);
            image.bytes.truncate(at + table_len);
            image.certificates(at, table_len);
        })
        .context(format!("dwLength {nothing}"))?;
    }
    // With the padding, as sbsign says, or without.
    for right in signed_len..=len {
        verified(entry_len(right)).context(format!("dwLength {right}"))?;
    }
    for (field, value) in [
        (REVISION, 0),
        (REVISION, 0x100),
        // X.509, reserved, Terminal Server, PKCS #1, GUID.
        (TYPE, 1),
        (TYPE, 3),
        (TYPE, 4),
        (TYPE, 0xef0),
        (TYPE, 0xef1),
    ] {
        unverified(MALFORMED, |image| image.put16(at + field, value))
            .context(format!("{value:#x} at {field}"))?;
    }
    Ok(())
}

/// Any entry counts, if all of them are well-formed.
fn several_entries() -> Result {
    const X509: u16 = 1;
    let (at, _) = pe::certificates(&Tiny::new()?.bytes);
    let other = image("untrusted")?;
    let other = &other[pe::certificates(&other).0..];
    let mut passed_over = pe::certificate(b"text");
    pe::put(&mut passed_over, TYPE, X509.to_le_bytes());
    let passed_over = &passed_over[..];

    let insert = |image: &mut Tiny, bytes: &[u8]| {
        image.bytes.splice(at..at, bytes.iter().copied());
        image.certificates(at, image.bytes.len() - at);
    };
    let append = |image: &mut Tiny, bytes: &[u8]| {
        image.bytes.extend(bytes);
        image.certificates(at, image.bytes.len() - at);
    };
    for more in [
        other,
        passed_over,
        &pe::certificate(&[])[..],
        &other.repeat(15)[..],
    ] {
        let what = format!("{} bytes", more.len());
        verified(|image| append(image, more)).context(format!("{what} behind it"))?;
        verified(|image| insert(image, more)).context(format!("{what} before it"))?;
    }
    for wrong in [
        &[0; 8],
        &[0xff; 8],
        &[0; 4096][..],
        &other[..other.len() - 8],
        &other.repeat(16)[..],
        &passed_over.repeat(16)[..],
    ] {
        let what = format!("{} bytes", wrong.len());
        unverified(MALFORMED, |image| append(image, wrong)).context(format!("{what} behind it"))?;
        unverified(MALFORMED, |image| insert(image, wrong)).context(format!("{what} before it"))?;
    }
    let instead = |image: &mut Tiny, bytes: &[u8]| {
        image.bytes.truncate(at);
        append(image, bytes);
    };
    unverified(UNTRUSTED, |image| instead(image, &other.repeat(16)))?;
    unverified(MALFORMED, |image| instead(image, passed_over))?;
    // The reason is that of the first one.
    unverified(UNTRUSTED, |image| {
        instead(image, &[other, &pe::certificate(b"text")].concat());
    })?;
    unverified(MALFORMED, |image| {
        instead(image, &[&pe::certificate(b"text"), other].concat());
    })
}

fn kinds_of_digests() -> Result {
    let run = dry_run(&image("sha512")?)?;
    let log = run.log.join("\n");
    equal("errno", run.errno, 0).context(&log)?;
    let digest = run.log[0].rsplit(' ').next().unwrap_or_default();
    equal("digits of the digest", digest.len(), 64).context(log)?;

    let md5 = image("md5")?;
    unverified(UNSUPPORTED, |image| image.bytes.clone_from(&md5))
}

/// If a changed image is still verified, its digest and its signer are the same as before. The log
/// names no signer if the certificate in the message is not recognized as the signer's.
fn any_byte() -> Result {
    let mut tiny = Tiny::new()?;
    let named = dry_run(&tiny.bytes)?.log;
    let mut unnamed = named.clone();
    let digest = named[0].rsplit(' ').next().unwrap_or_default();
    unnamed[0] = format!("image: signed by '', digest {digest}");
    for at in tiny.table..tiny.bytes.len() {
        let bit = 1 << (at % 8);
        tiny.bytes[at] ^= bit;
        let run = dry_run(&tiny.bytes)?;
        let wrong = [MISFIT, UNTRUSTED, MALFORMED, UNSUPPORTED];
        let fits = match is_verified(&run) {
            true => run.errno == 0 && [&named, &unnamed].contains(&&run.log),
            false => wrong.iter().any(|&what| is_unverified(&run, what)),
        };
        equal(format!("byte {at:#x}"), fits, true).context(run.log.join("\n"))?;
        tiny.bytes[at] ^= bit;
    }
    verified(|_| ())
}
