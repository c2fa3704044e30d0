// SPDX-License-Identifier: GPL-2.0

//! The command kexec(8) of kexec-tools.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use support::harness::{equal, Result};
use support::load::loaded;

use crate::image::Image;

/// The command, its libraries and their loader.
const DIR: &str = "/files/kexec-tools";

/// The command.
pub struct Tool {
    loader: PathBuf,
}

impl Tool {
    pub fn new() -> Result<Self> {
        let mut entries = fs::read_dir(DIR)?.filter_map(|entry| Some(entry.ok()?.path()));
        let loader = entries
            .find(|path| path.to_string_lossy().contains("/ld-linux-"))
            .ok_or(format!("{DIR} has no loader of libraries"))?;
        let tool = Self { loader };
        let runs = tool.command(&["--version"]).output()?.status.success();
        equal("kexec(8) runs", runs, true)?;
        Ok(tool)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.loader);
        command
            .args(["--library-path", DIR])
            .arg(format!("{DIR}/kexec"))
            .args(arguments);
        command
    }

    /// Loads an image by `kexec_file_load(2)`, while nothing is loaded. Returns whether that
    /// worked.
    pub fn load(&self, image: &Image) -> Result<bool> {
        self.command(&["--kexec-file-syscall", "--load", "--command-line=quiet"])
            .arg(&image.path)
            .output()?;
        loaded()
    }

    /// Removes the parts of a UKI that the command leaves behind.
    pub fn clean(&self) -> Result {
        for entry in fs::read_dir("/tmp")? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }
}
