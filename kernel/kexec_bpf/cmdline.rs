// SPDX-License-Identifier: GPL-2.0

//! The command line of the kernel to be.

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*, //
};

/// The longest command line, in bytes and without NUL.
pub(crate) const LEN_MAX: usize = kernel::bindings::KEXEC_BPF_CMDLINE_MAX as usize;

/// A command line.
///
/// # Invariants
///
/// At most [`LEN_MAX`] bytes, none of them a NUL or a newline: kernels would cut it there silently.
#[derive(Default)]
pub(crate) struct Cmdline(KVec<u8>);

impl Cmdline {
    /// The bytes, without NUL.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Appends text, after a space unless it is the first. `EFBIG` if that is too long, `ELIBBAD`
    /// if there is a NUL or a newline in it.
    pub(crate) fn append(&mut self, text: &[u8]) -> Result {
        let separator: &[u8] = match self.0.is_empty() || text.is_empty() {
            true => b"",
            false => b" ",
        };
        let len = self.0.len().saturating_add(separator.len());
        if len.saturating_add(text.len()) > LEN_MAX {
            return Err(EFBIG);
        }
        if text.iter().any(|byte| matches!(byte, b'\0' | b'\n')) {
            return Err(ELIBBAD);
        }
        // INVARIANT: Checked above.
        self.0.extend_from_slice(separator, GFP_KERNEL_ACCOUNT)?;
        self.0.extend_from_slice(text, GFP_KERNEL_ACCOUNT)?;
        Ok(())
    }

    /// The bytes with a NUL at the end, or none if there is no command line.
    pub(crate) fn into_string(mut self) -> Result<KVec<u8>> {
        if !self.0.is_empty() {
            self.0.push(b'\0', GFP_KERNEL_ACCOUNT)?;
        }
        Ok(self.0)
    }
}

/// Why text is not taken.
pub(crate) fn why_not(error: Error) -> &'static str {
    match error {
        EFBIG => "it would be too long",
        ELIBBAD => "there is a NUL or a newline in it",
        _ => "there is no memory for it",
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
        assert_eq!(cmdline.append(b"x"), Err(EFBIG));
        assert_eq!(cmdline.bytes().len(), LEN_MAX);
        let mut cmdline = Cmdline::default();
        cmdline.append(b"y")?;
        assert_eq!(cmdline.append(&text[..LEN_MAX - 1]), Err(EFBIG));
        cmdline.append(&text[..LEN_MAX - 2])?;
        assert_eq!(cmdline.bytes().len(), LEN_MAX);
        Ok(())
    }

    #[test]
    fn what_kernels_cut_is_refused() {
        for text in [&b"a\0"[..], b"\0", b"a\nb", b"\n"] {
            assert_eq!(Cmdline::default().append(text), Err(ELIBBAD));
        }
    }
}
