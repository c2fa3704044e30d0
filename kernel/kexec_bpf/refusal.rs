// SPDX-License-Identifier: GPL-2.0

//! A refusal is a value. It travels to where the load ends, and is written to the log there.

use kernel::{
    alloc::AllocError,
    fmt::{
        self,
        Write, //
    },
    prelude::*, //
};

use crate::{
    error::ParseError,
    printable::{
        Name,
        Printable, //
    },
};

/// The longest text of a refusal in bytes. Longer texts are cut.
const TEXT_MAX: usize = 160;

/// Why a load or a kfunc is refused: an errno, and the reason in words for the log.
///
/// # Invariants
///
/// The first `len` bytes of `text` are UTF-8.
pub(crate) struct Refusal {
    /// The errno of the load, or of the kfunc that is refused.
    pub(crate) errno: Error,
    text: [u8; TEXT_MAX],
    len: usize,
}

impl Refusal {
    /// A refusal for the reason `why`, which begins with the name of what is refused.
    // Not inlined: callers would have a buffer for the text in their frames.
    #[inline(never)]
    pub(crate) fn new(errno: Error, why: fmt::Arguments<'_>) -> Self {
        // INVARIANT: No bytes are UTF-8.
        let mut refusal = Self {
            errno,
            text: [0; TEXT_MAX],
            len: 0,
        };
        // The text is cut where there is no more room.
        let _ = refusal.write_fmt(why);
        refusal
    }
}

impl Write for Refusal {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            let end = self.len.saturating_add(char.len_utf8());
            let room = self.text.get_mut(self.len..end).ok_or(fmt::Error)?;
            char.encode_utf8(room);
            // INVARIANT: The text before is followed by all bytes of a character.
            self.len = end;
        }
        Ok(())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text.get(..self.len).unwrap_or_default();
        f.write_str(core::str::from_utf8(text).unwrap_or_default())
    }
}

/// For small allocations, which need no further words.
impl From<AllocError> for Refusal {
    fn from(_: AllocError) -> Self {
        Self::new(ENOMEM, fmt!("out of memory"))
    }
}

/// For test runs, which have no log.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        refusal.errno
    }
}

/// Makes a refusal of an error, which says what is wrong, but not what the wrong thing is.
pub(crate) trait Context<T> {
    /// Names what the error is about.
    fn context(self, what: fmt::Arguments<'_>) -> Result<T, Refusal>;
}

impl<T> Context<T> for Result<T, ParseError> {
    fn context(self, what: fmt::Arguments<'_>) -> Result<T, Refusal> {
        self.map_err(|error| Refusal::new(error.kind.errno(), fmt!("{what}: {error}")))
    }
}

// The kernel's `fmt!` needs a trait of its own. Files that the host builds too implement that of
// `core`.

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_refusal)]
mod tests {
    use super::*;

    fn is(refusal: &Refusal, text: &str) -> bool {
        refusal.text.get(..refusal.len) == Some(text.as_bytes())
    }

    #[test]
    fn what_is_named_first() {
        let wrong: Result<(), _> = Err(ParseError::malformed("no MZ signature", 0));
        let refused = wrong.context(fmt!("image")).err();
        assert!(refused.is_some_and(|refusal| {
            refusal.errno == ELIBBAD && is(&refusal, "image: no MZ signature (byte 0x0)")
        }));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let mut text = [b'x'; TEXT_MAX + 1];
        for len in [TEXT_MAX - 1, TEXT_MAX, TEXT_MAX + 1] {
            let whole = core::str::from_utf8(&text[..len]).unwrap_or_default();
            let kept = &whole[..len.min(TEXT_MAX)];
            assert!(is(&Refusal::new(EINVAL, fmt!("{whole}")), kept));
        }
        text[TEXT_MAX - 1..].copy_from_slice("\u{e4}".as_bytes());
        let whole = core::str::from_utf8(&text).unwrap_or_default();
        let kept = &whole[..TEXT_MAX - 1];
        assert!(is(&Refusal::new(EINVAL, fmt!("{whole}")), kept));
    }
}
