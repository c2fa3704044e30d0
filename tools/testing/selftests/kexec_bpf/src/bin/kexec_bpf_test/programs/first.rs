// SPDX-License-Identifier: GPL-2.0

//! The first program of Documentation/bpf/kexec_programs.rst does what the page says.

use std::io;
use std::process::Command;

use support::harness::{equal, skip, Context, Result};
use support::load::{image, path, Loaded};
use support::object::{test_run, Input, Object};
use support::pe;
use support::uapi::{ENFORCED, SIGNED};

tests! {
    BELOW_CONFIDENTIALITY;
    its_log,
    its_kernel,
    its_refusals,
}

const NO_KERNEL: i32 = 3;

fn program() -> Result<Object> {
    Object::new(include_bytes!(concat!(env!("OUT_DIR"), "/first.o")))
}

/// The log is that of the page, where "..." stands for text that differs from build to build.
fn its_log() -> Result {
    image("first")?;
    let output = match Command::new("kexec-bpf")
        .arg("check")
        .arg(path("first.efi"))
        .output()
    {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return skip("no kexec-bpf"),
        Err(error) => return Err(error.into()),
    };
    let log = String::from_utf8_lossy(&output.stdout);
    let log = Loaded {
        errno: output.status.code().unwrap_or(-1),
        log: log.lines().map(Into::into).collect(),
    };
    let want = include_str!("../../../../progs/first/first.log").replace("...", "*");
    log.check(0, &want.lines().collect::<Vec<_>>())
        .context(String::from_utf8_lossy(&output.stderr))
}

fn its_kernel() -> Result {
    let image = pe::image(&[(".text", b"stub"), (".linux", b"a kernel of odd length")]);
    let input = Input {
        image: &image,
        initrd: b"an initrd",
        cmdline: b"a command line",
        flags: SIGNED | ENFORCED,
        ..Input::default()
    };
    let output = test_run(program()?.program(), &input);
    equal("errno", output.errno, 0)?;
    equal("what the program returns", output.returned, 0)?;
    equal("kernel", &output.kernel[..], b"a kernel of odd length")?;
    equal("initrd", &output.initrd[..], b"an initrd")?;
    equal("command line", &output.cmdline[..], b"a command line")
}

fn its_refusals() -> Result {
    let object = program()?;
    let image = pe::image(&[(".linux", b"a kernel")]);
    let none = pe::image(&[(".initrd", b"an initrd")]);
    let run = |image: &[u8], flags| {
        let input = Input {
            image,
            flags,
            ..Input::default()
        };
        let output = test_run(object.program(), &input);
        (output.errno, output.returned)
    };
    equal("without .linux", run(&none, 0), (0, NO_KERNEL))?;
    equal("cut", run(&image[..100], 0), (0, -libc::ERANGE))?;
    equal("unsigned", run(&image, ENFORCED).0, libc::EACCES)
}
