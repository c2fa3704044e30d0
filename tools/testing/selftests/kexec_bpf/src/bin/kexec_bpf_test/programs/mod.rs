// SPDX-License-Identifier: GPL-2.0

//! The programs of tools/kexec_bpf and of the documentation, on images that the tests make.

pub mod command;
pub mod first;
pub mod uki;
pub mod uki_extras;
pub mod zboot;

use support::harness::{equal, Result};
use support::object::{test_run, Input, Object, Output};

/// `enum kexec_refusal`
const MALFORMED: i32 = 1;
const MACHINE: i32 = 2;
const NO_KERNEL: i32 = 3;
const INITRD: i32 = 4;
const CMDLINE: i32 = 5;
const ALGORITHM: i32 = 7;
const PRIVATE_DATA: i32 = 8;
const PROFILE: i32 = 9;
const ADDON: i32 = 10;

/// The program for UKIs.
fn uki() -> Result<Object> {
    Object::new(include_bytes!(concat!(env!("OUT_DIR"), "/uki.o")))
}

/// Runs a program.
fn run(object: &Object, input: &Input<'_>) -> Output {
    test_run(object.program(), input)
}

/// Fails unless the parts are these.
fn parts(output: &Output, kernel: &[u8], initrd: &[u8], cmdline: &[u8]) -> Result {
    equal("errno", output.errno, 0)?;
    equal("what the program returns", output.returned, 0)?;
    equal("kernel", &output.kernel[..], kernel)?;
    equal("initrd", &output.initrd[..], initrd)?;
    equal("command line", &output.cmdline[..], cmdline)
}

/// Fails unless the program returns `want` for the image, and binds nothing.
fn returned(object: &Object, image: &[u8], want: i32) -> Result {
    let input = Input {
        image,
        ..Input::default()
    };
    let output = run(object, &input);
    equal("errno", output.errno, 0)?;
    equal("what the program returns", output.returned, want)?;
    equal("kernel", output.kernel.len(), 0)
}
