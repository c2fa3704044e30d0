// SPDX-License-Identifier: GPL-2.0

//! The command line, from which the manual pages and the shell completions are made too.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Load the kernel inside a signed image, by the image's own BPF program
///
/// kexec-bpf opens files and makes the system call kexec_bpf_load(2). The running kernel verifies
/// the image and runs the image's program, which decides on the rest: whether to take an initrd or
/// a command line that it is given, for instance.
#[derive(Parser)]
#[command(name = "kexec-bpf")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
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
pub struct Source {
    /// UKI, EFI zboot or other PE image with a section .bpf
    pub image: PathBuf,
    /// Initrd, which the image's program may refuse
    #[arg(long, value_name = "FILE")]
    pub initrd: Option<PathBuf>,
    /// Command line, which the image's program may refuse
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub command_line: OsString,
    /// Load it as the kernel to start after a panic
    #[arg(long)]
    pub crash: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;
    use clap::CommandFactory;
    use std::path::Path;

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
}
