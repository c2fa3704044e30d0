// SPDX-License-Identifier: GPL-2.0

//! Which errno a load or a kfunc fails with.

use kernel::prelude::*;

use crate::error::{
    Kind,
    ParseError, //
};

impl Kind {
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

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        error.kind.errno()
    }
}

/// Whether a kfunc that fails with `errno` ends the load.
pub(crate) fn ends_load(errno: Error) -> bool {
    matches!(errno, EACCES | EFBIG | EINTR | ENOMEM)
}

/// The errno of a load whose signature check failed with `error`, and the reason for the log.
pub(crate) fn why_not_verified(error: Error) -> (Error, &'static str) {
    match error {
        ENODATA => (EKEYREJECTED, "it is not signed"),
        ENOKEY => (EKEYREJECTED, "no trusted key signed it"),
        EKEYREJECTED => (
            EKEYREJECTED,
            "its signature does not match, or is not trusted",
        ),
        EKEYREVOKED => (EKEYREVOKED, "it or its signer was revoked"),
        ENOPKG => (ENOPKG, "its signature is of an unsupported type"),
        ENOMEM => (ENOMEM, "out of memory while checking its signature"),
        EINTR => (
            EINTR,
            "interrupted by a signal while checking its signature",
        ),
        _ => (ELIBBAD, "its signature is malformed"),
    }
}
