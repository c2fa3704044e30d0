// SPDX-License-Identifier: GPL-2.0

//! A program can replace a function of another one, and then runs where that one is attached. The
//! verifier knows the other program, and no more than that.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsRawFd;

use libbpf_rs::libbpf_sys::{self, bpf_func_info, bpf_prog_load_opts};

use support::harness::{equal, Context, Failure, Result};
use support::object::{open, Object};

use super::functions::functions;
use super::programs::{call, call_function, load_options, mov, EXIT};

tests! {
    WHEN_NAMED;
    arguments_of_an_iterator,
    arguments_of_a_tracepoint,
    program_that_sleeps,
    id_of_a_function,
}

/// Loads a program by its name, in place of a function of another one if that is said.
fn load(name: &str, replaces: Option<(&Object, &str)>) -> Result<Object> {
    const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/replaced.o"));

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
fn refuses(what: &str, loaded: Result<Object>, why: &str) -> Result {
    match loaded {
        Err(Failure::Failed(log)) if log.contains(why) => Ok(()),
        Err(Failure::Failed(log)) => Err(format!("{what}: {log}").into()),
        Err(skipped) => Err(skipped),
        Ok(_) => Err(format!("{what}: the verifier accepts it").into()),
    }
}

/// A function may be called as an iterator is. It does not get the arguments of that.
fn arguments_of_an_iterator() -> Result {
    const FUNCTION: &str = "bpf_iter_task";
    let target = load("iterator", None).context("iterator")?;
    let iterates = load("iterates", Some((&target, FUNCTION))).context("iterates")?;
    drop(iterates.replace(target.program(), FUNCTION)?);
    refuses(
        "task",
        load("takes_a_map_for_a_task", Some((&target, FUNCTION))),
        "invalid bpf_context access",
    )
}

/// A function of a program for a tracepoint has arguments of its own.
fn arguments_of_a_tracepoint() -> Result {
    const FUNCTION: &str = "at_tracepoint";
    let target = load("tracepoint", None).context("tracepoint")?;
    load("first_argument", Some((&target, FUNCTION))).context("first")?;
    refuses(
        "second",
        load("second_argument", Some((&target, FUNCTION))),
        "invalid bpf_context access",
    )
}

/// In a program that may sleep nobody holds the RCU lock, so the replacement has to take it. It
/// must not sleep all the same, and replaces no function of a program of the other kind.
fn program_that_sleeps() -> Result {
    const FUNCTION: &str = "at_hook";
    let sleeps = load("sleeps", None).context("sleeps")?;
    let does_not = load("does_not_sleep", None).context("does not sleep")?;
    for name in ["does_nothing", "uses_parent_under_lock"] {
        for (target, other) in [(&sleeps, &does_not), (&does_not, &sleeps)] {
            let replaces = load(name, Some((target, FUNCTION))).context(name)?;
            let result = replaces.replace(other.program(), FUNCTION);
            let errno = result.map(drop).map_err(|error| error.raw_os_error());
            equal("the other kind", errno, Err(Some(libc::EINVAL)))?;
            drop(replaces.replace(target.program(), FUNCTION)?);
        }
    }
    load("uses_parent", Some((&does_not, FUNCTION))).context("under the lock of others")?;
    refuses(
        "without a lock",
        load("uses_parent", Some((&sleeps, FUNCTION))),
        "must be",
    )?;
    for target in [&sleeps, &does_not] {
        refuses(
            "copies from user space",
            load("copies_from_user", Some((target, FUNCTION))),
            "sleepable helper bpf_copy_from_user",
        )?;
    }
    Ok(())
}

/// Types of a program. They are freed when it is dropped.
struct Types(*mut libbpf_sys::btf);

impl Drop for Types {
    fn drop(&mut self) {
        // SAFETY: They are ours.
        unsafe { libbpf_sys::btf__free(self.0) };
    }
}

/// The ID of a new type, or an error.
fn added(id: i32) -> io::Result<u32> {
    id.try_into().map_err(|_| io::Error::from_raw_os_error(-id))
}

impl Types {
    /// Types of two functions that take nothing and return an int. The second one has this ID,
    /// unless that is too small.
    fn new(second: u32) -> Result<(Self, [u32; 2])> {
        const STATIC: u32 = libbpf_sys::BTF_FUNC_STATIC;
        const GLOBAL: u32 = libbpf_sys::BTF_FUNC_GLOBAL;
        // SAFETY: libbpf checks what it is given. Names end with a NUL.
        unsafe {
            let types = Self(libbpf_sys::btf__new_empty());
            let int = |name: &CStr| added(libbpf_sys::btf__add_int(types.0, name.as_ptr(), 4, 1));
            let returned = int(c"int")?;
            let takes = added(libbpf_sys::btf__add_func_proto(types.0, returned as i32))?;
            let function = |name: &CStr, linkage| {
                let name = name.as_ptr();
                added(libbpf_sys::btf__add_func(
                    types.0,
                    name,
                    linkage,
                    takes as i32,
                ))
            };
            let first = function(c"first", STATIC)?;
            while libbpf_sys::btf__type_cnt(types.0) < second {
                int(c"padding")?;
            }
            let second = function(c"second", GLOBAL)?;
            match libbpf_sys::btf__load_into_kernel(types.0) {
                0 => Ok((types, [first, second])),
                error => Err(io::Error::from_raw_os_error(-error).into()),
            }
        }
    }
}

/// What a helper may be called for depends on the function of the kernel that a program is attached
/// to. A function that is replaced is none of these, whatever ID it has.
fn id_of_a_function() -> Result {
    const D_PATH: i32 = 147;
    let id = |name: &str| {
        let found = functions(|function| function == name)?;
        Ok::<_, Failure>(found.first().ok_or(name)?.id)
    };
    let (hook, wanted) = (id("bpf_lsm_bpf")?, id("filp_close")?);
    let (types, [first, second]) = Types::new(wanted)?;
    equal("ID", second, wanted)?;
    let info = |insn_off, type_id| bpf_func_info { insn_off, type_id };
    let load = |kind, attach, id, target, functions: &[bpf_func_info], instructions: &[u64]| {
        let options = bpf_prog_load_opts {
            expected_attach_type: attach,
            attach_btf_id: id,
            attach_prog_fd: target,
            // SAFETY: They are in the kernel.
            prog_btf_fd: unsafe { libbpf_sys::btf__fd(types.0) } as u32,
            func_info: functions.as_ptr().cast(),
            func_info_cnt: functions.len() as u32,
            func_info_rec_size: size_of::<bpf_func_info>() as u32,
            ..Default::default()
        };
        load_options(kind, options, instructions)
    };
    let function = [mov(0, 0), EXIT];
    let target = load(
        libbpf_sys::BPF_PROG_TYPE_LSM,
        libbpf_sys::BPF_LSM_MAC,
        hook,
        0,
        &[info(0, first), info(3, second)],
        &[&[call_function(2), mov(0, 0), EXIT], &function[..]].concat(),
    )
    .context("target")?;
    let (kind, target) = (libbpf_sys::BPF_PROG_TYPE_EXT, target.as_raw_fd() as u32);
    let replaces = |does: &[u64]| load(kind, 0, second, target, &[info(0, second)], does);
    replaces(&function).context("harmless")?;
    let asks = [
        mov(1, 0),
        mov(2, 0),
        mov(3, 0),
        call(D_PATH),
        mov(0, 0),
        EXIT,
    ];
    match replaces(&asks) {
        Err(log) if log.contains("helper call is not allowed in probe") => Ok(()),
        Err(log) => Err(log.into()),
        Ok(_) => Err("the verifier accepts it".into()),
    }
}
