// SPDX-License-Identifier: GPL-2.0

//! Each allocation of a load fails once. The load then succeeds all the same, or it is refused for
//! lack of memory, and leaves nothing behind.

use std::os::fd::AsRawFd;

use support::fail_nth::fails;
use support::harness::Result;
use support::load::{file, image, Load};

tests! {
    ON_X86_64.and_confidentiality();
    each_of_a_small_program,
    some_of_a_large_program,
}

fn each_of_a_small_program() -> Result {
    let (image, initrd) = (file(&image("unverified_kernel")?)?, file(b"an initrd")?);
    let load = Load {
        initrd: initrd.as_raw_fd(),
        cmdline: b"quiet",
        ..Load::dry(&image)
    };
    // The last check finds that 4096 zeroes are not a kernel.
    fails(&load, 1, libc::ELIBBAD, "")
}

fn some_of_a_large_program() -> Result {
    fails(&Load::dry(&file(&image("nested-2")?)?), 601, 0, "accepted")
}
