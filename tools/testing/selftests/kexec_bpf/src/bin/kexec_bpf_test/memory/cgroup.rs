// SPDX-License-Identifier: GPL-2.0

//! A load gives its memory back. The memory is charged to the cgroup of the process, whose limit
//! holds.

use std::cell::Cell;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};

use support::cgroup::Cgroup;
use support::child::{Child, End, Plan};
use support::embedded::{ask, CMDLINE, PIECES, PUT, RETURN};
use support::harness::{equal, Context, Result};
use support::load::{bpf_ids, file, image, loaded, Load, Loaded};
use support::meminfo::held;

tests! {
    ON_X86_64;
    all_is_given_back,
    limit_kills,
    limit_refuses,
}

/// How often each case runs: often enough that a page lost each time exceeds the noise. Of memory
/// that is charged to the cgroup, a KiB lost each time does.
const TIMES: u32 = 32;
const NOISE: u64 = TIMES as u64 * 4096 / 2;

/// Fails unless many runs of a load leave no memory, programs, maps or BTF behind.
fn gives_all_back(load: &Load<'_>) -> Result {
    let run = |times| -> Result {
        let cgroup = Cgroup::new()?;
        let plan = Plan {
            times,
            joins: Some(cgroup.procs()),
        };
        let (end, _) = Child::with_plan(load, &plan)?.wait()?;
        equal("it returned", matches!(end, End::Returned(_)), true)?;
        cgroup.all_given_back()
    };
    // The first runs allocate memory that the kernel keeps.
    run(2)?;
    let ids = bpf_ids();
    let mut lost = 0;
    // Others allocate memory as well, but not in each round. A leak is there in each round.
    for _ in 0..4 {
        let before = held()?;
        run(TIMES)?;
        equal("numbers of programs, maps and BTF", bpf_ids(), ids.clone())?;
        equal("a kernel is loaded", loaded()?, false)?;
        lost = held()?.saturating_sub(before);
        if lost < NOISE {
            return Ok(());
        }
    }
    Err(format!("{lost} bytes are lost in {TIMES} runs").into())
}

/// There is a load for each place where one can end.
fn all_is_given_back() -> Result {
    let text = file(b"text")?;
    let fine = file(&image("small")?)?;
    for name in [
        "small",
        "nested-2",
        "unsigned",
        "revoked",
        "nobpf",
        "text",
        "over",
        "forbidden_helper",
        "binds_nothing",
        "returns_seven",
        "largest_private_data",
    ] {
        gives_all_back(&Load::dry(&file(&image(name)?)?)).context(name)?;
    }
    gives_all_back(&Load::dry(&text)).context("text")?;
    let initrd = Load {
        initrd: text.as_raw_fd(),
        cmdline: b"quiet",
        ..Load::dry(&fine)
    };
    gives_all_back(&initrd).context("initrd and command line")?;
    let private = file(&image("obey")?)?;
    for (op, a, b) in [
        (RETURN, 1, 0),
        (PUT, 65, 4096),
        (PIECES, 257, 0),
        (CMDLINE, 4096, 0),
    ] {
        let data = ask(op, a, b)?;
        let load = Load {
            map: data.as_fd().as_raw_fd(),
            ..Load::dry(&private)
        };
        gives_all_back(&load).context(format!("private, {op}"))?;
    }
    Ok(())
}

/// The steps between the limits that are tried, in bytes.
const STEP: u64 = 1 << 17;
const STEPS: u64 = 200;

/// Loads with growing limits until one is enough. Calls `check` with the loads before that.
fn growing_limits(
    image: &File,
    check: impl Fn(End, &Loaded, &Cgroup) -> Result,
    adjust: &str,
) -> Result<u64> {
    for step in 1..STEPS {
        let cgroup = Cgroup::new()?;
        cgroup.limit(step * STEP)?;
        let plan = Plan {
            times: 1,
            joins: Some(cgroup.procs()),
        };
        fs::write("/proc/self/oom_score_adj", adjust)?;
        let child = Child::with_plan(&Load::dry(image), &plan);
        fs::write("/proc/self/oom_score_adj", "0")?;
        let (end, loaded) = child?.wait()?;
        let enough = end == End::Returned(0);
        if !enough {
            check(end, &loaded, &cgroup).context(format!(
                "{} bytes: {}",
                step * STEP,
                loaded.log.join("\n")
            ))?;
        }
        cgroup.all_given_back()?;
        if enough {
            return Ok(step);
        }
    }
    Err("no limit is enough".into())
}

/// Fails unless the load ended with `ENOMEM`. If there was no memory for the log, it is empty.
fn told(end: End, loaded: &Loaded) -> Result {
    equal("end", end, End::Returned(libc::ENOMEM))?;
    match loaded.log.last() {
        Some(last) => equal("last line", last.as_str(), "not loaded: -12"),
        None => Ok(()),
    }
}

/// The limit kills the process, unless it is met in an allocation that does not wait for memory.
/// Maps are allocated that way.
fn limit_kills() -> Result {
    let image = file(&image("small")?)?;
    let ids = bpf_ids();
    let killed = Cell::new(0);
    let steps = growing_limits(
        &image,
        |end, loaded, cgroup| match end {
            End::Killed(libc::SIGKILL) => {
                killed.set(killed.get() + 1);
                equal("killed for want of memory", cgroup.killed()?, 1)
            }
            _ => told(end, loaded),
        },
        "0",
    )?;
    equal("there were limits that are too low", steps > 2, true)?;
    equal("most of them killed", killed.get() > steps / 2, true)?;
    equal("numbers of programs, maps and BTF", bpf_ids(), ids)
}

/// A process that must not be killed gets an error instead.
fn limit_refuses() -> Result {
    let image = file(&image("small")?)?;
    let ids = bpf_ids();
    let with_log = Cell::new(0);
    let steps = growing_limits(
        &image,
        |end, loaded, _| {
            with_log.set(with_log.get() + u64::from(!loaded.log.is_empty()));
            told(end, loaded)
        },
        "-1000",
    )?;
    equal("there were limits that are too low", steps > 2, true)?;
    equal("most of them left a log", with_log.get() > steps / 2, true)?;
    equal("numbers of programs, maps and BTF", bpf_ids(), ids)
}
