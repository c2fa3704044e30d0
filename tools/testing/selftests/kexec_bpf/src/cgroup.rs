// SPDX-License-Identifier: GPL-2.0

//! Memory cgroups (v2): limits, and exact accounts of what the kernel holds for a process.

use std::fs::{self, File, OpenOptions};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::harness::{skip, Context, Result};

const ROOT: &str = "/sys/fs/cgroup";
/// The kernel frees some memory after a grace period. It has done so by then.
const HANG: Duration = Duration::from_secs(60);

/// The bytes of slab memory that may stay charged: each CPU batches up to a page of charges, and
/// some objects are freed only together with the others of their slab.
const SLABS: u64 = 1 << 15;

/// A cgroup.
pub struct Cgroup {
    path: PathBuf,
    procs: File,
}

impl Cgroup {
    /// A new cgroup.
    pub fn new() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let control = format!("{ROOT}/cgroup.subtree_control");
        if !fs::exists(&control)? {
            return skip(format!("there is no {control}"));
        }
        fs::write(&control, "+memory").context(control)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("{ROOT}/kexec_bpf_test.{number}"));
        fs::create_dir(&path)?;
        let procs = OpenOptions::new()
            .write(true)
            .open(path.join("cgroup.procs"))?;
        Ok(Self { path, procs })
    }

    /// The descriptor by which a process joins.
    pub fn procs(&self) -> &File {
        &self.procs
    }

    /// Sets `memory.max`.
    pub fn limit(&self, bytes: u64) -> Result {
        Ok(fs::write(self.path.join("memory.max"), bytes.to_string())?)
    }

    /// The number beside a name, in a file whose lines have a name and a number each.
    fn number(&self, file: &str, name: &str) -> Result<u64> {
        let text = fs::read_to_string(self.path.join(file))?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line
            .ok_or_else(|| format!("{file} has no {name}"))?
            .parse()?)
    }

    /// How many of its processes were killed because it ran out of memory.
    pub fn killed(&self) -> Result<u64> {
        self.number("memory.events", "oom_kill")
    }

    /// The bytes that the kernel holds for it, by kind.
    pub fn held(&self) -> Result<Vec<(&'static str, u64)>> {
        [
            "vmalloc",
            "percpu",
            "slab_unreclaimable",
            "kernel_stack",
            "pagetables",
        ]
        .into_iter()
        .map(|kind| Ok((kind, self.number("memory.stat", kind)?)))
        .collect()
    }

    /// Fails unless the kernel gives back all memory that it held. It frees some of it after a
    /// grace period.
    pub fn all_given_back(&self) -> Result {
        let start = Instant::now();
        loop {
            let held = self.held()?;
            let exact = |&(kind, bytes)| match kind {
                "slab_unreclaimable" => bytes <= SLABS,
                _ => bytes == 0,
            };
            if held.iter().all(exact) {
                return Ok(());
            }
            take_back();
            if start.elapsed() > HANG {
                return Err(format!("the kernel holds {held:?}").into());
            }
            sleep(Duration::from_millis(20));
        }
    }
}

/// Makes the allocators give up freed memory that they keep: each CPU keeps some objects of each
/// cache, and KASAN keeps many, to notice their use after they were freed.
pub fn take_back() {
    let caches = fs::read_dir("/sys/kernel/slab").into_iter().flatten();
    for cache in caches.flatten() {
        let _ = fs::write(cache.path().join("shrink"), "1");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}
