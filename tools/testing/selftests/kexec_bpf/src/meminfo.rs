// SPDX-License-Identifier: GPL-2.0

//! The machine's memory, by /proc/meminfo.

use std::fs;

use crate::cgroup::take_back;
use crate::harness::Result;

/// A value of /proc/meminfo in bytes.
pub fn meminfo(name: &str) -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let line = lines.find(|line| line.0 == name);
    let (_, value) = line.ok_or_else(|| format!("/proc/meminfo has no {name}"))?;
    let kib: u64 = value.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// The most bytes that all loads can take: half of the memory.
pub fn budget() -> Result<u64> {
    Ok(meminfo("MemTotal")? / 2)
}

/// The bytes that the kernel holds, whoever they are charged to. The number of free pages would be
/// inexact, because CPUs keep some.
pub fn held() -> Result<u64> {
    take_back();
    ["VmallocUsed", "SUnreclaim", "Percpu"]
        .iter()
        .map(|name| meminfo(name))
        .sum()
}
