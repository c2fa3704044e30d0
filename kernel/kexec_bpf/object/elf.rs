// SPDX-License-Identifier: GPL-2.0

//! The container of a BPF object: a relocatable 64-bit little-endian ELF file.

use core::ffi::CStr;

use kernel::prelude::*;

use super::span::Span;
use crate::error::{
    Kind, //
    ParseError,
};

/// Clang makes about thirty with debug information.
const SECTIONS_MAX: u16 = 256;

const ELFCLASS64: u8 = 2;
const ELFDATA2LSB: u8 = 1;
const ET_REL: u16 = 1;
const EM_BPF: u16 = 247;

const EHDR_SIZE: u16 = 64;
const SHDR_SIZE: u64 = 64;
const SYM_SIZE: u64 = 24;
const REL_SIZE: u64 = 16;

/// `sh_type` of nothing.
pub const SHT_NULL: u32 = 0;
/// `sh_type` of bytes of any meaning.
pub const SHT_PROGBITS: u32 = 1;
/// `sh_type` of symbols.
pub const SHT_SYMTAB: u32 = 2;
/// `sh_type` of strings.
pub const SHT_STRTAB: u32 = 3;
/// `sh_type` of zeroes that take no room in the file.
pub const SHT_NOBITS: u32 = 8;
/// `sh_type` of relocations without addends.
pub const SHT_REL: u32 = 9;
/// `sh_type` of a hint for the static linker.
pub const SHT_LLVM_ADDRSIG: u32 = 0x6fff_4c03;

/// `sh_flags` of code.
pub const SHF_EXECINSTR: u64 = 1 << 2;

const SHN_UNDEF: u16 = 0;
const SHN_LORESERVE: u16 = 0xff00;

const STB_LOCAL: u8 = 0;
const STB_WEAK: u8 = 2;
/// Type of the symbol of a variable.
pub const STT_OBJECT: u8 = 1;
/// Type of the symbol of a function.
pub const STT_FUNC: u8 = 2;
const STV_INTERNAL: u8 = 1;
const STV_HIDDEN: u8 = 2;

/// A section.
pub struct Section<'a> {
    /// Its name.
    pub name: &'a CStr,
    /// `SHT_*`
    pub kind: u32,
    /// `SHF_*`
    pub flags: u64,
    /// For `SHT_REL`, the index of the section that is relocated.
    pub info: u32,
    /// Its size in memory.
    pub size: u64,
    /// Its bytes in the file; none for `SHT_NOBITS`.
    pub data: Span<'a>,
    /// The byte of the object where its header is.
    pub header: u64,
    link: u32,
    entry_size: u64,
}

/// A symbol.
pub struct Symbol<'a> {
    /// Its name; empty for that of a section.
    pub name: &'a CStr,
    /// `STT_*`
    pub kind: u8,
    /// Index of the section that defines it; none for external and special ones.
    pub section: Option<usize>,
    /// Its offset in the section.
    pub value: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The byte of the object where it is.
    pub at: u64,
    index: u16,
    bind: u8,
    visibility: u8,
}

impl Symbol<'_> {
    /// Whether it is seen outside the object.
    pub fn is_global(&self) -> bool {
        self.bind != STB_LOCAL
    }

    /// Whether it is global only to tell the verifier nothing.
    pub fn is_hidden(&self) -> bool {
        matches!(self.visibility, STV_HIDDEN | STV_INTERNAL)
    }

    /// Whether it may be missing.
    pub fn is_weak(&self) -> bool {
        self.bind == STB_WEAK
    }

    /// Whether it is to be found outside the object, by its name.
    pub fn is_external(&self) -> bool {
        self.index == SHN_UNDEF && self.is_global() && !self.name.is_empty()
    }
}

/// An entry of a relocation section.
#[derive(Clone, Copy)]
pub struct Relocation {
    /// What is to be changed, as an offset in its section.
    pub offset: u64,
    /// Index of the symbol that it depends on.
    pub symbol: u32,
    /// `R_BPF_*`
    pub kind: u32,
    /// The byte of the object where the entry is.
    pub at: u64,
}

/// The sections and symbols of an object.
///
/// Nothing that is not asked for is looked at.
pub struct Elf<'a> {
    /// By index; the first is the reserved null entry.
    pub sections: KVVec<Section<'a>>,
    symbols: Span<'a>,
    names: Span<'a>,
}

impl<'a> Elf<'a> {
    /// Reads the headers.
    pub fn parse(object: &'a [u8]) -> Result<Self, ParseError> {
        let file = Span::whole(object);
        let sections = read_sections(&file)?;
        let mut tables = sections.iter().filter(|s| s.kind == SHT_SYMTAB);
        let table = tables
            .next()
            .ok_or(ParseError::whole(Kind::Malformed, "no symbol table"))?;
        if let Some(second) = tables.next() {
            return Err(ParseError::malformed(
                "a second symbol table",
                second.header,
            ));
        }
        check_entries(table, SYM_SIZE)?;
        let names = usize::try_from(table.link)
            .ok()
            .and_then(|link| sections.get(link))
            .filter(|names| names.kind == SHT_STRTAB)
            .ok_or(ParseError::malformed(
                "the symbol table has no string table",
                table.header,
            ))?;
        Ok(Self {
            symbols: table.data,
            names: names.data,
            sections,
        })
    }

    /// The symbol of this index.
    pub fn symbol(&self, index: u32) -> Result<Symbol<'a>, ParseError> {
        let entry = self.symbols.subspan(
            u64::from(index).saturating_mul(SYM_SIZE),
            SYM_SIZE,
            "a symbol lies outside the symbol table",
        )?;
        let [info, other] = entry.array(4)?;
        let index = entry.le16(6)?;
        let section = match index {
            SHN_UNDEF | SHN_LORESERVE.. => None,
            index if usize::from(index) < self.sections.len() => Some(usize::from(index)),
            _ => {
                return Err(ParseError::malformed(
                    "a symbol's section index is out of range",
                    entry.at(6),
                ))
            }
        };
        Ok(Symbol {
            name: self.names.string(entry.le32(0)?.into())?,
            kind: info & 0xf,
            section,
            value: entry.le64(8)?,
            size: entry.le64(16)?,
            at: entry.at(0),
            index,
            bind: info >> 4,
            visibility: other & 3,
        })
    }

    /// All symbols.
    pub fn symbols(&self) -> impl Iterator<Item = Result<Symbol<'a>, ParseError>> + '_ {
        let count = u32::try_from(self.symbols.size() / SYM_SIZE).unwrap_or(u32::MAX);
        (0..count).map(|index| self.symbol(index))
    }
}

/// The entries of a relocation section.
pub fn relocations<'a>(
    section: &Section<'a>,
) -> Result<impl Iterator<Item = Result<Relocation, ParseError>> + 'a, ParseError> {
    check_entries(section, REL_SIZE)?;
    let data = section.data;
    Ok((0..data.size()).step_by(REL_SIZE as usize).map(move |at| {
        Ok(Relocation {
            offset: data.le64(at)?,
            kind: data.le32(at.saturating_add(8))?,
            symbol: data.le32(at.saturating_add(12))?,
            at: data.at(at),
        })
    }))
}

fn check_entries(section: &Section<'_>, size: u64) -> Result<(), ParseError> {
    if section.entry_size != size || section.data.size().checked_rem(size) != Some(0) {
        let error = ParseError::malformed("its entries have the wrong size", section.header);
        return Err(error.named(section.name.to_bytes()));
    }
    Ok(())
}

fn read_sections<'a>(file: &Span<'a>) -> Result<KVVec<Section<'a>>, ParseError> {
    if file.array(0)? != *b"\x7fELF" {
        return Err(ParseError::malformed("not an ELF file", 0));
    }
    let [class, data, version] = file.array(4)?;
    if (class, data, version) != (ELFCLASS64, ELFDATA2LSB, 1) {
        return Err(ParseError::unsupported(
            "not a 64-bit little-endian ELF file",
            4,
        ));
    }
    if (file.le16(16)?, file.le16(18)?) != (ET_REL, EM_BPF) {
        return Err(ParseError::unsupported("not a relocatable BPF object", 16));
    }
    if (file.le16(52)?, u64::from(file.le16(58)?)) != (EHDR_SIZE, SHDR_SIZE) {
        return Err(ParseError::malformed("the headers have the wrong size", 52));
    }
    let count = file.le16(60)?;
    if count > SECTIONS_MAX {
        return Err(ParseError::too_big("too many sections", 60));
    }
    let table = file.subspan(
        file.le64(40)?,
        u64::from(count).saturating_mul(SHDR_SIZE),
        "the section headers lie outside the object",
    )?;
    let header = |index: u16| {
        let at = u64::from(index).saturating_mul(SHDR_SIZE);
        table.subspan(at, SHDR_SIZE, "a section header lies outside the table")
    };
    let names = section_data(file, &header(file.le16(62)?)?)?;
    let mut sections = KVVec::new();
    for index in 0..count {
        let header = header(index)?;
        let section = Section {
            name: names.string(header.le32(0)?.into())?,
            kind: header.le32(4)?,
            flags: header.le64(8)?,
            size: header.le64(32)?,
            link: header.le32(40)?,
            info: header.le32(44)?,
            entry_size: header.le64(56)?,
            data: section_data(file, &header)?,
            header: header.at(0),
        };
        sections.push(section, GFP_KERNEL_ACCOUNT)?;
    }
    Ok(sections)
}

fn section_data<'a>(file: &Span<'a>, header: &Span<'a>) -> Result<Span<'a>, ParseError> {
    let (at, len) = match header.le32(4)? {
        SHT_NULL | SHT_NOBITS => (0, 0),
        _ => (header.le64(24)?, header.le64(32)?),
    };
    file.subspan(at, len, "a section lies outside the object")
}
