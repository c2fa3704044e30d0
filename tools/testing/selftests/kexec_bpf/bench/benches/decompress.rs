// SPDX-License-Identifier: GPL-2.0

//! Measures each library on the payloads in the directory `$PAYLOADS`: NAME.gz is a gzip member,
//! NAME.zst a zstd frame and behind it the length of its output. Other files are ignored.

use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use criterion::{BenchmarkId, Criterion, SamplingMode};
use kexec_bpf_bench::{small_pages, GZIP, ZSTD};

fn measure(criterion: &mut Criterion, path: &Path) {
    let data = fs::read(path).unwrap();
    let (frame, len) = data.split_last_chunk().unwrap();
    let (src, libraries) = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => (&data[..], GZIP),
        Some("zst") => (frame, ZSTD),
        _ => return,
    };
    // Filled with another value than zero, so that its pages are allocated.
    let mut out = vec![1; u32::from_le_bytes(*len) as usize];
    let mut group = criterion.benchmark_group(path.file_name().unwrap().to_str().unwrap());
    group.sampling_mode(SamplingMode::Flat);
    for (name, decompress) in libraries {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| decompress(src, &mut out));
        });
    }
}

fn main() {
    small_pages();
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let directory = env::var_os("PAYLOADS").expect("$PAYLOADS is not set");
    let mut paths: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        measure(&mut criterion, &path);
    }
}
