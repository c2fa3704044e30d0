// SPDX-License-Identifier: GPL-2.0

//! The caller's log: a line for each decision, and the verifier's own log.

use kernel::{
    fmt::{
        self,
        Write, //
    },
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

use crate::error::printable;

/// A buffer of the caller's that takes text, cut to its size and always ended by a NUL.
///
/// Writing to it cannot fail a load: what the caller does with its own memory is its own affair.
pub(crate) struct Log {
    user: UserPtr,
    size: usize,
    len: usize,
    has_reason: bool,
}

impl Log {
    /// A log at `user` with room for `size` bytes; none if `size` is zero.
    pub(crate) fn new(user: UserPtr, size: u64) -> Self {
        // The verifier takes no longer ones.
        const SIZE_MAX: u64 = u32::MAX as u64 >> 2;
        Self {
            user,
            size: size.min(SIZE_MAX) as usize,
            len: 0,
            has_reason: false,
        }
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: fmt::Arguments<'_>) {
        let _ = self.write_fmt(text);
        let _ = self.write_str("\n");
    }

    /// Writes the line that says why `errno` is returned, and returns it.
    pub(crate) fn refuse(&mut self, errno: Error, why: fmt::Arguments<'_>) -> Error {
        self.line(fmt!("refused: {why}"));
        self.has_reason = true;
        errno
    }

    /// Writes the last line of a load that failed. Only small allocations have no reason by then.
    pub(crate) fn not_loaded(&mut self, errno: Error) {
        if !self.has_reason {
            self.line(fmt!("refused: there is no memory"));
        }
        self.line(fmt!("not loaded: {}", errno.to_errno()));
    }

    /// Where there is room, and how much.
    pub(crate) fn room(&self) -> (UserPtr, usize) {
        (
            self.user.wrapping_byte_add(self.len),
            self.size.saturating_sub(self.len),
        )
    }

    /// Keeps `len` bytes that were written to the room, without the NUL at their end.
    pub(crate) fn advance(&mut self, len: usize) {
        self.len = self.len.saturating_add(len).min(self.size);
    }
}

impl Write for Log {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let (user, room) = self.room();
        let Some(room) = room.checked_sub(1) else {
            return Ok(());
        };
        let text = text.as_bytes();
        let text = text.get(..room).unwrap_or(text);
        let mut user = UserSlice::new(user, text.len().saturating_add(1)).writer();
        user.write_slice(text).map_err(|_| fmt::Error)?;
        user.write_slice(b"\0").map_err(|_| fmt::Error)?;
        self.advance(text.len());
        Ok(())
    }
}

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
