// SPDX-License-Identifier: GPL-2.0

//! The verdict on a program does not depend on the caller, nor on the system's settings for BPF.

use std::fs;

use support::harness::{equal, Context, Failure, Result};
use support::load::{file, image, with_capabilities, Load, CAP_BPF, CAP_SYS_BOOT};
use support::object::{Object, JIT};

use super::programs::alone;

tests! {
    EVERYWHERE;
    fewest_capabilities,
    settings,
}

/// Images with programs that are accepted, or refused by loader, verifier, kernel or themselves.
const IMAGES: [&str; 8] = [
    "small",
    "nested-4",
    "first",
    "missing_kfunc",
    "pointer_in_data",
    "tail_call",
    "forbidden_helper",
    "unverified_kernel",
];
/// Programs of verifier.bpf.c.
const PROGRAMS: [&str; 7] = [
    "accepted",
    "helper_ktime",
    "kfunc_iterator",
    "may_goto",
    "map_percpu",
    "ctx_write",
    "buffer_constant",
];

/// The result of loading each image.
fn loads() -> Result<Vec<String>> {
    let load = |name| -> Result<_> {
        let run = Load::dry(&file(&image(name)?)?).run();
        Ok(format!("{name}: {}\n{}", run.errno, run.log.join("\n")))
    };
    IMAGES.into_iter().map(load).collect()
}

/// The results of loading each image and each program.
fn verdicts() -> Result<Vec<String>> {
    let mut all = loads()?;
    for name in PROGRAMS {
        let log = match Object::load(alone(name)?) {
            Ok(_) => String::new(),
            Err(Failure::Failed(log)) => log,
            Err(skipped) => return Err(skipped),
        };
        all.push(format!("{name}: {log}"));
    }
    Ok(all)
}

fn same(got: Vec<String>, want: &[String]) -> Result {
    equal("verdicts", got.len(), want.len())?;
    got.iter()
        .zip(want)
        .try_for_each(|(got, want)| equal("verdict", got, want))
}

fn fewest_capabilities() -> Result {
    let want = verdicts()?;
    same(with_capabilities(CAP_SYS_BOOT | CAP_BPF, verdicts)?, &want)?;
    // A load does not need the right to load BPF programs.
    same(
        with_capabilities(CAP_SYS_BOOT, loads)?,
        &want[..IMAGES.len()],
    )
}

/// Runs `body` while a file of /proc/sys has this value.
fn with_setting(path: &str, value: &str, body: impl FnOnce() -> Result) -> Result {
    let before = fs::read_to_string(path).context(path)?;
    fs::write(path, value).context(path)?;
    let result = body();
    fs::write(path, before.trim()).context(path)?;
    result.context(format!("{path} is {value}"))
}

fn settings() -> Result {
    const UNPRIVILEGED: &str = "/proc/sys/kernel/unprivileged_bpf_disabled";
    const HARDEN: &str = "/proc/sys/net/core/bpf_jit_harden";

    let want = verdicts()?;
    let fewest = || same(with_capabilities(CAP_SYS_BOOT | CAP_BPF, verdicts)?, &want);
    for value in ["0", "2"] {
        with_setting(UNPRIVILEGED, value, fewest)?;
    }
    for value in ["0", "1", "2"] {
        with_setting(HARDEN, value, fewest)?;
    }
    // A kernel without the interpreter does not accept 0.
    match fs::write(JIT, "0") {
        Err(error) => equal("errno", error.raw_os_error(), Some(libc::EINVAL)),
        Ok(()) => {
            let loads = loads();
            fs::write(JIT, "1").context(JIT)?;
            same(loads?, &want[..IMAGES.len()]).context("without the JIT")
        }
    }
}
