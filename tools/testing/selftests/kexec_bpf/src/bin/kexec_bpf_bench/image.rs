// SPDX-License-Identifier: GPL-2.0

//! Images and their sections.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use support::harness::{Context, Result};
use support::pe;

/// The headers fit into this.
const HEADERS_LEN: usize = 4096;

/// An image with the name KIND-MIB.efi.
pub struct Image {
    pub path: PathBuf,
    pub kind: String,
    /// The length of the file.
    pub len: u64,
    /// The length of the file, or of the kernel that it decompresses to.
    pub size: u64,
}

impl Image {
    pub fn new(path: &Path) -> Result<Self> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let (kind, mib) = name
            .rsplit_once('-')
            .ok_or("it is not called KIND-MIB.efi")?;
        Ok(Self {
            path: path.into(),
            kind: kind.into(),
            len: path.metadata()?.len(),
            size: mib.parse::<u64>()? << 20,
        })
    }

    /// Whether there is nothing to decompress.
    pub fn is_uki(&self) -> bool {
        self.kind == "uki"
    }

    pub fn open(&self) -> Result<File> {
        File::open(&self.path).context(self.path.display())
    }
}

/// The place of the first section with this name.
pub fn section(file: &File, name: &str) -> Result<Option<Range<u64>>> {
    let mut headers = vec![0; HEADERS_LEN];
    file.read_exact_at(&mut headers, 0)?;
    let section = pe::sections(&headers)
        .into_iter()
        .find(|section| section.name == name);
    Ok(section.map(|section| section.at as u64..(section.at + section.len) as u64))
}

/// The compression of a zboot image, and the place of its payload.
pub fn payload(file: &File) -> Result<Option<(String, Range<u64>)>> {
    let mut header = [0; 32];
    file.read_exact_at(&mut header, 0)?;
    if header[4..8] != *b"zimg" {
        return Ok(None);
    }
    let number = |at| u32::from_le_bytes([0, 1, 2, 3].map(|byte: usize| header[at + byte])).into();
    let name = header[24..].split(|&byte| byte == 0).next();
    let name = String::from_utf8_lossy(name.unwrap_or_default()).into();
    let start: u64 = number(8);
    Ok(Some((name, start..start + number(12))))
}
