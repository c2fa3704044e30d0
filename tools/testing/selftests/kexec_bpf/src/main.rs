// SPDX-License-Identifier: GPL-2.0

//! Tests of `kexec_bpf_load(2)` and of `BPF_PROG_TYPE_KEXEC`, by a kernel that has them.

mod bombs;
mod cgroup;
mod child;
mod fuse;
#[macro_use]
mod harness;
mod cases;
mod der;
mod load;
mod message;
mod object;
mod pe;
mod script;
mod tiny;
mod uapi;

mod accepted;
mod adversary;
mod appraisal;
mod at_once;
mod callers;
mod carrier;
mod certificates;
mod closed_lists;
mod cmdline;
mod context;
mod crash;
mod decompress;
mod descriptors;
mod documentation;
mod files;
mod first;
mod grab;
mod hostile;
mod images;
mod initrd;
mod kernel_log;
mod kexec_file;
mod limits;
mod malformed;
mod meanwhile;
mod memory;
mod older_formats;
mod out_of_memory;
mod policy;
mod private;
mod provenance;
mod record;
mod refused;
mod revoked;
mod signals;
mod verifier;
mod zboot;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: kexec_bpf_test [--images DIR] [--secure-boot] [--all] [NAME]...
Runs the tests whose names contain a NAME; without one, all but those of the adversary. Those of
\"appraisal\" run if this is the only NAME. Each time, what the kernel printed is looked at.
DIR has the images (default /files). --secure-boot says that the kernel enforces signatures without
lockdown, and trusts the key \"platform\". --all says that the adversary tries everything, for
hours, in place of a fixed sample.";

/// The tests in their order. What lasts until the machine ends is last.
const TESTS: &[&[harness::Test]] = &[
    der::TESTS,
    context::TESTS,
    carrier::TESTS,
    decompress::TESTS,
    older_formats::TESTS,
    initrd::TESTS,
    cmdline::TESTS,
    files::TESTS,
    provenance::TESTS,
    images::TESTS,
    zboot::TESTS,
    first::TESTS,
    documentation::TESTS,
    verifier::TESTS,
    closed_lists::TESTS,
    callers::TESTS,
    accepted::TESTS,
    kexec_file::TESTS,
    crash::TESTS,
    private::TESTS,
    record::TESTS,
    malformed::TESTS,
    certificates::TESTS,
    hostile::TESTS,
    limits::TESTS,
    grab::TESTS,
    descriptors::TESTS,
    at_once::TESTS,
    signals::TESTS,
    memory::TESTS,
    out_of_memory::TESTS,
    policy::TESTS,
    revoked::TESTS,
    refused::TESTS,
    meanwhile::TESTS,
];

/// All tests but those of "appraisal". The adversary finds the keyrings as they were when the
/// machine began.
fn all() -> Vec<harness::Test> {
    [adversary::TESTS, TESTS, &[adversary::LAST]]
        .concat()
        .concat()
}

/// The tests of this choice, in their order.
fn choose(names: &[String]) -> Vec<harness::Test> {
    let tests = match names {
        [] => TESTS.concat(),
        // What follows these would see another kernel: they run on their own.
        [name] if name == "appraisal" => appraisal::TESTS.to_vec(),
        _ => all(),
    };
    harness::named(tests, names)
}

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
        return harness::skip_all("the kernel has no kexec_bpf_load(2)");
    }
    // By default it is off on riscv.
    if let Err(error) = fs::write(object::JIT, "1") {
        eprintln!("{}: {error}", object::JIT);
        return ExitCode::FAILURE;
    }
    load::set_images(images);
    let mut tests = choose(&names);
    if tests.is_empty() {
        eprintln!("There is no test of such a name: {}", names.join(" "));
        return ExitCode::FAILURE;
    }
    tests.extend(kernel_log::TESTS);
    harness::run(&tests)
}
