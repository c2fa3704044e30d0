// SPDX-License-Identifier: GPL-2.0

//! Compressors for the formats that the kernel decompresses.

use std::io::Write;

use flate2::write::GzEncoder;
use flate2::Compression;
use liblzma::stream::{Action, Check, Filters, LzmaOptions, Stream};
use zstd_safe::{CCtx, CParameter};

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

pub fn zstd_with(bytes: &[u8], parameters: &[CParameter]) -> Vec<u8> {
    let mut context = CCtx::create();
    for &parameter in parameters {
        context.set_parameter(parameter).expect("zstd knows it");
    }
    let mut out = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
    context.compress2(&mut out, bytes).expect("there is room");
    out
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd_with(bytes, &[])
}

/// The most bytes that a block decompresses to.
pub const LZ4_BLOCK: usize = 8 << 20;
pub const LZO_BLOCK: usize = 256 << 10;

pub fn xz_with(bytes: &[u8], filters: &mut Filters, check: Check) -> Vec<u8> {
    let options = LzmaOptions::new_preset(1).expect("xz knows it");
    let filters = filters.lzma2(&options);
    let mut stream = Stream::new_stream_encoder(filters, check).expect("xz knows them");
    let mut out = Vec::with_capacity(bytes.len() + 1000);
    stream
        .process_vec(bytes, &mut out, Action::Finish)
        .expect("there is room");
    out
}

/// As the build of Linux makes it, but without a filter for machine code.
pub fn xz(bytes: &[u8]) -> Vec<u8> {
    xz_with(bytes, &mut Filters::new(), Check::Crc32)
}

/// As `lz4 -l` makes it.
pub fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut out = b"\x02\x21\x4c\x18".to_vec();
    for piece in bytes.chunks(LZ4_BLOCK) {
        out.extend(lz4_block(piece));
    }
    out
}

pub fn lz4_block(bytes: &[u8]) -> Vec<u8> {
    let block = lz4_flex::block::compress(bytes);
    [&(block.len() as u32).to_le_bytes(), &block[..]].concat()
}

/// As lzop makes it when it reads from a pipe and writes to one.
pub fn lzo(bytes: &[u8]) -> Vec<u8> {
    let fields = b"\x10\x40\x20\xa0\x09\x40\x03\x09\x03\0\0\x0d\0\0\x81\xa4\0\0\0\0\0\0\0\0\0";
    let sum = adler2::adler32_slice(fields).to_be_bytes();
    let mut out = [b"\x89LZO\0\r\n\x1a\n", &fields[..], &sum].concat();
    for piece in bytes.chunks(LZO_BLOCK) {
        out.extend(lzo_block(piece));
    }
    out.extend([0; 4]);
    out
}

pub fn lzo_block(bytes: &[u8]) -> Vec<u8> {
    let mut data = lzokay::compress::compress(bytes).expect("memory takes it");
    if data.len() >= bytes.len() {
        data = bytes.to_vec();
    }
    let words = [
        bytes.len() as u32,
        data.len() as u32,
        adler2::adler32_slice(bytes),
    ];
    [&words.map(u32::to_be_bytes).concat(), &data[..]].concat()
}
