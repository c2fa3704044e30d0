// SPDX-License-Identifier: GPL-2.0

//! Loads the kernel inside a signed image, such as a unified kernel image (UKI), by the BPF
//! program that the image brings along. All decisions are the running kernel's: this command
//! opens the files, makes the system call, and says what came of it. It also puts programs into
//! images.

mod attach;
mod cli;
#[allow(dead_code, reason = "the tests use it")]
mod private_data;
mod refusal;
mod sys;
#[allow(dead_code, reason = "the tests use the rest")]
mod uapi;

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command, Source};

/// A failure, in words.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(io::stderr(), "kexec-bpf: {message}");
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
            let (result, log) = load(&source, 0)?;
            if verbose || result.is_err() {
                print(io::stderr(), &log);
            }
            result?;
            if exec {
                return Err(failed("cannot reboot", sys::reboot_into_loaded()));
            }
            Ok(())
        }
        Command::Check { source } => {
            let (result, log) = load(&source, uapi::DRY_RUN)?;
            print(io::stdout(), &log);
            result
        }
        Command::Unload { crash } => {
            sys::unload(crash).map_err(|error| failed("cannot unload", error))
        }
        Command::Attach {
            image,
            object,
            output,
            strip_signature,
        } => attach(&image, &object, &output, strip_signature),
    }
}

/// Returns whether the kernel accepted the image, and its log.
fn load(source: &Source, flags: u32) -> Result<(Result<()>, String)> {
    let image = open(&source.image)?;
    let initrd = source.initrd.as_deref().map(open).transpose()?;
    let flags = flags | if source.crash { uapi::ON_CRASH } else { 0 };
    let cmdline = source.command_line.as_bytes();

    let (result, log) = sys::kexec_bpf_load(flags, &image, initrd.as_ref(), cmdline);
    let result = result.map_err(|error| {
        let why = refusal::explain(&error, &log);
        format!("{}: refused: {why}", source.image.display())
    });
    Ok((result, log))
}

fn attach(image: &Path, object: &Path, output: &Path, strip_signature: bool) -> Result<()> {
    let (image_bytes, object_bytes) = (read(image)?, read(object)?);
    attach::check_object(&object_bytes).map_err(|why| format!("{}: {why}", object.display()))?;
    let made = attach::attach(&image_bytes, &object_bytes, strip_signature)
        .map_err(|why| format!("{}: {why}", image.display()))?;
    fs::write(output, made)
        .map_err(|error| failed(format!("cannot write {}", output.display()), error))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| failed(format!("cannot read {}", path.display()), error))
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| failed(format!("cannot open {}", path.display()), error))
}

fn failed(what: impl Display, error: io::Error) -> String {
    format!("{what}: {error}")
}

/// Prints the log as it is. That nobody reads it is no reason to fail.
fn print(mut to: impl Write, log: &str) {
    let _ = to.write_all(log.as_bytes());
    if !log.is_empty() && !log.ends_with('\n') {
        let _ = to.write_all(b"\n");
    }
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
