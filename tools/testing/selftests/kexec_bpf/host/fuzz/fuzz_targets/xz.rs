// SPDX-License-Identifier: GPL-2.0

//! xz streams beside the library.

#![no_main]

use kexec_bpf_host::decompress::xz::output_len;
use kexec_bpf_host::error::Kind;
use libfuzzer_sys::fuzz_target;
use liblzma::stream::{
    Action,
    Status,
    Stream,
    IGNORE_CHECK, //
};

/// Longer output, or more memory, is not tried.
const OUTPUT_MAX: usize = 1 << 20;
const MEMORY_MAX: u64 = 64 << 20;

fuzz_target!(|data: &[u8]| {
    let ours = output_len(data);
    let mut decoder = Stream::new_stream_decoder(MEMORY_MAX, IGNORE_CHECK).unwrap();
    let mut output = Vec::with_capacity(OUTPUT_MAX);
    let status = decoder.process_vec(data, &mut output, Action::Finish);
    if status == Ok(Status::StreamEnd) && decoder.total_in() == data.len() as u64 {
        match ours {
            Ok(len) => assert_eq!(len, output.len() as u64),
            Err(error) => assert_eq!(error.kind, Kind::Unsupported, "{error}"),
        }
    }
});
