// SPDX-License-Identifier: GPL-2.0

//! Loads under a policy of IMA that requires IMA signatures. IMA decides whether a file can be
//! read; that does not make an image verified. The policy stays until the machine ends.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::fchown;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{fcntl_setfl, fsetxattr, OFlags, XattrFlags};
use rustix::io::Errno;

use support::embedded::returned_flags;
use support::harness::{equal, skip, Context, Result};
use support::kexec_file::load_files;
use support::keyring::{add_key, blacklist, try_add_key};
use support::load::{
    enforced, file, image, loaded, lockdown, policy_image, secure_boot, stored, unload, Load,
};

use crate::adversary::functions::functions;
use crate::adversary::programs::{attach, Act, Kind, Target};

tests! {
    WHEN_NAMED.in_turn(Turn::StricterPolicy);
    appraised,
    kernels,
    revoked_kernel,
    revoked_key,
}

const POLICY: &str = "/sys/kernel/security/ima/policy";
/// Requires signatures of the files of one user, which can be appended, and digests of initrds.
/// Allows direct I/O of files that IMA does not appraise.
const RULES: &str = "\
appraise func=KEXEC_KERNEL_CHECK appraise_type=imasig|modsig appraise_algos=sha256 fowner=0
appraise func=KEXEC_INITRAMFS_CHECK fowner=0
measure func=KEXEC_KERNEL_CHECK permit_directio
";

/// Adds the rules and the key of their signatures, unless they were added before. They can be added
/// once: after that, the policy has no file any more.
fn add_rules() -> Result {
    static ADDED: AtomicBool = AtomicBool::new(false);
    if ADDED.load(Ordering::Relaxed) {
        return Ok(());
    }
    if !fs::exists(POLICY)? {
        return skip(format!("there is no {POLICY}"));
    }
    add_key(".ima", "asymmetric", "", &stored("policy/ima.der")?)?;
    fs::write(POLICY, RULES).context(POLICY)?;
    ADDED.store(true, Ordering::Relaxed);
    Ok(())
}

/// A file with this IMA signature.
fn appraisable(image: &[u8], signature: &[u8]) -> Result<File> {
    let file = file(image)?;
    match fsetxattr(&file, "security.ima", signature, XattrFlags::empty()) {
        Ok(()) => Ok(file),
        Err(Errno::OPNOTSUPP) => skip("temporary files cannot have security.ima"),
        Err(error) => Err(error).context("security.ima"),
    }
}

fn refused(image: &File, errno: i32, why: &str) -> Result {
    let why = format!("refused: image: {why}");
    let end = format!("not loaded: -{errno}");
    Load::dry(image).run().check(errno, &[&why, &end])
}

fn appraised() -> Result {
    const BY_IMA: &str = "IMA or another security module rejected it: -13";
    add_rules()?;
    let (unsigned, signed) = (policy_image("none")?, policy_image("builtin")?);
    let mut signature = stored("policy/none.ima")?;

    // The signature in the image does not count for IMA.
    for image in [&unsigned, &signed] {
        refused(&file(image)?, libc::EKEYREJECTED, BY_IMA)?;
    }
    refused(
        &appraisable(&signed, &signature)?,
        libc::EKEYREJECTED,
        BY_IMA,
    )?;
    let good = appraisable(&unsigned, &signature)?;
    match enforced() {
        true => refused(&good, libc::EKEYREJECTED, "it is not signed")?,
        false => Load::dry(&good).run().check(
            libc::ECANCELED,
            &[
                "image: not verified: it is not signed",
                "level 0: key *",
                &format!("refused: {}", returned_flags(0)),
                &format!("not loaded: -{}", libc::ECANCELED),
            ],
        )?,
    }
    *signature.last_mut().ok_or("it is empty")? ^= 1;
    refused(
        &appraisable(&unsigned, &signature)?,
        libc::EKEYREJECTED,
        BY_IMA,
    )
}

/// Loads a kernel with `kexec_file_load(2)`, and drops it. Returns the errno, or 0.
fn load_kernel(kernel: &File) -> Result<i32> {
    let errno = load_files(kernel, None, 0);
    equal("a kernel is loaded", loaded()?, errno == 0)?;
    if errno == 0 {
        unload()?;
    }
    Ok(errno)
}

/// A kernel with this message appended.
fn appended(kernel: &[u8], message: &[u8]) -> Vec<u8> {
    const PKCS7: u8 = 2;
    let len = (message.len() as u32).to_be_bytes();
    // `struct module_signature`
    let head = [[0, 0, PKCS7, 0], [0; 4], len].concat();
    let end = b"~Module signature appended~\n";
    [kernel, message, &head, end].concat()
}

/// Under lockdown, `kexec_file_load(2)` accepts only kernels with an IMA signature, whichever rule
/// lets IMA read them.
fn kernels() -> Result {
    const OTHER_USER: u32 = 1234;
    add_rules()?;
    let locked_down = match (lockdown().as_str(), secure_boot()) {
        // There, an IMA signature does not count.
        (_, true) => libc::EKEYREJECTED,
        ("none", _) => 0,
        _ => libc::EPERM,
    };
    let by_ima = match secure_boot() {
        true => libc::EKEYREJECTED,
        false => 0,
    };
    let kernel = image("policy/kernel")?;
    let signature = stored("policy/kernel.ima")?;
    let digest = stored("policy/kernel.digest")?;
    let is = |what: &str, file: &File, errno| equal(what, load_kernel(file)?, errno);

    is(
        "with a signature",
        &appraisable(&kernel, &signature)?,
        by_ima,
    )?;
    is("without one", &file(&kernel)?, libc::EACCES)?;
    is(
        "with a digest",
        &appraisable(&kernel, &digest)?,
        libc::EACCES,
    )?;

    // No rule matches.
    let others = file(&kernel)?;
    fchown(&others, Some(OTHER_USER), None)?;
    is("of another user", &others, locked_down)?;
    let others = appraisable(&kernel, &signature)?;
    fchown(&others, Some(OTHER_USER), None)?;
    is("of another user, with a signature", &others, by_ima)?;
    let mut changed = kernel.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let others = appraisable(&changed, &signature)?;
    fchown(&others, Some(OTHER_USER), None)?;
    is("of another user, changed", &others, locked_down)?;

    let others = appraisable(&kernel, &stored("policy/kernel.sha512.ima")?)?;
    fchown(&others, Some(OTHER_USER), None)?;
    let what = "of another user, by another algorithm";
    is(what, &others, locked_down)?;

    for (message, errno) in [
        ("kernel", by_ima),
        ("kernel.sha512", locked_down),
        ("content", locked_down),
    ] {
        let with_message = appended(&kernel, &stored(&format!("policy/{message}.p7"))?);
        let others = file(&with_message)?;
        fchown(&others, Some(OTHER_USER), None)?;
        let what = format!("of another user, with {message}.p7 appended");
        is(&what, &others, errno)?;
    }

    // For an initrd the digest is enough, and IMA caches that verdict.
    let labelled = appraisable(&kernel, &digest)?;
    load_files(&file(&image("linux")?)?, Some(&labelled), 0);
    unload()?;
    let errno = load_kernel(&labelled)?;
    let what =
        format!("read as an initrd before: errno {errno} is that of a refusal, if locked down");
    equal(what, [libc::EACCES, locked_down].contains(&errno), true)?;

    // Direct I/O.
    let labelled = appraisable(&kernel, &digest)?;
    fcntl_setfl(&labelled, OFlags::DIRECT).context("O_DIRECT")?;
    is("by direct I/O", &labelled, locked_down)
}

/// Has a search of a keyring by the target's thread fail, the one with this number.
fn hide_keys(target: &Target, number: u32) -> Result<OwnedFd> {
    const HOOK: &str = "security_key_permission";
    let hook = functions(|name| name == HOOK)?;
    let kind = Kind::ModifyReturn(hook.first().ok_or(HOOK)?.id);
    let act = Act::ReturnAt(-libc::EACCES as u64, number);
    attach(&target.load(kind, act)?).context(HOOK)
}

/// Fails if the kernel loads, be it while one of the searches that this takes fails.
fn never_loads(kernel: &[u8], signature: &[u8], errno: i32) -> Result {
    let file = appraisable(kernel, signature)?;
    equal("errno", load_kernel(&file)?, errno)?;
    let target = Target::new()?;
    for number in 0.. {
        let file = appraisable(kernel, signature)?;
        let link = hide_keys(&target, number)?;
        let got = target.during(|| load_files(&file, None, 0));
        drop(link);
        equal(format!("loads without search {number}"), got == 0, false)?;
        if target.times() <= number {
            println!("# {number} searches");
            return equal("there are searches", number > 0, true);
        }
    }
    Ok(())
}

/// An IMA signature does not stand in for that of an image which was revoked, or whose signer was.
fn revoked_kernel() -> Result {
    add_rules()?;
    let errno = match (lockdown().as_str(), secure_boot()) {
        (_, true) => libc::EKEYREVOKED,
        ("none", _) => return skip("signatures are not enforced"),
        _ => libc::EPERM,
    };
    blacklist("listed")?;
    for name in ["listed", "revoked"] {
        let kernel = stored(&format!("policy/{name}.kernel"))?;
        let signature = stored(&format!("policy/{name}.ima"))?;
        never_loads(&kernel, &signature, errno).context(name)?;
    }
    Ok(())
}

/// A key on the blacklist of IMA signs for nothing.
fn revoked_key() -> Result {
    const BLACKLIST: &str = ".ima_blacklist";
    add_rules()?;
    match try_add_key(BLACKLIST, "asymmetric", "", &stored("policy/ima.der")?) {
        Ok(0) => {}
        Ok(errno) => return Err(format!("{BLACKLIST}: errno {errno}").into()),
        Err(_) => return skip(format!("there is no keyring {BLACKLIST}")),
    }
    let signature = stored("policy/kernel.ima")?;
    never_loads(&image("policy/kernel")?, &signature, libc::EACCES)
}
