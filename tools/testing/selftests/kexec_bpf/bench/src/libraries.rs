// SPDX-License-Identifier: GPL-2.0

//! The libraries that decompress in user space, each with one call into an existing buffer.

#[allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    dead_code
)]
mod c {
    include!(concat!(env!("OUT_DIR"), "/libraries.rs"));
}

use std::mem::{size_of, zeroed};
use std::ptr;

/// A library: its name, and a function that fills the whole output buffer.
pub type Library = (&'static str, fn(&[u8], &mut [u8]));

/// The libraries for gzip members. All check the CRC-32.
pub const GZIP: &[Library] = &[("zlib", zlib), ("libdeflate", libdeflate), ("isa-l", isal)];
/// The libraries for zstd frames.
pub const ZSTD: &[Library] = &[("libzstd", libzstd)];

/// Gives this process small pages, as the kernel's buffers have.
pub fn small_pages() {
    // SAFETY: There are no requirements.
    let status = unsafe { c::prctl(c::PR_SET_THP_DISABLE as i32, 1, 0, 0, 0) };
    assert_eq!(status, 0);
}

fn zlib(src: &[u8], out: &mut [u8]) {
    const GZIP: i32 = 16;
    // SAFETY: zlib takes a stream of zeros. Pointers and lengths are those of slices.
    unsafe {
        let mut stream: c::z_stream = zeroed();
        let len = size_of::<c::z_stream>() as i32;
        let status = c::inflateInit2_(&mut stream, GZIP + 15, c::zlibVersion(), len);
        assert_eq!(status, c::Z_OK as i32);
        stream.next_in = src.as_ptr().cast_mut();
        stream.avail_in = src.len() as u32;
        stream.next_out = out.as_mut_ptr();
        stream.avail_out = out.len() as u32;
        let status = c::inflate(&mut stream, c::Z_FINISH as i32);
        c::inflateEnd(&mut stream);
        assert_eq!((status, stream.avail_out), (c::Z_STREAM_END as i32, 0));
    }
}

fn libdeflate(src: &[u8], out: &mut [u8]) {
    // SAFETY: Pointers and lengths are those of slices; without room for a length the output has to
    // be just as long.
    unsafe {
        let decompressor = c::libdeflate_alloc_decompressor();
        let status = c::libdeflate_gzip_decompress(
            decompressor,
            src.as_ptr().cast(),
            src.len(),
            out.as_mut_ptr().cast(),
            out.len(),
            ptr::null_mut(),
        );
        c::libdeflate_free_decompressor(decompressor);
        assert_eq!(status, 0);
    }
}

fn isal(src: &[u8], out: &mut [u8]) {
    // SAFETY: All of a state can be zero. Pointers and lengths are those of slices.
    unsafe {
        let mut state: Box<c::inflate_state> = Box::new(zeroed());
        c::isal_inflate_init(&mut *state);
        state.crc_flag = c::ISAL_GZIP;
        state.next_in = src.as_ptr().cast_mut();
        state.avail_in = src.len() as u32;
        state.next_out = out.as_mut_ptr();
        state.avail_out = out.len() as u32;
        let status = c::isal_inflate(&mut *state);
        assert_eq!((status, state.avail_out), (c::ISAL_DECOMP_OK as i32, 0));
        assert_eq!(state.block_state, c::isal_block_state_ISAL_BLOCK_FINISH);
    }
}

fn libzstd(src: &[u8], out: &mut [u8]) {
    // SAFETY: Pointers and lengths are those of slices.
    unsafe {
        let context = c::ZSTD_createDCtx();
        let to = out.as_mut_ptr().cast();
        let made = c::ZSTD_decompressDCtx(context, to, out.len(), src.as_ptr().cast(), src.len());
        c::ZSTD_freeDCtx(context);
        assert_eq!(made, out.len());
    }
}
