// SPDX-License-Identifier: GPL-2.0

//! Whole loads: by `kexec_bpf_load(2)`; by `kexec_file_load(2)` of parts that were extracted
//! before; by extracting the parts and then `kexec_file_load(2)`; and by kexec(8) where it supports
//! the kind of image. All read from the page cache.

use std::fs;
use std::os::fd::AsRawFd;

use support::harness::{equal, Context, Result};
use support::load::{unload, Load};

use crate::image::Image;
use crate::tool::Tool;
use crate::trace::{Events, Trace};
use crate::unpack::Parts;
use crate::Row;

/// The parts of a load, in their order. The rest of its time is "rest".
const SPLIT: &[&str] = &[
    "read",
    "verify",
    "hash",
    "decompress",
    "raw",
    "segments",
    "digests",
];

pub fn run(rounds: u32, images: &[Image]) -> Result {
    let trace = Trace::new()?;
    let tool = Tool::new()?;
    // Pages on the lists of CPUs do not count as free, and are used first.
    fs::write("/proc/sys/vm/percpu_pagelist_high_fraction", "1000000")?;
    for image in images {
        let parts = Parts::of(&image.open()?)?;
        let ways = if tool.load(image)? { 4 } else { 3 };
        unload()?;
        tool.clean()?;
        for round in 0..=rounds {
            let row = Row {
                what: "load",
                case: &image.kind,
                size: image.size,
                round,
            };
            // The first round fills the caches, and shows what is charged to the caller.
            if round == 0 {
                Row { round: 1, ..row }.put("charged", charged(|| bpf(image))?);
                unload()?;
                continue;
            }
            row.put("image", image.len);
            row.put("decoded", if image.is_uki() { 0 } else { parts.len()? });
            row.put("parts", parts.len()?);
            // The order changes in each round.
            for turn in 0..ways {
                let way = (round + turn) % ways;
                // The extracted parts are dropped later: that is not a part of the load.
                let ((name, _parts), events) = trace.of(|| match way {
                    0 => bpf(image).map(|()| ("bpf", None)),
                    1 => parts.load().map(|()| ("file", None)),
                    2 => {
                        let parts = Parts::of(&image.open()?)?;
                        parts.load().map(|()| ("unpack", Some(parts)))
                    }
                    _ => {
                        equal("kexec(8) loads it", tool.load(image)?, true)?;
                        Ok(("tool", None))
                    }
                })?;
                unload()?;
                tool.clean()?;
                row.put(name, events.nsecs);
                if name == "bpf" {
                    split(&row, &events);
                }
            }
        }
    }
    Ok(())
}

/// The most bytes that were charged to this process while `body` ran.
fn charged(body: impl FnOnce() -> Result) -> Result<u64> {
    const ROOT: &str = "/sys/fs/cgroup";
    const GROUP: &str = "/sys/fs/cgroup/kexec_bpf_bench";
    fs::write(format!("{ROOT}/cgroup.subtree_control"), "+memory")?;
    fs::create_dir(GROUP)?;
    fs::write(format!("{GROUP}/cgroup.procs"), "0")?;
    body()?;
    let peak = fs::read_to_string(format!("{GROUP}/memory.peak"))?;
    fs::write(format!("{ROOT}/cgroup.procs"), "0")?;
    fs::remove_dir(GROUP)?;
    Ok(peak.trim().parse()?)
}

/// Loads an image.
pub fn bpf(image: &Image) -> Result {
    let file = image.open()?;
    let load = Load {
        flags: 0,
        image: file.as_raw_fd(),
        ..Load::default()
    };
    let loaded = load.run();
    equal("errno", loaded.errno, 0).context(loaded.log.join("\n"))?;
    let signed = loaded.log[0].starts_with("image: signed by ");
    equal("it is verified", signed, true).context(&loaded.log[0])
}

fn split(row: &Row<'_>, events: &Events) {
    for name in SPLIT {
        row.put(name, events.within(name));
    }
    row.put("peak", events.peak());
    row.put("object", events.loading());
    row.put(
        "program",
        events.within("run") - events.within("decompress"),
    );
}
