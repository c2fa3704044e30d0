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
