// SPDX-License-Identifier: GPL-2.0

//! Why bytes were refused.

use core::fmt;

use kernel::alloc::AllocError;

use crate::printable::Name;

/// The class of an error; each has its own errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not the format that was asked for.
    NotOurs,
    /// The format that was asked for, but broken.
    Malformed,
    /// Over a limit.
    TooBig,
    /// Well formed, but of a sort that is not supported.
    Unsupported,
    /// The task was killed meanwhile.
    Interrupted,
    /// Out of memory.
    NoMemory,
}

/// What is wrong with untrusted bytes, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The class, from which the errno follows.
    pub kind: Kind,
    /// What is wrong, in words: of the named thing if there is a name.
    pub wrong: &'static str,
    /// Offset of the offending byte in what was parsed, if it is one byte that offends.
    pub at: Option<u64>,
    /// The section, symbol or map in question, if there is one.
    pub name: Name,
}

impl ParseError {
    const fn new(kind: Kind, wrong: &'static str, at: Option<u64>) -> Self {
        Self {
            kind,
            wrong,
            at,
            name: Name::EMPTY,
        }
    }

    /// An error that is not at one byte.
    pub const fn whole(kind: Kind, wrong: &'static str) -> Self {
        Self::new(kind, wrong, None)
    }

    /// Not the format that was asked for.
    pub const fn not_ours(wrong: &'static str, at: u64) -> Self {
        Self::new(Kind::NotOurs, wrong, Some(at))
    }

    /// The format that was asked for, but broken.
    pub const fn malformed(wrong: &'static str, at: u64) -> Self {
        Self::new(Kind::Malformed, wrong, Some(at))
    }

    /// Over a limit.
    pub const fn too_big(wrong: &'static str, at: u64) -> Self {
        Self::new(Kind::TooBig, wrong, Some(at))
    }

    /// Well formed, but of a sort that is not supported.
    pub const fn unsupported(wrong: &'static str, at: u64) -> Self {
        Self::new(Kind::Unsupported, wrong, Some(at))
    }

    /// Out of memory.
    pub const fn no_memory() -> Self {
        Self::whole(Kind::NoMemory, "out of memory")
    }

    /// The task was killed meanwhile.
    pub const fn interrupted() -> Self {
        Self::whole(Kind::Interrupted, "killed by a signal")
    }

    /// The same error, about the thing of this name.
    pub fn named(self, name: &[u8]) -> Self {
        Self {
            name: Name::new(name),
            ..self
        }
    }
}

impl From<AllocError> for ParseError {
    fn from(_: AllocError) -> Self {
        Self::no_memory()
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            write!(f, "'{}': ", self.name)?;
        }
        f.write_str(self.wrong)?;
        match self.at {
            Some(at) => write!(f, " (byte {at:#x})"),
            None => Ok(()),
        }
    }
}
