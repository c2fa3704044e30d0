// SPDX-License-Identifier: GPL-2.0

//! lz4 legacy frames: the bound, compared with the output of a library.

#![no_main]

use kexec_bpf_host::decompress::lz4::{
    Frame,
    BLOCK_MAX, //
};
use libfuzzer_sys::fuzz_target;
use lz4_flex::block::decompress_into;

/// Longer output is not tried.
const OUTPUT_MAX: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let Ok(mut frame) = Frame::parse(data) else {
        return;
    };
    let mut output = vec![0; OUTPUT_MAX];
    // The blocks and their lengths are all of the data.
    let mut at = 4;
    while let Ok(bound) = frame.bound() {
        let Ok(Some(block)) = frame.next_block() else {
            assert_eq!((at, bound), (data.len(), 0));
            return;
        };
        assert_eq!(&data[at + 4..][..block.len()], block);
        at += 4 + block.len();
        let rest = frame.bound().expect("it was walked before");
        assert!(rest <= bound && bound - rest <= BLOCK_MAX as u64);
        if let Ok(len) = decompress_into(block, &mut output) {
            assert!(len as u64 <= bound - rest);
        }
    }
});
