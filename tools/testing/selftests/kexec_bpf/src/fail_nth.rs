// SPDX-License-Identifier: GPL-2.0

//! Loads in which one allocation of the kernel fails.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;

use crate::harness::{equal, skip, Context, Result};
use crate::load::{bpf_ids, loaded, Load};
use crate::mount::{debugfs, DEBUGFS};

const NTH: &str = "/proc/thread-self/fail-nth";

/// Prepares the kernel to fail allocations that may sleep: nearly all allocations of a load may.
fn prepare() -> Result<File> {
    let Ok(nth) = OpenOptions::new().read(true).write(true).open(NTH) else {
        return skip(format!("there is no {NTH}"));
    };
    if !debugfs() {
        return skip("lockdown closes debugfs, by which allocations are made to fail");
    }
    for (file, value) in [
        ("failslab/ignore-gfp-wait", "N"),
        ("failslab/verbose", "0"),
        ("fail_page_alloc/ignore-gfp-wait", "N"),
        ("fail_page_alloc/ignore-gfp-highmem", "N"),
        ("fail_page_alloc/min-order", "0"),
        ("fail_page_alloc/verbose", "0"),
    ] {
        let path = format!("{DEBUGFS}/{file}");
        fs::write(&path, value).context(path)?;
    }
    Ok(nth)
}

/// Loads again and again. In each load another allocation fails, every `step`-th in turn, until a
/// load ends before its turn comes. That load has to end with `errno`, and its log has to contain
/// `says`. Other loads may end so too, because the kernel can do without some allocations; else
/// they have to end with `ENOMEM`.
pub fn fails(load: &Load<'_>, step: usize, errno: i32, says: &str) -> Result {
    let nth = prepare()?;
    let mut log = vec![b'.'; 1 << 16];
    // The first load allocates memory that the kernel keeps.
    equal("errno", load.run_with(&mut log), errno)?;
    let before = bpf_ids();
    let mut wrong = String::new();
    let mut refused = 0;
    for n in (1..).step_by(step) {
        log[0] = 0;
        nth.write_at(n.to_string().as_bytes(), 0)?;
        let got = load.run_with(&mut log);
        let mut left = [0; 16];
        let len = nth.read_at(&mut left, 0)?;
        nth.write_at(b"0", 0)?;
        let failed = left[..len].starts_with(b"0");
        let end = log.iter().position(|&byte| byte == 0).unwrap_or(0);
        let text = String::from_utf8_lossy(&log[..end]).into_owned();
        match got {
            _ if !failed => {
                equal("errno in the end", got, errno).context(&text)?;
                equal("what it says in the end", text.contains(says), true).context(text)?;
                break;
            }
            got if got == errno && text.contains(says) => (),
            libc::ENOMEM if text.ends_with("not loaded: -12\n") => refused += 1,
            // There was no memory for the log.
            libc::ENOMEM if text.is_empty() => (),
            _ => wrong += &format!("allocation {n}: errno {got}, log:\n{text}"),
        }
    }
    equal("numbers of programs, maps and BTF", bpf_ids(), before)?;
    equal("a kernel is loaded", loaded()?, false)?;
    equal("there were refusals", refused > 0, true)?;
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.into()),
    }
}
