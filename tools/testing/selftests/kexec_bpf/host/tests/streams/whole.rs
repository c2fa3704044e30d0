// SPDX-License-Identifier: GPL-2.0

//! Decompression as a whole: lengths, limits, the budget, signals.

use super::encoders::{
    gzip,
    inputs,
    lz4,
    lzop,
    streams, //
};
use kernel::bindings;
use kexec_bpf_host::buffer::Buffer;
use kexec_bpf_host::decompress::{
    run,
    OutputLen,
    FORMATS, //
};
use kexec_bpf_host::error::Kind;
use kexec_bpf_host::klib::{
    budget,
    kill_after,
    set_budget, //
};

const LIMIT: u64 = 1 << 30;

fn decompress(src: &[u8], algo: u32, want: OutputLen) -> Result<Vec<u8>, Kind> {
    let before = budget();
    let result = run(src, algo.into(), want, &mut Buffer::new);
    let result = match result {
        Ok(out) => Ok(out.to_vec()),
        Err(error) => Err(error.kind),
    };
    assert_eq!(budget(), before);
    result
}

#[test]
fn each_algorithm_of_the_interface_has_a_format() {
    let header = include_str!("../../../../../../../include/uapi/linux/kexec_bpf.h");
    let (_, algorithms) = header.split_once("enum bpf_kexec_algo {").unwrap();
    let (algorithms, _) = algorithms.split_once('}').unwrap();
    let names = algorithms.matches("BPF_KEXEC_").count();
    assert_eq!(names, FORMATS.len() + 1);
    let encoded = streams(b"");
    for (index, format) in FORMATS.iter().enumerate() {
        let is_same = |algorithm| algorithm == format.algorithm;
        assert!(!FORMATS[..index]
            .iter()
            .any(|other| is_same(other.algorithm)));
        assert!(encoded.iter().any(|(algorithm, _)| is_same(*algorithm)));
    }
    let by_magic = bindings::bpf_kexec_algo_BPF_KEXEC_BY_MAGIC;
    let refused = decompress(b"not compressed", by_magic, OutputLen::AtMost(LIMIT));
    assert_eq!(refused, Err(Kind::Unsupported));
}

#[test]
fn lengths() {
    for input in inputs() {
        let len = input.len() as u64;
        for (algo, data) in streams(&input) {
            for want in [
                OutputLen::Exactly(len),
                OutputLen::AtMost(len),
                OutputLen::AtMost(len + 1),
                OutputLen::AtMost(LIMIT),
            ] {
                for algo in [algo, bindings::bpf_kexec_algo_BPF_KEXEC_BY_MAGIC] {
                    let output = decompress(&data, algo, want);
                    assert!(output.as_ref() == Ok(&input), "{algo} {want:?}");
                }
            }
            for other in [len + 1, len.wrapping_sub(1), LIMIT] {
                let refused = decompress(&data, algo, OutputLen::Exactly(other));
                assert_eq!(refused, Err(Kind::Malformed), "{algo} {other}");
            }
            if len != 0 {
                let refused = decompress(&data, algo, OutputLen::AtMost(len - 1));
                assert_eq!(refused, Err(Kind::TooBig), "{algo}");
            }
        }
    }
}

#[test]
fn ends() {
    for input in inputs().into_iter().filter(|input| input.len() > 1) {
        for (algo, data) in streams(&input) {
            let whole = OutputLen::Exactly(input.len() as u64);
            for (damaged, what) in [
                (&data[..data.len() - 1], "shorter"),
                (&[&data[..], &[0]].concat(), "longer"),
                (&[&data[..], &data].concat(), "twice"),
            ] {
                let refused = decompress(damaged, algo, whole);
                assert_eq!(refused, Err(Kind::Malformed), "{algo} {what}");
            }
        }
    }
}

#[test]
fn the_budget_is_kept() {
    let before = budget();
    for input in inputs().into_iter().filter(|input| !input.is_empty()) {
        let len = input.len() as u64;
        for (algo, data) in streams(&input) {
            for (budget, want) in [(len, Ok(())), (len - 1, Err(Kind::TooBig))] {
                set_budget(budget);
                let output = decompress(&data, algo, OutputLen::Exactly(len));
                assert_eq!(output.map(|_| ()), want, "{algo}");
            }
        }
    }
    set_budget(before);
}

/// zstd decodes at once, and so does xz here.
#[test]
fn signals() {
    let large = &vec![7; 3_000_000][..];
    for (data, looks) in [(gzip(large), 2), (lz4(large), 12), (lzop(large), 12)] {
        for end in 0..=looks {
            kill_after(end);
            let by_magic = bindings::bpf_kexec_algo_BPF_KEXEC_BY_MAGIC;
            let output = decompress(&data, by_magic, OutputLen::AtMost(LIMIT));
            let want = if end < looks {
                Err(Kind::Interrupted)
            } else {
                Ok(3_000_000)
            };
            assert_eq!(output.map(|output| output.len()), want, "{end}");
        }
        kill_after(u32::MAX);
    }
}
