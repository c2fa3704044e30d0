// SPDX-License-Identifier: GPL-2.0

//! Loads the kernel inside a signed image, such as a unified kernel image (UKI), by the BPF
//! program that the image brings along. All decisions are the running kernel's: this command
//! opens the files, makes the system call, and says what came of it. It also puts programs into
//! images.

mod attach;
#[allow(dead_code, reason = "the tests use it")]
mod private_data;
mod refusal;
mod sys;
#[allow(dead_code, reason = "the tests use the rest")]
mod uapi;

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Load the kernel inside a signed image, by the image's own BPF program
#[derive(Parser)]
#[command(name = "kexec-bpf")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Load an image, for the next kexec reboot
    Load {
        #[command(flatten)]
        source: Source,
        /// Reboot into it at once; no process is stopped first
        #[arg(long, conflicts_with = "crash")]
        exec: bool,
        /// Print the kernel's log also when the image was loaded
        #[arg(long, short)]
        verbose: bool,
    },
    /// Print what loading an image would do, or why it would be refused
    Check {
        #[command(flatten)]
        source: Source,
    },
    /// Drop the kernel that is loaded
    Unload {
        /// Drop the crash kernel instead
        #[arg(long)]
        crash: bool,
    },
    /// Put a BPF program into an image, to be signed afterwards
    Attach {
        /// UKI, EFI zboot or other PE image without a section .bpf
        image: PathBuf,
        /// BPF object, which becomes the section .bpf
        object: PathBuf,
        /// File to write; an existing one is replaced
        output: PathBuf,
        /// Drop the image's signatures
        #[arg(long)]
        strip_signature: bool,
    },
}

/// What to load.
#[derive(Args)]
struct Source {
    /// UKI, EFI zboot or other PE image with a section .bpf
    image: PathBuf,
    /// Initrd, which the image's program may refuse
    #[arg(long, value_name = "FILE")]
    initrd: Option<PathBuf>,
    /// Command line, which the image's program may refuse
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    command_line: OsString,
    /// Load it as the kernel to start after a panic
    #[arg(long)]
    crash: bool,
}

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
    use clap::error::ErrorKind;
    use clap::CommandFactory;

    fn parse(line: &str) -> std::result::Result<Command, ErrorKind> {
        Cli::try_parse_from(line.split(' '))
            .map(|cli| cli.command)
            .map_err(|error| error.kind())
    }

    #[test]
    fn definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn image_alone() {
        let Ok(Command::Check { source }) = parse("kexec-bpf check a.efi") else {
            panic!("not parsed");
        };
        assert_eq!(source.image, Path::new("a.efi"));
        assert_eq!(source.initrd, None);
        assert_eq!(source.command_line, "");
        assert!(!source.crash);
    }

    #[test]
    fn all_options() {
        let line = "kexec-bpf load a.efi --initrd i --command-line c=1 --exec -v";
        let Ok(Command::Load {
            source,
            exec: true,
            verbose: true,
        }) = parse(line)
        else {
            panic!("not parsed");
        };
        assert_eq!(source.initrd.as_deref(), Some(Path::new("i")));
        assert_eq!(source.command_line, "c=1");
    }

    #[test]
    fn unload() {
        assert!(matches!(
            parse("kexec-bpf unload --crash"),
            Ok(Command::Unload { crash: true })
        ));
    }

    #[test]
    fn usage_errors() {
        for (line, kind) in [
            (
                "kexec-bpf",
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
            ),
            ("kexec-bpf load", ErrorKind::MissingRequiredArgument),
            ("kexec-bpf load a b", ErrorKind::UnknownArgument),
            (
                "kexec-bpf load a --exec --crash",
                ErrorKind::ArgumentConflict,
            ),
            ("kexec-bpf check a --exec", ErrorKind::UnknownArgument),
            ("kexec-bpf check a --initrd", ErrorKind::InvalidValue),
            ("kexec-bpf unload a", ErrorKind::UnknownArgument),
            ("kexec-bpf attach a b", ErrorKind::MissingRequiredArgument),
            ("kexec-bpf fetch", ErrorKind::InvalidSubcommand),
        ] {
            assert_eq!(parse(line).err(), Some(kind), "{line}");
        }
    }

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
            let Ok(command) = parse(&format!("kexec-bpf {line}")) else {
                panic!("not parsed: {line}");
            };
            let error = run(command).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
