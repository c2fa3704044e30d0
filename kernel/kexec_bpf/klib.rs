// SPDX-License-Identifier: GPL-2.0

//! The functions of the kernel that decompression and digests call, as safe functions.
//!
//! A decoder appends its output to a vector, within the capacity that the vector has and within a
//! limit: it never allocates memory for output. After an error the vector is as it was before, but
//! bytes of its spare capacity may have been overwritten. The kernel's libraries bound their memory
//! accesses by the lengths that they are given, whatever the bytes are.

use core::{
    mem::MaybeUninit,
    ptr::NonNull, //
};

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    bindings,
    error::to_result,
    prelude::*,
    task::Task, //
};

/// Length of a SHA-256 digest, in bytes.
pub const SHA256_LEN: usize = bindings::SHA256_DIGEST_SIZE as usize;

/// The most that zlib can count, in bytes: it keeps lengths in 32 bits.
const ZLIB_MAX: usize = u32::MAX as usize;

/// Whether a fatal signal is pending. Lets other tasks run.
pub fn killed() -> bool {
    // SAFETY: This crate runs in process context and holds no spinlock, so it may sleep.
    unsafe { bindings::cond_resched() };
    // SAFETY: The current task lives at least until this function returns.
    unsafe { bindings::fatal_signal_pending(Task::current_raw()) != 0 }
}

/// Takes `len` bytes out of the budget that all loads share, those of `kexec_file_load(2)` too.
///
/// `EFBIG` if all of them would have more than half of the memory.
pub fn charge(len: u64) -> Result {
    if !cfg!(CONFIG_KEXEC_BPF) {
        return Ok(());
    }
    // SAFETY: There are no requirements.
    to_result(unsafe { bindings::kexec_bpf_charge(len) })
}

/// Gives back `len` bytes of the budget.
pub fn uncharge(len: u64) {
    if cfg!(CONFIG_KEXEC_BPF) {
        // SAFETY: There are no requirements.
        unsafe { bindings::kexec_bpf_uncharge(len) }
    }
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; SHA256_LEN] {
    let mut digest = [0; SHA256_LEN];
    // SAFETY: The slice is valid for its length, `digest` has room for a digest.
    unsafe { bindings::sha256(bytes.as_ptr(), bytes.len(), digest.as_mut_ptr()) };
    digest
}

/// SHA-256 of many bytes. `None` if the task is killed meanwhile.
pub fn sha256_unless_killed(bytes: &[u8]) -> Option<[u8; SHA256_LEN]> {
    /// The number of bytes between two checks for a signal.
    const STEP: usize = 16 << 20;

    let mut state = MaybeUninit::<bindings::sha256_ctx>::uninit();
    let state = state.as_mut_ptr();
    let mut digest = [0; SHA256_LEN];
    // SAFETY: The pointer is that of a local variable, and valid for writing.
    unsafe { bindings::sha256_init(state) };
    for bytes in bytes.chunks(STEP) {
        if killed() {
            return None;
        }
        // SAFETY: The state was initialised above, the slice is valid for its length.
        unsafe { bindings::__sha256_update(&raw mut (*state).ctx, bytes.as_ptr(), bytes.len()) };
    }
    // SAFETY: The state was initialised above, `digest` has room for a digest.
    unsafe { bindings::sha256_final(state, digest.as_mut_ptr()) };
    Some(digest)
}

/// The CRC-32 of gzip, of `bytes` and those before them. `before` is the CRC-32 of the latter: 0 if
/// there are none.
pub fn crc32(before: u32, bytes: &[u8]) -> u32 {
    // SAFETY: The slice is valid for its length.
    !unsafe { bindings::crc32_le(!before, bytes.as_ptr().cast(), bytes.len()) }
}

/// The Adler-32 of zlib, of at most 4 GiB.
pub fn adler32(bytes: &[u8]) -> u32 {
    // SAFETY: The slice is valid for its length, which is cut to 32 bits.
    unsafe { bindings::zlib_adler32(1, bytes.as_ptr(), bytes.len() as u32) as u32 }
}

/// The first bytes of the spare capacity of `out`, at most `most`.
fn spare(out: &mut VVec<u8>, most: usize) -> &mut [MaybeUninit<u8>] {
    let spare = out.spare_capacity_mut();
    let len = spare.len().min(most);
    spare.get_mut(..len).unwrap_or_default()
}

/// A decoder of a raw deflate stream (RFC 1951), which is inflated piece by piece.
///
/// # Invariants
///
/// `stream` was initialized by `zlib_inflateInit2()` with `_workspace`, which it points to.
pub struct Inflate {
    stream: bindings::z_stream,
    _workspace: VVec<u8>,
}

/// How far a piece of a deflate stream was inflated.
pub struct Inflated {
    /// The bytes of input that were used.
    pub used: usize,
    /// Whether the stream ends behind these.
    pub is_end: bool,
}

impl Inflate {
    /// A decoder at the start of a stream. `ENOMEM` if there is no memory for it.
    pub fn new() -> Result<Self> {
        // SAFETY: There are no requirements.
        let len = unsafe { bindings::zlib_inflate_workspacesize() };
        let mut workspace = VVec::<u8>::with_capacity(usize::try_from(len)?, GFP_KERNEL_ACCOUNT)?;
        let mut stream = bindings::z_stream {
            workspace: workspace.as_mut_ptr().cast(),
            ..Default::default()
        };
        let raw = -(bindings::MAX_WBITS as i32);
        // SAFETY: The workspace has the size that zlib asks for.
        if unsafe { bindings::zlib_inflateInit2(&mut stream, raw) } != bindings::Z_OK as i32 {
            return Err(EINVAL);
        }
        // INVARIANT: It was initialized. The workspace stays where it is when the vector moves.
        Ok(Self {
            stream,
            _workspace: workspace,
        })
    }

    /// Inflates `src`, which goes on where the input before was used up, and appends at most `most`
    /// bytes to `out`. One call takes and makes less than 4 GiB.
    ///
    /// `EBADMSG` if the stream is malformed, or if it needs more input or more room to go on.
    pub fn inflate(&mut self, src: &[u8], out: &mut VVec<u8>, most: usize) -> Result<Inflated> {
        let src = src.get(..ZLIB_MAX).unwrap_or(src);
        let to = spare(out, most.min(ZLIB_MAX));
        let room = to.len();
        (self.stream.next_in, self.stream.avail_in) = (src.as_ptr(), src.len());
        (self.stream.next_out, self.stream.avail_out) = (to.as_mut_ptr().cast(), room);
        let flush = bindings::Z_NO_FLUSH as i32;
        // SAFETY: `next_in` has `avail_in` bytes, `next_out` has room for `avail_out`, and by the
        // type invariant the stream was initialized.
        let status = unsafe { bindings::zlib_inflate(&mut self.stream, flush) };
        let used = src.len().saturating_sub(self.stream.avail_in);
        let made = room.saturating_sub(self.stream.avail_out);
        let is_end = match u32::try_from(status) {
            Ok(bindings::Z_STREAM_END) => true,
            Ok(bindings::Z_OK) if used != 0 || made != 0 => false,
            _ => return Err(EBADMSG),
        };
        // SAFETY: zlib has written that many bytes, in the spare capacity.
        unsafe { out.inc_len(made) };
        Ok(Inflated { used, is_end })
    }
}

/// A decoder of zstd frames (RFC 8878).
///
/// # Invariants
///
/// `context` was initialized by `zstd_init_dctx()` in `_workspace`.
pub struct Unzstd {
    context: NonNull<bindings::zstd_dctx>,
    _workspace: VVec<u8>,
}

impl Unzstd {
    /// A decoder. `ENOMEM` if there is no memory for it.
    pub fn new() -> Result<Self> {
        // SAFETY: There are no requirements.
        let len = unsafe { bindings::zstd_dctx_workspace_bound() };
        let mut workspace = VVec::<u8>::with_capacity(len, GFP_KERNEL_ACCOUNT)?;
        let start = workspace.as_mut_ptr().cast();
        // SAFETY: The workspace has room for so many bytes, and is aligned to pages.
        let context = unsafe { bindings::zstd_init_dctx(start, workspace.capacity()) };
        // INVARIANT: It was initialized. The workspace stays where it is when the vector moves.
        Ok(Self {
            context: NonNull::new(context).ok_or(ENOMEM)?,
            _workspace: workspace,
        })
    }

    /// Decodes the frames that `src` consists of, and appends at most `most` bytes to `out`.
    ///
    /// `ENOSPC` if the output is longer, `EBADMSG` if `src` is malformed. No signal ends it.
    pub fn decode(&mut self, src: &[u8], out: &mut VVec<u8>, most: usize) -> Result {
        let to = spare(out, most);
        // SAFETY: By the type invariant the context was initialized. `to` has room for as many
        // bytes as it says, `src` has as many as it says.
        let made = unsafe {
            bindings::zstd_decompress_dctx(
                self.context.as_ptr(),
                to.as_mut_ptr().cast(),
                to.len(),
                src.as_ptr().cast(),
                src.len(),
            )
        };
        // SAFETY: There are no requirements.
        match unsafe { bindings::zstd_get_error_code(made) } {
            bindings::ZSTD_ErrorCode_ZSTD_error_no_error => (),
            bindings::ZSTD_ErrorCode_ZSTD_error_dstSize_tooSmall => return Err(ENOSPC),
            _ => return Err(EBADMSG),
        }
        // SAFETY: zstd has written that many bytes, in the spare capacity.
        unsafe { out.inc_len(made) };
        Ok(())
    }
}

/// Decodes the xz stream at the start of `src`, and appends at most `most` bytes to `out`. Returns
/// the length of the stream.
///
/// `ENOMEM` if there is no memory for the decoder, `EINTR` if a fatal signal came, `EOPNOTSUPP` if
/// the stream uses a filter that the kernel does not have, `EBADMSG` if it is malformed or its
/// output is longer. Checks other than CRC-32 are not verified.
pub fn unxz(src: &[u8], out: &mut VVec<u8>, most: usize) -> Result<usize> {
    let to = spare(out, most);
    let mut buffers = bindings::xz_buf {
        in_: src.as_ptr(),
        in_size: src.len(),
        out: to.as_mut_ptr().cast(),
        out_size: to.len(),
        ..Default::default()
    };
    // SAFETY: There are no requirements.
    let decoder = unsafe { bindings::xz_dec_init(bindings::xz_mode_XZ_SINGLE_KILLABLE, 0) };
    let decoder = NonNull::new(decoder).ok_or(ENOMEM)?.as_ptr();
    // SAFETY: `in_` has `in_size` bytes, `out` has room for `out_size`.
    let status = unsafe { bindings::xz_dec_run(decoder, &mut buffers) };
    // SAFETY: The decoder is not used any more.
    unsafe { bindings::xz_dec_end(decoder) };
    match status {
        bindings::xz_ret_XZ_STREAM_END => (),
        _ if killed() => return Err(EINTR),
        bindings::xz_ret_XZ_OPTIONS_ERROR => return Err(EOPNOTSUPP),
        _ => return Err(EBADMSG),
    }
    // SAFETY: The decoder has written that many bytes, in the spare capacity.
    unsafe { out.inc_len(buffers.out_pos) };
    Ok(buffers.in_pos)
}

/// Decodes a block of LZ4 sequences, and appends at most `most` bytes to `out`.
///
/// `EINVAL` if the block has 2 GiB or more, `EBADMSG` if it is malformed or its output is longer.
pub fn unlz4(src: &[u8], out: &mut VVec<u8>, most: usize) -> Result {
    let src_len = i32::try_from(src.len())?;
    let to = spare(out, most);
    let to_len = i32::try_from(to.len()).unwrap_or(i32::MAX);
    let (from, to) = (src.as_ptr().cast(), to.as_mut_ptr().cast());
    // SAFETY: `from` has `src_len` bytes, `to` has room for `to_len`.
    let made = unsafe { bindings::LZ4_decompress_safe(from, to, src_len, to_len) };
    let made = usize::try_from(made).map_err(|_| EBADMSG)?;
    // SAFETY: lz4 has written that many bytes, in the spare capacity.
    unsafe { out.inc_len(made) };
    Ok(())
}

/// Decodes a block of LZO1X, and appends the `len` bytes that it makes to `out`.
///
/// `EBADMSG` if the block is malformed or its output is not of this length, `ENOSPC` if `out` does
/// not have the capacity.
pub fn unlzo(src: &[u8], out: &mut VVec<u8>, len: usize) -> Result {
    let to = spare(out, len);
    if to.len() != len {
        return Err(ENOSPC);
    }
    let (from, to, mut made) = (src.as_ptr(), to.as_mut_ptr().cast(), len);
    // SAFETY: `from` has as many bytes as `src`, `to` has room for `made`.
    let status = unsafe { bindings::lzo1x_decompress_safe(from, src.len(), to, &mut made) };
    if status != bindings::LZO_E_OK as i32 || made != len {
        return Err(EBADMSG);
    }
    // SAFETY: lzo has written that many bytes, in the spare capacity.
    unsafe { out.inc_len(made) };
    Ok(())
}
