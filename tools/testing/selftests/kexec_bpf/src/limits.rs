// SPDX-License-Identifier: GPL-2.0

//! The limits of what a program makes, at them and one over, in a load.

use std::os::fd::{AsFd, AsRawFd};

use crate::harness::{Context, Result};
use crate::load::{file, image, Load, Loaded};
use crate::private::{ask, returns, CMDLINE, PIECES, PUT};
use crate::uapi::{CMDLINE_MAX, HANDLE, HANDLES_MAX, PIECES_MAX};

tests![resources, pieces_of_the_initrd, command_line];

/// A load whose program does something so many times, or to so many bytes.
fn run(op: u64, n: usize, len: u64) -> Result<Loaded> {
    let data = ask(op, n as i64, len)?;
    let image = file(&image("private")?)?;
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
    let why = "program: initrd: it would be too long, or of too many pieces";
    // All of them do, and there is still no kernel.
    run(PIECES, PIECES_MAX, 0)?.refused(libc::ECANCELED, "the program bound no kernel")?;
    run(PIECES, PIECES_MAX + 1, 0)?.refused(libc::EFBIG, why)
}

fn command_line() -> Result {
    run(CMDLINE, CMDLINE_MAX, 0)?.refused(libc::ECANCELED, "the program bound no kernel")?;
    let over = CMDLINE_MAX + 1;
    let why = format!("program: {over} bytes of command line: it would be too long");
    run(CMDLINE, over, 0)?.refused(libc::EFBIG, &why)
}
