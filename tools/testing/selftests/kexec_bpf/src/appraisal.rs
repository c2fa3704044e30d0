// SPDX-License-Identifier: GPL-2.0

//! Images where IMA's policy requires signatures of its own. What it allows can be read, and is not
//! verified for that. Once loaded, the policy holds for all that comes after.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;

use crate::harness::{skip, Context, Result};
use crate::load::{enforced, file, stored, Load};
use crate::policy::{add_key, policy, FLAGS};

tests![appraised];

const POLICY: &str = "/sys/kernel/security/ima/policy";
const RULE: &str = "appraise func=KEXEC_KERNEL_CHECK appraise_type=imasig\n";

/// An image with this signature of IMA's.
fn appraisable(image: &[u8], signature: &[u8]) -> Result<File> {
    let file = file(image)?;
    // SAFETY: The name is a string, and the length is that of the signature.
    match unsafe {
        libc::fsetxattr(
            file.as_raw_fd(),
            c"security.ima".as_ptr(),
            signature.as_ptr().cast(),
            signature.len(),
            0,
        )
    } {
        0 => Ok(file),
        _ => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                skip("temporary files cannot have security.ima")
            }
            error => Err(error).context("security.ima"),
        },
    }
}

fn refused(image: &File, errno: i32, why: &str) -> Result {
    let why = format!("refused: image: {why}");
    let end = format!("not loaded: -{errno}");
    Load::dry(image).run().check(errno, &[&why, &end])
}

fn appraised() -> Result {
    const BY_IMA: &str = "IMA or another security module refuses it: -13";
    if !fs::exists(POLICY)? {
        return skip(format!("there is no {POLICY}"));
    }
    let (unsigned, signed) = (policy("none")?, policy("builtin")?);
    let mut signature = stored("policy/none.ima")?;
    add_key(".ima", "asymmetric", "", &stored("policy/ima.der")?)?;
    fs::write(POLICY, RULE).context(POLICY)?;

    // Its own signature does not help an image.
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
                &format!("refused: program returned {FLAGS}"),
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
