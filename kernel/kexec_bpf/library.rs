// SPDX-License-Identifier: GPL-2.0

//! Library functions of the kernel, but for the decoders.

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    bindings,
    prelude::*, //
};

/// Whether a fatal signal is pending. Lets other tasks run.
pub(crate) fn killed() -> bool {
    // SAFETY: Called in process context, where sleeping is allowed, like all of this crate.
    unsafe { bindings::kexec_bpf_killed() }
}

/// Length of a SHA-256 digest, in bytes.
pub(crate) const SHA256_LEN: usize = bindings::SHA256_DIGEST_SIZE as usize;

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; SHA256_LEN] {
    let mut digest = [0; SHA256_LEN];
    // SAFETY: The slice is valid for its length, `digest` has room for a digest.
    unsafe { bindings::sha256(bytes.as_ptr(), bytes.len(), digest.as_mut_ptr()) };
    digest
}

/// The CRC-32 of gzip, of what has the CRC-32 `before` (none has 0) and these bytes behind it.
pub(crate) fn crc32(before: u32, bytes: &[u8]) -> u32 {
    // SAFETY: The slice is valid for its length.
    !unsafe { bindings::crc32_le(!before, bytes.as_ptr().cast(), bytes.len()) }
}

/// The Adler-32 of zlib.
pub(crate) fn adler32(bytes: &[u8]) -> u32 {
    // SAFETY: The slice is valid for its length.
    unsafe { bindings::kexec_bpf_adler32(bytes.as_ptr(), bytes.len()) }
}

/// A workspace for `zlib_inflateInit2()`.
pub(crate) fn zlib_workspace() -> Result<VVec<u8>> {
    // SAFETY: There are no requirements.
    let len = unsafe { bindings::zlib_inflate_workspacesize() };
    Ok(VVec::with_capacity(
        usize::try_from(len)?,
        GFP_KERNEL_ACCOUNT,
    )?)
}

/// A workspace for `zstd_init_dctx()`.
pub(crate) fn zstd_workspace() -> Result<VVec<u8>> {
    // SAFETY: There are no requirements.
    let len = unsafe { bindings::zstd_dctx_workspace_bound() };
    Ok(VVec::with_capacity(len, GFP_KERNEL_ACCOUNT)?)
}
