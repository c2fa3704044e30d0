// SPDX-License-Identifier: GPL-2.0

//! Whether an image counts as signed.

use kernel::{
    fmt,
    prelude::*, //
};

use crate::{
    errno::why_not_verified,
    ffi,
    identity::{
        Digest,
        Signer, //
    },
    pe::Pe,
    sbat, //
};

/// The name of the section with the generations of the image's components.
const SBAT_SECTION: &[u8] = b".sbat";

/// Why an image does not count as signed.
pub(crate) enum NotSigned {
    /// No signature of it is good.
    Signature(Error),
    /// Its components are not up to the level that shim has recorded.
    Sbat(sbat::Wrong),
}

/// Checks the signatures of an image, and its components. Whoever can change the section that has
/// these can sign the image.
pub(crate) fn verify(image: &[u8], pe: &Pe<'_>) -> Result<(Digest, Signer), NotSigned> {
    let verified = ffi::verify_pe(image).map_err(NotSigned::Signature)?;
    pe.section(SBAT_SECTION)
        .map_err(sbat::Wrong::Section)
        .and_then(|section| {
            let range = section.map_or(0..0, |section| section.range);
            sbat::check(ffi::sbat_level(), image.get(range).unwrap_or_default())
        })
        .map_err(NotSigned::Sbat)?;
    Ok(verified)
}

impl NotSigned {
    /// The errno of a load that needs a signature.
    pub(crate) fn errno(&self) -> Error {
        match self {
            Self::Signature(error) => why_not_verified(*error).0,
            Self::Sbat(sbat::Wrong::Revoked { .. }) => EKEYREVOKED,
            Self::Sbat(sbat::Wrong::Section(_) | sbat::Wrong::Level(_)) => ELIBBAD,
        }
    }
}

impl fmt::Display for NotSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature(error) => f.write_str(why_not_verified(*error).1),
            Self::Sbat(sbat::Wrong::Revoked {
                component,
                generation,
                lowest,
            }) => f.write_fmt(fmt!(
                "generation {generation} of its component '{component}' was revoked, \
                 {lowest} is the lowest that shim takes"
            )),
            Self::Sbat(sbat::Wrong::Section(error)) => f.write_fmt(fmt!("section .sbat: {error}")),
            Self::Sbat(sbat::Wrong::Level(error)) => {
                f.write_fmt(fmt!("the variable SbatLevelRT: {error}"))
            }
        }
    }
}
