// SPDX-License-Identifier: GPL-2.0

//! Changes all parts of a signed image that no signature covers. The image may count as signed only
//! if an independent checker still finds a proof of that.

use std::fs;

use support::der::Element;
use support::harness::{equal, skip, Context, Result};
use support::load::{
    dry_run, enforced, next_is_accepted, path, policy_image, secure_boot, stored, Loaded,
};
use support::pe;

use super::all;
use super::authenticode::Keys;
use super::mutate::{Envelope, CHANGES};
use super::random::Random;

tests! {
    WHEN_NAMED;
    checker,
    of_all_images,
    of_refused_images,
}

/// With 10000 images, each kind of change occurs some 150 times first, and more often after others.
const ALL: u64 = 10_000;
const SAMPLE: u64 = 160;
const SEED: u64 = 1;

/// The most changes of one message.
const CHANGES_MAX: usize = 4;

/// A signed image.
pub struct Signed {
    pub name: String,
    pub bytes: Vec<u8>,
    message: Element,
}

/// The keys of the test kernel.
pub fn keys() -> Result<Keys> {
    let mut keys = Keys::default();
    keys.trust(&stored("keys/trusted.der")?)?;
    // This key is in the builtin keyring as well.
    keys.trust(&stored("keys/revoked.der")?)?;
    keys.revoke(&stored("keys/revoked.der")?)?;
    keys.revoke(&stored("keys/leaked.der")?)?;
    if secure_boot() {
        keys.trust(&stored("keys/platform.der")?)?;
    }
    Ok(keys)
}

/// The images of scripts/images/policy-images.
pub fn images() -> Result<Vec<Signed>> {
    let directory = path("policy");
    let Ok(entries) = fs::read_dir(&directory) else {
        return skip(format!("there is no {}", directory.display()));
    };
    let mut names = vec![];
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".efi").map(String::from));
    }
    names.sort();
    let mut images = vec![];
    for name in names {
        let bytes = policy_image(&name)?;
        let (at, len) = pe::certificates(&bytes);
        let table = bytes.get(at + 8..at + len);
        if let Some((message, _)) = table.and_then(Element::parse) {
            images.push(Signed {
                name,
                bytes,
                message,
            });
        }
    }
    Ok(images)
}

/// Whether the image counted as signed. Fails if errno and log do not agree.
fn counts_as_signed(run: &Loaded) -> Result<bool> {
    let first = run.log.first().map_or("", String::as_str);
    let signed = first.starts_with("image: signed by ");
    let refused = first.starts_with("refused: image: ");
    let errnos = [
        libc::EKEYREJECTED,
        libc::EKEYREVOKED,
        libc::ELIBBAD,
        libc::ENOPKG,
        libc::ENOEXEC,
    ];
    let agrees = match (signed, refused, enforced()) {
        // All of these images have a program that refuses.
        (true, _, _) => run.errno == libc::ECANCELED,
        (_, true, true) => errnos.contains(&run.errno),
        // Unsigned images too have to keep the rules of PE files.
        (_, true, false) => [libc::ELIBBAD, libc::ENOEXEC].contains(&run.errno),
        (_, _, true) => false,
        (_, _, false) => first.starts_with("image: not verified: ") && run.errno == libc::ECANCELED,
    };
    equal("errno and log agree", agrees, true).context(format!(
        "errno {}: {}",
        run.errno,
        run.log.join("\n")
    ))?;
    Ok(signed)
}

/// The checker itself has the right verdict on each of these images.
fn checker() -> Result {
    let keys = keys()?;
    for (name, signed) in [
        ("builtin", true),
        ("chain", true),
        ("first", true),
        ("second", true),
        ("sha1", true),
        ("sha384", true),
        ("sha512", true),
        ("withdrawn", true),
        ("md5", false),
        ("none", false),
        ("secondary", false),
        ("untrusted", false),
        ("revoked", false),
        ("of-revoked", false),
        ("leaked", false),
        ("false", false),
    ] {
        equal(name, keys.signed(&policy_image(name)?), signed)?;
    }
    let good = policy_image("builtin")?;
    let (at, _) = pe::certificates(&good);
    for (what, byte) in [
        ("headers", 2),
        ("section", pe::sections(&good)[0].at),
        ("end", at - 1),
    ] {
        let mut bytes = good.clone();
        bytes[byte] ^= 1;
        equal(format!("{what} changed"), keys.signed(&bytes), false)?;
    }
    let mut keys = keys;
    keys.revoke_image(&good)?;
    equal("revoked image", keys.signed(&good), false)
}

/// Loads changed images, of those for which `is_meant` is true. Returns how many count as signed,
/// and how many there were.
pub fn walk(
    keys: &Keys,
    images: &[Signed],
    is_meant: impl Fn(&Signed) -> bool,
) -> Result<(u64, u64)> {
    let messages: Vec<_> = images.iter().map(|image| image.message.clone()).collect();
    let meant: Vec<_> = images.iter().filter(|image| is_meant(image)).collect();
    let check = |bytes: &[u8]| -> Result<bool> {
        let run = dry_run(bytes)?;
        let signed = counts_as_signed(&run)?;
        if signed {
            equal("it is proved", keys.signed(bytes), true).context(run.log.join("\n"))?;
        }
        Ok(signed)
    };
    for image in images {
        check(&image.bytes).context(&image.name)?;
    }
    let count = if all() { ALL } else { SAMPLE };
    let mut signed = 0;
    for number in 0..count {
        let mut random = Random::new((SEED << 32) | number);
        let image = random.choose(&meant).ok_or("there are no images")?;
        let mut envelope = Envelope::new(image.message.clone());
        let mut made = vec![];
        // The first change is of each kind in turn, and the others are of any kind.
        let mut next = number as usize % CHANGES.len();
        for _ in 0..=random.below(CHANGES_MAX) {
            let (name, change) = CHANGES[next];
            if change(&mut envelope, &mut random, &messages).is_some() {
                made.push(name);
            }
            next = random.below(CHANGES.len());
        }
        let what = format!("seed {SEED}, number {number}, {}: {made:?}", image.name);
        signed += u64::from(check(&envelope.around(&image.bytes)).context(&what)?);
        if number % 500 == 0 {
            next_is_accepted().context(what)?;
        }
    }
    println!("# seed {SEED}, {count} envelopes: {signed} are those of signed images");
    next_is_accepted()?;
    Ok((signed, count))
}

/// Some changed images are still accepted, and most are not.
fn of_all_images() -> Result {
    let (signed, count) = walk(&keys()?, &images()?, |_| true)?;
    equal("some count as signed", signed > count / 40, true)?;
    equal("most do not", signed < count / 2, true)
}

/// No change makes the kernel accept an image that it refused before.
fn of_refused_images() -> Result {
    let keys = keys()?;
    walk(&keys, &images()?, |image| !keys.signed(&image.bytes))?;
    Ok(())
}
