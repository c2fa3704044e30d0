// SPDX-License-Identifier: GPL-2.0

//! The command line of the kernel to boot.

use kernel::{
    alloc::{
        flags::GFP_KERNEL_ACCOUNT,
        AllocError, //
    },
    prelude::*, //
};

use crate::error::{
    Kind,
    ParseError, //
};

/// The longest command line in bytes, without a NUL.
pub(crate) const LEN_MAX: usize = kernel::bindings::KEXEC_BPF_CMDLINE_MAX as usize;

const TOO_LONG: ParseError = ParseError::whole(Kind::TooBig, "it would be too long");

/// A command line.
///
/// # Invariants
///
/// It has at most [`LEN_MAX`] bytes. None is a NUL or a newline, as kernels would silently cut it
/// there.
#[derive(Default)]
pub(crate) struct Cmdline(KVec<u8>);

impl Cmdline {
    /// The bytes, without a NUL.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Appends text, after a space unless it is the first.
    pub(crate) fn append(&mut self, text: &[u8]) -> Result<(), ParseError> {
        let separator: &[u8] = match self.0.is_empty() || text.is_empty() {
            true => b"",
            false => b" ",
        };
        let len = self.0.len().saturating_add(separator.len());
        if len.saturating_add(text.len()) > LEN_MAX {
            return Err(TOO_LONG);
        }
        if text.iter().any(|byte| matches!(byte, b'\0' | b'\n')) {
            let wrong = "there is a NUL or a newline in it";
            return Err(ParseError::whole(Kind::Malformed, wrong));
        }
        // INVARIANT: Checked above.
        self.0.extend_from_slice(separator, GFP_KERNEL_ACCOUNT)?;
        self.0.extend_from_slice(text, GFP_KERNEL_ACCOUNT)?;
        Ok(())
    }

    /// The bytes with a NUL at the end, or no bytes if the command line is empty.
    pub(crate) fn into_string(mut self) -> Result<KVec<u8>, AllocError> {
        if !self.0.is_empty() {
            self.0.push(b'\0', GFP_KERNEL_ACCOUNT)?;
        }
        Ok(self.0)
    }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_cmdline)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_separated_by_one_space() -> Result {
        let mut cmdline = Cmdline::default();
        cmdline.append(b"")?;
        cmdline.append(b"a")?;
        cmdline.append(b"")?;
        cmdline.append(b"b c")?;
        assert_eq!(cmdline.bytes(), b"a b c");
        assert_eq!(&cmdline.into_string()?[..], b"a b c\0");
        assert!(Cmdline::default().into_string()?.is_empty());
        Ok(())
    }

    #[test]
    fn limit() -> Result {
        let text = KVec::from_elem(b'x', LEN_MAX, GFP_KERNEL)?;
        let mut cmdline = Cmdline::default();
        cmdline.append(&text)?;
        assert_eq!(cmdline.append(b"x"), Err(TOO_LONG));
        assert_eq!(cmdline.bytes().len(), LEN_MAX);
        let mut cmdline = Cmdline::default();
        cmdline.append(b"y")?;
        assert_eq!(cmdline.append(&text[..LEN_MAX - 1]), Err(TOO_LONG));
        cmdline.append(&text[..LEN_MAX - 2])?;
        assert_eq!(cmdline.bytes().len(), LEN_MAX);
        Ok(())
    }

    #[test]
    fn what_kernels_cut_is_refused() {
        for text in [&b"a\0"[..], b"\0", b"a\nb", b"\n"] {
            let refused = Cmdline::default().append(text).err();
            assert!(refused.is_some_and(|error| error.kind == Kind::Malformed));
        }
    }
}
