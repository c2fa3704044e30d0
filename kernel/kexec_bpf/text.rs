// SPDX-License-Identifier: GPL-2.0

//! Text of the parsers for the kernel's `fmt!`, which takes a trait of its own. The parsers implement
//! that of `core`, as they are built for the host too.

use kernel::fmt;

use crate::{
    error::ParseError,
    printable::Printable, //
};

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}
