// SPDX-License-Identifier: GPL-2.0

//! Programs that return a value in place of a function of the kernel: hooks of security modules,
//! and functions on the error injection list. Root can have them return any value that the function
//! itself could return. An error may stop a load, but no value may make a load succeed.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsRawFd;

use libbpf_rs::libbpf_sys;

use support::harness::{equal, skip, Context, Failure, Result};
use support::load::lockdown;
use support::object::{open, Object};

use super::all;
use super::functions::{functions, injectable, Function, Returns};
use super::programs::{asks_for_cookie, attach, probe, refused_with, Act, Kind, Target};
use super::scene::Scene;

tests! {
    WHEN_NAMED;
    values_that_the_verifier_takes,
    values_that_the_verifier_does_not_know,
    values_in_place_of_a_function,
    values_in_place_of_a_security_module,
    values_by_a_probe,
    values_that_a_probe_cannot_set,
    a_replacement_for_a_program,
    a_replacement_for_a_probe,
    of_another_link,
}

/// Values that a function which returns 0 or an errno could return.
const POSSIBLE: [i64; 10] = [
    0,
    -1,
    -(libc::EAGAIN as i64),
    -(libc::ENOENT as i64),
    -(libc::ENOMEM as i64),
    -(libc::ENOKEY as i64),
    -(libc::ENODATA as i64),
    -(libc::ENOPKG as i64),
    -(libc::EKEYREVOKED as i64),
    -4095,
];

/// Values that it could not return.
const IMPOSSIBLE: [u64; 11] = [
    1,
    5,
    16,
    4096,
    (1 << 31) - 1,
    -4096_i64 as u64,
    1 << 31,
    1 << 32,
    (1 << 32) + 1,
    0xffff_ffff_0000_0000,
    0xffff_ffff_8000_0000,
];

/// Values that a probe sets. A caller takes the first two for success.
const PROBED: [u64; 7] = [
    0,
    1 << 32,
    1,
    5,
    -1_i64 as u64,
    -(libc::ENOMEM as i64) as u64,
    0xffff_ffff_8000_0000,
];

/// Functions that return 0 or 1 as an int.
const YES_OR_NO: [&str; 3] = [
    "security_ismaclabel",
    "security_audit_rule_known",
    "security_xfrm_state_pol_flow_match",
];

/// The functions of getpgid(2).
const GETPGID: [&str; 3] = [
    "__x64_sys_getpgid",
    "__arm64_sys_getpgid",
    "__riscv_sys_getpgid",
];

/// Calls getpgid(2), for a process that is named, so that it asks security modules. Returns 0 or an
/// errno.
fn getpgid() -> i32 {
    // SAFETY: They have no requirements.
    match unsafe { libc::getpgid(libc::getpid()) } {
        -1 => io::Error::last_os_error().raw_os_error().unwrap_or(-1),
        _ => 0,
    }
}

impl Function {
    /// Whether a program may return this value in place of the function.
    fn takes(&self, value: u64) -> bool {
        match self.returns {
            Returns::Nothing => value == 0,
            // The caller sees only the lower bits.
            Returns::Bool => value as u32 <= 1,
            Returns::Signed(_) if YES_OR_NO.contains(&self.name.as_str()) => value as u32 <= 1,
            Returns::Signed(64) => (-4095..=0).contains(&(value as i64)),
            Returns::Signed(_) => (-4095..=0).contains(&(value as i32)),
            Returns::Other => value == 0,
        }
    }
}

/// Whether the kernel allows a program to return a value in place of the function.
fn named(name: &str, injectable: &BTreeSet<String>) -> bool {
    name.starts_with("security_") || injectable.contains(name) && on_a_path(name)
}

/// Leaves out the functions of most system calls: a load calls few of them. With `--all` they are
/// tried too.
fn on_a_path(name: &str) -> bool {
    all() || !name.contains("_sys_") || name.contains("kexec")
}

/// The functions that are tried: those that a program may replace, or all functions with `--all`.
fn answerable() -> Result<Vec<Function>> {
    let injectable = injectable()?;
    functions(|name| all() || named(name, &injectable))
}

/// The verifier accepts the values that the function could return, and refuses others. The upper
/// half of a value in place of an int does not count, because callers do not see it.
fn values_that_the_verifier_takes() -> Result {
    let target = Target::new()?;
    let injectable = injectable()?;
    let every = functions(|name| named(name, &injectable))?;
    // There are hundreds of functions, of a few kinds.
    let step = if all() { 1 } else { 8 };
    let mut checked = 0;
    let mut wrong = Wrong::default();
    for function in every.into_iter().step_by(step) {
        let kind = Kind::ModifyReturn(function.id);
        if target.load(kind, Act::Return(0)).is_err() {
            continue;
        }
        checked += 1;
        let possible = POSSIBLE.map(|value| value as u64);
        for value in possible.into_iter().chain(IMPOSSIBLE) {
            let takes = function.takes(value);
            let why = match (target.load(kind, Act::Return(value)), takes) {
                (Ok(_), true) => continue,
                (Err(log), false) if log.contains("should have been in [") => continue,
                (Ok(_), false) => "accepted",
                (Err(_), true) => "refused",
                (Err(_), false) => "refused for another reason",
            };
            wrong.0 += &format!("{function:?}: {value:#x} is {why}\n");
        }
    }
    println!("# {checked} functions");
    equal("there is no function to attach to", checked == 0, false)?;
    wrong.result()
}

/// Where the verifier does not know a value that the function could not return, the function fails.
fn values_that_the_verifier_does_not_know() -> Result {
    // The system call asks this.
    const HOOK: &str = "security_task_getpgid";
    let target = Target::new()?;
    let functions = functions(|name| GETPGID.contains(&name) || name == HOOK)?;
    equal("functions", functions.len(), 2)?;
    for function in functions {
        for value in POSSIBLE
            .map(|value| value as u64)
            .into_iter()
            .chain(IMPOSSIBLE)
        {
            let what = format!("{} returns {value:#x}", function.name);
            let kind = Kind::ModifyReturn(function.id);
            let program = target
                .load(kind, Act::ReturnUnknown(value))
                .context(&what)?;
            let _link = attach(&program).context(&what)?;
            let errno = target.during(getpgid);
            let expected = match function.takes(value) {
                true => -(value as i32),
                false => libc::EINVAL,
            };
            equal(what, errno, expected)?;
        }
    }
    Ok(())
}

/// Collects failures.
#[derive(Default)]
struct Wrong(String);

impl Wrong {
    fn add(&mut self, result: Result) -> Result {
        match result {
            Err(Failure::Failed(why)) => self.0 += &format!("{why}\n"),
            other => return other,
        }
        Ok(())
    }

    fn result(self) -> Result {
        match self.0.as_str() {
            "" => Ok(()),
            _ => Err(self.0.into()),
        }
    }
}

/// The values to try: all, or a fixed few.
fn walk(function: &Function) -> Vec<u64> {
    let mut values = vec![-i64::from(libc::ENOKEY) as u64, 1, 1 << 32];
    if all() {
        values.extend(POSSIBLE.map(|value| value as u64));
        values.extend([0xffff_ffff, 0xffff_ffff_0000_0000]);
    }
    values.retain(|&value| function.takes(value));
    values
}

/// Whether the errno is the kernel's own. A program on the function of a system call can replace
/// it.
fn asked(name: &str) -> bool {
    !name.contains("_sys_")
}

/// Makes each call of a function fail alone, in turn.
fn walk_calls(
    scene: &Scene,
    function: &Function,
    kind: impl Fn(u32) -> Kind,
    wrong: &mut Wrong,
) -> Result {
    // After the first errno, a search counts as one that found nothing.
    let (values, most): (&[i32], _) = match all() {
        true => (&[libc::EAGAIN, libc::ENOKEY, libc::EACCES], 256),
        false => (&[libc::EAGAIN], 3),
    };
    for errno in values {
        let value = -i64::from(*errno) as u64;
        if !function.takes(value) {
            continue;
        }
        for time in 0..most {
            let what = format!("{} returns -{errno} at call {time}", function.name);
            let program = scene
                .target
                .load(kind(function.id), Act::ReturnAt(value, time));
            let link = attach(&program.context(&what)?).context(&what)?;
            scene.target.times();
            wrong.add(scene.refuses(&what, asked(&function.name)))?;
            drop(link);
            if scene.target.times() <= time {
                break;
            }
        }
    }
    Ok(())
}

/// Tries all values for all functions.
fn walk_all(scene: &Scene, path: &[Function], kind: impl Fn(u32) -> Kind) -> Result {
    let mut wrong = Wrong::default();
    for function in path {
        for value in walk(function) {
            let what = format!("{} returns {value:#x}", function.name);
            let program = scene.target.load(kind(function.id), Act::Return(value));
            let link = attach(&program.context(&what)?).context(&what)?;
            wrong.add(scene.holds(&what, asked(&function.name), link))?;
        }
        walk_calls(scene, function, &kind, &mut wrong)?;
    }
    equal("no function is on the path", path.is_empty(), false)?;
    wrong.result()
}

fn values_in_place_of_a_function() -> Result {
    let scene = Scene::new()?;
    let path = scene.on_the_path(answerable()?, Kind::ModifyReturn)?;
    let found = |name: &str| path.iter().any(|function| function.name == name);
    for name in ["security_locked_down", "security_kernel_read_file"] {
        equal(format!("{name} is on the path"), found(name), true)?;
    }
    walk_all(&scene, &path, Kind::ModifyReturn)
}

fn values_in_place_of_a_security_module() -> Result {
    let scene = Scene::new()?;
    let hooks = functions(|name| name.starts_with("bpf_lsm_"))?;
    let path = scene.on_the_path(hooks, Kind::Lsm)?;
    walk_all(&scene, &path, Kind::Lsm)?;
    for function in path.iter().filter(|it| it.returns == Returns::Signed(32)) {
        for value in IMPOSSIBLE
            .into_iter()
            .filter(|&value| !function.takes(value))
        {
            let refused = scene
                .target
                .load(Kind::Lsm(function.id), Act::Return(value))
                .is_err();
            equal(
                format!("{} returns {value:#x}: refused", function.name),
                refused,
                true,
            )?;
        }
    }
    Ok(())
}

/// A probe may set any value. The function then returns an error all the same.
fn values_by_a_probe() -> Result {
    if lockdown() == "confidentiality" {
        return skip("probes are closed");
    }
    let scene = Scene::new()?;
    let names = injectable()?.into_iter().filter(|name| on_a_path(name));
    let path = scene.probed_on_the_path(names.collect())?;
    let mut wrong = Wrong::default();
    for name in &path {
        for &value in &PROBED[..if all() { PROBED.len() } else { 2 }] {
            let what = format!("probe of {name} sets {value:#x}");
            let program = scene.target.load(Kind::Kprobe, Act::Override(value))?;
            let link = probe(&program, name)?;
            wrong.add(scene.holds(&what, asked(name), link))?;
        }
    }
    // A probe cannot change what these functions return.
    let program = scene.target.load(Kind::Kprobe, Act::Override(0))?;
    for name in [
        "security_locked_down",
        "kernel_read_file",
        "verify_pefile_signature",
    ] {
        equal(
            format!("a probe of {name}"),
            probe(&program, name).is_err(),
            true,
        )?;
    }
    equal("nothing on the path can be probed", path.is_empty(), false)?;
    wrong.result()
}

/// A value that is not an error is replaced by one that is.
fn values_that_a_probe_cannot_set() -> Result {
    if lockdown() == "confidentiality" {
        return skip("probes are closed");
    }
    let target = Target::new()?;
    let injectable = injectable()?;
    let function = GETPGID.iter().find(|&&name| injectable.contains(name));
    let function = function.ok_or("getpgid(2) is not on the error injection list")?;
    for value in PROBED {
        let program = target.load(Kind::Kprobe, Act::Override(value))?;
        let _link = probe(&program, function)?;
        let errno = match value as i64 {
            error @ -4095..=-1 => -error as i32,
            _ => libc::EINVAL,
        };
        equal(format!("{value:#x}"), target.during(getpgid), errno)?;
    }
    Ok(())
}

/// The verifier checks the value that a program at a hook returns. A replacement of that program
/// could return another value.
fn a_replacement_for_a_program() -> Result {
    for hook in ["function", "module"] {
        let target = program(hook, None).context(hook)?;
        for name in ["upper_half", "positive"] {
            let what = format!("{name} in place of {hook}");
            refused(
                &what,
                program(name, Some((&target, hook))),
                "pointer to context",
            )?;
        }
    }
    Ok(())
}

/// A program at a probe is asked whether it overrides what a function returns when it is attached.
/// One that takes its place later is not, and so it cannot.
fn a_replacement_for_a_probe() -> Result {
    const HOOK: &str = "probed";
    let target = program(HOOK, None).context(HOOK)?;
    program("harmless", Some((&target, HOOK))).context("harmless")?;
    let overrides = program("overrides", Some((&target, HOOK)));
    refused(
        "overrides",
        overrides,
        "cannot use helper bpf_override_return",
    )
}

/// Loads a program by its name, in place of another one if that is said.
fn program(name: &str, replaces: Option<(&Object, &str)>) -> Result<Object> {
    const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hooks.o"));

    let mut object = open(OBJECT)?;
    for mut program in object.progs_mut().filter(|program| program.name() == name) {
        program.set_autoload(true);
        if let Some((target, function)) = replaces {
            program.set_attach_target(target.program().as_raw_fd(), Some(function.into()))?;
        }
    }
    Object::load(object)
}

/// Fails unless the verifier refused it for this reason.
fn refused(what: &str, loaded: Result<Object>, why: &str) -> Result {
    match loaded {
        Err(Failure::Failed(log)) if log.contains(why) => Ok(()),
        Err(Failure::Failed(log)) => Err(format!("{what}: {log}").into()),
        Err(skipped) => Err(skipped),
        Ok(_) => Err(format!("{what}: the verifier accepts it").into()),
    }
}

/// A program for a link to several functions finds its own context there, and at a probe something
/// else in its place.
fn of_another_link() -> Result {
    const FUNCTION: &str = "security_locked_down";
    if lockdown() == "confidentiality" {
        return skip("probes are closed");
    }
    let program = asks_for_cookie(Kind::Kprobe)?;
    probe(&program, FUNCTION)?;
    for kind in [
        libbpf_sys::BPF_TRACE_KPROBE_MULTI,
        libbpf_sys::BPF_TRACE_KPROBE_SESSION,
        libbpf_sys::BPF_TRACE_UPROBE_MULTI,
        libbpf_sys::BPF_TRACE_UPROBE_SESSION,
    ] {
        let program = asks_for_cookie(Kind::Multi(kind))?;
        refused_with(
            &format!("type {kind}"),
            probe(&program, FUNCTION),
            libc::EINVAL,
        )?;
    }
    Ok(())
}
