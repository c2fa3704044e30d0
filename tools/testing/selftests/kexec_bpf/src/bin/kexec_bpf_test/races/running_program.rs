// SPDX-License-Identifier: GPL-2.0

//! Other processes cannot get hold of a program while it runs. It waits for a file until the test
//! is done.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};

use support::child::{Child, End};
use support::embedded::{ask, READ_FD};
use support::fuse::{Fuse, Mode};
use support::harness::{equal, Context, Result};
use support::load::{bpf_ids, file, image, Load};
use support::mount::{tracefs, TRACEFS};

tests! {
    ON_X86_64.and_confidentiality();
    no_descriptors_and_no_mappings,
    no_numbers,
    no_links,
    no_probe_on_its_symbol,
}

/// Calls `body` while the program of a child runs. Then lets it end.
fn while_it_runs(body: impl FnOnce(&Child) -> Result) -> Result {
    let fuse = Fuse::mount(4, Mode::Direct)?;
    let data = ask(READ_FD, fuse.file().as_raw_fd().into(), 0)?;
    let image = file(&image("obey")?)?;
    let child = Child::start(&Load {
        map: data.as_fd().as_raw_fd(),
        ..Load::dry(&image)
    })?;
    let asked = fuse.asked().context(child.log())?;
    let result = body(&child);
    fuse.answer(&asked, b"text");
    let (end, loaded) = child.wait()?;
    result?;
    equal("end", end, End::Returned(libc::ECANCELED)).context(loaded.log.join("\n"))?;
    // It returns the first handle.
    loaded.refused(libc::ECANCELED, "program returned 4")
}

fn names(path: &str) -> Result<BTreeSet<String>> {
    fs::read_dir(path)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

fn no_descriptors_and_no_mappings() -> Result {
    while_it_runs(|child| {
        // Reading the directory takes a descriptor of ours.
        let theirs = names(&format!("/proc/{}/fd", child.pid()))?;
        let ours = names("/proc/self/fd")?;
        let more: Vec<_> = theirs.difference(&ours).collect();
        equal("descriptors that we have not", more, vec![])?;
        let mappings = |process: &str| -> Result<BTreeSet<String>> {
            let text = fs::read_to_string(format!("/proc/{process}/maps"))?;
            let places = text.lines().filter_map(|line| line.split(' ').next());
            Ok(places.map(Into::into).collect())
        };
        let theirs = mappings(&child.pid().to_string())?;
        let more: Vec<_> = theirs.difference(&mappings("self")?).cloned().collect();
        equal("mappings that we have not", more, vec![])
    })
}

/// Asks `bpf(2)` for a descriptor of the object with this ID. Returns the errno, or 0.
fn by_id(open: unsafe extern "C" fn(u32) -> i32, id: u32) -> i32 {
    // SAFETY: There are no requirements.
    let fd = unsafe { open(id) };
    if fd >= 0 {
        // SAFETY: It is new.
        unsafe { libc::close(fd) };
    }
    -fd.min(0)
}

fn no_numbers() -> Result {
    let before = bpf_ids();
    while_it_runs(|_| {
        let known = bpf_ids();
        equal("programs", &known[0], &before[0])?;
        // The map with the private data is the test's own.
        equal("number of maps", known[1].len(), before[1].len() + 1)?;
        equal("BTF", &known[2], &before[2])?;
        let open: [unsafe extern "C" fn(u32) -> i32; 3] = [
            libbpf_sys::bpf_prog_get_fd_by_id,
            libbpf_sys::bpf_map_get_fd_by_id,
            libbpf_sys::bpf_btf_get_fd_by_id,
        ];
        for (known, open) in known.iter().zip(open) {
            // The load's own objects have 0 in place of an ID.
            for id in 0..known.last().copied().unwrap_or(0) + 64 {
                let want = if known.contains(&id) { 0 } else { libc::ENOENT };
                equal(format!("number {id}"), by_id(open, id), want)?;
            }
        }
        Ok(())
    })
}

fn no_links() -> Result {
    while_it_runs(|_| {
        let mut id = 0;
        // SAFETY: `id` is there for the call to write to.
        let got = unsafe { libbpf_sys::bpf_link_get_next_id(0, &mut id) };
        equal("next link after none", -got, libc::ENOENT)
    })
}

/// The addresses and symbols of programs with this name.
fn symbols(name: &str) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string("/proc/kallsyms")?;
    let lines = text.lines().filter(|line| line.contains("[bpf]"));
    let symbols = lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_string(), words.nth(1)?.to_string()))
    });
    Ok(symbols
        .filter(|(_, symbol)| symbol.ends_with(name))
        .collect())
}

const CLOSED: [i32; 2] = [libc::EPERM, libc::ENOENT];

/// The symbol of the program is visible, but it cannot be probed or traced.
fn no_probe_on_its_symbol() -> Result {
    // Lockdown "confidentiality" closes tracefs: its files do not exist, or do not open.
    let closed = !tracefs();
    // This is off by default on riscv.
    fs::write("/proc/sys/net/core/bpf_jit_kallsyms", "1")?;
    let write = |file: &str, line: &str| -> Result<i32> {
        let result = OpenOptions::new()
            .append(true)
            .open(format!("{TRACEFS}/{file}"))
            .and_then(|mut file| file.write_all(line.as_bytes()));
        Ok(errno(&result))
    };
    while_it_runs(|_| {
        let found = symbols("_obey")?;
        equal("number of symbols", found.len(), 1)?;
        for (address, symbol) in found {
            for (what, line) in [
                ("symbol", format!("p:grab {symbol}")),
                ("address", format!("p:grab 0x{address}")),
                ("return", format!("r:grab {symbol}")),
            ] {
                let got = write("kprobe_events", &line)?;
                let refused = match closed {
                    true => CLOSED.contains(&got),
                    // Probes do not know the symbol, or it is outside the kernel's text.
                    false => [libc::ENOENT, libc::EINVAL, libc::EILSEQ].contains(&got),
                };
                equal(format!("probe by {what}: errno {got}"), refused, true)?;
            }
            let got = write("set_ftrace_filter", &format!("{symbol}\n"))?;
            let refused = match closed {
                true => CLOSED.contains(&got),
                false => got == libc::EINVAL,
            };
            equal(format!("function filter: errno {got}"), refused, true)?;
        }
        Ok(())
    })?;
    if closed {
        return Ok(());
    }
    // Other functions can be probed.
    let other = write("kprobe_events", "p:other vfs_read")?;
    equal("another probe", other, 0)?;
    equal("without it", write("kprobe_events", "-:other")?, 0)
}

fn errno<T>(result: &io::Result<T>) -> i32 {
    let error = result.as_ref().err();
    error.map_or(0, |error| error.raw_os_error().unwrap_or(-1))
}
