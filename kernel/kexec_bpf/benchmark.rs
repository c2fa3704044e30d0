// SPDX-License-Identifier: GPL-2.0

//! The measurements of `benchmark_kunit.c`.

use core::slice;

use kernel::{
    bindings,
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    },
};

use crate::{
    buffer::Buffer,
    decompress::{
        self,
        gzip::Gzip,
        lz4,
        lzo,
        OutputLen, //
    },
    error::ParseError,
    klib::{
        self,
        Inflate,
        Unzstd, //
    },
};

/// Measures a payload. Returns 0, or a negative errno.
///
/// # Safety
///
/// `payload` is valid for reading `len` bytes, and nothing writes to them; `ns` is valid for
/// writing.
#[export]
pub(crate) unsafe extern "C" fn kexec_bpf_rs_benchmark(
    payload: *const c_void,
    len: usize,
    kexec_first: bool,
    ns: *mut bindings::kexec_bpf_benchmark,
) -> c_int {
    // SAFETY: It is valid for so many bytes, which do not change, by the safety requirements.
    let payload = unsafe { slice::from_raw_parts(payload.cast(), len) };
    match measure(payload, kexec_first) {
        Ok(measured) => {
            // SAFETY: It is valid for writing, by the safety requirements.
            unsafe { ns.write(measured) };
            0
        }
        Err(errno) => errno.to_errno(),
    }
}

/// A payload is the output of a compressor and, except for gzip, the length of its input behind it.
fn measure(payload: &[u8], kexec_first: bool) -> Result<bindings::kexec_bpf_benchmark> {
    let (front, last) = payload.split_last_chunk().ok_or(EINVAL)?;
    let mut formats = decompress::FORMATS.iter();
    let format = formats.find(|format| payload.starts_with(format.magic));
    let (src, decode): (_, Decode) = match format.ok_or(EINVAL)?.algorithm {
        bindings::bpf_kexec_algo_BPF_KEXEC_GZIP => (payload, gzip),
        bindings::bpf_kexec_algo_BPF_KEXEC_ZSTD => (front, zstd),
        bindings::bpf_kexec_algo_BPF_KEXEC_XZ => (front, xz),
        bindings::bpf_kexec_algo_BPF_KEXEC_LZ4 => (front, lz4),
        bindings::bpf_kexec_algo_BPF_KEXEC_LZO => (front, lzo),
        _ => return Err(EINVAL),
    };
    let len = u32::from_le_bytes(*last) as usize;
    let mut out = Buffer::new(len as u64).map_err(refused)?;
    let mut ns = bindings::kexec_bpf_benchmark::default();
    for is_kexec in [kexec_first, !kexec_first] {
        // Neither finds the output of the other, nor a page that was never written to.
        out.clear();
        out.extend_with(len, 0, GFP_KERNEL)?;
        out.clear();
        if is_kexec {
            let start = Instant::<Monotonic>::now();
            // The one buffer that there is: the library's side does not allocate one either.
            let mut one = Some(out);
            let mut new = |_| one.take().ok_or(ParseError::no_memory());
            let made = decompress::run(src, 0, OutputLen::Exactly(len as u64), &mut new);
            ns.kexec = start.elapsed().as_nanos();
            out = made.map_err(refused)?;
        } else {
            [ns.decoder, ns.checksum] = decode(src, &mut out, len)?;
            if out.len() != len {
                return Err(EBADMSG);
            }
        }
    }
    ns.bytes = len as u64;
    Ok(ns)
}

fn refused(error: ParseError) -> Error {
    pr_err!("{}\n", error.wrong);
    EBADMSG
}

/// Decompresses with a library, called as seldom as the format allows. Returns how many nanoseconds
/// that took, and how many it took to check what the library leaves to its caller.
type Decode = fn(&[u8], &mut VVec<u8>, usize) -> Result<[i64; 2]>;

fn gzip(src: &[u8], out: &mut VVec<u8>, len: usize) -> Result<[i64; 2]> {
    let deflate = Gzip::parse(src).map_err(refused)?.deflate;
    let deflate = src.get(deflate).ok_or(EBADMSG)?;
    let mut decoder = Inflate::new()?;
    let start = Instant::<Monotonic>::now();
    decoder.inflate(deflate, out, len)?;
    let decoded = start.elapsed().as_nanos();
    klib::crc32(0, out);
    Ok([decoded, start.elapsed().as_nanos() - decoded])
}

fn zstd(src: &[u8], out: &mut VVec<u8>, len: usize) -> Result<[i64; 2]> {
    let mut decoder = Unzstd::new()?;
    let start = Instant::<Monotonic>::now();
    decoder.decode(src, out, len)?;
    Ok([start.elapsed().as_nanos(), 0])
}

fn xz(src: &[u8], out: &mut VVec<u8>, len: usize) -> Result<[i64; 2]> {
    let start = Instant::<Monotonic>::now();
    klib::unxz(src, out, len)?;
    Ok([start.elapsed().as_nanos(), 0])
}

fn lz4(src: &[u8], out: &mut VVec<u8>, len: usize) -> Result<[i64; 2]> {
    let mut frame = lz4::Frame::parse(src).map_err(refused)?;
    let start = Instant::<Monotonic>::now();
    while let Some(block) = frame.next_block().map_err(refused)? {
        let room = len.saturating_sub(out.len());
        klib::unlz4(block, out, room)?;
    }
    Ok([start.elapsed().as_nanos(), 0])
}

fn lzo(src: &[u8], out: &mut VVec<u8>, _len: usize) -> Result<[i64; 2]> {
    let mut file = lzo::File::parse(src).map_err(refused)?;
    let start = Instant::<Monotonic>::now();
    while let Some(block) = file.next_block().map_err(refused)? {
        match block.data.len() == block.len {
            true => out.extend_from_slice(block.data, GFP_KERNEL)?,
            false => klib::unlzo(block.data, out, block.len)?,
        }
    }
    let decoded = start.elapsed().as_nanos();
    klib::adler32(out);
    Ok([decoded, start.elapsed().as_nanos() - decoded])
}
