// SPDX-License-Identifier: GPL-2.0

//! The functions of `kernel/kexec_bpf/klib.rs`, over decoders of user space.
//!
//! Each thread has a budget of its own here, and can be told that it is to be killed. In the kernel
//! all tasks share the budget.

extern crate std;

use std::cell::Cell;

use flate2::{Decompress, FlushDecompress, Status};
use kernel::prelude::*;
use liblzma::stream::{Action, Stream};
use zstd_safe::DCtx;

/// The memory limit of liblzma. The kernel's decoder takes no memory for a dictionary.
const XZ_MEMORY_MAX: u64 = 256 << 20;

std::thread_local! {
    static BUDGET: Cell<u64> = const { Cell::new(2 << 30) };
    static LOOKS_LEFT: Cell<u32> = const { Cell::new(u32::MAX) };
}

/// The rest of the thread's budget.
pub fn budget() -> u64 {
    BUDGET.get()
}

/// Sets the rest of the thread's budget.
pub fn set_budget(len: u64) {
    BUDGET.set(len);
}

/// Kills the thread, as far as [`killed()`] tells, after it has looked so often.
pub fn kill_after(looks: u32) {
    LOOKS_LEFT.set(looks);
}

pub fn killed() -> bool {
    let left = LOOKS_LEFT.get();
    LOOKS_LEFT.set(left.saturating_sub(1));
    left == 0
}

pub fn charge(len: u64) -> Result {
    BUDGET.set(BUDGET.get().checked_sub(len).ok_or(EFBIG)?);
    Ok(())
}

pub fn uncharge(len: u64) {
    BUDGET.set(BUDGET.get().saturating_add(len));
}

pub fn crc32(before: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(before);
    hasher.update(bytes);
    hasher.finalize()
}

pub fn adler32(bytes: &[u8]) -> u32 {
    adler2::adler32_slice(bytes)
}

/// Lets a decoder write up to `most` bytes behind those of `out`, within its capacity, and say how
/// many it wrote.
fn append(
    out: &mut VVec<u8>,
    most: usize,
    decode: impl FnOnce(&mut [u8]) -> Result<usize>,
) -> Result {
    let start = out.len();
    let room = out.capacity().saturating_sub(start).min(most);
    out.extend_with(room, 0, GFP_KERNEL)?;
    let made = decode(out.get_mut(start..).unwrap_or_default());
    out.truncate(start.saturating_add(*made.as_ref().unwrap_or(&0)));
    made.map(|_| ())
}

pub struct Inflate(Decompress);

pub struct Inflated {
    pub used: usize,
    pub is_end: bool,
}

impl Inflate {
    pub fn new() -> Result<Self> {
        Ok(Self(Decompress::new(false)))
    }

    pub fn inflate(&mut self, src: &[u8], out: &mut VVec<u8>, most: usize) -> Result<Inflated> {
        let (used_before, made_before) = (self.0.total_in(), self.0.total_out());
        let mut is_end = false;
        append(out, most, |to| {
            let status = self.0.decompress(src, to, FlushDecompress::None);
            is_end = status.map_err(|_| EBADMSG)? == Status::StreamEnd;
            Ok(self.0.total_out().saturating_sub(made_before) as usize)
        })?;
        let used = self.0.total_in().saturating_sub(used_before) as usize;
        match is_end || used != 0 || self.0.total_out() != made_before {
            true => Ok(Inflated { used, is_end }),
            false => Err(EBADMSG),
        }
    }
}

pub struct Unzstd(DCtx<'static>);

impl Unzstd {
    pub fn new() -> Result<Self> {
        DCtx::try_create().map(Self).ok_or(ENOMEM)
    }

    pub fn decode(&mut self, src: &[u8], out: &mut VVec<u8>, most: usize) -> Result {
        append(out, most, |to| {
            self.0
                .decompress(to, src)
                .map_err(|code| match zstd_safe::get_error_name(code) {
                    "Destination buffer is too small" => ENOSPC,
                    _ => EBADMSG,
                })
        })
    }
}

pub fn unxz(src: &[u8], out: &mut VVec<u8>, most: usize) -> Result<usize> {
    let mut decoder = Stream::new_stream_decoder(XZ_MEMORY_MAX, 0).map_err(|_| ENOMEM)?;
    append(out, most, |to| {
        match decoder.process(src, to, Action::Finish) {
            Ok(liblzma::stream::Status::StreamEnd) => Ok(decoder.total_out() as usize),
            Err(liblzma::stream::Error::Options) => Err(EOPNOTSUPP),
            Err(liblzma::stream::Error::Mem | liblzma::stream::Error::MemLimit) => Err(ENOMEM),
            _ => Err(EBADMSG),
        }
    })?;
    Ok(decoder.total_in() as usize)
}

pub fn unlz4(src: &[u8], out: &mut VVec<u8>, most: usize) -> Result {
    append(out, most, |to| {
        lz4_flex::block::decompress_into(src, to).map_err(|_| EBADMSG)
    })
}

pub fn unlzo(src: &[u8], out: &mut VVec<u8>, len: usize) -> Result {
    append(out, len, |to| {
        if to.len() != len {
            return Err(ENOSPC);
        }
        lzo1x::decompress(src, to).map_err(|_| EBADMSG)?;
        Ok(len)
    })
}
