// SPDX-License-Identifier: GPL-2.0

//! Makes type information, malformed or not.

pub const INT: u32 = 1;
pub const PTR: u32 = 2;
pub const ARRAY: u32 = 3;
pub const STRUCT: u32 = 4;
pub const UNION: u32 = 5;
pub const ENUM: u32 = 6;
pub const FWD: u32 = 7;
pub const TYPEDEF: u32 = 8;
pub const CONST: u32 = 10;
pub const FUNC: u32 = 12;
pub const FUNC_PROTO: u32 = 13;
pub const VAR: u32 = 14;
pub const DATASEC: u32 = 15;
pub const FLOAT: u32 = 16;
pub const DECL_TAG: u32 = 17;
pub const TYPE_TAG: u32 = 18;
pub const ENUM64: u32 = 19;

pub const HEADER_LEN: usize = 24;

/// Types, and their names.
#[derive(Clone)]
pub struct Types {
    words: Vec<u32>,
    /// The offset of each type in words. The first type has the ID 1.
    starts: Vec<usize>,
    pub strings: Vec<u8>,
}

impl Default for Types {
    fn default() -> Self {
        Self {
            words: Vec::new(),
            starts: Vec::new(),
            strings: vec![0],
        }
    }
}

impl Types {
    /// The offset of a string.
    pub fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        self.strings.extend(text.as_bytes());
        self.strings.push(0);
        at
    }

    /// Adds a type, and returns its ID.
    pub fn add(&mut self, name: &str, kind: u32, vlen: u32, of: u32, rest: &[u32]) -> u32 {
        let name = self.string(name);
        self.starts.push(self.words.len());
        self.words.extend([name, (kind << 24) | vlen, of]);
        self.words.extend(rest);
        self.starts.len() as u32
    }

    /// The ID of the next type.
    pub fn next(&self) -> u32 {
        self.starts.len() as u32 + 1
    }

    pub fn int(&mut self) -> u32 {
        self.add("int", INT, 0, 4, &[0x0100_0020])
    }

    pub fn pointer(&mut self, of: u32) -> u32 {
        self.add("", PTR, 0, of, &[])
    }

    pub fn array(&mut self, of: u32, index: u32, len: u32) -> u32 {
        self.add("", ARRAY, 0, 0, &[of, index, len])
    }

    /// A structure whose members, each a name and a type, are pointers.
    pub fn structure(&mut self, members: &[(&str, u32)]) -> u32 {
        let mut rest = Vec::new();
        for (&(name, of), at) in members.iter().zip(0..) {
            rest.extend([self.string(name), of, at * 64]);
        }
        let count = members.len() as u32;
        self.add("", STRUCT, count, count * 8, &rest)
    }

    /// A function that takes nothing.
    pub fn function(&mut self, name: &str, returns: u32, linkage: u32) -> u32 {
        let prototype = self.add("", FUNC_PROTO, 0, returns, &[]);
        self.add(name, FUNC, linkage, prototype, &[])
    }

    pub fn variable(&mut self, name: &str, of: u32, linkage: u32) -> u32 {
        self.add(name, VAR, 0, of, &[linkage])
    }

    /// A section of variables, each with its size. Like compilers, this does not set other fields.
    pub fn section(&mut self, name: &str, variables: &[(u32, u32)]) -> u32 {
        let rest: Vec<_> = variables
            .iter()
            .flat_map(|&(id, size)| [id, 0, size])
            .collect();
        self.add(name, DATASEC, variables.len() as u32, 0, &rest)
    }

    /// The offset of a type in the section.
    pub fn at(&self, id: u32) -> usize {
        HEADER_LEN + 4 * self.starts[id as usize - 1]
    }

    /// The offset of the strings in the section.
    pub fn strings_at(&self) -> usize {
        HEADER_LEN + 4 * self.words.len()
    }

    /// Replaces a word of a type.
    pub fn put(&mut self, id: u32, word: usize, value: u32) {
        let at = self.starts[id as usize - 1] + word;
        self.words[at] = value;
    }

    /// The section.
    pub fn write(&self) -> Vec<u8> {
        let types = 4 * self.words.len() as u32;
        let header = [0x1_eb9f, HEADER_LEN as u32, 0, types, types];
        let words = header.into_iter().chain([self.strings.len() as u32]);
        let words = words.chain(self.words.iter().copied());
        let mut bytes: Vec<_> = words.flat_map(u32::to_le_bytes).collect();
        bytes.extend(&self.strings);
        bytes
    }
}

/// Records about the instructions of a section, with the section's name.
pub type Records<const N: usize> = Vec<(u32, Vec<[u32; N]>)>;

/// The contents of `.BTF.ext`.
#[derive(Clone, Default)]
pub struct Info {
    pub functions: Records<2>,
    pub lines: Records<4>,
    pub relocations: Records<4>,
}

impl Info {
    const HEADER_LEN: u32 = 32;

    /// The offset of the records about functions.
    pub const RECORDS: usize = Self::HEADER_LEN as usize;

    /// The section.
    pub fn write(&self) -> Vec<u8> {
        fn table<const N: usize>(records: &Records<N>) -> Vec<u32> {
            let mut words = vec![4 * N as u32];
            for (name, records) in records {
                words.extend([*name, records.len() as u32]);
                words.extend(records.as_flattened());
            }
            words
        }
        let tables = [
            table(&self.functions),
            table(&self.lines),
            table(&self.relocations),
        ];
        let mut words = vec![0x1_eb9f, Self::HEADER_LEN];
        let mut at = 0;
        for table in &tables {
            let len = 4 * table.len() as u32;
            words.extend([at, len]);
            at += len;
        }
        words.extend(tables.concat());
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    }
}
