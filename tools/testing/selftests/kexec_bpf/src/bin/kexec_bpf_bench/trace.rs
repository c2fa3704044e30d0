// SPDX-License-Identifier: GPL-2.0

//! The time and memory that the parts of a load take, by kprobes on a dozen functions. A load calls
//! each of them only a few times, so the probes cost little.

use std::ffi::CStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::time::Instant;

use support::harness::{Context, Result};

const DIR: &str = "/sys/kernel/tracing";

/// Functions, and the parts of a load that they do. The times of functions for the same part are
/// added. Some functions are here because memory use peaks when they begin or end.
const PROBES: &[(&str, &str)] = &[
    ("size", "kexec_bpf_file_size"),
    ("allocate", "vrealloc_node_align_noprof"),
    ("read", "kexec_bpf_read_file"),
    ("verify", "kexec_bpf_verify_pe"),
    ("hash", "pefile_hash_pe"),
    ("run", "kexec_bpf_prog_run"),
    ("decompress", "bpf_kexec_decompress"),
    ("raw", "zlib_inflate"),
    // The checksum of gzip, which its decoder leaves to the caller.
    ("raw", "crc32_le"),
    ("raw", "zstd_decompress_dctx"),
    ("raw", "xz_dec_run"),
    ("raw", "LZ4_decompress_safe"),
    ("probe", "kexec_bpf_probe"),
    ("install", "kexec_bpf_install"),
    ("digests", "kexec_calculate_store_digests"),
    ("segments", "kimage_load_segment"),
];

/// The number of free pages is the first counter of a zone.
const FREE: &str = "free=@vm_zone_stat:u64";

/// A function was entered or left.
struct Event {
    name: String,
    enters: bool,
    /// In nanoseconds.
    at: u64,
    /// Pages.
    free: u64,
}

/// The probes, until this is dropped.
pub struct Trace;

impl Trace {
    /// Sets the probes. Leaves out functions that the compiler inlined.
    pub fn new() -> Result<Self> {
        let [source, target, kind] =
            [c"tracefs", c"/sys/kernel/tracing", c"tracefs"].map(CStr::as_ptr);
        // SAFETY: These are strings that end with a NUL, and there is no data.
        if unsafe { libc::mount(source, target, kind, 0, std::ptr::null()) } != 0 {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::EBUSY) {
                return Err(error).context("tracefs");
            }
        }
        write("trace_clock", "mono")?;
        write("buffer_size_kb", "4096")?;
        for (index, (name, function)) in PROBES.iter().enumerate() {
            let entry = append(
                "kprobe_events",
                &format!("p:kb/e_{name}_{index} {function} {FREE}"),
            );
            if entry.is_ok() {
                append(
                    "kprobe_events",
                    &format!("r:kb/x_{name}_{index} {function} {FREE}"),
                )?;
            }
        }
        write("events/kb/enable", "1")?;
        Ok(Self)
    }

    /// Runs `body`. Returns its result and the events meanwhile.
    pub fn of<T>(&self, body: impl FnOnce() -> Result<T>) -> Result<(T, Events)> {
        write("trace", "")?;
        let start = Instant::now();
        let result = body()?;
        let nsecs = start.elapsed().as_nanos() as u64;
        let text = fs::read_to_string(format!("{DIR}/trace"))?;
        let events = text.lines().filter_map(event).collect();
        Ok((result, Events { nsecs, events }))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = write("events/kb/enable", "0");
        let _ = write("kprobe_events", "");
    }
}

fn write(file: &str, text: &str) -> Result {
    fs::write(format!("{DIR}/{file}"), text).context(file)
}

fn append(file: &str, text: &str) -> Result {
    let mut file = OpenOptions::new()
        .append(true)
        .open(format!("{DIR}/{file}"))?;
    Ok(file.write_all(text.as_bytes())?)
}

/// Reads `task-1 [000] ..... 12.345678: e_read_0: (...) free=1000`.
fn event(line: &str) -> Option<Event> {
    let mut words = line.split_whitespace();
    let time = words
        .by_ref()
        .find(|word| word.ends_with(':') && word.contains('.'))?;
    let (seconds, fraction) = time.trim_end_matches(':').split_once('.')?;
    let name = words.next()?.trim_end_matches(':');
    let (edge, name) = name.split_once('_')?;
    let (name, _) = name.rsplit_once('_')?;
    let micros: u64 = fraction.parse().ok()?;
    Some(Event {
        name: name.into(),
        enters: edge == "e",
        at: seconds.parse::<u64>().ok()? * 1_000_000_000 + micros * 1000,
        free: words.last()?.strip_prefix("free=")?.parse().ok()?,
    })
}

/// The events of a run.
pub struct Events {
    /// How long it took.
    pub nsecs: u64,
    events: Vec<Event>,
}

impl Events {
    /// The time in functions of this name.
    pub fn within(&self, name: &str) -> u64 {
        let edges = self.events.iter().filter(|event| event.name == name);
        edges.fold(0, |sum: u64, event| match event.enters {
            true => sum.wrapping_sub(event.at),
            false => sum.wrapping_add(event.at),
        })
    }

    /// The time that loading objects takes: from the signature check to the first run of a program,
    /// and from each run to the next.
    pub fn loading(&self) -> u64 {
        let mut from = None;
        let mut sum = 0;
        for event in &self.events {
            match (event.name.as_str(), event.enters) {
                ("verify" | "run", false) => from = Some(event.at),
                ("run", true) => sum += event.at - from.take().unwrap_or(event.at),
                _ => (),
            }
        }
        sum
    }

    /// The peak of memory use over that at the start, in bytes.
    pub fn peak(&self) -> u64 {
        // SAFETY: There are no requirements.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
        let free = || self.events.iter().map(|event| event.free);
        let before = free().next().unwrap_or_default();
        page * before.saturating_sub(free().min().unwrap_or_default())
    }
}
