// SPDX-License-Identifier: GPL-2.0

//! Programs that the verifier refuses, and its messages.

use std::os::fd::AsRawFd;

use libbpf_rs::OpenObject;

use support::harness::{Context, Failure, Result};
use support::object::{open, Object};

tests! {
    EVERYWHERE;
    helpers,
    kfuncs,
    loops,
    maps,
    context,
    arguments,
    other_types,
    programs_that_cannot_sleep,
    programs_that_attach_to_ours,
}

/// The object, set up to load only this program.
pub fn alone(name: &str) -> Result<OpenObject> {
    let mut object = open(include_bytes!(concat!(env!("OUT_DIR"), "/verifier.o")))?;
    let mut found = false;
    for mut program in object.progs_mut() {
        let it = program.name() == name;
        program.set_autoload(it);
        found |= it;
    }
    match found {
        true => Ok(object),
        false => Err(format!("no program {name}").into()),
    }
}

/// Fails unless the verifier refuses the opened object, and says `why`.
fn refused(object: OpenObject, why: &str) -> Result {
    match Object::load(object) {
        Ok(_) => Err("the verifier accepts it".into()),
        Err(Failure::Failed(log)) if !log.contains(why) => {
            Err(format!("the log does not say '{why}':\n{log}").into())
        }
        Err(Failure::Failed(_)) => Ok(()),
        Err(skipped) => Err(skipped),
    }
}

fn all_refused(cases: &[(&str, &str)]) -> Result {
    for (name, why) in cases {
        refused(alone(name)?, why).context(name)?;
    }
    // The rest of the object is not at fault.
    Object::load(alone("accepted")?).context("accepted")?;
    Ok(())
}

fn helpers() -> Result {
    all_refused(&[
        ("helper_ktime", "cannot use helper bpf_ktime_get_ns"),
        ("helper_printk", "cannot use helper bpf_trace_printk"),
        ("helper_sys_bpf", "cannot use helper bpf_sys_bpf"),
    ])
}

fn kfuncs() -> Result {
    all_refused(&[
        (
            "kfunc_iterator",
            "calling kernel function bpf_iter_num_new is not allowed",
        ),
        (
            "kfunc_throw",
            "calling kernel function bpf_throw is not allowed",
        ),
        (
            "kfunc_rcu",
            "calling kernel function bpf_rcu_read_lock is not allowed",
        ),
    ])
}

fn loops() -> Result {
    all_refused(&[
        ("may_goto", "Kexec programs cannot use may_goto"),
        (
            "global_function",
            "Kexec programs cannot call global function global()",
        ),
    ])
}

fn maps() -> Result {
    let why = "Kexec programs can only use array maps, unlike";
    all_refused(&[
        ("map_percpu", &format!("{why} 'percpu'")),
        ("map_lru", &format!("{why} 'lru'")),
    ])
}

fn context() -> Result {
    all_refused(&[
        ("ctx_write", "invalid bpf_context access off=8 size=4"),
        ("ctx_past_end", "invalid bpf_context access off=120 size=4"),
        // The message differs on architectures that do not allow unaligned access.
        ("ctx_unaligned", "context access off"),
    ])
}

fn arguments() -> Result {
    all_refused(&[
        ("buffer_constant", "write into map forbidden"),
        ("buffer_too_short", "invalid access to map value"),
        ("range_null", "Possibly NULL pointer passed to trusted R3"),
    ])
}

fn other_types() -> Result {
    all_refused(&[(
        "other_type",
        "calling kernel function bpf_kexec_read_fd is not allowed",
    )])
}

fn programs_that_cannot_sleep() -> Result {
    let mut object = alone("accepted")?;
    for mut program in object.progs_mut() {
        program.set_flags(0);
    }
    refused(object, "Kexec programs can only be sleepable")
}

fn programs_that_attach_to_ours() -> Result {
    let target = Object::load(alone("accepted")?)?;
    let fd = target.program().as_raw_fd();
    for name in ["replacement", "tracer"] {
        let mut object = alone(name)?;
        for mut program in object.progs_mut().filter(|program| program.name() == name) {
            program.set_attach_target(fd, Some("accepted".into()))?;
        }
        refused(object, "Cannot attach to kexec programs").context(name)?;
    }
    Ok(())
}
