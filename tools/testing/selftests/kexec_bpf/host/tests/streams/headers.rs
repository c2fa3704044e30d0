// SPDX-License-Identifier: GPL-2.0

//! The headers of compressed streams, compared with the libraries that write and read them.

use super::encoders::{
    inputs,
    lz4,
    xz,
    zstd,
    LZ4_PIECE, //
};
use flate2::{
    Compression,
    Crc,
    Decompress,
    FlushDecompress,
    GzBuilder, //
};
use kexec_bpf_host::decompress::lz4;
use kexec_bpf_host::decompress::xz::output_len;
use kexec_bpf_host::decompress::{
    gzip::Gzip,
    zstd::Frame, //
};
use liblzma::stream::{
    Check,
    Filters, //
};
use std::io::Write;
use zstd_safe::CParameter;

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

#[test]
fn xz_lengths() {
    for input in inputs() {
        for piece in [10_000, usize::MAX] {
            for check in [Check::None, Check::Crc32] {
                for filter in [Filters::x86, Filters::arm64, Filters::riscv] {
                    let data = xz(&input, filter(&mut Filters::new()), check, piece);
                    assert_eq!(output_len(&data), Ok(input.len() as u64));
                }
            }
        }
    }
}

#[test]
fn lz4_bounds() {
    for input in inputs() {
        let data = lz4(&input);
        let mut frame = lz4::Frame::parse(&data).unwrap();
        assert!(frame.bound().unwrap() >= input.len() as u64);
        for piece in input.chunks(LZ4_PIECE) {
            let block = lz4_flex::block::compress(piece);
            assert_eq!(frame.next_block(), Ok(Some(&block[..])));
        }
        assert_eq!(frame.next_block(), Ok(None));
    }
}
