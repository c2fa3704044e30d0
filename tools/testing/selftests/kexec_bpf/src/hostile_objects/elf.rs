// SPDX-License-Identifier: GPL-2.0

//! Makes ELF files, malformed or not.

pub const PROGBITS: u32 = 1;
pub const SYMTAB: u32 = 2;
pub const STRTAB: u32 = 3;
pub const NOBITS: u32 = 8;
pub const REL: u32 = 9;

pub const ALLOC: u64 = 2;
pub const EXEC: u64 = 4;

pub const LOCAL: u8 = 0;
pub const GLOBAL: u8 = 1 << 4;
pub const WEAK: u8 = 2 << 4;
pub const OBJECT: u8 = 1;
pub const FUNC: u8 = 2;
pub const HIDDEN: u8 = 2;

pub const R_64_64: u32 = 1;
pub const R_64_32: u32 = 10;

pub const EHDR_LEN: usize = 64;
pub const SHDR_LEN: usize = 64;
pub const SYM_LEN: usize = 24;
pub const REL_LEN: usize = 16;

/// A section. Its size is that of its data.
#[derive(Clone, Default)]
pub struct Section {
    pub name: String,
    pub kind: u32,
    pub flags: u64,
    pub info: u32,
    pub data: Vec<u8>,
    /// The size of a section without data.
    pub room: u64,
}

/// A symbol of a section, or of none.
#[derive(Clone, Default)]
pub struct Symbol {
    pub name: String,
    pub info: u8,
    pub other: u8,
    pub section: Option<&'static str>,
    pub value: u64,
    pub size: u64,
}

/// An object that is being made. Its sections come in this order, then `.symtab` and `.strtab`. The
/// headers are last, so that each truncated file lacks a part.
#[derive(Clone, Default)]
pub struct Elf {
    pub sections: Vec<Section>,
    pub symbols: Vec<Symbol>,
}

impl Elf {
    /// Adds a section.
    pub fn add(&mut self, name: &str, kind: u32, flags: u64, data: &[u8]) -> &mut Section {
        self.sections.push(Section {
            name: name.into(),
            kind,
            flags,
            data: data.into(),
            ..Section::default()
        });
        self.sections.last_mut().unwrap()
    }

    /// The section of this name.
    pub fn section(&mut self, name: &str) -> &mut Section {
        let mut sections = self.sections.iter_mut();
        sections.find(|section| section.name == name).unwrap()
    }

    /// The symbol of this name.
    pub fn symbol(&mut self, name: &str) -> &mut Symbol {
        let mut symbols = self.symbols.iter_mut();
        symbols.find(|symbol| symbol.name == name).unwrap()
    }

    /// Adds a relocation to those of a section. They have to be added in order.
    pub fn relocate(&mut self, section: &'static str, offset: u64, symbol: &str, kind: u32) {
        let name = format!(".rel{section}");
        let mut symbols = self.symbols.iter();
        // The first symbol is the null one.
        let symbol = 1 + symbols.position(|other| other.name == symbol).unwrap() as u32;
        if !self.sections.iter().any(|section| section.name == name) {
            let mut targets = self.sections.iter();
            let info = 1 + targets.position(|other| other.name == section).unwrap() as u32;
            self.add(&name, REL, 0, &[]).info = info;
        }
        let data = &mut self.section(&name).data;
        data.extend(offset.to_le_bytes());
        data.extend(kind.to_le_bytes());
        data.extend(symbol.to_le_bytes());
    }

    /// Makes the file.
    pub fn write(&self) -> File {
        let mut strings = vec![0];
        let mut string = |text: &str| {
            if text.is_empty() {
                return 0;
            }
            let at = strings.len() as u32;
            strings.extend(text.as_bytes());
            strings.push(0);
            at
        };
        let index = |name: &str| {
            let mut sections = self.sections.iter();
            1 + sections.position(|section| section.name == name).unwrap()
        };
        let mut symbols = vec![0; SYM_LEN];
        for symbol in &self.symbols {
            symbols.extend(string(&symbol.name).to_le_bytes());
            symbols.extend([symbol.info, symbol.other]);
            symbols.extend((symbol.section.map_or(0, index) as u16).to_le_bytes());
            symbols.extend(symbol.value.to_le_bytes());
            symbols.extend(symbol.size.to_le_bytes());
        }
        let mut sections = vec![Section::default()];
        sections.extend(self.sections.iter().cloned());
        for (name, kind, data) in [(".symtab", SYMTAB, symbols), (".strtab", STRTAB, vec![])] {
            sections.push(Section {
                name: name.into(),
                kind,
                data,
                ..Section::default()
            });
        }
        let names: Vec<_> = sections.iter().map(|s| string(&s.name)).collect();
        let last = sections.len() - 1;
        sections[last].data = strings;

        let mut bytes = vec![0; EHDR_LEN];
        let mut headers = Vec::new();
        for (section, name) in sections.iter().zip(names) {
            let link = if section.kind == SYMTAB { last } else { 0 };
            let entry_len = match section.kind {
                SYMTAB => SYM_LEN,
                REL => REL_LEN,
                _ => 0,
            };
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            headers.extend(name.to_le_bytes());
            headers.extend(section.kind.to_le_bytes());
            headers.extend(section.flags.to_le_bytes());
            headers.extend(0_u64.to_le_bytes());
            headers.extend((bytes.len() as u64).to_le_bytes());
            headers.extend((section.data.len() as u64 + section.room).to_le_bytes());
            headers.extend((link as u32).to_le_bytes());
            headers.extend(section.info.to_le_bytes());
            headers.extend(8_u64.to_le_bytes());
            headers.extend((entry_len as u64).to_le_bytes());
            bytes.extend(&section.data);
        }
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let mut file = File {
            names: sections.into_iter().map(|section| section.name).collect(),
            table: bytes.len(),
            bytes,
        };
        file.bytes.extend(headers);
        file.put(0, b"\x7fELF\x02\x01\x01");
        file.put(16, &1_u16.to_le_bytes()); // ET_REL
        file.put(18, &247_u16.to_le_bytes()); // EM_BPF
        file.put(20, &1_u32.to_le_bytes());
        file.put(40, &(file.table as u64).to_le_bytes());
        for (at, value) in [
            (52, EHDR_LEN),
            (58, SHDR_LEN),
            (60, file.names.len()),
            (62, last),
        ] {
            file.put(at, &(value as u16).to_le_bytes());
        }
        file
    }
}

/// A file, with the offsets of its parts.
#[derive(Clone)]
pub struct File {
    pub bytes: Vec<u8>,
    /// The offset of the section headers.
    pub table: usize,
    names: Vec<String>,
}

impl File {
    /// The index of a section.
    pub fn index(&self, name: &str) -> usize {
        self.names.iter().position(|other| other == name).unwrap()
    }

    /// The number of sections.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// The offset of the header of a section.
    pub fn header(&self, name: &str) -> usize {
        self.table + SHDR_LEN * self.index(name)
    }

    /// The offset of the data of a section.
    pub fn data(&self, name: &str) -> usize {
        let at = self.header(name) + 24;
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap()) as usize
    }

    /// The offset of the symbol with this index, not counting the null symbol.
    pub fn symbol(&self, index: usize) -> usize {
        self.data(".symtab") + SYM_LEN * (index + 1)
    }

    /// Replaces bytes.
    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// The object with bytes replaced.
    pub fn with(&self, at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut file = self.clone();
        file.put(at, bytes);
        file.bytes
    }
}
