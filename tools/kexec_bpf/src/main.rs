// SPDX-License-Identifier: GPL-2.0

//! Loads the kernel inside a signed image, such as a unified kernel image (UKI), by the BPF
//! program that the image brings along. All decisions are the running kernel's: this command
//! opens the files, makes the system call, and says what came of it. It also puts programs into
//! images.

mod attach;
mod bootctl;
mod cli;
mod companions;
mod inspect;
mod load;
mod private_data;
mod program;
mod refusal;
mod report;
#[cfg(test)]
mod scratch;
mod signature;
mod sys;
mod text;
#[allow(dead_code, reason = "the tests use the rest")]
mod uapi;

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use cli::{Attach, Cli, Command};
use program::Program;
use report::Report;
use text::printable;

/// A failure, in words.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            warn(&message);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Load {
            source,
            exec,
            verbose,
        } => {
            let outcome = load::load(&source, 0)?;
            if verbose || outcome.refusal.is_some() {
                print(io::stderr(), &outcome.words());
            }
            outcome.result()?;
            if exec {
                return Err(failed("cannot reboot", sys::reboot_into_loaded()));
            }
            Ok(())
        }
        Command::Check { source, json: true } => {
            let outcome = load::load(&source, uapi::DRY_RUN)?;
            print(io::stdout(), &outcome.json());
            outcome.result()
        }
        Command::Check {
            source,
            json: false,
        } => {
            let outcome = load::load(&source, uapi::DRY_RUN)?;
            print(io::stdout(), &outcome.words());
            outcome.result()
        }
        Command::Inspect { image, json } => inspect(image, json),
        Command::Unload { crash } => {
            sys::unload(crash).map_err(|error| failed("cannot unload", error))
        }
        Command::Attach(arguments) => attach(&arguments),
    }
}

fn inspect(image: Option<PathBuf>, json: bool) -> Result<()> {
    let image = match image {
        Some(image) => image,
        None => bootctl::default_image()?.0,
    };
    let bytes = read(&image)?;
    let companions = companions::find(&image)?;
    let report = Report::new(&image, &bytes, &companions)
        .map_err(|why| format!("{}: {why}", printable(&image)))?;
    let text = match json {
        true => text::json(&report),
        false => report.words(),
    };
    print(io::stdout(), &text);
    Ok(())
}

fn attach(arguments: &Attach) -> Result<()> {
    let Attach {
        image,
        object,
        output,
        ..
    } = arguments;
    let (image_bytes, mut object_bytes) = (read(image)?, read(object)?);
    let wrong_object = |why| format!("{}: {why}", printable(object));
    attach::check_object(&object_bytes).map_err(wrong_object)?;
    if arguments.allow_crash_initrd {
        Program::allow_crash_initrd(&mut object_bytes).map_err(wrong_object)?;
    }
    let made = attach::attach(&image_bytes, &object_bytes, arguments.strip_signature)
        .map_err(|why| format!("{}: {why}", printable(image)))?;
    fs::write(output, made)
        .map_err(|error| failed(format!("cannot write {}", printable(output)), error))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| failed(format!("cannot read {}", printable(path)), error))
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| failed(format!("cannot open {}", printable(path)), error))
}

fn failed(what: impl Display, error: io::Error) -> String {
    format!("{what}: {error}")
}

/// Says something that is no reason to fail.
fn warn(message: &str) {
    print(io::stderr(), &format!("kexec-bpf: {message}\n"));
}

/// That nobody reads it is no reason to fail.
fn print(mut to: impl Write, text: &str) {
    let _ = to.write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_named() {
        for (line, message) in [
            (
                "check /nonexistent/a.efi",
                "cannot open /nonexistent/a.efi: ",
            ),
            (
                "inspect /nonexistent/a.efi",
                "cannot read /nonexistent/a.efi: ",
            ),
            ("inspect /dev/null", "/dev/null: not a PE32+ image: "),
            (
                "check /dev/null --initrd /nonexistent/i",
                "cannot open /nonexistent/i: ",
            ),
            (
                "attach /nonexistent/a.efi /dev/null b.efi",
                "cannot read /nonexistent/a.efi: ",
            ),
            (
                "attach /dev/null /nonexistent/a.o b.efi",
                "cannot read /nonexistent/a.o: ",
            ),
            (
                "attach /dev/null /dev/null b.efi",
                "/dev/null: not a BPF object",
            ),
        ] {
            let words = format!("kexec-bpf {line}");
            let error = run(Cli::parse_from(words.split(' ')).command).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
