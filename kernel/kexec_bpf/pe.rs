// SPDX-License-Identifier: GPL-2.0

//! PE images: where the sections are, and which bytes a signature covers.
//!
//! An Authenticode digest leaves out the checksum, the certificate directory entry, the
//! certificate table, and whatever lies between sections. It takes no key to change those bytes.
//! So the rules here are stricter than a boot firmware's: headers, sections, tail and certificate
//! table have to tile the file.

use core::{
    mem::offset_of,
    ops::Range, //
};

use kernel::prelude::*;
use zerocopy::little_endian::{
    U16,
    U32, //
};
use zerocopy_derive::{
    Immutable,
    KnownLayout, //
};

use crate::{
    bytes::{
        range,
        read,
        slice, //
    },
    error::ParseError,
    sort::sort, //
};

/// The largest image, in bytes.
pub const IMAGE_MAX: u64 = 1 << 30;

/// The header at the start of the file.
#[derive(FromBytes)]
#[repr(C)]
struct DosHeader {
    magic: [u8; 2],
    _unused: [u8; 58],
    pe_at: U32,
}

/// The header at [`DosHeader::pe_at`].
#[derive(FromBytes)]
#[repr(C)]
struct PeHeader {
    magic: [u8; 4],
    _machine: U16,
    section_count: U16,
    _timestamp: U32,
    _symbol_table: [U32; 2],
    optional_header_size: U16,
    _characteristics: U16,
}

/// The start of the header that follows, which is the same for PE32 and PE32+.
#[derive(FromBytes)]
#[repr(C)]
struct OptionalHeader {
    magic: U16,
    _linker_version: [u8; 2],
    _sizes: [U32; 3],
    _entry_point: U32,
    _code_base: U32,
    _image_base: [U32; 2],
    _alignments: [U32; 2],
    _versions: [U16; 6],
    _win32_version: U32,
    _image_size: U32,
    headers_size: U32,
    checksum: U32,
    _subsystem: U16,
    _dll_characteristics: U16,
}

const MAGIC_PE32: u16 = 0x10b;
const MAGIC_PE32_PLUS: u16 = 0x20b;

/// The rest of a PE32 optional header.
#[derive(FromBytes)]
#[repr(C)]
struct Pe32Rest {
    _stack_and_heap_sizes: [U32; 4],
    _loader_flags: U32,
    directory_count: U32,
}

/// The rest of a PE32+ optional header.
#[derive(FromBytes)]
#[repr(C)]
struct Pe32PlusRest {
    _stack_and_heap_sizes: [[U32; 2]; 4],
    _loader_flags: U32,
    directory_count: U32,
}

/// A data directory; an array of them follows the optional header.
#[derive(FromBytes)]
#[repr(C)]
struct Directory {
    at: U32,
    len: U32,
}

/// Index of the directory that has the certificate table.
const CERTIFICATES: u64 = 4;

/// An entry of the section table, which follows the data directories.
#[derive(Debug, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct SectionHeader {
    name: [u8; 8],
    virtual_size: U32,
    _virtual_address: U32,
    raw_size: U32,
    raw_at: U32,
    _relocations: U32,
    _line_numbers: U32,
    _counts: [U16; 2],
    _characteristics: U32,
}

/// A PE image that keeps all rules.
///
/// # Invariants
///
/// - `checksum`, `directory` and `certificates` are ranges of the file, disjoint and in this order;
///   `certificates` ends where the file ends and is empty where the image is not signed.
/// - `table` is the section table.
/// - Headers, the sections' raw data and a tail make up the file up to `certificates`, without gap
///   or overlap.
#[derive(Clone, Debug)]
pub struct Pe<'a> {
    table_at: u64,
    table: &'a [SectionHeader],
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
}

impl<'a> Pe<'a> {
    /// Checks a whole file.
    #[allow(
        clippy::arithmetic_side_effects,
        reason = "sums of 32-bit fields, in 64 bits"
    )]
    pub fn parse(file: &'a [u8]) -> Result<Self, ParseError> {
        if file.len() as u64 > IMAGE_MAX {
            let wrong = "the image is larger than 1 GiB";
            return Err(ParseError::too_big(wrong, IMAGE_MAX));
        }
        if !file.starts_with(b"MZ") {
            return Err(ParseError::not_ours("no MZ signature", 0));
        }
        let pe_field = offset_of!(DosHeader, pe_at) as u64;
        let pe_at = match read::<DosHeader>(file, 0) {
            Ok(dos) => u64::from(dos.pe_at),
            Err(_) => return Err(ParseError::not_ours("no PE header", pe_field)),
        };
        if read(file, pe_at) != Ok(*b"PE\0\0") {
            return Err(ParseError::not_ours("no PE signature", pe_at));
        }
        if pe_at < size::<DosHeader>() {
            let wrong = "the PE header is in the DOS header";
            return Err(ParseError::malformed(wrong, pe_field));
        }

        let pe: PeHeader = read(file, pe_at)?;
        let optional_at = pe_at + size::<PeHeader>();
        let optional: OptionalHeader = read(file, optional_at)?;
        let (directory_count, directories_at) = directories(file, optional_at)?;
        if !(5..=16).contains(&directory_count) {
            return Err(ParseError::malformed(
                "not 5 to 16 data directories",
                directories_at - size::<U32>(),
            ));
        }

        // Some readers find the section table after the data directories, some by the length of
        // the optional header. They have to see the same one.
        let table_at = after(directory_count, directories_at);
        if table_at != optional_at + u64::from(pe.optional_header_size) {
            return Err(ParseError::malformed(
                "SizeOfOptionalHeader does not end with the data directories",
                pe_at + offset_of!(PeHeader, optional_header_size) as u64,
            ));
        }
        if pe.section_count.get() == 0 {
            return Err(ParseError::malformed(
                "no sections",
                pe_at + offset_of!(PeHeader, section_count) as u64,
            ));
        }
        let table_len = size::<SectionHeader>() * u64::from(pe.section_count);
        let headers_len = u64::from(optional.headers_size);
        if headers_len < table_at + table_len || headers_len > file.len() as u64 {
            return Err(ParseError::malformed(
                "SizeOfHeaders does not hold the section table, or is past the file",
                optional_at + offset_of!(OptionalHeader, headers_size) as u64,
            ));
        }

        let directory_at = directories_at + size::<Directory>() * CERTIFICATES;
        let certificates = certificates(file, directory_at)?;
        let no_table = ParseError::malformed("no section table", table_at);
        let table = slice(file, table_at, table_len, no_table.wrong)?;
        let table = <[SectionHeader]>::ref_from_bytes(table).map_err(|_| no_table)?;
        let sections_end = tile(table, headers_len)?;
        if sections_end > certificates.start as u64 {
            return Err(ParseError::malformed(
                "the sections reach into the certificate table or past the file",
                sections_end,
            ));
        }

        let checksum_at = optional_at + offset_of!(OptionalHeader, checksum) as u64;
        let no_directory = "no certificate directory";
        // INVARIANT: The data directories are before `table_at`, hence before `headers_len`, which
        // is not past `certificates`.
        Ok(Self {
            table_at,
            table,
            checksum: range(file, checksum_at, size::<U32>(), "no checksum")?,
            directory: range(file, directory_at, size::<Directory>(), no_directory)?,
            certificates,
        })
    }

    /// All sections, in the order of the section table.
    pub fn sections(&self) -> impl Iterator<Item = Section> + 'a {
        self.table.iter().map(Section::new)
    }

    /// The section of this name, if there is one. Two are refused: others may read the other one.
    pub fn section(&self, name: &[u8]) -> Result<Option<Section>, ParseError> {
        let headers = (self.table_at..).step_by(size_of::<SectionHeader>());
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

/// Whether a file that is not a [`Pe`], as it breaks a rule, has a section of this name. Readers
/// that keep other rules find the section table by the length of the optional header, or behind the
/// data directories.
pub fn names_section(file: &[u8], name: &[u8]) -> bool {
    let pe_at = match read::<DosHeader>(file, 0) {
        Ok(dos) if dos.magic == *b"MZ" => u64::from(dos.pe_at),
        _ => return false,
    };
    let pe = match read::<PeHeader>(file, pe_at) {
        Ok(pe) if pe.magic == *b"PE\0\0" => pe,
        _ => return false,
    };
    let optional_at = pe_at.saturating_add(size::<PeHeader>());
    let tables = [
        Ok(optional_at.saturating_add(pe.optional_header_size.get().into())),
        directories(file, optional_at).map(|(count, at)| after(count, at)),
    ];
    tables.into_iter().flatten().any(|at| {
        let headers = (at..).step_by(size_of::<SectionHeader>());
        let mut headers = headers.take(pe.section_count.get().into());
        headers.any(|at| read(file, at).is_ok_and(|header| Section::new(&header).is_named(name)))
    })
}

/// The number of data directories, and where they are.
fn directories(file: &[u8], optional_at: u64) -> Result<(u32, u64), ParseError> {
    let optional: OptionalHeader = read(file, optional_at)?;
    let rest_at = optional_at.saturating_add(size::<OptionalHeader>());
    let (count, rest_len) = match optional.magic.get() {
        MAGIC_PE32 => {
            let rest: Pe32Rest = read(file, rest_at)?;
            (rest.directory_count, size::<Pe32Rest>())
        }
        MAGIC_PE32_PLUS => {
            let rest: Pe32PlusRest = read(file, rest_at)?;
            (rest.directory_count, size::<Pe32PlusRest>())
        }
        _ => return Err(ParseError::malformed("neither PE32 nor PE32+", optional_at)),
    };
    Ok((count.get(), rest_at.saturating_add(rest_len)))
}

/// What is behind the data directories.
fn after(directory_count: u32, directories_at: u64) -> u64 {
    let len = size::<Directory>().saturating_mul(directory_count.into());
    directories_at.saturating_add(len)
}

const fn size<T>() -> u64 {
    size_of::<T>() as u64
}

impl Section {
    fn new(header: &SectionHeader) -> Self {
        let (virtual_size, raw_size) = (header.virtual_size.get(), header.raw_size.get());
        let raw_at = match raw_size {
            // The pointer means nothing then.
            0 => 0,
            _ => u64::from(header.raw_at),
        };
        let end = raw_at.saturating_add(raw_size.min(virtual_size).into());
        Self {
            name: header.name,
            range: raw_at as usize..end as usize,
        }
    }

    fn is_named(&self, name: &[u8]) -> bool {
        self.name
            .strip_prefix(name)
            .is_some_and(|padding| padding.iter().all(|&byte| byte == 0))
    }
}

/// Where the sections end that follow each other, in any order, from `start`.
fn tile(table: &[SectionHeader], start: u64) -> Result<u64, ParseError> {
    // Of 65535 sections, this takes half a MiB, and each is found by some 16 comparisons.
    let mut filled = KVVec::with_capacity(table.len(), GFP_KERNEL_ACCOUNT)?;
    for header in table.iter().filter(|header| header.raw_size.get() != 0) {
        filled.push(
            (header.raw_at.get(), header.raw_size.get()),
            GFP_KERNEL_ACCOUNT,
        )?;
    }
    sort(&mut filled);
    let mut end = start;
    // Each step goes on and takes another section, so as many steps as sections take them all.
    for _ in filled.iter() {
        let wrong = "gap or overlap: no section begins here";
        let next = filled.partition_point(|&(at, _)| u64::from(at) < end);
        let next = filled.get(next).filter(|&&(at, _)| u64::from(at) == end);
        let &(_, size) = next.ok_or(ParseError::malformed(wrong, end))?;
        end = end.saturating_add(size.into());
    }
    Ok(end)
}

/// The range of the certificate table; empty and at the end of the file where there is none.
fn certificates(file: &[u8], directory_at: u64) -> Result<Range<usize>, ParseError> {
    let directory: Directory = read(file, directory_at)?;
    let (at, len) = (directory.at.get(), directory.len.get());
    if (at, len) == (0, 0) {
        return Ok(file.len()..file.len());
    }
    let wrong = "the certificate table reaches past the file";
    let table = range(file, at.into(), len.into(), wrong)?;
    if len == 0 || at % 8 != 0 || table.end != file.len() {
        return Err(ParseError::malformed(
            "the certificate table is empty, not aligned to 8, or not last in the file",
            directory_at,
        ));
    }
    Ok(table)
}
