// SPDX-License-Identifier: GPL-2.0

//! Tests of `kexec_bpf_load(2)` and of `BPF_PROG_TYPE_KEXEC`, by a kernel that has them.

#[macro_use]
extern crate support;

mod adversary;
mod appraisal;
mod der;
mod documentation;
mod kernel_log;
mod kfuncs;
mod loads;
mod malformed;
mod memory;
mod policy;
mod programs;
mod races;
mod verifier;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use support::harness::{choose, run, skip_all, Module};
use support::{load, object};

const USAGE: &str = "usage: kexec_bpf_test [--images DIR] [--secure-boot] [--all] [NAME]...
Runs the tests whose names contain a NAME. Without a NAME, runs the tests that are meant for this
machine: its architecture, its lockdown level and secure boot. The tests of the kernel's log always
run.
  --images DIR   the directory with the images (default /files)
  --secure-boot  the kernel enforces signatures without lockdown, and trusts the key \"platform\"
  --all          the adversary tries everything, which takes hours, instead of a fixed sample";

/// Each module that has tests. build.rs finds them.
const MODULES: &[&Module] = &include!(concat!(env!("OUT_DIR"), "/modules.rs"));

fn main() -> ExitCode {
    let mut images = PathBuf::from("/files");
    let mut names = Vec::new();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.len()) {
            ("--images", 1..) => images = arguments.next().unwrap_or_default().into(),
            ("--secure-boot", _) => load::set_secure_boot(),
            ("--all", _) => adversary::set_all(),
            (word, _) if !word.starts_with('-') => names.push(argument),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::FAILURE;
            }
        }
    }
    if load::is_unknown() {
        return skip_all("the kernel has no kexec_bpf_load(2)");
    }
    // It is off by default on riscv.
    if let Err(error) = fs::write(object::JIT, "1") {
        eprintln!("{}: {error}", object::JIT);
        return ExitCode::FAILURE;
    }
    load::set_images(images);
    if !names.is_empty() && !names_a_test(&names) {
        eprintln!("No test has such a name: {}", names.join(" "));
        return ExitCode::FAILURE;
    }
    run(&choose(MODULES, &names))
}

/// Whether a name is that of a test.
fn names_a_test(names: &[String]) -> bool {
    let mut tests = MODULES.iter().flat_map(|module| module.tests);
    tests.any(|test| names.iter().any(|name| test.name().contains(name)))
}
