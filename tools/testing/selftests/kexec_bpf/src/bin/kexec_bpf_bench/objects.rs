// SPDX-License-Identifier: GPL-2.0

//! Loading an object: by the kernel, from the end of the signature check to the start of the
//! program, and by libbpf.

use std::fs;
use std::mem;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Instant;

use support::harness::{equal, Context, Result};
use support::load::{file, Load};
use support::object::Object;
use support::pe;

use crate::trace::Trace;
use crate::Row;

/// The first 64 KiB of a kernel. A dry run reads only the header of a kernel.
const KERNEL: &str = "/files/kernel";

pub fn run(rounds: u32) -> Result {
    let trace = Trace::new()?;
    for name in ["uki", "zboot"] {
        let object = fs::read(Path::new("/files").join(format!("{name}.bpf.o")))?;
        let image = file(&match name {
            "uki" => pe::image(&[(".linux", &fs::read(KERNEL)?), (".bpf", &object)]),
            _ => fs::read("/files/small-zboot")?,
        })?;
        for round in 0..=rounds {
            let (loaded, events) = trace.of(|| Ok(Load::dry(&image).run()))?;
            equal("errno", loaded.errno, 0).context(loaded.log.join("\n"))?;
            let start = Instant::now();
            let libbpf = Object::new(&object)?;
            let nsecs = start.elapsed().as_nanos() as u64;
            let row = Row {
                what: "object",
                case: name,
                size: object.len() as u64,
                round,
            };
            if round > 0 {
                row.put("kernel", events.loading());
                row.put("libbpf", nsecs);
                row.put("instructions", verified(&libbpf)?);
            }
        }
    }
    Ok(())
}

/// The number of instructions that the verifier processed.
fn verified(object: &Object) -> Result<u64> {
    let mut info = libbpf_sys::bpf_prog_info::default();
    let mut len = mem::size_of_val(&info) as u32;
    let fd = object.program().as_raw_fd();
    // SAFETY: There is room for as much as is said, and no pointer in it.
    let result = unsafe { libbpf_sys::bpf_prog_get_info_by_fd(fd, &mut info, &mut len) };
    equal("bpf_prog_get_info_by_fd", result, 0)?;
    Ok(info.verified_insns.into())
}
