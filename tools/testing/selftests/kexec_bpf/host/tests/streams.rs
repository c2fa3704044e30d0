// SPDX-License-Identifier: GPL-2.0

//! What is parsed of compressed streams, beside the libraries that write and read them.

use flate2::{
    Compression,
    Crc,
    Decompress,
    FlushDecompress,
    GzBuilder, //
};
use kexec_bpf_host::gzip::Gzip;
use kexec_bpf_host::lz4;
use kexec_bpf_host::xz;
use kexec_bpf_host::zstd::Frame;
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

/// What compresses to all types of blocks: nothing, one byte over and over, noise, text.
fn inputs() -> Vec<Vec<u8>> {
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

#[test]
fn gzip() {
    for input in inputs() {
        for fields in 0..8 {
            let mut builder = GzBuilder::new();
            for (bit, add) in [
                GzBuilder::filename::<&str> as fn(GzBuilder, &'static str) -> GzBuilder,
                GzBuilder::comment,
                GzBuilder::extra,
            ]
            .iter()
            .enumerate()
            {
                if (fields >> bit) & 1 != 0 {
                    builder = add(builder, "some text");
                }
            }
            let mut writer = builder.write(Vec::new(), Compression::default());
            writer.write_all(&input).unwrap();
            let data = writer.finish().unwrap();

            let gzip = Gzip::parse(&data).unwrap();
            let deflate = &data[gzip.deflate];
            let mut output = Vec::with_capacity(input.len() + 1);
            let mut inflate = Decompress::new(false);
            inflate
                .decompress_vec(deflate, &mut output, FlushDecompress::Finish)
                .unwrap();
            assert_eq!(inflate.total_in(), deflate.len() as u64);
            assert!(output == input);
            let mut crc = Crc::new();
            crc.update(&input);
            assert_eq!((gzip.crc32, gzip.isize), (crc.sum(), input.len() as u32));
        }
    }
}

/// A frame; streamed in pieces of `piece` bytes, unless that is 0.
fn zstd(input: &[u8], parameters: &[CParameter], piece: usize) -> Vec<u8> {
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

fn zstd_frames() -> Vec<(Vec<u8>, Vec<u8>)> {
    let sets: [&[CParameter]; 5] = [
        &[],
        &[
            CParameter::CompressionLevel(9),
            CParameter::ChecksumFlag(true),
        ],
        &[CParameter::WindowLog(10)],
        &[CParameter::WindowLog(27), CParameter::ChecksumFlag(true)],
        &[CParameter::ContentSizeFlag(false)],
    ];
    let mut frames = Vec::new();
    for input in inputs() {
        for parameters in sets {
            for piece in [0, 1000, 1 << 20] {
                frames.push((zstd(&input, parameters, piece), input.clone()));
            }
        }
    }
    frames
}

#[test]
fn zstd_lengths() {
    for (data, input) in zstd_frames() {
        let frame = Frame::parse(&data).unwrap();
        assert_eq!(frame.len, data.len());
        assert_eq!(zstd_safe::find_frame_compressed_size(&data), Ok(frame.len));
        assert_eq!(
            zstd_safe::get_frame_content_size(&data).unwrap(),
            frame.content_size
        );
        assert!(frame
            .content_size
            .is_none_or(|size| size == input.len() as u64));
        assert!(frame.bound >= input.len() as u64);
        let theirs = zstd_safe::decompress_bound(&data).unwrap();
        assert!(frame.content_size.unwrap_or(frame.bound) <= theirs);

        // Another frame right behind does not count.
        let two = [&data[..], &data[..]].concat();
        assert_eq!(Frame::parse(&two), Ok(frame));
    }
}

/// Also where a bit of the headers is flipped.
#[test]
fn what_zstd_decodes_is_accepted() {
    let small = |(data, input): &(Vec<u8>, Vec<u8>)| data.len() < 4000 && input.len() < 1 << 17;
    for (data, input) in zstd_frames().into_iter().filter(small) {
        let mut output = Vec::with_capacity(2 * input.len());
        for (at, bit) in (0..data.len().min(32)).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut data = data.clone();
            data[at] ^= 1 << bit;
            let ours = Frame::parse(&data);
            if let (Ok(ours), Ok(len)) = (&ours, zstd_safe::find_frame_compressed_size(&data)) {
                assert_eq!(ours.len, len);
            }
            if let Ok(len) = zstd_safe::decompress(&mut output, &data) {
                let size = ours.unwrap().content_size;
                assert!(size.is_none_or(|size| size == len as u64));
            }
        }
    }
}

/// With blocks of `piece` bytes.
fn xz(input: &[u8], filters: &mut Filters, check: Check, piece: usize) -> Vec<u8> {
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

#[test]
fn xz_lengths() {
    for input in inputs() {
        for piece in [10_000, usize::MAX] {
            for check in [Check::None, Check::Crc32] {
                for filter in [Filters::x86, Filters::arm64, Filters::riscv] {
                    let data = xz(&input, filter(&mut Filters::new()), check, piece);
                    assert_eq!(xz::output_len(&data), Ok(input.len() as u64));
                }
            }
        }
    }
}

#[test]
fn lz4_bounds() {
    for input in inputs() {
        let mut data = vec![0x02, 0x21, 0x4c, 0x18];
        let mut blocks = vec![];
        for piece in input.chunks(250_000) {
            let block = lz4_flex::block::compress(piece);
            data.extend((block.len() as u32).to_le_bytes());
            data.extend(&block);
            blocks.push(block);
        }
        let mut frame = lz4::Frame::parse(&data).unwrap();
        assert!(frame.bound().unwrap() >= input.len() as u64);
        for block in blocks {
            assert_eq!(frame.next_block(), Ok(Some(&block[..])));
        }
        assert_eq!(frame.next_block(), Ok(None));
    }
}
