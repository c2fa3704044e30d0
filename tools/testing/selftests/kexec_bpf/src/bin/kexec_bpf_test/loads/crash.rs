// SPDX-License-Identifier: GPL-2.0

//! Loads of the crash kernel, into the memory that `crashkernel=` reserves.

use std::fs;
use std::thread;

use support::embedded::returned_flags;
use support::fuse::{Fuse, Mode};
use support::harness::{equal, skip, Context, Result};
use support::load::{enforced, file, image, loaded, unload, unload_crash, Load};
use support::uapi::{CMDLINE_MAX, CRASH, DRY_RUN, ENFORCED, ON_CRASH, SIGNED};

use crate::policy::installed::Programs;
use crate::policy::stricter::{load_crash_segments, Held, PAGE};

// The last test gives the memory back until the machine ends.
tests! {
    EVERYWHERE;
    the_program_sees_it,
    beside_the_other,
    the_longest_command_line,
    a_refusal_leaves_the_one_before,
    a_refusal_in_the_end,
    a_refusal_before_it_makes_room,
    nothing_reserved,
}

const RESERVED: &str = "/sys/kernel/kexec_crash_size";

fn need_memory() -> Result {
    match fs::read_to_string(RESERVED)?.trim() {
        "0" => skip("crashkernel= reserves no memory"),
        _ => Ok(()),
    }
}

/// Fails unless these are loaded, and no others.
fn both(kernel: bool, crash_kernel: bool) -> Result {
    let crash_loaded = fs::read_to_string("/sys/kernel/kexec_crash_loaded")?.trim() == "1";
    equal(
        "kernel and crash kernel are loaded",
        (loaded()?, crash_loaded),
        (kernel, crash_kernel),
    )
}

/// Fails unless the load is accepted.
fn accepted(load: &Load<'_>) -> Result {
    let loaded = load.run();
    equal("errno", loaded.errno, 0).context(loaded.log.join("\n"))
}

fn the_program_sees_it() -> Result {
    let image = file(&image("returns_flags")?)?;
    let enforcement = if enforced() { ENFORCED } else { 0 };
    for (flags, seen) in [(0, 0), (ON_CRASH, CRASH)] {
        let load = Load {
            flags: DRY_RUN | flags,
            ..Load::dry(&image)
        };
        let why = returned_flags(SIGNED + enforcement + seen);
        load.run().refused(libc::ECANCELED, &why)?;
    }
    Ok(())
}

fn beside_the_other() -> Result {
    need_memory()?;
    let image = file(&image("bare")?)?;
    let [kernel, crash_kernel] = [0, ON_CRASH].map(|flags| Load {
        flags,
        ..Load::dry(&image)
    });
    both(false, false)?;
    accepted(&kernel)?;
    both(true, false)?;
    accepted(&crash_kernel)?;
    both(true, true)?;
    unload_crash()?;
    both(true, false)?;
    accepted(&crash_kernel)?;
    unload()?;
    both(false, true)?;
    unload_crash()?;
    both(false, false)
}

/// There is room for the text that the kernel puts before it.
fn the_longest_command_line() -> Result {
    need_memory()?;
    let image = file(&image("bare")?)?;
    accepted(&Load {
        flags: ON_CRASH,
        cmdline: &[b'x'; CMDLINE_MAX],
        ..Load::dry(&image)
    })?;
    both(false, true)?;
    unload_crash()?;
    let over = Load {
        flags: ON_CRASH,
        cmdline: &[b'x'; CMDLINE_MAX + 1],
        ..Load::dry(&image)
    };
    let why = format!("caller's command line: more than {CMDLINE_MAX} bytes");
    over.run().refused(libc::EFBIG, &why)?;
    both(false, false)
}

/// So does a dry run.
fn a_refusal_leaves_the_one_before() -> Result {
    need_memory()?;
    let bare = file(&image("bare")?)?;
    let nobpf = file(&image("nobpf")?)?;
    let load = |image, flags| Load {
        flags,
        ..Load::dry(image)
    };
    accepted(&load(&bare, ON_CRASH))?;
    load(&nobpf, ON_CRASH)
        .run()
        .refused(libc::ENOEXEC, "image: there is no section .bpf")?;
    both(false, true)?;
    accepted(&load(&bare, ON_CRASH | DRY_RUN))?;
    both(false, true)?;
    unload_crash()
}

/// The one before had to make room.
fn a_refusal_in_the_end() -> Result {
    need_memory()?;
    let image = file(&image("bare")?)?;
    let load = Load {
        flags: ON_CRASH,
        ..Load::dry(&image)
    };
    accepted(&load)?;
    let programs = Programs::that_refuse()?;
    let errno = load.run().errno;
    drop(programs);
    equal("errno", errno, libc::EPERM)?;
    both(false, false)
}

/// The policy becomes stricter while `kexec_load(2)` waits for its list of segments.
fn a_refusal_before_it_makes_room() -> Result {
    need_memory()?;
    if enforced() {
        return skip("kexec_load(2) is refused");
    }
    let image = file(&image("bare")?)?;
    accepted(&Load {
        flags: ON_CRASH,
        ..Load::dry(&image)
    })?;
    let segments = Fuse::mount(PAGE, Mode::Cached)?;
    let errno = thread::scope(|scope| {
        let held = Held::new(scope, &segments, load_crash_segments)?;
        let _programs = Programs::that_refuse_segments()?;
        held.goes_on(&[0; PAGE])
    })?;
    equal("errno", errno, libc::EPERM)?;
    both(false, true)?;
    unload_crash()
}

fn nothing_reserved() -> Result {
    fs::write(RESERVED, "0")?;
    let image = file(&image("bare")?)?;
    let load = Load {
        flags: ON_CRASH,
        ..Load::dry(&image)
    };
    let why = format!("kernel: kexec_file rejected it: -{}", libc::EADDRNOTAVAIL);
    load.run().refused(libc::EADDRNOTAVAIL, &why)?;
    both(false, false)
}
