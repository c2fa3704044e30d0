// SPDX-License-Identifier: GPL-2.0

//! The caller's log: a line for each decision, and the verifier's own log.

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    bindings,
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

use crate::buffer::Buffer;

/// The longest log, in bytes with its NUL.
const SIZE_MAX: u64 = bindings::KEXEC_BPF_LOG_MAX as u64;

/// What the lines after the verifier's log take.
const LINES_LEN: usize = 80;

/// Text of a limited length, which the caller gets at the end of its load.
///
/// It is in memory of the kernel until then: a write to the caller's could wait for a file system,
/// or for another task of the caller's, as long as they like.
pub(crate) struct Log {
    text: Buffer,
    /// The most bytes that the text can have.
    len_max: usize,
    has_reason: bool,
}

impl Log {
    /// A log for a buffer of the caller's of `size` bytes; none if that is zero.
    pub(crate) fn new(size: u64) -> Result<Self> {
        let size = size.min(SIZE_MAX);
        Ok(Self {
            text: Buffer::new(size)?,
            len_max: size.saturating_sub(1) as usize,
            has_reason: false,
        })
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

    /// Lets `write` fill zeroes with text up to a NUL, and keeps that. Returns `None` and does not
    /// call it if there is no room.
    pub(crate) fn fill<T>(&mut self, write: impl FnOnce(&mut [u8]) -> T) -> Option<T> {
        let start = self.text.len();
        let end = self.len_max.checked_sub(LINES_LEN)?;
        if start >= end || self.text.resize(end, 0, GFP_KERNEL_ACCOUNT).is_err() {
            return None;
        }
        let room = self.text.get_mut(start..)?;
        let result = write(room);
        let len = room.iter().take_while(|&&byte| byte != 0).count();
        // Of what does not fit there is the end. It can begin inside a line, with text of the image
        // that would look like a line of the kernel's.
        let cut = match len.saturating_add(1) < room.len() {
            true => 0,
            false => {
                let mut text = room.iter().take(len);
                let end = text.position(|&byte| byte == b'\n');
                end.map_or(len, |end| end.saturating_add(1))
            }
        };
        room.copy_within(cut..len, 0);
        let kept = len.saturating_sub(cut);
        self.text.truncate(start.saturating_add(kept));
        Some(result)
    }

    /// Copies the text and a NUL to the caller's buffer. What the caller does with its own memory
    /// is its own affair: that cannot fail a load.
    pub(crate) fn copy_to(mut self, user: UserPtr) {
        if self.text.capacity() == 0 || self.text.push(b'\0', GFP_KERNEL_ACCOUNT).is_err() {
            return;
        }
        let mut user = UserSlice::new(user, self.text.len()).writer();
        let _ = user.write_slice(&self.text);
    }
}

impl Write for Log {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.len_max.saturating_sub(self.text.len());
        let text = text.as_bytes();
        let text = text.get(..room).unwrap_or(text);
        self.text
            .extend_from_slice(text, GFP_KERNEL_ACCOUNT)
            .map_err(|_| fmt::Error)
    }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_log)]
mod tests {
    use super::*;

    fn text(log: &Log) -> &[u8] {
        &log.text
    }

    #[test]
    fn is_cut_to_its_size() -> Result {
        for (size, want) in [
            (0, &b""[..]),
            (1, b""),
            (2, b"a"),
            (7, b"a line"),
            (8, b"a line\n"),
            (9, b"a line\n"),
        ] {
            let mut log = Log::new(size)?;
            log.line(fmt!("a line"));
            assert_eq!(text(&log), want);
        }
        let log = Log::new(u64::MAX)?;
        assert_eq!(log.len_max as u64, SIZE_MAX - 1);
        Ok(())
    }

    #[test]
    fn room_is_left_for_the_last_lines() -> Result {
        let len = |size, start: &[u8]| -> Result<Option<usize>> {
            let mut log = Log::new(size)?;
            log.text.extend_from_slice(start, GFP_KERNEL_ACCOUNT)?;
            Ok(log.fill(|room| room.len()))
        };
        let most = LINES_LEN as u64 + 1;
        assert_eq!(len(most, b"")?, None);
        assert_eq!(len(most + 1, b"")?, Some(1));
        assert_eq!(len(most + 10, b"1234")?, Some(6));
        assert_eq!(len(most + 4, b"1234")?, None);

        let mut log = Log::new(most + 10)?;
        log.fill(|room| room[..3].copy_from_slice(b"abc"));
        assert_eq!(text(&log), b"abc");
        log.fill(|room| room.copy_from_slice(b"ut\nline"));
        assert_eq!(text(&log), b"abcline");
        log.line(fmt!("last"));
        assert_eq!(text(&log), b"abclinelast\n");
        Ok(())
    }

    #[test]
    fn the_end_of_a_line_is_no_line() -> Result {
        for (written, want) in [
            (&b"one\ntwo"[..], &b"two"[..]),
            // With a NUL, as the verifier writes it.
            (b"one\ntw", b"tw"),
            (b"one\nt", b"one\nt"),
            (b"one two", b""),
            (b"one tw\n", b""),
            (b"\none tw", b"one tw"),
        ] {
            let mut log = Log::new(LINES_LEN as u64 + 1 + 7)?;
            log.fill(|room| room[..written.len()].copy_from_slice(written));
            assert_eq!(text(&log), want);
        }
        Ok(())
    }

    #[test]
    fn a_reason_is_never_missing() -> Result {
        let mut log = Log::new(1000)?;
        log.not_loaded(ENOMEM);
        assert_eq!(
            text(&log),
            b"refused: there is no memory\nnot loaded: -12\n"
        );
        let mut log = Log::new(1000)?;
        let errno = log.refuse(ELOOP, fmt!("why"));
        log.not_loaded(errno);
        assert_eq!(text(&log), b"refused: why\nnot loaded: -40\n");
        Ok(())
    }
}
