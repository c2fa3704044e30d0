// SPDX-License-Identifier: GPL-2.0

//! Compressed streams of all formats, and the data that are in them.

use flate2::write::GzEncoder;
use flate2::Compression;
use kernel::bindings;
use kexec_bpf_host::klib::adler32;
use liblzma::stream::{
    Action,
    Check,
    Filters,
    LzmaOptions,
    Status,
    Stream, //
};
use std::io::Write;
use zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd_safe::{
    CCtx,
    CParameter,
    InBuffer,
    OutBuffer, //
};

/// Data that compress to all types of blocks: nothing, one byte over and over, noise, text.
pub fn inputs() -> Vec<Vec<u8>> {
    let mut state = 1u32;
    let mut noise = |len: usize| {
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect::<Vec<u8>>()
    };
    let text = |lines: u32| {
        (0..lines)
            .flat_map(|line| format!("line {line}\n").into_bytes())
            .collect::<Vec<u8>>()
    };
    vec![
        vec![],
        vec![7],
        vec![0; 255],
        vec![0; 256],
        noise(1000),
        vec![0; 1_000_000],
        noise(300_000),
        text(100_000),
        [vec![0; 200_000], noise(200_000), text(20_000)].concat(),
    ]
}

/// The input in each format, with its number in `enum bpf_kexec_algo`.
pub fn streams(input: &[u8]) -> [(u32, Vec<u8>); 7] {
    use bindings::{
        bpf_kexec_algo_BPF_KEXEC_GZIP as GZIP,
        bpf_kexec_algo_BPF_KEXEC_LZ4 as LZ4,
        bpf_kexec_algo_BPF_KEXEC_LZO as LZO,
        bpf_kexec_algo_BPF_KEXEC_XZ as XZ,
        bpf_kexec_algo_BPF_KEXEC_ZSTD as ZSTD, //
    };

    let sized = [CParameter::ChecksumFlag(true)];
    let streamed = [CParameter::ContentSizeFlag(false)];
    let xz = |filters: &mut Filters, piece| xz(input, filters, Check::Crc32, piece);
    [
        (GZIP, gzip(input)),
        (ZSTD, zstd(input, &sized, 0)),
        (ZSTD, zstd(input, &streamed, 1000)),
        (XZ, xz(&mut Filters::new(), usize::MAX)),
        (XZ, xz(Filters::new().x86(), 100_000)),
        (LZ4, lz4(input)),
        (LZO, lzop(input)),
    ]
}

/// A member.
pub fn gzip(input: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::default());
    writer.write_all(input).unwrap();
    writer.finish().unwrap()
}

/// A frame; streamed in pieces of `piece` bytes, unless that is 0.
pub fn zstd(input: &[u8], parameters: &[CParameter], piece: usize) -> Vec<u8> {
    let mut context = CCtx::create();
    for &parameter in parameters {
        context.set_parameter(parameter).unwrap();
    }
    let mut frame = Vec::with_capacity(zstd_safe::compress_bound(input.len()) + input.len());
    if piece == 0 {
        context.compress2(&mut frame, input).unwrap();
        return frame;
    }
    let mut output = OutBuffer::around(&mut frame);
    for piece in input.chunks(piece) {
        let mut input = InBuffer::around(piece);
        let flush = ZSTD_EndDirective::ZSTD_e_flush;
        while context
            .compress_stream2(&mut output, &mut input, flush)
            .unwrap()
            > 0
        {}
    }
    let end = ZSTD_EndDirective::ZSTD_e_end;
    let mut nothing = InBuffer::around(&[]);
    while context
        .compress_stream2(&mut output, &mut nothing, end)
        .unwrap()
        > 0
    {}
    frame
}

/// With blocks of `piece` bytes.
pub fn xz(input: &[u8], filters: &mut Filters, check: Check, piece: usize) -> Vec<u8> {
    let options = LzmaOptions::new_preset(0).unwrap();
    let mut stream = Stream::new_stream_encoder(filters.lzma2(&options), check).unwrap();
    let mut data = Vec::with_capacity(2 * input.len() + 1000);
    for piece in input.chunks(piece) {
        let end = stream.process_vec(piece, &mut data, Action::FullFlush);
        assert_eq!(end, Ok(Status::StreamEnd));
    }
    let end = stream.process_vec(&[], &mut data, Action::Finish);
    assert_eq!(end, Ok(Status::StreamEnd));
    data
}

/// Bytes of input for each block of [`lz4()`].
pub const LZ4_PIECE: usize = 250_000;

/// A legacy frame.
pub fn lz4(input: &[u8]) -> Vec<u8> {
    let mut data = vec![0x02, 0x21, 0x4c, 0x18];
    for piece in input.chunks(LZ4_PIECE) {
        let block = lz4_flex::block::compress(piece);
        data.extend((block.len() as u32).to_le_bytes());
        data.extend(block);
    }
    data
}

/// A file of lzop, with blocks as it makes them.
pub fn lzop(input: &[u8]) -> Vec<u8> {
    let header = [
        &b"\x10\x40\x20\xa0\x09\x40\x03\x09\x03\0\0\x0d"[..],
        &[0; 13],
    ]
    .concat();
    let mut data = b"\x89LZO\0\r\n\x1a\n".to_vec();
    data.extend(&header);
    data.extend(adler32(&header).to_be_bytes());
    for piece in input.chunks(256 << 10) {
        let block = lzo1x::compress(piece, lzo1x::CompressLevel::default());
        let block = if block.len() < piece.len() {
            &block
        } else {
            piece
        };
        for word in [piece.len() as u32, block.len() as u32, adler32(piece)] {
            data.extend(word.to_be_bytes());
        }
        data.extend(block);
    }
    data.extend([0; 4]);
    data
}
