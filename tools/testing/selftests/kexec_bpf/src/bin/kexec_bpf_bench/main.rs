// SPDX-License-Identifier: GPL-2.0

//! Measures the cost of a load and of the alternatives, and prints rows. A slow load is not a
//! failure.

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

/// The labels of a measured number. The numbers of a round were measured one after the other.
pub struct Row<'a> {
    pub what: &'a str,
    /// What is loaded, and its size in bytes.
    pub case: &'a str,
    pub size: u64,
    pub round: u32,
}

impl Row<'_> {
    /// Prints a number.
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
    // The programs of libbpf are to be compiled too. By default riscv64 does not compile them.
    fs::write(object::JIT, "1")?;
    // A machine whose init loads programs is like this: the JIT allocates 2 MiB for the first
    // program, and gives them back some time after the last one is gone.
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
