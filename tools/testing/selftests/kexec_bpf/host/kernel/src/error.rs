// SPDX-License-Identifier: GPL-2.0

//! Error codes.

use crate::alloc::AllocError;

/// A negative errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(i32);

/// The result of a function of the kernel.
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

/// The codes.
pub mod code {
    use super::Error;

    pub const EINTR: Error = Error(-4);
    pub const ENOMEM: Error = Error(-12);
    pub const EINVAL: Error = Error(-22);
    pub const EFBIG: Error = Error(-27);
    pub const ENOSPC: Error = Error(-28);
    pub const EBADMSG: Error = Error(-74);
    pub const EOPNOTSUPP: Error = Error(-95);
}

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        code::ENOMEM
    }
}
