// SPDX-License-Identifier: GPL-2.0

//! How the log shows what comes from outside.

use kernel::fmt::{
    self,
    Write, //
};

use crate::error::{
    self,
    printable, //
};

/// Text as [`printable()`] lets it be shown.
pub(crate) struct Printable<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0 {
            f.write_char(char::from(printable(byte)))?;
        }
        Ok(())
    }
}

/// `fmt!` of the kernel takes its own trait; the parsers have that of `core`, as on the host.
impl fmt::Display for error::Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}
