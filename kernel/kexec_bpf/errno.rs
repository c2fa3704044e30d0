// SPDX-License-Identifier: GPL-2.0

//! Which errno a load or a kfunc fails with.

use kernel::prelude::*;

use crate::error;

impl error::Kind {
    /// The errno of this class.
    pub(crate) fn errno(self) -> Error {
        match self {
            Self::NotOurs => ENOEXEC,
            Self::Malformed => ELIBBAD,
            Self::TooBig => EFBIG,
            Self::Unsupported => ENOPKG,
            Self::NoMemory => ENOMEM,
            Self::Interrupted => EINTR,
        }
    }
}

/// Whether a kfunc that fails with `errno` ends the load.
pub(crate) fn ends_load(errno: Error) -> bool {
    matches!(errno, EACCES | EFBIG | EINTR | ENOMEM)
}

/// The errno for a signature check that failed with `error`, and what that means.
pub(crate) fn why_not_verified(error: Error) -> (Error, &'static str) {
    match error {
        ENODATA => (EKEYREJECTED, "it is not signed"),
        ENOKEY => (EKEYREJECTED, "no trusted key signed it"),
        EKEYREJECTED => (
            EKEYREJECTED,
            "its signature does not fit, or is not trusted",
        ),
        EKEYREVOKED => (EKEYREVOKED, "it was revoked, or its signer"),
        ENOPKG => (ENOPKG, "its signature is of an unsupported kind"),
        ENOMEM => (ENOMEM, "there is no memory to check its signature"),
        EINTR => (EINTR, "a signal came while its signature was checked"),
        _ => (ELIBBAD, "its signature is malformed"),
    }
}
