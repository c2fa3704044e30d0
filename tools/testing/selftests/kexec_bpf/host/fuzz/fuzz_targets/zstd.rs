// SPDX-License-Identifier: GPL-2.0

//! zstd frames beside the library.

#![no_main]

use kexec_bpf_host::decompress::zstd::Frame;
use kexec_bpf_host::error::Kind;
use libfuzzer_sys::fuzz_target;
use zstd_safe::{
    decompress,
    find_frame_compressed_size,
    get_error_name,
    get_frame_content_size, //
};

/// Of longer output the length is not checked.
const OUTPUT_MAX: u64 = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let ours = Frame::parse(data);
    let theirs = find_frame_compressed_size(data);
    match ours {
        Ok(frame) => {
            match theirs {
                Ok(len) => assert_eq!(frame.len, len),
                // Memory is the decoder's affair.
                Err(code) => assert_eq!(
                    get_error_name(code),
                    "Frame requires too much memory for decoding"
                ),
            }
            assert!(frame.content_size.is_none_or(|size| size <= frame.bound));
            let mut output = Vec::with_capacity(frame.bound.min(OUTPUT_MAX) as usize);
            if let Ok(len) = decompress(&mut output, &data[..frame.len]) {
                assert!(frame.content_size.is_none_or(|size| size == len as u64));
            }
        }
        Err(error) => {
            let mut output = Vec::with_capacity(OUTPUT_MAX as usize);
            let decoded = theirs.is_ok_and(|len| decompress(&mut output, &data[..len]).is_ok());
            // Unsupported frames are refused on purpose. The library takes blocks of one byte
            // over and over that are longer than the format allows, and takes the largest number
            // for an unknown content size; nothing makes either.
            let strict = match error.wrong {
                "a zstd block is larger than its window" => true,
                "the zstd blocks cannot hold the content size" => {
                    get_frame_content_size(data).is_ok_and(|size| size.is_none())
                }
                _ => false,
            };
            assert!(
                !decoded || strict || error.kind == Kind::Unsupported,
                "{error}"
            );
        }
    }
});
