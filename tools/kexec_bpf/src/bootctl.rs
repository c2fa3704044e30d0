// SPDX-License-Identifier: GPL-2.0

//! The boot loader's default entry.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::text::printable;
use crate::{failed, Result};

/// An entry as `bootctl list --json=short` has it.
#[derive(Deserialize, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// `type2` is a UKI; others are made of several files, or nothing to load.
    r#type: String,
    id: Option<String>,
    path: Option<PathBuf>,
    profile: Option<u32>,
    #[serde(default)]
    is_default: bool,
}

/// Asks bootctl for the image that boots by default, and its profile.
pub fn default_image() -> Result<(PathBuf, u32)> {
    let output = Command::new("bootctl")
        .args(["list", "--json=short"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed("no IMAGE is named, and bootctl cannot be run", error))?;
    if !output.status.success() {
        return Err("no IMAGE is named, and bootctl lists no entries".into());
    }
    parse(&output.stdout)
}

fn parse(list: &[u8]) -> Result<(PathBuf, u32)> {
    let entries: Vec<Entry> = serde_json::from_slice(list)
        .map_err(|error| format!("no IMAGE is named, and bootctl's list is malformed: {error}"))?;
    let Some(entry) = entries.into_iter().find(|entry| entry.is_default) else {
        return Err("no IMAGE is named, and bootctl lists no default entry".into());
    };
    match entry.path {
        Some(path) if entry.r#type == "type2" => Ok((path, entry.profile.unwrap_or(0))),
        _ => {
            let id = printable(entry.id.unwrap_or_default());
            Err(format!(
                "no IMAGE is named, and the default entry, {id}, is not a UKI"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_entry() {
        // As systemd 257 and 259 have it.
        let list = br#"[
            {"type":"type1","source":"esp","id":"a.conf","path":"/efi/loader/entries/a.conf",
             "root":"/efi","linux":"/a/linux","isReported":false,"isDefault":false},
            {"type":"type2","source":"esp","id":"b+3.efi","path":"/efi/EFI/Linux/b+3.efi",
             "root":"/efi","linux":"/EFI/Linux/b+3.efi","isReported":true,"triesLeft":3,
             "isDefault":true,"isSelected":false,"cmdline":"quiet"},
            {"type":"auto","source":"esp","id":"auto-reboot","title":"Reboot","isDefault":false}
        ]"#;
        assert_eq!(parse(list), Ok(("/efi/EFI/Linux/b+3.efi".into(), 0)));
        let profile = br#"[{"type":"type2","id":"b.efi@1","path":"/efi/b.efi","profile":1,
            "isDefault":true}]"#;
        assert_eq!(parse(profile), Ok(("/efi/b.efi".into(), 1)));
    }

    #[test]
    fn refused() {
        for (list, error) in [
            ("", "bootctl's list is malformed: EOF while parsing"),
            ("{}", "bootctl's list is malformed: invalid type: map"),
            (
                r#"[{"id":"a"}]"#,
                "bootctl's list is malformed: missing field `type`",
            ),
            ("[]", "bootctl lists no default entry"),
            (
                r#"[{"type":"type2","path":"/a"}]"#,
                "bootctl lists no default entry",
            ),
            (
                r#"[{"type":"type1","id":"a\u001b.conf","path":"/a.conf","isDefault":true}]"#,
                "the default entry, a\\u{1b}.conf, is not a UKI",
            ),
            (
                r#"[{"type":"type2","id":"a","isDefault":true}]"#,
                "the default entry, a, is not a UKI",
            ),
        ] {
            let refused = parse(list.as_bytes()).unwrap_err();
            let expected = format!("no IMAGE is named, and {error}");
            assert!(refused.starts_with(&expected), "{refused}");
        }
    }
}
