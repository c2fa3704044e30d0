// SPDX-License-Identifier: GPL-2.0

//! Programs and probes that watch the kernel, and operations that BPF adds to it, do not change any
//! verdict.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};

use libbpf_rs::libbpf_sys;

use support::harness::{equal, skip, Context, Result};
use support::load::lockdown;
use support::mount::{tracefs, TRACEFS};
use support::object::Object;

use super::functions::functions;
use super::programs::{attach, probe, Act, Kind};
use super::scene::Scene;

tests! {
    WHEN_NAMED;
    entries_and_returns,
    programs_at_probes,
    probes,
    function_tracer,
    iterators,
    operations,
}

/// Fails unless each verdict stays the same during an interference. `body` starts it, and dropping
/// the result of `body` ends it.
fn changes_nothing<T>(scene: &Scene, body: impl FnOnce() -> Result<T>) -> Result {
    let before = scene.verdicts();
    let interference = body()?;
    let meanwhile = scene.verdicts();
    drop(interference);
    equal("verdicts", meanwhile, before)
}

/// The functions of a load: for files, signatures, hooks and the load itself.
fn on_the_way(name: &str) -> bool {
    let starts = [
        "security_",
        "kexec_",
        "kernel_read",
        "verify_pefile",
        "is_binary_blacklisted",
        "keyring_search",
    ];
    starts.iter().any(|start| name.starts_with(start))
}

/// Programs at the entry and at the return of functions cannot return a value.
fn entries_and_returns() -> Result {
    let scene = Scene::new()?;
    scene.can_attach()?;
    changes_nothing(&scene, || {
        let mut links = Vec::new();
        for function in functions(on_the_way)? {
            for kind in [Kind::Entry(function.id), Kind::Exit(function.id)] {
                // Some functions cannot be attached to.
                let Ok(program) = scene.target.load(kind, Act::Return(0)) else {
                    continue;
                };
                links.extend(attach(&program).ok());
                for value in [1, -1_i64 as u64, 1 << 32] {
                    let refused = scene.target.load(kind, Act::Return(value)).is_err();
                    let what = format!("{}: {value:#x} is refused", function.name);
                    equal(what, refused, true)?;
                }
            }
        }
        equal("none is attached", links.is_empty(), false)?;
        Ok(links)
    })
}

/// The value that a program returns to a probe only decides whether other users of the probe see
/// it.
fn programs_at_probes() -> Result {
    if lockdown() == "confidentiality" {
        return skip("probes are closed");
    }
    let scene = Scene::new()?;
    for value in [0, 1, 1 << 32] {
        let program = scene.target.load(Kind::Kprobe, Act::Return(value))?;
        changes_nothing(&scene, || {
            let names = functions(on_the_way)?;
            let probed = names
                .iter()
                .filter_map(|function| probe(&program, &function.name).ok())
                .take(20)
                .collect::<Vec<_>>();
            equal("none is probed", probed.is_empty(), false)?;
            Ok(probed)
        })?;
    }
    Ok(())
}

/// Skips the test where lockdown closes tracefs.
fn need_tracefs() -> Result {
    match tracefs() {
        true => Ok(()),
        false => skip("tracefs is closed"),
    }
}

fn tell(file: &str, line: &str) -> Result {
    let path = format!("{TRACEFS}/{file}");
    let mut file = OpenOptions::new().append(true).open(&path).context(&path)?;
    file.write_all(line.as_bytes())
        .context(format!("{path}: {line}"))
}

/// Reads the trace. Tracing is off meanwhile.
fn noted() -> Result<String> {
    fs::write(format!("{TRACEFS}/tracing_on"), "0")?;
    let text = fs::read_to_string(format!("{TRACEFS}/trace"))?;
    fs::write(format!("{TRACEFS}/trace"), "")?;
    fs::write(format!("{TRACEFS}/tracing_on"), "1")?;
    Ok(text)
}

/// Probes that trace arguments and return values.
fn probes() -> Result {
    const FUNCTIONS: [&str; 3] = [
        "security_locked_down",
        "kernel_read_file",
        "security_file_permission",
    ];

    need_tracefs()?;
    let scene = Scene::new()?;
    let result = changes_nothing(&scene, || {
        for (number, function) in FUNCTIONS.iter().enumerate() {
            tell(
                "kprobe_events",
                &format!("p:watch/in{number} {function} a=$arg1"),
            )?;
            tell(
                "kprobe_events",
                &format!("r:watch/out{number} {function} r=$retval"),
            )?;
        }
        tell("events/watch/enable", "1")
    });
    let noted = noted()?;
    tell("events/watch/enable", "0")?;
    for number in 0..FUNCTIONS.len() {
        tell("kprobe_events", &format!("-:watch/in{number}"))?;
        tell("kprobe_events", &format!("-:watch/out{number}"))?;
    }
    equal("the probes were hit", noted.contains("out0"), true)?;
    result
}

fn function_tracer() -> Result {
    need_tracefs()?;
    let scene = Scene::new()?;
    let result = changes_nothing(&scene, || {
        for pattern in ["security_*", "kexec_*", "kernel_read*"] {
            tell("set_ftrace_filter", &format!("{pattern}\n"))?;
        }
        tell("current_tracer", "function")
    });
    let noted = noted()?;
    tell("current_tracer", "nop")?;
    fs::write(format!("{TRACEFS}/set_ftrace_filter"), "")?;
    equal(
        "a load was traced",
        noted.contains("kernel_read_file"),
        true,
    )?;
    result
}

/// Iterators list BPF objects, but not those of a load.
fn iterators() -> Result {
    let scene = Scene::new()?;
    let all = functions(|name| name.starts_with("bpf_iter_"))?;
    let mut read = Vec::new();
    for function in &all {
        let Ok(program) = scene
            .target
            .load(Kind::Iterator(function.id), Act::Return(0))
        else {
            continue;
        };
        // SAFETY: No options are fine.
        let link = unsafe {
            let kind = libbpf_sys::BPF_TRACE_ITER;
            libbpf_sys::bpf_link_create(program.as_raw_fd(), 0, kind, std::ptr::null())
        };
        // Some need a parameter.
        if link < 0 {
            continue;
        }
        // SAFETY: It is new.
        let link = unsafe { File::from_raw_fd(link) };
        changes_nothing(&scene, || {
            // SAFETY: The link is one of an iterator.
            let fd = unsafe { libbpf_sys::bpf_iter_create(link.as_raw_fd()) };
            equal("no descriptor of the iterator", fd < 0, false)?;
            // SAFETY: It is new.
            let mut iterator = unsafe { File::from_raw_fd(fd) };
            iterator.read_to_end(&mut Vec::new())?;
            Ok(iterator)
        })
        .context(&function.name)?;
        read.push(function.name.as_str());
    }
    println!("# {}", read.join(" "));
    let maps = ["bpf_iter_bpf_map", "bpf_iter_bpf_prog"];
    equal(
        "maps and programs",
        maps.map(|name| read.contains(&name)),
        [true; 2],
    )
}

/// Operations that BPF adds to the kernel.
fn operations() -> Result {
    const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/operations.o"));

    let scene = Scene::new()?;
    changes_nothing(&scene, || {
        let mut object = Object::new(OBJECT)?;
        let link = object.attach_operations("operations")?;
        Ok((object, link))
    })
}
