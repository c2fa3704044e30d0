// SPDX-License-Identifier: GPL-2.0

//! What a load costs, beside what people do instead. Measures and prints rows; nothing here can
//! fail for being slow.

mod growth;
mod image;
mod kfunc;
mod loads;
mod objects;
mod tool;
mod trace;
mod unpack;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use image::Image;
use support::harness::{Context, Failure, Result};
use support::load;
use support::object::{self, Object};

const USAGE: &str = "usage: kexec_bpf_bench ROUNDS [loads|objects|kfunc|growth]...
Measures with each image of /files, ROUNDS times, and prints rows that begin with \"bench\".";

/// One number. Those of a round were measured one after the other.
pub struct Row<'a> {
    pub what: &'a str,
    /// What is loaded, and its size in bytes.
    pub case: &'a str,
    pub size: u64,
    pub round: u32,
}

impl Row<'_> {
    /// Prints it.
    pub fn put(&self, name: &str, number: u64) {
        let Self {
            what,
            case,
            size,
            round,
        } = self;
        println!("bench\t{what}\t{case}\t{size}\t{round}\t{name}\t{number}");
    }
}

fn measure(what: &str, rounds: u32, images: &[Image]) -> Result {
    match what {
        "loads" => loads::run(rounds, images),
        "objects" => objects::run(rounds),
        "kfunc" => kfunc::run(rounds, images),
        "growth" => growth::run(rounds),
        _ => Err(USAGE.into()),
    }
}

fn run() -> Result {
    let mut arguments = env::args().skip(1);
    let rounds = arguments.next().ok_or(USAGE)?.parse().context(USAGE)?;
    load::set_images("/files".into());
    // What libbpf loads is to be compiled as well; on riscv64 it is not by default.
    fs::write(object::JIT, "1")?;
    // As where init has programs: all programs are in memory of 2 MiB that the JIT takes for the
    // first one and gives back, some time after the last.
    let _program = Object::new(include_bytes!(concat!(env!("OUT_DIR"), "/addons.o")))?;
    let mut paths: Vec<PathBuf> = fs::read_dir("/files")?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    paths.sort();
    let images: Vec<_> = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "efi"))
        .map(|path| Image::new(path))
        .collect::<Result<_>>()?;
    for what in arguments {
        measure(&what, rounds, &images).context(what)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(why) | Failure::Skipped(why)) => {
            eprintln!("kexec_bpf_bench: {why}");
            ExitCode::FAILURE
        }
    }
}
