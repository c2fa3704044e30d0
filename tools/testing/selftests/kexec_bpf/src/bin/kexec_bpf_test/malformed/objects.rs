// SPDX-License-Identifier: GPL-2.0

//! Images whose section `.bpf` has a malformed object, or none.
//!
//! The images that these tests make are unsigned. Where signatures are enforced, the kernel refuses
//! them without looking at the object; there, a few signed images stand for all.

use std::thread::sleep;
use std::time::{Duration, Instant};

use support::harness::{equal, Context, Failure, Result};
use support::hostile_objects::{self, Case, Parts, ECANCELED, EFBIG, ELIBBAD, ELIBEXEC, ENOPKG};
use support::kernel_log::no_splats;
use support::load::{bpf_ids, enforced, file, image, loaded, Load, Loaded};
use support::meminfo::meminfo;
use support::pe;
use support::uapi::OBJECT_MAX;

tests! {
    ON_X86_64;
    headers,
    sections,
    relocations,
    maps,
    types,
    info,
    code,
    order,
    as_large_as_may_be,
    truncated,
    a_byte_changed,
    signed,
}

/// Loads an unsigned image with this object.
fn load(object: &[u8]) -> Result<Loaded> {
    Ok(Load::dry(&file(&pe::image(&[(".bpf", object)]))?).run())
}

/// Fails unless an unsigned image is refused whatever its object is.
fn rejected(object: &[u8]) -> Result {
    load(object)?.ends(libc::EKEYREJECTED, "image: it is not signed")
}

/// Fails unless `body` leaves nothing behind, and the next good image is accepted.
fn without_trace(body: impl FnOnce() -> Result) -> Result {
    let before = bpf_ids();
    body()?;
    equal("numbers of programs, maps and BTF", bpf_ids(), before)?;
    equal("a kernel is loaded", loaded()?, false)?;
    let good = Load::dry(&file(&image("small")?)?).run();
    equal("errno of the next load", good.errno, 0).context(good.log.join("\n"))?;
    no_splats()
}

fn check(case: &Case) -> Result {
    let run = load(&case.object)?;
    run.ends(case.errno, &case.why)?;
    let says = run.log.iter().any(|line| line.contains(&case.says));
    equal(format!("'{}' in the log", case.says), says, true).context(run.log.join("\n"))
}

/// Checks all cases, and reports each one that fails.
fn check_all(cases: &[Case]) -> Result {
    if enforced() {
        let mut samples = cases.iter().step_by(10);
        return without_trace(|| samples.try_for_each(|case| rejected(&case.object)));
    }
    without_trace(|| {
        let failures: Vec<_> = cases
            .iter()
            .filter_map(|case| match check(case).context(&case.what) {
                Err(Failure::Failed(why)) => Some(why),
                _ => None,
            })
            .collect();
        match failures.is_empty() {
            true => Ok(()),
            false => Err(failures.join("\n").into()),
        }
    })
}

fn headers() -> Result {
    check_all(&hostile_objects::headers::cases())
}

fn sections() -> Result {
    check_all(&hostile_objects::sections::cases())
}

fn relocations() -> Result {
    check_all(&hostile_objects::relocations::cases())
}

fn maps() -> Result {
    check_all(&hostile_objects::maps::cases())
}

fn types() -> Result {
    check_all(&hostile_objects::types::cases())
}

fn info() -> Result {
    check_all(&hostile_objects::info::cases())
}

fn code() -> Result {
    check_all(&hostile_objects::code::cases())
}

fn order() -> Result {
    check_all(&hostile_objects::order::cases())
}

fn as_large_as_may_be() -> Result {
    let mut object = Parts::full().write();
    object.resize(OBJECT_MAX, 0);
    if enforced() {
        return rejected(&object);
    }
    without_trace(|| {
        load(&object)?.ends(ECANCELED, "the program bound no kernel")?;
        object.push(0);
        let why = format!("image: section .bpf is larger than {OBJECT_MAX} bytes");
        load(&object)?.ends(EFBIG, &why)
    })
}

fn truncated() -> Result {
    let object = Parts::full().write();
    if enforced() {
        return rejected(&object[..object.len() - 1]);
    }
    without_trace(|| {
        for len in 0..object.len() {
            let run = load(&object[..len])?;
            run.ends(ELIBBAD, "object: *")
                .context(format!("{len} bytes"))?;
        }
        Ok(())
    })
}

/// Whatever the verdict is, its errno is a documented one, and the log says why.
fn a_byte_changed() -> Result {
    const CHANGES: [fn(u8) -> u8; 4] = [
        |_| 0,
        |_| 0xff,
        |byte| byte.wrapping_add(1),
        |byte| byte.wrapping_sub(1),
    ];
    let (smallest, full) = (Parts::smallest().write(), Parts::full().write());
    if enforced() {
        return rejected(&[&[0], &smallest[1..]].concat());
    }
    // All changes of each byte of the small object, and one change of each third byte of the other.
    let all = (0..smallest.len()).flat_map(|at| CHANGES.map(|change| (at, change)));
    let in_turn = (0..full.len()).step_by(3).zip(CHANGES.into_iter().cycle());
    let changes = all.map(|change| (&smallest, change));
    let changes = changes.chain(in_turn.map(|change| (&full, change)));
    without_trace(|| {
        let before = meminfo("MemAvailable")?;
        for (number, (object, (at, change))) in changes.enumerate() {
            let mut object = object.clone();
            object[at] = change(object[at]);
            let run = load(&object)?;
            let known = [ELIBBAD, ENOPKG, EFBIG, ELIBEXEC, ECANCELED].contains(&run.errno);
            equal("a known errno", known, true)
                .and_then(|()| run.ends(run.errno, "*"))
                .context(format!("{}, {at:#x}: {:#x}", object.len(), object[at]))
                .context(run.log.join("\n"))?;
            // Before the kernel's log overwrites its first lines.
            if number % 1024 == 0 {
                no_splats()?;
            }
        }
        returned(before)
    })
}

/// Waits until as much memory is available as before, less a slack of under a KiB for each of the
/// thousands of loads. The kernel frees programs and maps some time after a load.
fn returned(before: u64) -> Result {
    const SLACK: u64 = 4 << 20;
    let start = Instant::now();
    loop {
        let now = meminfo("MemAvailable")?;
        if now + SLACK >= before {
            return Ok(());
        }
        if start.elapsed() > Duration::from_secs(60) {
            return Err(format!("{before} bytes were available, {now} are").into());
        }
        sleep(Duration::from_millis(100));
    }
}

fn signed() -> Result {
    for (name, errno, why) in [
        ("text", ELIBBAD, "object: *"),
        (
            "long_license",
            EFBIG,
            "object: the license is too long (byte 0x*",
        ),
        (
            "xdp_program",
            ENOPKG,
            "object: 'xdp': unsupported section (byte 0x*",
        ),
        (
            "pointer_in_data",
            ENOPKG,
            "object: '.rel.data': relocations of data are not supported (byte 0x*",
        ),
        (
            "tail_call",
            ENOPKG,
            "object: 'programs': not an array map (byte 0x*",
        ),
        (
            "malformed_btf",
            ENOPKG,
            "object: type information in an unknown format (byte 0x*",
        ),
        (
            "map_by_descriptor",
            ELIBBAD,
            "object: the load refers to an object of the kernel (byte 0x*",
        ),
        (
            "missing_kfunc",
            ENOPKG,
            "object: 'no_such_function': the kernel has no such function (byte 0x*",
        ),
        (
            "forbidden_helper",
            ELIBEXEC,
            "program: the verifier rejected it: -22",
        ),
    ] {
        let run = Load::dry(&file(&image(name)?)?).run();
        run.refused(errno, why).context(name)?;
    }
    Ok(())
}
