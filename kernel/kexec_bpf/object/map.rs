// SPDX-License-Identifier: GPL-2.0

//! The maps of a BPF object: those that it declares in `.maps`, and one for each data section.

use core::ffi::CStr;

use kernel::prelude::*;

use super::{
    btf::{
        self,
        Type,
        Types, //
    },
    elf::{
        Elf,
        Section, //
    },
    roles::{
        Role,
        Roles, //
    },
};
use crate::error::{
    Kind,
    ParseError, //
};

/// The most maps of an object.
const MAPS_MAX: usize = 32;
/// The most bytes of all maps of an object, with those that have no data in the object.
const SIZE_MAX: u64 = 16 << 20;
/// Values begin at multiples of this.
const VALUE_ALIGN: u64 = 8;

const MAP_TYPE_ARRAY: u32 = 2;
const KEY_SIZE: u32 = 4;

const F_RDONLY_PROG: u32 = 1 << 7;
const F_WRONLY_PROG: u32 = 1 << 8;

/// The initial content of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// None: the object declares the map.
    Declared,
    /// Constants. The map is to be frozen.
    Rodata(&'a [u8]),
    /// Variables.
    Data(&'a [u8]),
    /// Zeroes.
    Bss,
}

/// An array to be created.
pub struct MapSpec<'a> {
    /// Its name. A map with data is named after its section.
    pub name: &'a CStr,
    /// Size of a value in bytes.
    pub value_size: u32,
    /// The number of entries.
    pub max_entries: u32,
    /// `BPF_F_*`
    pub flags: u32,
    /// Its initial content.
    pub content: Content<'a>,
    /// Index of its section.
    pub(crate) section: usize,
    /// Where its symbol is in `.maps`.
    pub(crate) offset: u64,
}

impl MapSpec<'_> {
    /// The bytes that it takes.
    fn size(&self) -> u64 {
        u64::from(self.value_size)
            .next_multiple_of(VALUE_ALIGN)
            .saturating_mul(self.max_entries.into())
    }
}

/// The maps of an object.
pub fn read<'a>(
    elf: &Elf<'a>,
    btf: &Types<'a>,
    roles: &Roles,
) -> Result<KVVec<MapSpec<'a>>, ParseError> {
    let mut maps = KVVec::new();
    if let Some(section) = roles.index(Role::Maps) {
        read_declared(elf, btf, section, &mut maps)?;
    }
    for (index, section) in elf.sections.iter().enumerate() {
        if let Some(map) = data_map(index, section, roles.get(index)) {
            add(&mut maps, map, section.header)?;
        }
    }
    Ok(maps)
}

fn add<'a>(maps: &mut KVVec<MapSpec<'a>>, map: MapSpec<'a>, at: u64) -> Result<(), ParseError> {
    if maps.iter().any(|other| other.name == map.name) {
        let error = ParseError::malformed("two maps of this name", at);
        return Err(error.named(map.name.to_bytes()));
    }
    if maps.len() == MAPS_MAX {
        return Err(ParseError::too_big("too many maps", at));
    }
    let sizes = maps.iter().map(MapSpec::size);
    if sizes.fold(map.size(), u64::saturating_add) > SIZE_MAX {
        let error = ParseError::too_big("with it, the maps take over 16 MiB", at);
        return Err(error.named(map.name.to_bytes()));
    }
    Ok(maps.push(map, GFP_KERNEL_ACCOUNT)?)
}

fn data_map<'a>(index: usize, section: &Section<'a>, role: Option<Role>) -> Option<MapSpec<'a>> {
    let data = section.data.bytes();
    let (flags, content) = match role? {
        Role::Bss => (0, Content::Bss),
        Role::Rodata => (F_RDONLY_PROG, Content::Rodata(data)),
        Role::Data => (0, Content::Data(data)),
        _ => return None,
    };
    (section.size > 0).then_some(MapSpec {
        name: section.name,
        // A larger section is over the limit as well.
        value_size: u32::try_from(section.size).unwrap_or(u32::MAX),
        max_entries: 1,
        flags,
        content,
        section: index,
        offset: 0,
    })
}

fn read_declared<'a>(
    elf: &Elf<'a>,
    btf: &Types<'a>,
    section: usize,
    maps: &mut KVVec<MapSpec<'a>>,
) -> Result<(), ParseError> {
    let types = btf.section(c".maps")?.ok_or(ParseError::whole(
        Kind::Malformed,
        "no type information for the section .maps",
    ))?;
    for entry in types.triples() {
        let [var, _, _] = entry?;
        let var = btf.get(var)?;
        let name = btf.name(var.name)?;
        if var.kind != btf::VAR || var.word(0)? != btf::VAR_GLOBAL {
            let error = ParseError::unsupported("not a global variable", var.span.at(0));
            return Err(error.named(name.to_bytes()));
        }
        let map = Definition::read(btf, &btf.unqualified(var.size_or_type)?)?
            .check(|wrong| ParseError::unsupported(wrong, var.span.at(0)).named(name.to_bytes()))?;
        let map = MapSpec {
            name,
            section,
            offset: offset(elf, section, &var, name)?,
            ..map
        };
        add(maps, map, var.span.at(0))?;
    }
    Ok(())
}

/// Where the map of this name is in `.maps`.
fn offset(elf: &Elf<'_>, section: usize, var: &Type<'_>, name: &CStr) -> Result<u64, ParseError> {
    for symbol in elf.symbols() {
        let symbol = symbol?;
        if symbol.section == Some(section) && symbol.name == name {
            return Ok(symbol.value);
        }
    }
    let error = ParseError::malformed("the map has no symbol", var.span.at(0));
    Err(error.named(name.to_bytes()))
}

/// The definition of a map, as far as it is given.
#[derive(Default)]
struct Definition {
    map_type: Option<u32>,
    key_size: Option<u32>,
    value_size: Option<u32>,
    max_entries: Option<u32>,
    flags: Option<u32>,
}

impl Definition {
    fn read(btf: &Types<'_>, type_: &Type<'_>) -> Result<Self, ParseError> {
        if type_.kind != btf::STRUCT {
            return Err(type_.error("the definition of a map is not a structure"));
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
                    let error =
                        ParseError::unsupported("unsupported field of a map", type_.span.at(0));
                    return Err(error.named(name.to_bytes()));
                }
            };
            let pointer = btf.unqualified(member)?;
            if pointer.kind != btf::PTR {
                return Err(pointer.error("a field of a map is not a pointer"));
            }
            // Numbers are lengths of arrays; a key or value can be given by its type.
            let value = match name.to_bytes() {
                b"key" | b"value" => btf.size_of(pointer.size_or_type)?,
                _ => btf.array_len(pointer.size_or_type)?,
            };
            // A size can be given both ways.
            if field.replace(value).is_some_and(|other| other != value) {
                return Err(type_.error("a field of a map is given twice, and differs"));
            }
        }
        Ok(all)
    }

    fn check<'a>(
        &self,
        error: impl Fn(&'static str) -> ParseError,
    ) -> Result<MapSpec<'a>, ParseError> {
        let number = |field: Option<u32>, wrong| {
            let number = field.filter(|&number| number > 0);
            number.ok_or(error(wrong))
        };
        if number(self.map_type, "the map has no type")? != MAP_TYPE_ARRAY {
            return Err(error("not an array map"));
        }
        if number(self.key_size, "the map has no key size")? != KEY_SIZE {
            return Err(error("the keys are not 4 bytes long"));
        }
        let flags = self.flags.unwrap_or(0);
        if flags & !(F_RDONLY_PROG | F_WRONLY_PROG) != 0 {
            return Err(error("unsupported map flags"));
        }
        Ok(MapSpec {
            name: c"",
            value_size: number(self.value_size, "the map has no value size")?,
            max_entries: number(self.max_entries, "the map has no number of entries")?,
            flags,
            content: Content::Declared,
            section: 0,
            offset: 0,
        })
    }
}
