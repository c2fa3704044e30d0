// SPDX-License-Identifier: GPL-2.0

//! The caller's log: a line for each decision, and the verifier's log.

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

use crate::{
    buffer::Buffer,
    error::ParseError,
    refusal::Refusal, //
};

/// The longest log in bytes, with its NUL.
const SIZE_MAX: u64 = bindings::KEXEC_BPF_LOG_MAX as u64;

/// The room in bytes that is kept for the lines after the verifier's log.
const LINES_LEN: usize = 80;

/// Text of a limited length, which the caller gets at the end of its load.
///
/// Until then it is in the kernel's memory. A write to the caller's memory could wait for a file
/// system, or for another task of the caller, for any time.
pub(crate) struct Log {
    text: Buffer,
    /// The largest length of the text in bytes.
    len_max: usize,
}

impl Log {
    /// A log for the caller's buffer of `size` bytes. Nothing is logged if that is zero.
    pub(crate) fn new(size: u64) -> Result<Self, ParseError> {
        let size = size.min(SIZE_MAX);
        Ok(Self {
            text: Buffer::new(size)?,
            len_max: size.saturating_sub(1) as usize,
        })
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: fmt::Arguments<'_>) {
        let _ = self.write_fmt(text);
        let _ = self.write_str("\n");
    }

    /// Writes the last lines of a load that is refused.
    pub(crate) fn not_loaded(&mut self, refusal: &Refusal) {
        self.line(fmt!("refused: {refusal}"));
        self.line(fmt!("not loaded: {}", refusal.errno.to_errno()));
    }

    /// Gives `write` the room that is left, all zeroes, and keeps the text that it writes, up to a
    /// NUL. Returns `None` without a call if there is no room.
    pub(crate) fn fill<T>(&mut self, write: impl FnOnce(&mut [u8]) -> T) -> Option<T> {
        let start = self.text.len();
        let end = self.len_max.checked_sub(LINES_LEN)?;
        if start >= end || self.text.resize(end, 0, GFP_KERNEL_ACCOUNT).is_err() {
            return None;
        }
        let room = self.text.get_mut(start..)?;
        let result = write(room);
        let len = room.iter().take_while(|&&byte| byte != 0).count();
        // The verifier keeps the end of a log that does not fit. The end can begin inside a line,
        // with text of the image that would look like a line of the kernel.
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

    /// Copies the text and a NUL to the caller's buffer. The load does not fail if that cannot be
    /// written: it is the caller's own memory.
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
    fn the_end_of_a_line_is_not_a_line() -> Result {
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
    fn the_reason_is_written_last() -> Result {
        let mut log = Log::new(1000)?;
        log.not_loaded(&Refusal::new(ELOOP, fmt!("why")));
        assert_eq!(text(&log), b"refused: why\nnot loaded: -40\n");
        Ok(())
    }
}
