// SPDX-License-Identifier: GPL-2.0

//! Attempts to have a signature of a revoked key accepted: by other signers and certificates in the
//! PKCS #7 message, which no signature covers, and by a lack of memory.

use support::embedded::returned_flags;
use support::fail_nth::fails;
use support::harness::{equal, Context, Result};
use support::kexec_file;
use support::keyring::{blacklist, entry, trust, try_add_key};
use support::load::{file, policy_image, stored, Load};
use support::pkcs7::{naming, Message};

use super::signatures::malformed;
use super::without_certificates;

tests! {
    BELOW_CONFIDENTIALITY.in_turn(Turn::Keyrings);
    signers_added,
    other_messages,
    keys_certified,
    allocations_fail,
    kexec_file_load,
}

/// A message with signers added, in each of the ways that once made the kernel accept it, and the
/// name of each way. `by` returns the message of another signer.
fn with_signers_added(
    message: &Message,
    by: impl Fn(&str) -> Result<Message>,
) -> Result<Vec<(&'static str, Message)>> {
    let signer = message.clone().signer()?;
    let twice = message.clone().with_signer(signer.clone())?;
    let wrong = naming(signer.clone(), by("leaked")?.issued()?)?;
    let false_signer = by("false")?;
    Ok(vec![
        ("twice", twice.clone()),
        // Nobody has that certificate.
        (
            "an unknown one",
            message
                .clone()
                .with_signer(naming(signer, by("untrusted")?.issued()?)?)?,
        ),
        // The search among the revoked keys used to end here, without a result.
        (
            "another revoked one",
            message.clone().with_signer(wrong.clone())?,
        ),
        (
            "another revoked one, first",
            message.clone().with_first_signer(wrong.clone())?,
        ),
        // In addition, the second signer used to count as verified because the first one did.
        (
            "twice, and another revoked one",
            twice.clone().with_signer(wrong)?,
        ),
        (
            "twice, and one whom a revoked one certified falsely",
            twice.with_all_of(false_signer.clone())?,
        ),
        (
            "one whom a revoked one certified falsely",
            message.clone().with_all_of(false_signer)?,
        ),
    ])
}

/// The message of an image is malformed if it has several signers.
fn signers_added() -> Result {
    for name in ["builtin", "revoked", "leaked", "of-leaked", "withdrawn"] {
        let image = policy_image(name)?;
        let by = |name: &str| Message::of(&policy_image(name)?);
        for (how, message) in with_signers_added(&Message::of(&image)?, by)? {
            malformed(&message.into_image(&image)).context(format!("{name}, {how}"))?;
        }
    }
    Ok(())
}

/// Other messages may have several signers. A blacklist entry needs such a message. It is added
/// only with its own one.
fn other_messages() -> Result {
    trust("withdrawn")?;
    blacklist("withdrawn")?;
    let entry = entry("false")?;
    let add = |message: &[u8]| try_add_key(".blacklist", "blacklist", &entry, message);
    let by = |name: &str| Message::parse(&stored(&format!("policy/{name}.p7"))?);
    for name in ["revoked", "leaked", "of-leaked", "withdrawn"] {
        let message = by(name)?;
        let mut all = with_signers_added(&message, by)?;
        all.push(("unchanged", message.clone()));
        all.push(("subjects", message.clone().with_subjects_changed()?));
        for (how, message) in all {
            let errno = add(&message.0.encode())?;
            equal("errno", errno, libc::EKEYREJECTED).context(format!("{name}, {how}"))?;
        }
        // The names of these are on the list. Without their certificates, the others are unknown.
        let errno = match name {
            "revoked" | "leaked" => libc::EKEYREJECTED,
            _ => libc::ENOKEY,
        };
        let without = add(&message.without_certificates()?.0.encode())?;
        equal("errno", without, errno).context(format!("{name}, without certificates"))?;
    }
    equal("errno", add(&stored("policy/false.entry.p7")?)?, 0)
}

/// A key that a revoked key certifies is not added to the trusted keys.
fn keys_certified() -> Result {
    trust("withdrawn")?;
    blacklist("withdrawn")?;
    for name in ["of-revoked", "of-withdrawn"] {
        let certificate = stored(&format!("policy/{name}.der"))?;
        let errno = try_add_key(".secondary_trusted_keys", "asymmetric", "", &certificate)?;
        equal("errno", errno, libc::EKEYREVOKED).context(name)?;
    }
    Ok(())
}

/// Whichever allocation fails, none of these counts as signed.
fn allocations_fail() -> Result {
    trust("withdrawn")?;
    blacklist("withdrawn")?;
    blacklist("image")?;
    let unsigned = returned_flags(0) + "\n";
    for (what, image) in [
        ("by a revoked key", policy_image("revoked")?),
        (
            "by it, without its certificate",
            without_certificates("revoked")?,
        ),
        ("by one that no keyring has", policy_image("leaked")?),
        ("by one that it certified", policy_image("of-revoked")?),
        ("by a withdrawn key", policy_image("withdrawn")?),
        (
            "by it, without the certificate",
            without_certificates("withdrawn")?,
        ),
        (
            "an image on the blacklist",
            policy_image("blacklisted-trusted")?,
        ),
        ("the same with SHA-512", policy_image("blacklisted-sha512")?),
    ] {
        let image = file(&image)?;
        fails(&Load::dry(&image), 1, libc::ECANCELED, &unsigned).context(what)?;
    }
    Ok(())
}

/// `kexec_file_load(2)` too searches the blacklist for the digest of an image.
fn kexec_file_load() -> Result {
    blacklist("listed")?;
    kexec_file::loads_unless_enforced(&stored("policy/listed.kernel")?, libc::EKEYREVOKED)
}
