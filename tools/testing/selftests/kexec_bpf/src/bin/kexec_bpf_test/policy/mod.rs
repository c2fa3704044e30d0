// SPDX-License-Identifier: GPL-2.0

//! Which images count as signed, and what becomes of loads while the policy changes.

pub mod installed;
pub mod revoked;
pub mod sbat;
pub mod signatures;
pub mod stricter;

use support::harness::Result;
use support::load::policy_image;
use support::pkcs7::Message;

/// The image without the certificates of its signature.
fn without_certificates(name: &str) -> Result<Vec<u8>> {
    let image = policy_image(name)?;
    Ok(Message::of(&image)?
        .without_certificates()?
        .into_image(&image))
}
