// SPDX-License-Identifier: GPL-2.0

//! Why bytes were refused.

use core::fmt;

use kernel::alloc::AllocError;

/// The class of a refusal; each has its own errno.
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

/// A refusal: the rule that was broken, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// The class, from which the errno follows.
    pub kind: Kind,
    /// What is wrong, as part of an English sentence.
    pub rule: &'static str,
    /// Offset of the offending byte in what was parsed, if it is one byte that offends.
    pub at: Option<u64>,
    /// The section, symbol or map in question, if there is one.
    pub name: Name,
}

/// What a parser returns.
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

impl Error {
    const fn new(kind: Kind, rule: &'static str, at: Option<u64>) -> Self {
        Self {
            kind,
            rule,
            at,
            name: Name::EMPTY,
        }
    }

    /// What is wrong is not at one byte.
    pub const fn whole(kind: Kind, rule: &'static str) -> Self {
        Self::new(kind, rule, None)
    }

    /// Not the format that was asked for.
    pub const fn not_ours(rule: &'static str, at: u64) -> Self {
        Self::new(Kind::NotOurs, rule, Some(at))
    }

    /// The format that was asked for, but broken.
    pub const fn malformed(rule: &'static str, at: u64) -> Self {
        Self::new(Kind::Malformed, rule, Some(at))
    }

    /// Over a limit.
    pub const fn too_big(rule: &'static str, at: u64) -> Self {
        Self::new(Kind::TooBig, rule, Some(at))
    }

    /// Well formed, but of a sort that is not supported.
    pub const fn unsupported(rule: &'static str, at: u64) -> Self {
        Self::new(Kind::Unsupported, rule, Some(at))
    }

    /// Out of memory.
    pub const fn no_memory() -> Self {
        Self::whole(Kind::NoMemory, "out of memory")
    }

    /// The task was killed meanwhile.
    pub const fn interrupted() -> Self {
        Self::whole(Kind::Interrupted, "killed by a signal")
    }

    /// The same refusal, with the name of what is refused.
    pub fn named(self, name: &[u8]) -> Self {
        Self {
            name: Name::new(name),
            ..self
        }
    }
}

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        Self::no_memory()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule)?;
        if !self.name.as_str().is_empty() {
            write!(f, " '{}'", self.name.as_str())?;
        }
        match self.at {
            Some(at) => write!(f, " at byte {at:#x}"),
            None => Ok(()),
        }
    }
}

/// A byte of text that came with an image, as it may be shown: `?` unless it is printable ASCII.
pub const fn printable(byte: u8) -> u8 {
    match byte {
        b' '..=b'~' => byte,
        _ => b'?',
    }
}

/// A short printable copy of a name that came with the bytes.
///
/// # Invariants
///
/// The first `len` bytes of `bytes` are printable ASCII, the others are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; Name::MAX],
    len: u8,
}

impl Name {
    /// Longer names are cut to this length.
    pub const MAX: usize = 47;

    const EMPTY: Self = Self {
        bytes: [0; Self::MAX],
        len: 0,
    };

    /// Copies a name up to its first NUL, with '?' for what is not printable.
    pub fn new(name: &[u8]) -> Self {
        let mut copy = Self::EMPTY;
        let name = name.iter().take_while(|&&byte| byte != 0);
        for (to, &byte) in copy.bytes.iter_mut().zip(name) {
            *to = printable(byte);
            copy.len = copy.len.saturating_add(1);
        }
        copy
    }

    /// The copy.
    pub fn as_str(&self) -> &str {
        let name = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display() {
        let error = Error::malformed("two sections of this name", 0x40);
        assert_eq!(error.to_string(), "two sections of this name at byte 0x40");
        assert_eq!(
            error.named(b".bpf\0\0\0\0").to_string(),
            "two sections of this name '.bpf' at byte 0x40"
        );
        assert_eq!(error.kind, Kind::Malformed);
        let whole = Error::whole(Kind::Malformed, "there is no section").named(b"kexec");
        assert_eq!(whole.to_string(), "there is no section 'kexec'");
        assert_eq!(Error::no_memory().to_string(), "out of memory");
        assert_eq!(Error::interrupted().to_string(), "killed by a signal");
    }

    #[test]
    fn printable_bytes() {
        let shown: Vec<u8> = (0..=u8::MAX).map(printable).collect();
        let text: Vec<u8> = (b' '..=b'~').collect();
        let rest = 256 - 32 - text.len();
        assert_eq!(shown, [&[b'?'; 32], &text[..], &vec![b'?'; rest]].concat());
    }

    #[test]
    fn names_are_cut_and_made_printable() {
        assert_eq!(Name::new(b"").as_str(), "");
        assert_eq!(Name::new(b"\0x").as_str(), "");
        assert_eq!(Name::new(b"a b\n\x1b\x7f\xff").as_str(), "a b????");
        for len in [Name::MAX - 1, Name::MAX, Name::MAX + 1, 1000] {
            let name = vec![b'x'; len];
            assert_eq!(Name::new(&name).as_str().len(), len.min(Name::MAX));
        }
    }
}
