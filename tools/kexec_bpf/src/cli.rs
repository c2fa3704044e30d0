// SPDX-License-Identifier: GPL-2.0

//! The command line, from which the manual pages and the shell completions are made too.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{value_parser, Args, Parser, Subcommand};

/// Load the kernel inside a signed image, by the image's own BPF program
///
/// kexec-bpf opens files and makes the system call kexec_bpf_load(2). The running kernel verifies
/// the image and runs the image's program, which decides on the rest: whether to take an initrd or
/// a command line that it is given, for instance.
///
/// What systemd-stub(7) takes when firmware boots an image, kexec-bpf passes on to the program:
/// addons, credentials and extensions in IMAGE.extra.d and, for an image on an EFI system partition
/// or an extended boot loader partition, in /loader/addons, /loader/credentials and
/// /loader/extensions of that partition. Programs other than uki.bpf.o may have no use for them.
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
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what is in an image, and which files are found for it
    Inspect {
        /// UKI, EFI zboot or other PE image; without one, the boot loader's default entry
        image: Option<PathBuf>,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Drop the kernel that is loaded
    Unload {
        /// Drop the crash kernel instead
        #[arg(long)]
        crash: bool,
    },
    /// Put a BPF program into an image, to be signed afterwards
    Attach(Attach),
}

/// What to put into which image.
#[derive(Args)]
pub struct Attach {
    /// UKI, EFI zboot or other PE image without a section .bpf
    pub image: PathBuf,
    /// BPF object, which becomes the section .bpf
    pub object: PathBuf,
    /// File to write; an existing one is replaced
    pub output: PathBuf,
    /// Drop the image's signatures
    #[arg(long)]
    pub strip_signature: bool,
    /// Let a caller's initrd replace the image's own for a crash kernel, also where signatures are
    /// enforced; for tools that make an initrd for crash dumps
    #[arg(long)]
    pub allow_crash_initrd: bool,
}

/// What to load.
#[derive(Args)]
pub struct Source {
    /// UKI, EFI zboot or other PE image with a section .bpf; without one, the boot loader's
    /// default entry, as bootctl lists it
    pub image: Option<PathBuf>,
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
    /// Number of the profile to load, in an image that has several [default: 0]
    #[arg(long, value_name = "NUMBER", value_parser = value_parser!(u32).range(..=PROFILE_MAX))]
    pub profile: Option<u32>,
    /// Addon (*.addon.efi), credential (*.cred) or extension (*.raw) to pass on after those that
    /// are found; may be repeated
    #[arg(long = "companion", value_name = "FILE")]
    pub companions: Vec<PathBuf>,
    /// Do not look for addons, credentials and extensions
    #[arg(long)]
    pub no_extras: bool,
    /// Load it as the kernel to start after a panic
    #[arg(long)]
    pub crash: bool,
}

/// What systemd-stub knows.
const PROFILE_MAX: i64 = 255;

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
        let Ok(Command::Check {
            source,
            json: false,
        }) = parse("kexec-bpf check a.efi")
        else {
            panic!("not parsed");
        };
        assert_eq!(source.image.as_deref(), Some(Path::new("a.efi")));
        assert_eq!(source.initrd, None);
        assert_eq!(source.command_line, "");
        assert_eq!(source.profile, None);
        assert!(source.companions.is_empty());
        assert!(!source.no_extras);
        assert!(!source.crash);
    }

    #[test]
    fn all_options() {
        let line = "kexec-bpf load a.efi --initrd i --command-line c=1 --profile 255 \
                    --companion a.cred --companion b.raw --no-extras --exec -v";
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
        assert_eq!(source.profile, Some(255));
        assert_eq!(source.companions, [Path::new("a.cred"), Path::new("b.raw")]);
        assert!(source.no_extras);
    }

    #[test]
    fn the_image_may_be_left_out() {
        for line in ["load", "check --json", "inspect --json"] {
            let image = match parse(&format!("kexec-bpf {line}")) {
                Ok(Command::Load { source, .. } | Command::Check { source, .. }) => source.image,
                Ok(Command::Inspect { image, json: true }) => image,
                _ => panic!("not parsed: {line}"),
            };
            assert_eq!(image, None);
        }
    }

    #[test]
    fn attach() {
        let line = "kexec-bpf attach a b c --allow-crash-initrd";
        let Ok(Command::Attach(arguments)) = parse(line) else {
            panic!("not parsed");
        };
        let paths = [&arguments.image, &arguments.object, &arguments.output];
        assert_eq!(paths, [Path::new("a"), Path::new("b"), Path::new("c")]);
        assert!(arguments.allow_crash_initrd);
        assert!(!arguments.strip_signature);
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
            ("kexec-bpf load a --profile 256", ErrorKind::ValueValidation),
            ("kexec-bpf load a --profile -1", ErrorKind::UnknownArgument),
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
