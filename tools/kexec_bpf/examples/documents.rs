// SPDX-License-Identifier: GPL-2.0

//! Writes the manual pages and the shell completions of the command into a directory.

#[path = "../src/cli.rs"]
mod cli;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::roff::{bold, roman, Inline, Roff};
use clap_mangen::Man;

const SECTION: &str = "8";

fn main() -> io::Result<()> {
    let directory = std::env::args_os().nth(1).expect("a directory");
    let directory = Path::new(&directory);
    let mut command = cli::Cli::command().disable_help_subcommand(true);
    command.build();

    page(&command, directory, &last_sections)?;
    for subcommand in command.get_subcommands() {
        page(subcommand, directory, &|roff| {
            see_also(roff, &["kexec-bpf"])
        })?;
    }
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        let name = command.get_name().to_owned();
        let path = clap_complete::generate_to(shell, &mut command, name, directory)?;
        if shell == Shell::Bash {
            // Where bash looks, the file has the name of the command.
            std::fs::rename(&path, path.with_extension(""))?;
        }
    }
    Ok(())
}

/// Writes the page of a command, which ends with what `last` adds.
fn page(command: &Command, directory: &Path, last: &dyn Fn(&mut Roff)) -> io::Result<()> {
    let man = Man::new(command.clone())
        .section(SECTION)
        .source("Linux")
        .manual("kexec of signed images");
    let mut page = File::create(directory.join(man.get_filename()))?;
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut roff = Roff::new();
    last(&mut roff);
    roff.to_writer(&mut page)?;
    page.flush()
}

/// What the page of the whole command has besides its definition.
fn last_sections(roff: &mut Roff) {
    roff.control("SH", ["EXIT STATUS"]);
    roff.text([roman(
        "0, or 1 after a failure or a refusal, or 2 for a wrong command line.",
    )]);
    roff.control("SH", ["FILES"]);
    for (path, what) in [
        (
            "/usr/lib/kexec_bpf/uki.bpf.o",
            "Program for unified kernel images (UKIs).",
        ),
        (
            "/usr/lib/kexec_bpf/zboot.bpf.o",
            "Program for EFI zboot images.",
        ),
    ] {
        roff.control("TP", []);
        roff.text([bold(path)]);
        roff.text([roman(what)]);
    }
    roff.control("SH", ["EXAMPLES"]);
    for (what, lines) in [
        (
            "Give a UKI its program when it is made, or afterwards:",
            &[
                "ukify build --linux=vmlinuz --initrd=initrd \\",
                "    --section=.bpf:@/usr/lib/kexec_bpf/uki.bpf.o --output=image.efi",
                "kexec-bpf attach image.efi /usr/lib/kexec_bpf/uki.bpf.o unsigned.efi",
            ][..],
        ),
        (
            "Look at it, ask whether it would be loaded, load it, and start it:",
            &[
                "kexec-bpf inspect image.efi",
                "kexec-bpf check image.efi",
                "kexec-bpf load image.efi",
                "systemctl kexec",
            ],
        ),
    ] {
        roff.control("PP", []);
        roff.text([roman(what)]);
        roff.control("RS", ["4"]);
        roff.control("nf", []);
        for line in lines {
            roff.text([roman(*line)]);
        }
        roff.control("fi", []);
        roff.control("RE", []);
    }
    see_also(roff, &["kexec", "systemctl", "ukify"]);
}

fn see_also(roff: &mut Roff, pages: &[&str]) {
    roff.control("SH", ["SEE ALSO"]);
    let section = |page: &str| match page {
        "systemctl" | "ukify" => "1",
        _ => SECTION,
    };
    let mut line: Vec<Inline> = Vec::new();
    for page in pages {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.push(bold(*page));
        line.push(roman(format!("({})", section(page))));
    }
    roff.text(line);
}
