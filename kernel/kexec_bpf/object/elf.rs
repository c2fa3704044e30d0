// SPDX-License-Identifier: GPL-2.0

//! The container of a BPF object: a relocatable 64-bit little-endian ELF file.

use core::{
    ffi::CStr,
    mem::offset_of, //
};

use kernel::prelude::*;
use zerocopy::little_endian::{
    U16,
    U32,
    U64, //
};

use super::span::Span;
use crate::error::{
    Kind,
    ParseError, //
};

/// Clang makes about thirty sections with debug information.
const SECTIONS_MAX: u16 = 256;

const ELFCLASS64: u8 = 2;
const ELFDATA2LSB: u8 = 1;
const ET_REL: u16 = 1;
const EM_BPF: u16 = 247;

/// `Elf64_Ehdr`: the header of the file.
#[derive(FromBytes)]
#[repr(C)]
struct Header {
    magic: [u8; 4],
    class: u8,
    data: u8,
    version: u8,
    _os_abi: [u8; 9],
    e_type: U16,
    e_machine: U16,
    _e_version: U32,
    _e_entry: U64,
    _e_phoff: U64,
    e_shoff: U64,
    _e_flags: U32,
    e_ehsize: U16,
    _e_phentsize: U16,
    _e_phnum: U16,
    e_shentsize: U16,
    e_shnum: U16,
    e_shstrndx: U16,
}

/// `Elf64_Shdr`: the header of a section.
#[derive(FromBytes)]
#[repr(C)]
struct SectionHeader {
    sh_name: U32,
    sh_type: U32,
    sh_flags: U64,
    _sh_addr: U64,
    sh_offset: U64,
    sh_size: U64,
    sh_link: U32,
    sh_info: U32,
    _sh_addralign: U64,
    sh_entsize: U64,
}

/// `Elf64_Sym`: an entry of the symbol table.
#[derive(FromBytes)]
#[repr(C)]
struct SymbolEntry {
    st_name: U32,
    st_info: u8,
    st_other: u8,
    st_shndx: U16,
    st_value: U64,
    st_size: U64,
}

/// `Elf64_Rel`: an entry of a relocation section.
#[derive(FromBytes)]
#[repr(C)]
struct RelocationEntry {
    r_offset: U64,
    /// The lower half of `r_info`.
    r_type: U32,
    /// The upper half of `r_info`.
    r_sym: U32,
}

const SECTION_HEADER_SIZE: u64 = size_of::<SectionHeader>() as u64;
const SYMBOL_SIZE: u64 = size_of::<SymbolEntry>() as u64;
const RELOCATION_SIZE: u64 = size_of::<RelocationEntry>() as u64;

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
/// `sh_flags` of bytes that have to be decompressed.
pub const SHF_COMPRESSED: u64 = 1 << 11;
/// The `sh_flags` that do not change what the bytes of a section are. Only a static linker, or one
/// for memory with protection, does anything about them.
pub const SHF_PLAIN: u64 = SHF_WRITE
    | SHF_ALLOC
    | SHF_EXECINSTR
    | SHF_MERGE
    | SHF_STRINGS
    | SHF_INFO_LINK
    | SHF_GNU_RETAIN;

const SHF_WRITE: u64 = 1 << 0;
const SHF_ALLOC: u64 = 1 << 1;
const SHF_MERGE: u64 = 1 << 4;
const SHF_STRINGS: u64 = 1 << 5;
const SHF_INFO_LINK: u64 = 1 << 6;
const SHF_GNU_RETAIN: u64 = 1 << 21;

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
    /// `SHT_*`.
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

    /// Whether a function counts as static although it is global. As in libbpf, the verifier then
    /// checks it at each call.
    pub fn is_hidden(&self) -> bool {
        matches!(self.visibility, STV_HIDDEN | STV_INTERNAL)
    }

    /// Whether it may be missing.
    pub fn is_weak(&self) -> bool {
        self.bind == STB_WEAK
    }

    /// Whether it is defined outside the object.
    pub fn is_external(&self) -> bool {
        self.index == SHN_UNDEF && self.is_global() && !self.name.is_empty()
    }
}

/// An entry of a relocation section.
#[derive(Clone, Copy)]
pub struct Relocation {
    /// Offset of the instruction to change, in its section.
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
/// Symbols are read only when they are asked for.
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
        check_entries(table, SYMBOL_SIZE)?;
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
        let span = self.symbols.subspan(
            u64::from(index).saturating_mul(SYMBOL_SIZE),
            SYMBOL_SIZE,
            "a symbol lies outside the symbol table",
        )?;
        let entry: SymbolEntry = span.read(0)?;
        let index = entry.st_shndx.get();
        let section = match index {
            SHN_UNDEF | SHN_LORESERVE.. => None,
            index if usize::from(index) < self.sections.len() => Some(usize::from(index)),
            _ => {
                return Err(ParseError::malformed(
                    "a symbol's section index is out of range",
                    span.at(offset_of!(SymbolEntry, st_shndx) as u64),
                ))
            }
        };
        Ok(Symbol {
            name: self.names.string(entry.st_name.into())?,
            kind: entry.st_info & 0xf,
            section,
            value: entry.st_value.get(),
            size: entry.st_size.get(),
            at: span.at(0),
            index,
            bind: entry.st_info >> 4,
            visibility: entry.st_other & 3,
        })
    }

    /// All symbols.
    pub fn symbols(&self) -> impl Iterator<Item = Result<Symbol<'a>, ParseError>> + '_ {
        let count = u32::try_from(self.symbols.size() / SYMBOL_SIZE).unwrap_or(u32::MAX);
        (0..count).map(|index| self.symbol(index))
    }
}

/// The entries of a relocation section.
pub fn relocations<'a>(
    section: &Section<'a>,
) -> Result<impl Iterator<Item = Result<Relocation, ParseError>> + 'a, ParseError> {
    check_entries(section, RELOCATION_SIZE)?;
    let data = section.data;
    let entries = (0..data.size()).step_by(RELOCATION_SIZE as usize);
    Ok(entries.map(move |at| {
        let entry: RelocationEntry = data.read(at)?;
        Ok(Relocation {
            offset: entry.r_offset.get(),
            kind: entry.r_type.get(),
            symbol: entry.r_sym.get(),
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
    let header: Header = file.read(0)?;
    let malformed = |wrong, field: usize| ParseError::malformed(wrong, field as u64);
    let unsupported = |wrong, field: usize| ParseError::unsupported(wrong, field as u64);
    if header.magic != *b"\x7fELF" {
        return Err(malformed("not an ELF file", offset_of!(Header, magic)));
    }
    if (header.class, header.data, header.version) != (ELFCLASS64, ELFDATA2LSB, 1) {
        let wrong = "not a 64-bit little-endian ELF file";
        return Err(unsupported(wrong, offset_of!(Header, class)));
    }
    if (header.e_type.get(), header.e_machine.get()) != (ET_REL, EM_BPF) {
        let wrong = "not a relocatable BPF object";
        return Err(unsupported(wrong, offset_of!(Header, e_type)));
    }
    let sizes = [header.e_ehsize, header.e_shentsize];
    if sizes.map(usize::from) != [size_of::<Header>(), size_of::<SectionHeader>()] {
        let wrong = "the headers have the wrong size";
        return Err(malformed(wrong, offset_of!(Header, e_ehsize)));
    }
    let count = header.e_shnum.get();
    if count > SECTIONS_MAX {
        let at = offset_of!(Header, e_shnum) as u64;
        return Err(ParseError::too_big("too many sections", at));
    }
    let table = file.subspan(
        header.e_shoff.get(),
        u64::from(count).saturating_mul(SECTION_HEADER_SIZE),
        "the section headers lie outside the object",
    )?;
    let span_of = |index: u16| {
        let at = u64::from(index).saturating_mul(SECTION_HEADER_SIZE);
        let wrong = "a section header lies outside the table";
        table.subspan(at, SECTION_HEADER_SIZE, wrong)
    };
    let names = section_data(file, &span_of(header.e_shstrndx.get())?.read(0)?)?;
    let mut sections = KVVec::new();
    for index in 0..count {
        let span = span_of(index)?;
        let header: SectionHeader = span.read(0)?;
        let section = Section {
            name: names.string(header.sh_name.into())?,
            kind: header.sh_type.get(),
            flags: header.sh_flags.get(),
            size: header.sh_size.get(),
            link: header.sh_link.get(),
            info: header.sh_info.get(),
            entry_size: header.sh_entsize.get(),
            data: section_data(file, &header)?,
            header: span.at(0),
        };
        sections.push(section, GFP_KERNEL_ACCOUNT)?;
    }
    Ok(sections)
}

fn section_data<'a>(file: &Span<'a>, header: &SectionHeader) -> Result<Span<'a>, ParseError> {
    let (at, len) = match header.sh_type.get() {
        SHT_NULL | SHT_NOBITS => (0, 0),
        _ => (header.sh_offset.get(), header.sh_size.get()),
    };
    file.subspan(at, len, "a section lies outside the object")
}
