// SPDX-License-Identifier: GPL-2.0

//! PE images: where the sections are, and which bytes a signature covers.
//!
//! An Authenticode digest leaves out the checksum, the certificate directory entry, the
//! certificate table, and whatever lies between sections. It takes no key to change those bytes.
//! So the rules here are stricter than a boot firmware's: headers, sections, tail and certificate
//! table have to tile the file.

use crate::bytes::{
    array,
    le16,
    le32,
    range,
    slice, //
};
use crate::error::ParseError;
use core::ops::Range;

/// The largest image, in bytes.
pub const IMAGE_MAX: u64 = 1 << 30;

const DOS_HEADER_LEN: u64 = 64;
const SECTION_HEADER_LEN: usize = 40;
const DIRECTORY_LEN: u64 = 8;
const DIRECTORY_CERTIFICATES: u64 = 4;

/// A PE image that keeps all rules.
///
/// # Invariants
///
/// - `checksum`, `directory` and `certificates` are ranges of the file, disjoint and in this order;
///   `certificates` ends where the file ends and is empty where the image is not signed.
/// - `table` is the section table: whole headers.
/// - Headers, the sections' raw data and a tail make up the file up to `certificates`, without gap
///   or overlap.
#[derive(Clone, Debug)]
pub struct Pe<'a> {
    table_at: u64,
    table: &'a [u8],
    checksum: Range<usize>,
    directory: Range<usize>,
    certificates: Range<usize>,
}

/// A section of a PE image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The name, padded with NULs.
    pub name: [u8; 8],
    /// The bytes in the file, without what only aligns the next section.
    pub range: Range<usize>,
    /// All its bytes in the file.
    raw: Range<u64>,
}

impl<'a> Pe<'a> {
    /// Checks a whole file.
    #[allow(
        clippy::arithmetic_side_effects,
        reason = "sums of 32-bit fields, in 64 bits"
    )]
    pub fn parse(file: &'a [u8]) -> Result<Self, ParseError> {
        if file.len() as u64 > IMAGE_MAX {
            return Err(ParseError::too_big(
                "the image is larger than 1 GiB",
                IMAGE_MAX,
            ));
        }
        if !file.starts_with(b"MZ") {
            return Err(ParseError::not_ours("no MZ signature", 0));
        }
        let pe = match le32(file, 0x3c) {
            Ok(pe) => u64::from(pe),
            Err(_) => return Err(ParseError::not_ours("no PE header", 0x3c)),
        };
        if array(file, pe) != Ok(*b"PE\0\0") {
            return Err(ParseError::not_ours("no PE signature", pe));
        }
        if pe < DOS_HEADER_LEN {
            return Err(ParseError::malformed(
                "the PE header is in the DOS header",
                0x3c,
            ));
        }

        let coff = pe + 4;
        let optional = coff + 20;
        let directories = match le16(file, optional)? {
            0x10b => optional + 96,
            0x20b => optional + 112,
            _ => return Err(ParseError::malformed("neither PE32 nor PE32+", optional)),
        };
        let directory_count = le32(file, directories - 4)?;
        if !(5..=16).contains(&directory_count) {
            return Err(ParseError::malformed(
                "not 5 to 16 data directories",
                directories - 4,
            ));
        }

        // Some readers find the section table after the data directories, some by the length of
        // the optional header. They have to see the same one.
        let table_at = directories + DIRECTORY_LEN * u64::from(directory_count);
        if table_at != optional + u64::from(le16(file, coff + 16)?) {
            return Err(ParseError::malformed(
                "SizeOfOptionalHeader does not end with the data directories",
                coff + 16,
            ));
        }
        let section_count = le16(file, coff + 2)?;
        if !(1..=96).contains(&section_count) {
            return Err(ParseError::malformed("not 1 to 96 sections", coff + 2));
        }
        let table_len = u64::from(section_count) * SECTION_HEADER_LEN as u64;
        let headers_len = u64::from(le32(file, optional + 60)?);
        if headers_len < table_at + table_len || headers_len > file.len() as u64 {
            return Err(ParseError::malformed(
                "SizeOfHeaders does not hold the section table, or is past the file",
                optional + 60,
            ));
        }

        let directory = directories + DIRECTORY_LEN * DIRECTORY_CERTIFICATES;
        let certificates = certificates(file, directory)?;
        let table = slice(file, table_at, table_len, "no section table")?;
        let sections_end = tile(table, headers_len)?;
        if sections_end > certificates.start as u64 {
            return Err(ParseError::malformed(
                "the sections reach into the certificate table or past the file",
                sections_end,
            ));
        }

        // INVARIANT: The data directories are before `table_at`, hence before `headers_len`, which
        // is not past `certificates`.
        Ok(Self {
            table_at,
            table,
            checksum: range(file, optional + 64, 4, "no checksum")?,
            directory: range(file, directory, DIRECTORY_LEN, "no certificate directory")?,
            certificates,
        })
    }

    /// All sections, in the order of the section table.
    pub fn sections(&self) -> impl Iterator<Item = Section> + 'a {
        sections(self.table)
    }

    /// The section of this name, if there is one. Two are refused: others may read the other one.
    pub fn section(&self, name: &[u8]) -> Result<Option<Section>, ParseError> {
        let headers = (self.table_at..).step_by(SECTION_HEADER_LEN);
        let mut named = self
            .sections()
            .zip(headers)
            .filter(|(section, _)| section.is_named(name));
        let first = named.next();
        match named.next() {
            None => Ok(first.map(|(section, _)| section)),
            Some((_, at)) => {
                Err(ParseError::malformed("two sections of this name", at).named(name))
            }
        }
    }

    /// The bytes that an Authenticode digest is made of.
    pub fn covered(&self) -> [Range<usize>; 3] {
        [
            0..self.checksum.start,
            self.checksum.end..self.directory.start,
            self.directory.end..self.certificates.start,
        ]
    }

    /// The certificate table of a signed image.
    pub fn certificates(&self) -> Option<Range<usize>> {
        (!self.certificates.is_empty()).then(|| self.certificates.clone())
    }
}

impl Section {
    fn read(header: &[u8]) -> Result<Self, ParseError> {
        let virtual_size = le32(header, 8)?;
        let raw_size = le32(header, 16)?;
        let raw_at = match raw_size {
            // The pointer means nothing then.
            0 => 0,
            _ => u64::from(le32(header, 20)?),
        };
        let end_of = |size: u32| raw_at.saturating_add(u64::from(size));
        Ok(Self {
            name: array(header, 0)?,
            range: raw_at as usize..end_of(raw_size.min(virtual_size)) as usize,
            raw: raw_at..end_of(raw_size),
        })
    }

    fn is_named(&self, name: &[u8]) -> bool {
        self.name
            .strip_prefix(name)
            .is_some_and(|padding| padding.iter().all(|&byte| byte == 0))
    }
}

fn sections(table: &[u8]) -> impl Iterator<Item = Section> + '_ {
    table
        .chunks_exact(SECTION_HEADER_LEN)
        // A whole header can always be read.
        .filter_map(|header| Section::read(header).ok())
}

/// Where the sections end that follow each other, in any order, from `start`.
fn tile(table: &[u8], start: u64) -> Result<u64, ParseError> {
    let filled = || sections(table).filter(|section| !section.raw.is_empty());
    let mut end = start;
    // Each step goes on and takes another section, so as many steps as sections take them all.
    for _ in filled() {
        end = filled()
            .find(|section| section.raw.start == end)
            .ok_or(ParseError::malformed(
                "gap or overlap: no section begins here",
                end,
            ))?
            .raw
            .end;
    }
    Ok(end)
}

/// The range of the certificate table; empty and at the end of the file where there is none.
fn certificates(file: &[u8], directory: u64) -> Result<Range<usize>, ParseError> {
    let at = le32(file, directory)?;
    let len = le32(file, directory.saturating_add(4))?;
    if (at, len) == (0, 0) {
        return Ok(file.len()..file.len());
    }
    let table = range(
        file,
        at.into(),
        len.into(),
        "the certificate table reaches past the file",
    )?;
    if len == 0 || at % 8 != 0 || table.end != file.len() {
        return Err(ParseError::malformed(
            "the certificate table is empty, not aligned to 8, or not last in the file",
            directory,
        ));
    }
    Ok(table)
}
