// SPDX-License-Identifier: GPL-2.0

//! Images whose components are below the SBAT level. Under secure boot, scripts/vm sets the level
//! in place of shim; otherwise there is none.

use support::harness::{Context, Result};
use support::load::{policy_image, secure_boot};

use super::signatures::{not_signed, signed};

tests! {
    EVERYWHERE.and_secure_boot();
    generations,
    malformed_section,
}

fn generations() -> Result {
    signed(&policy_image("sbat-at")?).context("at the level")?;
    let below = policy_image("sbat-below")?;
    match secure_boot() {
        true => not_signed(
            &below,
            libc::EKEYREVOKED,
            "generation 2 of its component 'kbt' was revoked, 3 is the lowest that shim takes",
        ),
        false => signed(&below),
    }
    .context("below the level")
}

fn malformed_section() -> Result {
    let image = policy_image("sbat-malformed")?;
    match secure_boot() {
        true => not_signed(
            &image,
            libc::ELIBBAD,
            "section .sbat: a line has fewer than six values (byte *",
        ),
        false => signed(&image),
    }
}
