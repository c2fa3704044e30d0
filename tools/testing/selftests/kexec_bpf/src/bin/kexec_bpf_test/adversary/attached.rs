// SPDX-License-Identifier: GPL-2.0

//! What a program may do depends on what it is attached to, and is asked when it is. Other programs
//! may run in its place: those that it calls, that replace a function of it, or that its link is
//! updated to.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use libbpf_rs::libbpf_sys::{self, bpf_iter_link_info, bpf_link_create_opts, bpf_test_run_opts};

use support::harness::{equal, Context, Failure, Result};
use support::load::lockdown;
use support::object::{open, test_run_raw, Object};

use super::functions::functions;
use super::programs::{
    add, array, attach, call_kfunc, load, load_double, load_with, map_value, mov, mov_register, or,
    probe, programs, put, refused_with, shift_right, skip_if_zero, store_double, store_word,
    store_zero, tail_call, Kind, EXIT,
};

tests! {
    WHEN_NAMED;
    registers,
    registers_of_a_task,
    buffer_of_a_tracepoint,
    function_that_is_replaced,
    elements_of_a_map,
    cookie_of_a_session,
    another_function,
    context_of_a_test_run,
    arguments_of_a_tracepoint,
}

/// Where a program keeps its context.
const CONTEXT: u8 = 6;

/// A program that does this, with its context there.
fn program(does: &[u64]) -> Vec<u64> {
    [&[mov_register(CONTEXT, 1)], does, &[mov(0, 0), EXIT]].concat()
}

/// Others neither call a program that does this, nor does it call others.
fn alone(kind: Kind, does: &[u64]) -> Result {
    equal(
        "harmless",
        put(&programs()?, &load(kind, &program(&[]))?),
        0,
    )?;
    let called = put(&programs()?, &load(kind, &program(does))?);
    equal("called", called, libc::EINVAL)?;

    let array = programs()?;
    let calls = tail_call(CONTEXT, &array);
    refused_with(
        "calls",
        load(kind, &program(&[does, calls.as_slice()].concat())),
        libc::EINVAL,
    )?;
    load(kind, &program(&calls))?;
    Ok(())
}

/// A program at a probe cannot write to registers: neither itself, nor by one that it calls.
fn registers() -> Result {
    let writes = [store_zero(8, CONTEXT, 0)];
    if lockdown() != "confidentiality" {
        let probed = probe(
            &load(Kind::Kprobe, &program(&writes))?,
            "security_locked_down",
        );
        refused_with("probe", probed, libc::EINVAL)?;
        probe(&load(Kind::Kprobe, &program(&[]))?, "security_locked_down")?;
    }
    alone(Kind::Kprobe, &writes)
}

/// The registers in `struct pt_regs` that a task can set itself, and the length of the structure.
#[cfg(target_arch = "x86_64")]
const REGISTERS: (&[std::ops::Range<i16>], i16) = (&[0..120, 128..136, 152..160], 168);
#[cfg(target_arch = "aarch64")]
const REGISTERS: (&[std::ops::Range<i16>], i16) = (&[0..264], 320);
#[cfg(target_arch = "riscv64")]
const REGISTERS: (&[std::ops::Range<i16>], i16) = (&[0..256], 288);

/// A program at an instruction of a task writes to the registers that the task can set itself, and
/// to no other: one of those says whether the CPU is in kernel mode.
fn registers_of_a_task() -> Result {
    let (writable, len) = REGISTERS;
    for at in (0..len).step_by(8) {
        for bytes in [1, 2, 4, 8] {
            for at in [at, at + 8 - bytes] {
                let what = format!("{bytes} bytes at {at}");
                let loaded = load(Kind::Kprobe, &program(&[store_zero(bytes, CONTEXT, at)]));
                match (writable.iter().any(|part| part.contains(&at)), loaded) {
                    (true, Ok(_)) => {}
                    (true, Err(why)) => return Err(format!("{what}: {why}").into()),
                    (false, loaded) => refused_with(&what, loaded, libc::EACCES)?,
                }
            }
        }
    }
    Ok(())
}

/// How many bytes a tracepoint has to write to is asked of the program that is attached.
fn buffer_of_a_tracepoint() -> Result {
    let writes = [load_double(1, CONTEXT, 0), store_zero(8, 1, 0)];
    alone(Kind::RawTracepointWritable, &writes)
}

/// So it is of one that has a function replaced.
fn function_that_is_replaced() -> Result {
    const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/attached.o"));

    let mut object = open(OBJECT)?;
    for mut program in object
        .progs_mut()
        .filter(|program| program.name() == "tracepoint")
    {
        program.set_autoload(true);
    }
    let target = Object::load(object)?;
    for (name, attached) in [
        ("leaves_alone", Ok(())),
        ("writes", Err(Some(libc::EINVAL))),
    ] {
        let mut object = open(OBJECT)?;
        for mut program in object.progs_mut().filter(|program| program.name() == name) {
            program.set_autoload(true);
            program.set_attach_target(target.program().as_raw_fd(), Some("function".into()))?;
        }
        let object = Object::load(object)?;
        let program = object.program().as_fd().try_clone_to_owned()?;
        let result = attach(&program).map_err(|error| error.raw_os_error());
        equal(name, result.map(drop), attached)?;
    }
    Ok(())
}

/// Links an iterator to a map.
fn iterate(program: &OwnedFd, map: &OwnedFd) -> io::Result<OwnedFd> {
    let mut info = bpf_iter_link_info::default();
    info.map.map_fd = map.as_raw_fd() as u32;
    let options = bpf_link_create_opts {
        sz: size_of::<bpf_link_create_opts>() as _,
        iter_info: &mut info,
        iter_info_len: size_of::<bpf_iter_link_info>() as u32,
        ..Default::default()
    };
    let kind = libbpf_sys::BPF_TRACE_ITER;
    // SAFETY: The options are there.
    match unsafe { libbpf_sys::bpf_link_create(program.as_raw_fd(), 0, kind, &options) } {
        // SAFETY: It is new.
        fd @ 0.. => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        error => Err(io::Error::from_raw_os_error(-error)),
    }
}

/// Has another program run in place of that of a link. Returns 0 or an errno.
fn update(link: &OwnedFd, program: &OwnedFd) -> i32 {
    // SAFETY: No options are fine.
    -unsafe { libbpf_sys::bpf_link_update(link.as_raw_fd(), program.as_raw_fd(), ptr::null()) }
}

/// A program that iterates over a map writes to its values, and not behind them.
fn elements_of_a_map() -> Result {
    let iterator = functions(|name| name == "bpf_iter_bpf_map_elem")?;
    let kind = Kind::Iterator(iterator.first().ok_or("there is no such iterator")?.id);
    // The context has four pointers: to the data of all iterators, the map, the key and the value.
    let writes = |at| {
        [
            load_double(1, CONTEXT, 24),
            skip_if_zero(1, 1),
            store_zero(8, 1, at),
        ]
    };
    let map = array(libbpf_sys::BPF_MAP_TYPE_ARRAY, 16)?;
    let nothing = load(kind, &program(&[]))?;
    let inside = load(kind, &program(&writes(8)))?;
    let behind = load(kind, &program(&writes(16)))?;
    let link = iterate(&behind, &map).map_err(|error| error.raw_os_error());
    equal("linked", link.map(drop), Err(Some(libc::EACCES)))?;

    let link = iterate(&nothing, &map)?;
    equal("inside", update(&link, &inside), 0)?;
    equal("behind", update(&link, &behind), libc::EACCES)?;
    let sleeps = load_with(libbpf_sys::BPF_F_SLEEPABLE, kind, &program(&[]))?;
    equal("sleeps", update(&link, &sleeps), libc::EINVAL)?;
    alone(kind, &writes(8))
}

/// A program at entry and return of a function has a cookie, next to the function's arguments, if
/// that which is attached asks for it.
fn cookie_of_a_session() -> Result {
    let [session, cookie] = ["security_locked_down", "bpf_session_cookie"].map(|wanted| {
        let found = functions(|name| name == wanted)?;
        Ok::<_, Failure>(found.first().ok_or(wanted)?.id)
    });
    let writes = [
        mov_register(1, CONTEXT),
        call_kfunc(cookie?),
        store_zero(8, 0, 0),
    ];
    // That of a probe has a place wherever one runs.
    let probes = Kind::Multi(libbpf_sys::BPF_TRACE_KPROBE_SESSION);
    let called = put(&programs()?, &load(probes, &program(&writes))?);
    equal("called at a probe", called, 0)?;
    alone(Kind::Session(session?), &writes)
}

/// What is safe at one function may not be at another one, even if it is called in the same way.
fn another_function() -> Result {
    type Attach = fn(u32) -> Kind;
    let security = ["security_file_release", "security_file_free"];
    let module = ["bpf_lsm_file_release", "bpf_lsm_file_free_security"];
    for (attach, names, shared) in [
        (Kind::ModifyReturn as Attach, security, libc::EINVAL),
        (Kind::Lsm, module, libc::EINVAL),
        (Kind::Entry, security, 0),
    ] {
        let array = programs()?;
        let put = |name: &str| {
            let found = functions(|function| function == name)?;
            let function = found.first().ok_or(name)?;
            let nothing = load(attach(function.id), &program(&[])).context(name)?;
            Ok::<_, Failure>(put(&array, &nothing))
        };
        equal(names[0], put(names[0])?, 0)?;
        equal(names[0], put(names[0])?, 0)?;
        equal(names[1], put(names[1])?, shared)?;
    }
    Ok(())
}

/// The kernel compares the size of the context with the bytes that the program reads. A program
/// that this one calls can read more bytes, which are zeroes.
fn context_of_a_test_run() -> Result {
    for (kind, end) in [(Kind::Syscall, i16::MAX - 8), (Kind::RawTracepoint, 96)] {
        let mut reads = vec![mov_register(CONTEXT, 1), mov(0, 0)];
        for at in (8..end).step_by(8).filter(|at| *at < 1024 || at % 512 == 0) {
            reads.extend([load_double(2, CONTEXT, at), or(0, 2)]);
        }
        // The return value has 32 bits. Others than 0 show that the program ran.
        reads.extend([mov_register(2, 0), shift_right(2, 32), or(0, 2)]);
        reads.extend([add(0, 1), EXIT]);
        let reads = load(kind, &reads)?;

        let array = programs()?;
        let calls = load(kind, &program(&tail_call(CONTEXT, &array)))?;
        equal("called", put(&array, &reads), 0)?;
        for size in [0u32, 8, 16] {
            let context = [0u8; 16];
            let mut options = bpf_test_run_opts {
                sz: size_of::<bpf_test_run_opts>() as _,
                ctx_in: match size {
                    0 => ptr::null(),
                    _ => context.as_ptr().cast(),
                },
                ctx_size_in: size,
                ..Default::default()
            };
            equal("errno", test_run_raw(calls.as_fd(), &mut options), 0)?;
            equal(format!("read behind {size} bytes"), options.retval, 1)?;
        }
    }
    Ok(())
}

/// The element of an array of values that have two words of 64 bits.
fn element(array: &OwnedFd) -> io::Result<[u64; 2]> {
    let (key, mut value) = (0u32, [0u64; 2]);
    // SAFETY: Key and value have the sizes that the map was created with.
    let error = unsafe {
        libbpf_sys::bpf_map_lookup_elem(
            array.as_raw_fd(),
            ptr::from_ref(&key).cast(),
            ptr::from_mut(&mut value).cast(),
        )
    };
    match error {
        0 => Ok(value),
        _ => Err(io::Error::from_raw_os_error(-error)),
    }
}

/// Attaches a program to a tracepoint, until the result is dropped.
fn trace(tracepoint: &CStr, program: &OwnedFd) -> io::Result<OwnedFd> {
    let (name, program) = (tracepoint.as_ptr(), program.as_raw_fd());
    // SAFETY: The name ends with a NUL.
    match unsafe { libbpf_sys::bpf_raw_tracepoint_open(name, program) } {
        // SAFETY: It is new.
        fd @ 0.. => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        error => Err(io::Error::from_raw_os_error(-error)),
    }
}

/// How many arguments are read is compared with those of the tracepoint for the program that is
/// attached. What it calls reads zeroes where there is nothing.
fn arguments_of_a_tracepoint() -> Result {
    // It has two arguments.
    const TRACEPOINT: &CStr = c"sched_process_fork";
    const ARGUMENTS: i16 = 12;
    let result = array(libbpf_sys::BPF_MAP_TYPE_ARRAY, 16)?;
    let mut reads = vec![mov_register(CONTEXT, 1), mov(0, 0)];
    for argument in 2..ARGUMENTS {
        reads.extend([load_double(2, CONTEXT, 8 * argument), or(0, 2)]);
    }
    // It keeps what it has read, and that it has run.
    reads.extend(map_value(1, result.as_raw_fd(), 0));
    reads.extend([store_double(1, 0), store_word(1, 8, 1), mov(0, 0), EXIT]);
    let reads = load(Kind::RawTracepoint, &reads)?;
    let open = |program: &OwnedFd| trace(TRACEPOINT, program).map_err(|error| error.raw_os_error());
    equal("attached", open(&reads).map(drop), Err(Some(libc::EINVAL)))?;

    let array = programs()?;
    let calls = load(Kind::RawTracepoint, &program(&tail_call(CONTEXT, &array)))?;
    equal("called", put(&array, &reads), 0)?;
    let link = open(&calls).map_err(|errno| format!("{TRACEPOINT:?}: errno {errno:?}"))?;
    std::thread::spawn(|| ()).join().expect("it does nothing");
    drop(link);
    equal("read, ran", element(&result)?, [0, 1])
}
