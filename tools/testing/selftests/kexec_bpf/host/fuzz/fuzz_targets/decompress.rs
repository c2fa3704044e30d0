// SPDX-License-Identifier: GPL-2.0

//! Decompression as a whole, of any format: limits, lengths, and the budget.

#![no_main]

use kexec_bpf_host::buffer::Buffer;
use kexec_bpf_host::decompress::{run, OutputLen};
use kexec_bpf_host::error::{Kind, ParseError};
use kexec_bpf_host::klib::{budget, set_budget};
use libfuzzer_sys::fuzz_target;

/// Longer output is not tried.
const LIMIT: u64 = 1 << 20;
/// The room for a block of lz4 too.
const BUDGET: u64 = LIMIT + (8 << 20);

fn decompress(src: &[u8], want: OutputLen) -> Result<Buffer, ParseError> {
    let result = run(src, 0, want, &mut Buffer::new);
    if result.is_err() {
        assert_eq!(budget(), BUDGET);
    }
    result
}

fn kind(src: &[u8], want: OutputLen) -> Option<Kind> {
    decompress(src, want).err().map(|error| error.kind)
}

fuzz_target!(|src: &[u8]| {
    set_budget(BUDGET);
    let Ok(out) = decompress(src, OutputLen::AtMost(LIMIT)) else {
        return;
    };
    let len = out.len() as u64;
    assert!(len <= LIMIT && budget() <= BUDGET - len);
    let bytes = out.to_vec();
    drop(out);
    assert_eq!(budget(), BUDGET);

    for want in [OutputLen::Exactly(len), OutputLen::AtMost(len)] {
        assert!(decompress(src, want).is_ok_and(|again| again[..] == bytes));
    }
    assert_eq!(
        kind(src, OutputLen::Exactly(len + 1)),
        Some(Kind::Malformed)
    );
    if len != 0 {
        assert_eq!(
            kind(src, OutputLen::Exactly(len - 1)),
            Some(Kind::Malformed)
        );
        assert_eq!(kind(src, OutputLen::AtMost(len - 1)), Some(Kind::TooBig));
    }
});
