// SPDX-License-Identifier: GPL-2.0

//! Loading an image, and what came of it.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::bootctl;
use crate::cli::Source;
use crate::companions::{self, Companion};
use crate::inspect::Contents;
use crate::refusal::Refusal;
use crate::report::CompanionReport;
use crate::text::{json, printable};
use crate::{failed, open, read, sys, uapi, warn, Result};

/// What the kernel answered.
pub struct Outcome {
    image: PathBuf,
    companions: Vec<Companion>,
    pub refusal: Option<Refusal>,
    pub log: String,
}

/// An [`Outcome`] for programs to read.
#[derive(Serialize)]
struct Report<'a> {
    image: String,
    accepted: bool,
    refusal: Option<&'a Refusal>,
    companions: Vec<CompanionReport<'a>>,
    log: Vec<&'a str>,
}

/// Asks the kernel to load an image, with what belongs to it.
pub fn load(source: &Source, flags: u32) -> Result<Outcome> {
    let (image, profile) = match &source.image {
        Some(image) => (image.clone(), 0),
        None => bootctl::default_image()?,
    };
    let file = open(&image)?;
    let initrd = source.initrd.as_deref().map(open).transpose()?;
    let profile = source.profile.unwrap_or(profile);
    let companions = companions(source, &image, profile)?;
    let passed_on = private_data(&companions, profile)?;

    let flags = flags | if source.crash { uapi::ON_CRASH } else { 0 };
    let map = passed_on.as_ref().map(|(map, _files)| map);
    let cmdline = source.command_line.as_bytes();
    let (result, log) = sys::kexec_bpf_load(flags, &file, initrd.as_ref(), map, cmdline);
    Ok(Outcome {
        refusal: result.err().map(|error| Refusal::new(&error, &log)),
        image,
        companions,
        log,
    })
}

/// The files to pass on. Those that are found do without a program that takes them; what the user
/// asked for does not.
fn companions(source: &Source, image: &Path, profile: u32) -> Result<Vec<Companion>> {
    let mut companions = match source.no_extras {
        true => Vec::new(),
        false => companions::find(image)?,
    };
    let found = companions.len();
    companions::add(&mut companions, &source.companions)?;
    if companions.is_empty() && profile == 0 || takes_private_data(image)? {
        return Ok(companions);
    }
    let image = printable(image);
    if companions.len() > found || profile != 0 {
        return Err(format!(
            "{image}: its program takes no profile and no addons, credentials and extensions"
        ));
    }
    warn(&format!(
        "{image}: its program takes no addons, credentials and extensions: those found are left out"
    ));
    Ok(Vec::new())
}

/// Whether the program of the image takes private data. Of an image that is malformed, the kernel
/// says what is wrong.
fn takes_private_data(image: &Path) -> Result<bool> {
    let contents = Contents::read(&read(image)?);
    let program = contents.ok().and_then(|contents| contents.program);
    Ok(program.is_none_or(|program| program.takes_private_data()))
}

/// The private data in a map, if there is anything to tell the program, and the files that it
/// names, which have to stay open.
fn private_data(companions: &[Companion], profile: u32) -> Result<Option<(OwnedFd, Vec<File>)>> {
    if companions.is_empty() && profile == 0 {
        return Ok(None);
    }
    let (data, files) = companions::open(companions, profile)?;
    let map = sys::array_map(&data)
        .map_err(|error| failed("cannot make a BPF map for the private data", error))?;
    Ok(Some((map, files)))
}

impl Outcome {
    /// An error if the image was refused.
    pub fn result(&self) -> Result<()> {
        match &self.refusal {
            Some(refusal) => Err(format!("{}: {refusal}", printable(&self.image))),
            None => Ok(()),
        }
    }

    pub fn json(&self) -> String {
        json(&Report {
            image: self.image.to_string_lossy().into_owned(),
            accepted: self.refusal.is_none(),
            refusal: self.refusal.as_ref(),
            companions: self.companions.iter().map(CompanionReport::from).collect(),
            log: self.log.lines().collect(),
        })
    }

    /// What was passed on, and the kernel's log.
    pub fn words(&self) -> String {
        let mut words = String::new();
        for companion in &self.companions {
            let path = printable(&companion.path);
            words += &format!("passed on: {}: {path}\n", companion.kind());
        }
        words += &self.log;
        if !words.is_empty() && !words.ends_with('\n') {
            words.push('\n');
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(refusal: Option<Refusal>, log: &str) -> Outcome {
        let mut companions = Vec::new();
        companions::add(&mut companions, &["/d/\u{1b}.cred".into()]).unwrap();
        Outcome {
            image: "a\n.efi".into(),
            companions,
            refusal,
            log: log.into(),
        }
    }

    #[test]
    fn words() {
        let accepted = outcome(None, "a\nb");
        assert_eq!(accepted.result(), Ok(()));
        assert_eq!(
            accepted.words(),
            "passed on: credential: /d/\\u{1b}.cred\na\nb\n"
        );
        let error = std::io::Error::from_raw_os_error(libc::ENOMEM);
        let refused = outcome(Some(Refusal::new(&error, "")), "");
        assert_eq!(
            refused.result().unwrap_err(),
            "a\\n.efi: refused: ENOMEM: not enough memory"
        );
    }

    #[test]
    fn json() {
        let log = "refused: why\nnot loaded: -12\n";
        let error = std::io::Error::from_raw_os_error(libc::ENOMEM);
        let refused = outcome(Some(Refusal::new(&error, log)), log).json();
        let refused: serde_json::Value = serde_json::from_str(&refused).unwrap();
        assert_eq!(
            refused,
            serde_json::json!({
                "image": "a\n.efi",
                "accepted": false,
                "refusal": {
                    "errno": 12,
                    "reason": "why",
                    "meaning": "ENOMEM: not enough memory",
                    "hint": null,
                },
                "companions": [{"kind": "credential", "path": "/d/\u{1b}.cred"}],
                "log": ["refused: why", "not loaded: -12"],
            })
        );
        let accepted = outcome(None, "").json();
        let accepted: serde_json::Value = serde_json::from_str(&accepted).unwrap();
        assert_eq!(accepted["accepted"], true);
        assert_eq!(accepted["refusal"], serde_json::Value::Null);
    }
}
