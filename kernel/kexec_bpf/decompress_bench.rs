// SPDX-License-Identifier: GPL-2.0

//! Decompression without the rest of kexec_bpf, for `decompress_kunit.c` to measure.
//!
//! The modules are the files that `kexec_bpf_main.rs` has too, but for the buffers, which count for
//! no budget.

use core::slice;

use kernel::{
    bindings,
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*, //
};

#[forbid(unsafe_code)]
mod buffer {
    pub(crate) type Buffer = kernel::prelude::VVec<u8>;
}
#[forbid(unsafe_code)]
pub mod bytes;
#[allow(dead_code, reason = "one way of asking for a length is measured")]
mod decompress;
#[forbid(unsafe_code)]
pub mod error;
#[forbid(unsafe_code)]
pub mod gzip;
#[allow(dead_code, reason = "decompression takes no digest")]
mod library;
#[forbid(unsafe_code)]
pub mod lz4;
#[forbid(unsafe_code)]
pub mod lzo;
#[forbid(unsafe_code)]
pub mod printable;
#[forbid(unsafe_code)]
pub mod xz;
#[forbid(unsafe_code)]
pub mod zstd;

/// The prefix of what `pr_info!` and its like print.
const __LOG_PREFIX: &[u8] = b"kexec_bpf\0";

const BY_MAGIC: u64 = bindings::bpf_kexec_algo_BPF_KEXEC_BY_MAGIC as u64;

/// Decompresses to just `out_len` bytes. Returns 0, or a negative errno and `out` is freed.
///
/// # Safety
///
/// `src` is valid for reading `len` bytes; `out` came from `vmalloc(out_len)`.
#[export]
pub unsafe extern "C" fn kexec_bpf_rs_bench(
    src: *const c_void,
    len: usize,
    out: *mut c_void,
    out_len: usize,
) -> c_int {
    // SAFETY: By the safety requirements.
    let (src, out) = unsafe {
        (
            slice::from_raw_parts(src.cast(), len),
            VVec::from_raw_parts(out.cast(), 0, out_len),
        )
    };
    let want = decompress::Want::Exactly(out_len as u64);
    // The one buffer that there is: what it costs to allocate it is not measured, as it is not part
    // of the library's call either.
    let mut out = Some(out);
    let mut new = |len| {
        out.take()
            .filter(|out| out.capacity() as u64 == len)
            .ok_or(EFBIG)
    };
    match decompress::run(src, BY_MAGIC, want, &mut new) {
        Ok(out) => {
            // The caller's again.
            let _ = out.into_raw_parts();
            0
        }
        Err(error) => {
            pr_err!("{}\n", error.wrong);
            EBADMSG.to_errno()
        }
    }
}
