// SPDX-License-Identifier: GPL-2.0

//! The maps of a BPF object: those that it declares in `.maps`, and one for each data section.

use core::ffi::CStr;

use crate::btf::{
    self,
    Btf,
    Type, //
};
use crate::elf::{
    self,
    Elf,
    Section, //
};
use crate::error::{
    Error,
    Result, //
};
use crate::vec::Vec;

/// Maps of an object.
const MAPS_MAX: usize = 32;
/// Bytes of a data section, those without bytes in the object included, or of a declared map.
const DATA_MAX: u32 = 16 << 20;
/// What an entry of a hash takes besides its key and value, in bytes, at most.
const ENTRY_SIZE: u64 = 96;

const MAP_TYPE_HASH: u32 = 1;
const MAP_TYPE_ARRAY: u32 = 2;

const F_NO_PREALLOC: u32 = 1 << 0;
const F_RDONLY_PROG: u32 = 1 << 7;
const F_WRONLY_PROG: u32 = 1 << 8;

/// What a map begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Nothing: the object declares it.
    Declared,
    /// Constants. The map is to be frozen.
    Rodata(&'a [u8]),
    /// Variables.
    Data(&'a [u8]),
    /// Zeroes.
    Bss,
}

/// A map to be created.
pub struct Map<'a> {
    /// Its name, that of its section for one with data.
    pub name: &'a CStr,
    /// `BPF_MAP_TYPE_*`
    pub map_type: u32,
    /// Size of a key in bytes.
    pub key_size: u32,
    /// Size of a value in bytes.
    pub value_size: u32,
    /// The number of entries.
    pub max_entries: u32,
    /// `BPF_F_*`
    pub flags: u32,
    /// What it begins with.
    pub content: Content<'a>,
    /// Index of its section.
    pub(crate) section: usize,
    /// Where its symbol is in `.maps`.
    pub(crate) offset: u64,
}

impl Map<'_> {
    /// The bytes that it takes, at most.
    fn size(&self) -> u64 {
        ENTRY_SIZE
            .saturating_add(self.key_size.into())
            .saturating_add(self.value_size.into())
            .saturating_mul(self.max_entries.into())
    }
}

/// The maps of an object whose `.maps` section has the index `declared`.
pub fn read<'a>(elf: &Elf<'a>, btf: &Btf<'a>, declared: Option<usize>) -> Result<Vec<Map<'a>>> {
    let mut maps = Vec::default();
    if let Some(section) = declared {
        read_declared(elf, btf, section, &mut maps)?;
    }
    for (index, section) in elf.sections.iter().enumerate() {
        if let Some(map) = data_map(index, section)? {
            add(&mut maps, map, section.header)?;
        }
    }
    Ok(maps)
}

fn add<'a>(maps: &mut Vec<Map<'a>>, map: Map<'a>, at: u64) -> Result {
    if maps.iter().any(|other| other.name == map.name) {
        let error = Error::malformed("a second map", at);
        return Err(error.named(map.name.to_bytes()));
    }
    if maps.len() == MAPS_MAX {
        return Err(Error::too_big("there are too many maps", at));
    }
    maps.push(map)
}

fn data_map<'a>(index: usize, section: &Section<'a>) -> Result<Option<Map<'a>>> {
    let data = section.data.bytes();
    let name = section.name.to_bytes();
    let (flags, content) = match section.kind {
        elf::SHT_NOBITS => (0, Content::Bss),
        elf::SHT_PROGBITS if name.starts_with(b".rodata") => (F_RDONLY_PROG, Content::Rodata(data)),
        elf::SHT_PROGBITS if name.starts_with(b".data") => (0, Content::Data(data)),
        _ => return Ok(None),
    };
    let size = u32::try_from(section.size)
        .ok()
        .filter(|&size| size <= DATA_MAX);
    let value_size =
        size.ok_or(Error::too_big("a section is too large", section.header).named(name))?;
    Ok((value_size > 0).then_some(Map {
        name: section.name,
        map_type: MAP_TYPE_ARRAY,
        key_size: 4,
        value_size,
        max_entries: 1,
        flags,
        content,
        section: index,
        offset: 0,
    }))
}

fn read_declared<'a>(
    elf: &Elf<'a>,
    btf: &Btf<'a>,
    section: usize,
    maps: &mut Vec<Map<'a>>,
) -> Result {
    let types = btf
        .section(c".maps")?
        .ok_or(Error::malformed("the maps have no types", 0))?;
    for entry in types.triples() {
        let [var, _, _] = entry?;
        let var = btf.get(var)?;
        let name = btf.name(var.name)?;
        if var.kind != btf::VAR || var.word(0)? != btf::VAR_GLOBAL {
            let error = Error::unsupported("a map that is not a global variable", var.part.at(0));
            return Err(error.named(name.to_bytes()));
        }
        let map = Definition::read(btf, &btf.unqualified(var.size_or_type)?)?
            .check(|rule| Error::unsupported(rule, var.part.at(0)).named(name.to_bytes()))?;
        if map.size() > DATA_MAX.into() {
            let error = Error::too_big("a map is too large", var.part.at(0));
            return Err(error.named(name.to_bytes()));
        }
        let map = Map {
            name,
            section,
            offset: offset(elf, section, &var, name)?,
            ..map
        };
        add(maps, map, var.part.at(0))?;
    }
    Ok(())
}

/// Where the map of this name is in `.maps`.
fn offset(elf: &Elf<'_>, section: usize, var: &Type<'_>, name: &CStr) -> Result<u64> {
    for symbol in elf.symbols() {
        let symbol = symbol?;
        if symbol.section == Some(section) && symbol.name == name {
            return Ok(symbol.value);
        }
    }
    let error = Error::malformed("a map without a symbol", var.part.at(0));
    Err(error.named(name.to_bytes()))
}

/// What is said about a map.
#[derive(Default)]
struct Definition {
    map_type: Option<u32>,
    key_size: Option<u32>,
    value_size: Option<u32>,
    max_entries: Option<u32>,
    flags: Option<u32>,
}

impl Definition {
    fn read(btf: &Btf<'_>, type_: &Type<'_>) -> Result<Self> {
        if type_.kind != btf::STRUCT {
            return Err(type_.malformed("a map is not a structure"));
        }
        let mut all = Self::default();
        for member in type_.triples() {
            let [name, member, _] = member?;
            let name = btf.name(name)?;
            let field = match name.to_bytes() {
                b"type" => &mut all.map_type,
                b"max_entries" => &mut all.max_entries,
                b"map_flags" => &mut all.flags,
                b"key_size" | b"key" => &mut all.key_size,
                b"value_size" | b"value" => &mut all.value_size,
                _ => {
                    let error = Error::unsupported("a map with a field", type_.part.at(0));
                    return Err(error.named(name.to_bytes()));
                }
            };
            let pointer = btf.unqualified(member)?;
            if pointer.kind != btf::PTR {
                return Err(pointer.malformed("a field of a map is not a pointer"));
            }
            // A number is the length of an array, the type of a key or value is just that.
            let value = match name.to_bytes() {
                b"key" | b"value" => btf.size_of(pointer.size_or_type)?,
                _ => btf.array_len(pointer.size_or_type)?,
            };
            if field.replace(value).is_some_and(|old| old != value) {
                return Err(type_.malformed("a map is said to be two things"));
            }
        }
        Ok(all)
    }

    fn check<'a>(&self, error: impl Fn(&'static str) -> Error) -> Result<Map<'a>> {
        let number = |field: Option<u32>, rule| {
            let number = field.filter(|&number| number > 0);
            number.ok_or(error(rule))
        };
        let map = Map {
            name: c"",
            map_type: number(self.map_type, "a map without a type")?,
            key_size: number(self.key_size, "a map without keys")?,
            value_size: number(self.value_size, "a map without values")?,
            max_entries: number(self.max_entries, "a map without entries")?,
            flags: self.flags.unwrap_or(0),
            content: Content::Declared,
            section: 0,
            offset: 0,
        };
        let flags = match map.map_type {
            MAP_TYPE_ARRAY if map.key_size == 4 => F_RDONLY_PROG | F_WRONLY_PROG,
            MAP_TYPE_ARRAY => return Err(error("an array whose keys are not of 4 bytes")),
            MAP_TYPE_HASH => F_RDONLY_PROG | F_WRONLY_PROG | F_NO_PREALLOC,
            _ => return Err(error("a map that is neither array nor hash")),
        };
        match map.flags & !flags {
            0 => Ok(map),
            _ => Err(error("a map with unsupported flags")),
        }
    }
}
