// SPDX-License-Identifier: GPL-2.0

//! gzip members beside another library.

#![no_main]

use flate2::bufread::{
    DeflateDecoder,
    GzDecoder, //
};
use flate2::Crc;
use kexec_bpf_host::decompress::gzip::Gzip;
use libfuzzer_sys::fuzz_target;
use std::io::Read;

/// The output of a decoder, if it accepts its input.
fn read(mut decoder: impl Read) -> Option<Vec<u8>> {
    let mut output = Vec::new();
    decoder.read_to_end(&mut output).ok().map(|_| output)
}

fuzz_target!(|data: &[u8]| {
    let ours = Gzip::parse(data);
    if let Ok(gzip) = &ours {
        assert!(gzip.deflate.start >= 10 && gzip.deflate.start <= gzip.deflate.end);
        assert_eq!(gzip.deflate.end + 8, data.len());
    }

    // Where one member takes up all of the data, both see the same in it.
    let mut rest = data;
    let Some(theirs) = read(GzDecoder::new(&mut rest)).filter(|_| rest.is_empty()) else {
        return;
    };
    let gzip = ours.expect("refused");
    let mut rest = &data[gzip.deflate];
    assert_eq!(read(DeflateDecoder::new(&mut rest)), Some(&theirs).cloned());
    assert_eq!(rest, b"");
    let mut crc = Crc::new();
    crc.update(&theirs);
    assert_eq!((gzip.crc32, gzip.isize), (crc.sum(), theirs.len() as u32));
});
