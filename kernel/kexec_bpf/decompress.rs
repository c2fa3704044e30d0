// SPDX-License-Identifier: GPL-2.0

//! Decompression, in one shot into the final buffer.

use core::{
    mem::MaybeUninit,
    ptr, //
};

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    bindings,
    prelude::*, //
};

use crate::{
    buffer::Buffer,
    error::{
        Error,
        Kind,
        Result, //
    },
    gzip::Gzip,
    library,
    lz4,
    lzo,
    xz,
    zstd::Frame, //
};

/// The length of the output.
#[derive(Clone, Copy)]
pub(crate) enum Want {
    /// Just this length.
    Exactly(u64),
    /// This length or less.
    AtMost(u64),
}

/// deflate makes at most this many bytes of one.
const DEFLATE_RATIO: u64 = 1032;

/// LZMA makes less than this: a match of 273 bytes takes 14 symbols of 0.022 bits at least.
const LZMA_RATIO: u64 = 7100;

/// LZO1X makes at most 255 bytes of one; of the runs of zeroes that Linux added, 4 make 2051.
const LZO_RATIO: u64 = 513;

/// Bytes of gzip's input and of its output between two looks for a signal. There are blocks that
/// make no output.
const STEP: usize = 1 << 20;

const TOO_LONG: Error = Error::whole(Kind::TooBig, "the output is longer than the limit");
const OTHER_LENGTH: Error =
    Error::whole(Kind::Malformed, "the output is not of the length asked for");

/// Makes a buffer for so many bytes. `EFBIG` if that is over the budget of all loads.
pub(crate) type New<'a> = &'a mut dyn FnMut(u64) -> kernel::error::Result<Buffer>;

/// Decompresses all of `src` by an algorithm of `enum bpf_kexec_algo`.
pub(crate) fn run(src: &[u8], algo: u64, want: Want, new: New<'_>) -> Result<Buffer> {
    const BY_MAGIC: u64 = bindings::bpf_kexec_algo_BPF_KEXEC_BY_MAGIC as u64;
    const GZIP: u64 = bindings::bpf_kexec_algo_BPF_KEXEC_GZIP as u64;
    const ZSTD: u64 = bindings::bpf_kexec_algo_BPF_KEXEC_ZSTD as u64;
    const XZ: u64 = bindings::bpf_kexec_algo_BPF_KEXEC_XZ as u64;
    const LZ4: u64 = bindings::bpf_kexec_algo_BPF_KEXEC_LZ4 as u64;
    const LZO: u64 = bindings::bpf_kexec_algo_BPF_KEXEC_LZO as u64;

    match (algo, src) {
        (GZIP, _) | (BY_MAGIC, [0x1f, 0x8b, ..]) => gunzip(src, want, new),
        (ZSTD, _) | (BY_MAGIC, [0x28, 0xb5, 0x2f, 0xfd, ..]) => unzstd(src, want, new),
        (XZ, _) | (BY_MAGIC, [0xfd, b'7', b'z', b'X', b'Z', 0, ..]) => unxz(src, want, new),
        (LZ4, _) | (BY_MAGIC, [0x02, 0x21, 0x4c, 0x18, ..]) => unlz4(src, want, new),
        (LZO, _) | (BY_MAGIC, [0x89, b'L', b'Z', b'O', ..]) => unlzo(src, want, new),
        _ => Err(Error::whole(Kind::Unsupported, "an unsupported algorithm")),
    }
}

impl Want {
    /// A buffer for an output whose length is known to be `len`.
    fn buffer(self, len: u64, new: New<'_>) -> Result<Buffer> {
        match self {
            Self::Exactly(want) if want != len => Err(OTHER_LENGTH),
            Self::AtMost(most) if most < len => Err(TOO_LONG),
            _ => allocate(len, new),
        }
    }
}

fn allocate(len: u64, new: New<'_>) -> Result<Buffer> {
    let rule = "with the output, all loads would take over half of the memory";
    new(len).map_err(|error| match error {
        EFBIG => Error::whole(Kind::TooBig, rule),
        _ => Error::no_memory(),
    })
}

/// The room for what an output lacks to be of `len` bytes. The buffer may have more.
fn room(out: &mut VVec<u8>, len: u64) -> &mut [MaybeUninit<u8>] {
    let left = len.saturating_sub(out.len() as u64);
    let spare = out.spare_capacity_mut();
    let left = spare.len().min(left as usize);
    spare.get_mut(..left).unwrap_or_default()
}

fn gunzip(src: &[u8], want: Want, new: New<'_>) -> Result<Buffer> {
    let gzip = Gzip::parse(src)?;
    let deflate = src.get(gzip.deflate.clone()).unwrap_or_default();
    let at = gzip.deflate.start as u64;
    let malformed = Error::malformed("a malformed deflate stream", at);
    let len = u64::from(gzip.isize);
    if len > (deflate.len() as u64).saturating_mul(DEFLATE_RATIO) {
        return Err(Error::malformed(
            "a longer output than deflate can make",
            at,
        ));
    }
    let mut out = want.buffer(len, new)?;
    let mut workspace = library::zlib_workspace().map_err(|_| Error::no_memory())?;
    let mut stream = bindings::z_stream {
        workspace: workspace.as_mut_ptr().cast(),
        ..Default::default()
    };
    // SAFETY: The workspace has the size that zlib asks for, and lives as long as the stream.
    if unsafe { bindings::zlib_inflateInit2(&mut stream, -(bindings::MAX_WBITS as i32)) }
        != bindings::Z_OK as i32
    {
        return Err(malformed);
    }
    let mut rest = deflate;
    let mut crc32 = 0;
    loop {
        let from = rest.get(..STEP).unwrap_or(rest);
        let to = room(&mut out, len);
        let step = to.len().min(STEP);
        (stream.next_in, stream.avail_in) = (from.as_ptr(), from.len());
        (stream.next_out, stream.avail_out) = (to.as_mut_ptr().cast(), step);
        // SAFETY: `next_in` has `avail_in` bytes, `next_out` has room for `avail_out`.
        let status = unsafe { bindings::zlib_inflate(&mut stream, bindings::Z_NO_FLUSH as i32) };
        let used = from.len().saturating_sub(stream.avail_in);
        let made = step.saturating_sub(stream.avail_out);
        let start = out.len();
        // SAFETY: zlib has written that many bytes, in the spare capacity.
        unsafe { out.inc_len(made) };
        rest = rest.get(used..).unwrap_or_default();
        crc32 = library::crc32(crc32, out.get(start..).unwrap_or_default());
        match u32::try_from(status) {
            Ok(bindings::Z_STREAM_END) => break,
            Ok(bindings::Z_OK) if used != 0 || made != 0 => (),
            _ => return Err(malformed),
        }
        if library::killed() {
            return Err(Error::interrupted());
        }
    }
    if !rest.is_empty() || out.len() as u64 != len {
        return Err(Error::malformed(
            "the deflate stream does not end where it should",
            at,
        ));
    }
    match crc32 == gzip.crc32 {
        true => Ok(out),
        false => Err(Error::malformed(
            "the output does not have the checksum in the trailer",
            at,
        )),
    }
}

fn unzstd(src: &[u8], want: Want, new: New<'_>) -> Result<Buffer> {
    let frame = Frame::parse(src)?;
    if frame.len != src.len() {
        return Err(Error::malformed(
            "bytes after the zstd frame",
            frame.len as u64,
        ));
    }
    let (len, mut out) = match (frame.content_size, want) {
        (Some(size), _) => (size, want.buffer(size, new)?),
        (None, Want::Exactly(len)) if len > frame.bound => return Err(OTHER_LENGTH),
        (None, Want::Exactly(len)) => (len, allocate(len, new)?),
        (None, Want::AtMost(most)) => {
            let len = frame.bound.min(most);
            (len, allocate(len, new)?)
        }
    };
    let mut workspace = library::zstd_workspace().map_err(|_| Error::no_memory())?;
    // SAFETY: The workspace is of this size, aligned to pages, and lives as long as the context.
    let context =
        unsafe { bindings::zstd_init_dctx(workspace.as_mut_ptr().cast(), workspace.capacity()) };
    if context.is_null() {
        return Err(Error::no_memory());
    }
    let to = room(&mut out, len);
    // SAFETY: `to` has room for as many bytes as it says, `src` has as many as it says.
    let made = unsafe {
        let from = ptr::from_ref(src);
        bindings::zstd_decompress_dctx(
            context,
            to.as_mut_ptr().cast(),
            to.len(),
            from.cast(),
            src.len(),
        )
    };
    // SAFETY: There are no requirements.
    let code = unsafe { bindings::zstd_get_error_code(made) };
    match (code, frame.content_size, want) {
        (bindings::ZSTD_ErrorCode_ZSTD_error_no_error, ..) => (),
        // With room for all that valid blocks can make, these are not.
        (bindings::ZSTD_ErrorCode_ZSTD_error_dstSize_tooSmall, None, Want::AtMost(most))
            if most < frame.bound =>
        {
            return Err(TOO_LONG)
        }
        (bindings::ZSTD_ErrorCode_ZSTD_error_dstSize_tooSmall, None, Want::Exactly(_)) => {
            return Err(OTHER_LENGTH)
        }
        _ => return Err(Error::whole(Kind::Malformed, "a malformed zstd frame")),
    }
    // SAFETY: zstd has written that many bytes, in the spare capacity.
    unsafe { out.inc_len(made) };
    match want {
        Want::Exactly(len) if len != made as u64 => Err(OTHER_LENGTH),
        _ => Ok(out),
    }
}

fn unxz(src: &[u8], want: Want, new: New<'_>) -> Result<Buffer> {
    let len = xz::output_len(src)?;
    if len > (src.len() as u64).saturating_mul(LZMA_RATIO) {
        let rule = "a longer output than LZMA can make";
        return Err(Error::whole(Kind::Malformed, rule));
    }
    let mut out = want.buffer(len, new)?;
    let mut buffers = bindings::xz_buf {
        in_: src.as_ptr(),
        in_size: src.len(),
        out: room(&mut out, len).as_mut_ptr().cast(),
        out_size: len as usize,
        ..Default::default()
    };
    // SAFETY: There are no requirements.
    let decoder = unsafe { bindings::xz_dec_init(bindings::xz_mode_XZ_SINGLE_KILLABLE, 0) };
    if decoder.is_null() {
        return Err(Error::no_memory());
    }
    // SAFETY: `in_` has `in_size` bytes, `out` has room for `out_size`.
    let status = unsafe { bindings::xz_dec_run(decoder, &mut buffers) };
    // SAFETY: The decoder is not used any more.
    unsafe { bindings::xz_dec_end(decoder) };
    match status {
        bindings::xz_ret_XZ_STREAM_END => (),
        _ if library::killed() => return Err(Error::interrupted()),
        bindings::xz_ret_XZ_OPTIONS_ERROR => {
            return Err(Error::whole(Kind::Unsupported, "an unsupported xz filter"))
        }
        _ => return Err(Error::whole(Kind::Malformed, "a malformed xz stream")),
    }
    // SAFETY: The decoder has written that many bytes, in the spare capacity.
    unsafe { out.inc_len(buffers.out_pos) };
    match buffers.in_pos == src.len() && out.len() as u64 == len {
        true => Ok(out),
        false => Err(Error::malformed(
            "the xz stream does not end where it should",
            buffers.in_pos as u64,
        )),
    }
}

fn unlz4(src: &[u8], want: Want, new: New<'_>) -> Result<Buffer> {
    let mut frame = lz4::Frame::parse(src)?;
    let bound = frame.bound()?;
    let most = match want {
        Want::Exactly(len) if len > bound => return Err(OTHER_LENGTH),
        Want::Exactly(len) => len,
        // With room for a whole block, so that none fails for being too long.
        Want::AtMost(most) => bound.min(most.saturating_add(lz4::BLOCK_MAX as u64)),
    };
    let mut out = allocate(most, new)?;
    while let Some(block) = frame.next_block()? {
        let room = room(&mut out, most);
        let (to, len) = (room.as_mut_ptr(), room.len().min(lz4::BLOCK_MAX));
        // SAFETY: `to` has room for `len` bytes, `block` is as long as it says: a few MiB each.
        let made = unsafe {
            bindings::LZ4_decompress_safe(
                block.as_ptr().cast(),
                to.cast(),
                block.len() as i32,
                len as i32,
            )
        };
        let made = usize::try_from(made)
            .map_err(|_| Error::whole(Kind::Malformed, "a malformed lz4 block"))?;
        // SAFETY: lz4 has written that many bytes, in the spare capacity.
        unsafe { out.inc_len(made) };
        if matches!(want, Want::AtMost(most) if out.len() as u64 > most) {
            return Err(TOO_LONG);
        }
        if library::killed() {
            return Err(Error::interrupted());
        }
    }
    match want {
        Want::Exactly(len) if len != out.len() as u64 => Err(OTHER_LENGTH),
        _ => Ok(out),
    }
}

fn unlzo(src: &[u8], want: Want, new: New<'_>) -> Result<Buffer> {
    const MALFORMED: Error = Error::whole(Kind::Malformed, "a malformed lzop block");

    let mut file = lzo::File::parse(src)?;
    if library::adler32(file.header) != file.adler32 {
        return Err(Error::malformed("an lzop header without its checksum", 9));
    }
    let len = file.output_len()?;
    if len > (src.len() as u64).saturating_mul(LZO_RATIO) {
        let rule = "a longer output than LZO can make";
        return Err(Error::whole(Kind::Malformed, rule));
    }
    let mut out = want.buffer(len, new)?;
    while let Some(block) = file.next_block()? {
        let start = out.len();
        if block.data.len() == block.len {
            out.extend_from_slice(block.data, GFP_KERNEL_ACCOUNT)
                .map_err(|_| Error::no_memory())?;
        } else {
            let room = room(&mut out, len);
            let to = room.get_mut(..block.len).ok_or(MALFORMED)?;
            let mut made = block.len;
            // SAFETY: `to` has room for `made` bytes, `data` has as many as it says.
            let status = unsafe {
                bindings::lzo1x_decompress_safe(
                    block.data.as_ptr(),
                    block.data.len(),
                    to.as_mut_ptr().cast(),
                    &mut made,
                )
            };
            if status != bindings::LZO_E_OK as i32 || made != block.len {
                return Err(MALFORMED);
            }
            // SAFETY: lzo has written that many bytes, in the spare capacity.
            unsafe { out.inc_len(made) };
        }
        if library::adler32(out.get(start..).unwrap_or_default()) != block.adler32 {
            return Err(MALFORMED);
        }
        if library::killed() {
            return Err(Error::interrupted());
        }
    }
    Ok(out)
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_decompress)]
mod tests {
    use super::*;
    use crate::error::Kind;

    const TEXT: [[u8; 6]; 5] = [*b"kexec "; 5];
    const GZIP: [u8; 29] =
        *b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xcbN\xadHMV\xc8\xc6A\x02\0k\xc5\r/\x1e\0\0\0";
    /// Without content size, with checksum.
    const ZSTD: [u8; 25] =
        *b"\x28\xb5\x2f\xfd\x04\x68\x65\0\0\x30kexec \x01\0\x01K\x11\x8c\xe6\x15\xac";
    const XZ: [u8; 72] = *b"\xfd7zXZ\0\0\x01i\"\xde6\x02\0!\x01\x16\0\0\0t/\xe5\xa3\xe0\0\x1d\
        \0\r]\x005\x99Kv\xe6\x8ei\xbfl\x91|\0\0\0\0\0\0k\xc5\r/\0\x01%\x1e\xafXz2\x90B\x99\r\
        \x01\0\0\0\0\x01YZ";
    /// A frame without any checksum.
    const LZ4: [u8; 24] = *b"\x02!L\x18\x10\0\0\0okexec \x06\0\0Pexec ";
    const LZO: [u8; 67] =
        *b"\x89LZO\0\r\n\x1a\n\x10@ \xa0\x09@\x03\x09\x03\0\0\r\0\0\x81\xa4\0\0\0\0\0\0\0\0\0\
        +\xbd\x02\x9b\0\0\0\x1e\0\0\0\r\xad\x8e\n\xf1\x17kexec 6\x14\0\x11\0\0\0\0\0\0";
    /// The offset of the deflate stream, and of the first block.
    const BODY: usize = 10;

    fn decompress(src: &[u8], want: Want) -> Result<Buffer> {
        run(src, 0, want, &mut Buffer::new)
    }

    fn kind(src: &[u8], want: Want) -> Option<Kind> {
        decompress(src, want).err().map(|error| error.kind)
    }

    #[test]
    fn lengths() {
        for src in [&GZIP[..], &ZSTD[..], &XZ[..], &LZ4[..], &LZO[..]] {
            for want in [Want::Exactly(30), Want::AtMost(30), Want::AtMost(31)] {
                assert!(decompress(src, want).is_ok_and(|out| out[..] == *TEXT.as_flattened()));
            }
            assert_eq!(kind(src, Want::Exactly(29)), Some(Kind::Malformed));
            assert_eq!(kind(src, Want::Exactly(31)), Some(Kind::Malformed));
            assert_eq!(kind(src, Want::AtMost(29)), Some(Kind::TooBig));
        }
    }

    #[test]
    fn truncated_at_every_byte() {
        for src in [&GZIP[..], &ZSTD[..], &XZ[..], &LZ4[..], &LZO[..]] {
            for len in 4..src.len() {
                assert!(decompress(&src[..len], Want::Exactly(30)).is_err());
            }
        }
    }

    #[test]
    fn damaged() {
        for (src, body) in [(&mut GZIP.clone()[..], BODY), (&mut ZSTD.clone()[..], BODY)] {
            for at in body..src.len() {
                src[at] ^= 1;
                assert!(decompress(src, Want::AtMost(1000)).is_err());
                src[at] ^= 1;
            }
        }
    }

    #[test]
    fn more_than_lzo_can_make() {
        // Behind the header is the length of the first block's output.
        const AT: usize = 38;
        let rule = |len: u64| {
            let mut src = LZO;
            src[AT..AT + 4].copy_from_slice(&(len as u32).to_be_bytes());
            decompress(&src, Want::AtMost(1 << 20))
                .err()
                .map(|e| e.wrong)
        };
        let most = LZO.len() as u64 * LZO_RATIO;
        assert_eq!(rule(most), Some("a malformed lzop block"));
        assert_eq!(rule(most + 1), Some("a longer output than LZO can make"));
    }

    #[test]
    fn more_than_lzma_can_make() {
        // An index of 284000 bytes, which is 40 times the ratio; nothing else is right.
        let mut src =
            *b"\xfd7zXZ\0\0\x01.crc\0\0\0\0\0\x01\x04\xe0\xaa\x11\0\0.crc.crc\x02\0\0\0\0\x01YZ";
        let rule = |src: &[u8]| {
            decompress(src, Want::AtMost(1 << 20))
                .err()
                .map(|e| e.wrong)
        };
        assert_eq!(rule(&src), Some("a malformed xz stream"));
        src[19] += 1;
        assert_eq!(rule(&src), Some("a longer output than LZMA can make"));
    }

    #[test]
    fn deflate_blocks_that_make_nothing() -> kernel::error::Result {
        /// A stored block of no bytes.
        const NOTHING: [u8; 5] = [0, 0, 0, 0xff, 0xff];

        // Those before the last step of input end in the middle of a block.
        let count = 5 * STEP / 2 / NOTHING.len();
        let mut src = VVec::new();
        src.extend_from_slice(&GZIP[..BODY], GFP_KERNEL_ACCOUNT)?;
        for _ in 0..count {
            src.extend_from_slice(&NOTHING, GFP_KERNEL_ACCOUNT)?;
        }
        src.extend_from_slice(&GZIP[BODY..], GFP_KERNEL_ACCOUNT)?;
        let out = decompress(&src, Want::Exactly(30));
        assert!(out.is_ok_and(|out| out[..] == *TEXT.as_flattened()));
        // Without the last block, and with the trailer of an empty output.
        let end = BODY + count * NOTHING.len();
        src.truncate(end);
        src.extend_from_slice(&[0; 8], GFP_KERNEL_ACCOUNT)?;
        assert_eq!(kind(&src, Want::AtMost(1)), Some(Kind::Malformed));
        Ok(())
    }

    #[test]
    fn zstd_blocks_that_make_too_much() {
        // A window of 1 KiB, and a block: a literal, and a match of 65539 bytes.
        let src = *b"\x28\xb5\x2f\xfd\0\0\x55\0\0\x09x\x01\x54\x01\0\x34\0\0\x01";
        for most in [1024, 1025, 1 << 20] {
            assert_eq!(kind(&src, Want::AtMost(most)), Some(Kind::Malformed));
        }
        // Here that cannot be told from one that is right but for the limit.
        assert_eq!(kind(&src, Want::AtMost(1023)), Some(Kind::TooBig));
    }

    #[test]
    fn other_formats_and_limits() {
        assert_eq!(kind(b"", Want::AtMost(1)), Some(Kind::Unsupported));
        assert_eq!(
            kind(b"\x04\x22\x4d\x18", Want::AtMost(1)),
            Some(Kind::Unsupported)
        );
        for (why, kind) in [(EFBIG, Kind::TooBig), (ENOMEM, Kind::NoMemory)] {
            let refused = run(&ZSTD, 0, Want::Exactly(30), &mut |_| Err(why)).err();
            assert_eq!(refused.map(|error| error.kind), Some(kind));
        }
    }
}
