// SPDX-License-Identifier: GPL-2.0

//! The command kexec-bpf passes on what belongs to an image, and says why one is refused.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::harness::{equal, skip, Context, Result};
use support::load::image;

tests! {
    BELOW_CONFIDENTIALITY;
    companions_and_profile,
    a_reason_comes_first,
}

/// Its length is that of nothing else in the image.
const CREDENTIAL: &str = "a credential with a length of its own";

/// A directory with a signed UKI, whose name has a boot count, and a credential for it.
fn directory() -> Result<PathBuf> {
    let directory = std::env::temp_dir().join("kexec_bpf_test.command");
    let companions = directory.join("a.efi.extra.d");
    fs::create_dir_all(&companions)?;
    fs::write(directory.join("a+3-1.efi"), image("bare")?)?;
    fs::write(companions.join("b.cred"), CREDENTIAL)?;
    Ok(directory)
}

fn kexec_bpf(directory: &Path, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new("kexec-bpf");
    match command.args(arguments).current_dir(directory).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => skip("no kexec-bpf"),
        output => output.context("kexec-bpf"),
    }
}

/// Checks an image. Returns the exit status and whether each text is in what is printed.
fn check(directory: &Path, options: &[&str], texts: &[&str]) -> Result<(Option<i32>, Vec<bool>)> {
    let arguments = [&["check", "a+3-1.efi"], options].concat();
    let output = kexec_bpf(directory, &arguments)?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let has = texts.iter().map(|wanted| text.contains(wanted)).collect();
    Ok((output.status.code(), has))
}

fn companions_and_profile() -> Result {
    let directory = directory()?;
    let appended = format!("program: {} bytes appended to the initrd", CREDENTIAL.len());
    let texts = ["credential", "private data: copied", &appended];
    let named = &["--no-extras", "--companion", "a.efi.extra.d/b.cred"];
    for (options, status, has) in [
        (&[][..], 0, [true, true, true]),
        (&["--json"], 0, [true, true, true]),
        (&["--no-extras"], 0, [false, false, false]),
        (named, 0, [true, true, true]),
        // The image has no such profile.
        (&["--no-extras", "--profile", "1"], 1, [false, true, false]),
    ] {
        let result = check(&directory, options, &texts)?;
        equal(options.join(" "), result, (Some(status), has.to_vec()))?;
    }
    fs::remove_dir_all(directory)?;
    Ok(())
}

fn a_reason_comes_first() -> Result {
    let directory = directory()?;
    fs::write(directory.join("text"), "no image")?;
    let output = kexec_bpf(&directory, &["load", "text"])?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<_> = errors.lines().map(str::to_owned).collect();
    equal("status", output.status.code(), Some(1))?;
    let reason = errors
        .iter()
        .find_map(|line| line.strip_prefix("refused: "));
    let reason = reason.unwrap_or("none");
    let said = [
        format!("kexec-bpf: text: refused: {reason}"),
        "  ENOEXEC: not a PE image, or one without a .bpf section".into(),
    ];
    let last = errors.len().saturating_sub(said.len());
    equal("what is said last", &errors[last..], &said[..])?;
    fs::remove_dir_all(directory)?;
    Ok(())
}
