// SPDX-License-Identifier: GPL-2.0

//! The limits of what a program can make in a load: at the limit, and one over.

use std::os::fd::{AsFd, AsRawFd};

use support::child::{Child, End};
use support::embedded::{ask, returns, CMDLINE, PIECES, PUT, TWICE};
use support::fuse::{Fuse, Mode};
use support::harness::{equal, Context, Result};
use support::load::{file, image, sparse, Load, Loaded};
use support::meminfo::budget;
use support::object::Input;
use support::script::{put, read_fd, Script};
use support::uapi::{CMDLINE_MAX, HANDLE, HANDLES_MAX, PIECES_MAX, VERIFY_PE};

tests! {
    ON_X86_64;
    resources,
    pieces_of_the_initrd,
    command_line,
    memory_of_files_that_are_refused,
    memory_of_files_that_are_kept,
    memory_of_a_joined_initrd,
    memory_of_all_loads,
}

/// A load whose program does something `n` times, or with `len` bytes.
fn run(op: u64, n: usize, len: u64) -> Result<Loaded> {
    let data = ask(op, n as i64, len)?;
    let image = file(&image("obey")?)?;
    let load = Load {
        map: data.as_fd().as_raw_fd(),
        ..Load::dry(&image)
    };
    Ok(load.run())
}

fn resources() -> Result {
    let most = HANDLES_MAX as usize;
    for len in [0, 1, 4096] {
        let last = HANDLE + HANDLES_MAX - 1;
        returns(&run(PUT, most, len)?, last.into()).context(len)?;
        run(PUT, most + 1, len)?
            .refused(libc::EFBIG, &format!("program: more than {most} resources"))
            .context(len)?;
    }
    Ok(())
}

fn pieces_of_the_initrd() -> Result {
    let why = "program: initrd: it would be too long, or have too many pieces";
    // All pieces fit, but the program binds no kernel.
    run(PIECES, PIECES_MAX, 0)?.refused(libc::ECANCELED, "the program bound no kernel")?;
    run(PIECES, PIECES_MAX + 1, 0)?.refused(libc::EFBIG, why)
}

fn command_line() -> Result {
    run(CMDLINE, CMDLINE_MAX, 0)?.refused(libc::ECANCELED, "the program bound no kernel")?;
    let over = CMDLINE_MAX + 1;
    let why = format!("program: {over} bytes of command line: it would be too long");
    run(CMDLINE, over, 0)?.refused(libc::EFBIG, &why)
}

const ENOEXEC: i64 = -libc::ENOEXEC as i64;

/// Memory of a refused file is given back at once.
fn memory_of_files_that_are_refused() -> Result {
    let script = Script::load()?;
    let files = (0..4)
        .map(|_| sparse(budget()? * 3 / 10))
        .collect::<Result<Vec<_>>>()?;
    let mut steps: Vec<_> = files
        .iter()
        .map(|file| (read_fd(file.as_raw_fd().into(), VERIFY_PE), ENOEXEC))
        .collect();
    steps.push((put(b"text"), HANDLE.into()));
    script.check(&Input::default(), &steps)?;
    Ok(())
}

/// The memory of all handles counts together.
fn memory_of_files_that_are_kept() -> Result {
    let script = Script::load()?;
    let [first, second, third] = [4, 4, 4].map(|tenths| sparse(budget()? * tenths / 10));
    let [first, second, third] = [first?, second?, third?];
    let fd = |file: &std::fs::File| file.as_raw_fd().into();
    let steps = [
        (read_fd(fd(&first), 0), HANDLE.into()),
        (read_fd(fd(&second), 0), i64::from(HANDLE) + 1),
        (read_fd(fd(&third), 0), -i64::from(libc::EFBIG)),
    ];
    script.check_until(&Input::default(), &steps, libc::EFBIG)?;
    // It is all given back.
    script.check(&Input::default(), &steps[..2])?;
    Ok(())
}

fn memory_of_a_joined_initrd() -> Result {
    let image = file(&image("obey")?)?;
    for (tenths, errno, why) in [
        // With the file, that takes 9 tenths of the limit, or 12.
        (
            3,
            libc::ELIBBAD,
            "kernel: no loader of this architecture knows its format",
        ),
        (
            4,
            libc::EFBIG,
            "initrd: all loads together would take more than half of the memory",
        ),
    ] {
        let initrd = sparse(budget()? * tenths / 10)?;
        let data = ask(TWICE, initrd.as_raw_fd().into(), 0)?;
        let load = Load {
            map: data.as_fd().as_raw_fd(),
            ..Load::dry(&image)
        };
        load.run().refused(errno, why).context(tenths)?;
    }
    Ok(())
}

/// The memory of a load counts while it waits for its file.
fn memory_of_all_loads() -> Result {
    let fuse = Fuse::mount((budget()? * 6 / 10) as usize, Mode::Direct)?;
    let first = Child::start(&Load::dry(fuse.file()))?;
    let asked = fuse.asked()?;
    let other = sparse(budget()? * 6 / 10)?;
    let over = "image: all loads together would take more than half of the memory";
    Load::dry(&other).run().refused(libc::EFBIG, over)?;
    fuse.fail(&asked);
    let (end, _) = first.wait()?;
    equal("end", end, End::Returned(libc::EIO))?;
    let no_image = "image: no MZ signature (byte 0x0)";
    Load::dry(&other).run().refused(libc::ENOEXEC, no_image)
}
