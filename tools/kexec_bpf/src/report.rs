// SPDX-License-Identifier: GPL-2.0

//! What is in an image and beside it, in words and for programs to read.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use crate::companions::Companion;
use crate::inspect::{Contents, Section};
use crate::program::Program;
use crate::signature::Entry;
use crate::text::printable;
use crate::Result;

/// All of it.
#[derive(Serialize)]
pub struct Report<'a> {
    pub image: String,
    #[serde(flatten)]
    pub contents: Contents,
    pub companions: Vec<CompanionReport<'a>>,
}

/// A companion file, in words.
#[derive(Serialize)]
pub struct CompanionReport<'a> {
    pub kind: &'static str,
    pub path: Cow<'a, str>,
}

impl<'a> From<&'a Companion> for CompanionReport<'a> {
    fn from(companion: &'a Companion) -> Self {
        Self {
            kind: companion.kind(),
            path: companion.path.to_string_lossy(),
        }
    }
}

impl Report<'_> {
    pub fn new<'a>(image: &Path, bytes: &[u8], companions: &'a [Companion]) -> Result<Report<'a>> {
        Ok(Report {
            image: image.to_string_lossy().into_owned(),
            contents: Contents::read(bytes)?,
            companions: companions.iter().map(CompanionReport::from).collect(),
        })
    }

    /// The report in words.
    pub fn words(&self) -> String {
        let mut words = Words(String::new());
        let contents = &self.contents;
        words.line(0, &self.image, "");
        words.line(1, "architecture", &contents.architecture);
        words.line(1, "size", &format!("{} bytes", contents.size));
        if let Some(why) = &contents.broken_rule {
            words.line(1, "cannot be loaded", why);
        }
        if let Some(digest) = &contents.sha256 {
            words.line(1, "digest", &format!("sha256:{digest}"));
        }
        words.signatures(&contents.signatures);
        words.program(contents.program.as_ref());
        words.sections(&contents.sections);
        if !contents.profiles.is_empty() {
            words.line(1, "profiles", "");
        }
        for profile in &contents.profiles {
            let id = profile.id.as_deref().unwrap_or_default();
            let title = profile.title.as_deref().unwrap_or_default();
            words.line(2, &format!("{} {id}", profile.number), title);
        }
        words.line(
            1,
            "companions",
            if self.companions.is_empty() {
                "none"
            } else {
                ""
            },
        );
        for companion in &self.companions {
            words.line(2, companion.kind, &companion.path);
        }
        words.0
    }
}

/// Lines of a name and a value each.
struct Words(String);

impl Words {
    fn line(&mut self, depth: usize, name: &str, value: &str) {
        let (name, value) = (printable(name), printable(value));
        let line = match value.is_empty() {
            true => name,
            false => format!("{name:<width$} {value}", width = 18 - 2 * depth),
        };
        let indent = 2 * depth;
        writeln!(self.0, "{:indent$}{line}", "").expect("memory");
    }

    fn signatures(&mut self, signatures: &[Entry]) {
        self.line(
            1,
            "signatures",
            if signatures.is_empty() { "none" } else { "" },
        );
        for entry in signatures {
            let signature = match entry {
                Entry::Signature(signature) => signature,
                Entry::Other { error } => {
                    self.line(2, error, "");
                    continue;
                }
            };
            let matches = match signature.digest_matches {
                Some(true) => "of this image",
                Some(false) => "not of this image",
                None => "not compared",
            };
            let digest = format!("{}:{} ({matches})", signature.algorithm, signature.digest);
            self.line(2, "digest", &digest);
            for signer in &signature.signers {
                if let Some(subject) = &signer.subject {
                    self.line(3, "signer", subject);
                }
                self.line(3, "issuer", &signer.issuer);
                self.line(3, "serial", &signer.serial);
            }
        }
    }

    fn program(&mut self, program: Option<&Program>) {
        let Some(program) = program else {
            return self.line(1, "program", "none");
        };
        let list = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => names.join(" "),
        };
        self.line(1, "program", &format!("{} bytes", program.size));
        self.line(2, "license", &program.license);
        self.line(2, "maps", &list(&program.maps));
        self.line(2, "kfuncs", &list(&program.kfuncs));
        match program.allow_crash_initrd {
            Some(true) => self.line(2, "crash initrd", "of the caller's is allowed"),
            Some(false) => self.line(2, "crash initrd", "of the caller's is not allowed"),
            None => {}
        }
    }

    /// Sections of one name that follow each other get one line.
    fn sections(&mut self, sections: &[Section]) {
        self.line(1, "sections", "");
        let alike = |a: &Section, b: &Section| a.name == b.name && a.profile == b.profile;
        for group in sections.chunk_by(alike) {
            let (first, size) = (
                &group[0],
                group.iter().map(|section| section.size).sum::<usize>(),
            );
            let mut facts = format!("{size} bytes at {:#x}", first.offset);
            if group.len() > 1 {
                facts = format!("{} sections, {size} bytes", group.len());
            }
            if let Some(profile) = first.profile {
                facts += &format!(", profile {profile}");
            }
            self.line(2, &first.name, &facts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_in_words() {
        let section = |name: &str, size, profile| Section {
            name: name.into(),
            offset: 0x400,
            size,
            profile,
        };
        let mut words = Words(String::new());
        words.sections(&[
            section(".linux", 1, None),
            section(".dtbauto", 2, None),
            section(".dtbauto", 3, None),
            section(".profile", 4, Some(0)),
            section(".dtbauto", 5, Some(0)),
            section(".\u{1b}", 0, Some(0)),
        ]);
        assert_eq!(
            words.0,
            "  sections\n    \
             .linux         1 bytes at 0x400\n    \
             .dtbauto       2 sections, 5 bytes\n    \
             .profile       4 bytes at 0x400, profile 0\n    \
             .dtbauto       5 bytes at 0x400, profile 0\n    \
             .\\u{1b}        0 bytes at 0x400, profile 0\n"
        );
    }
}
