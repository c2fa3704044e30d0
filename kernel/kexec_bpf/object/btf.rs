// SPDX-License-Identifier: GPL-2.0

//! The type information of a BPF object, as far as loading it takes.
//!
//! What is not needed here is left to the kernel's own check, later.

use core::ffi::CStr;

use kernel::prelude::*;

use super::span::Span;
use crate::error::ParseError;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
/// Without the description of the type section's layout, which came later.
pub const HEADER_SIZE: u32 = 24;

const TYPE_SIZE: u64 = 12;

/// Linkage of a variable that is seen outside the object.
pub const VAR_GLOBAL: u32 = 1;

/// How many types may have to be followed to the one that has a size.
const DEPTH_MAX: u32 = 32;

const INT: u8 = 1;
/// A pointer.
pub const PTR: u8 = 2;
/// An array.
pub const ARRAY: u8 = 3;
/// A structure.
pub const STRUCT: u8 = 4;
const UNION: u8 = 5;
const ENUM: u8 = 6;
const FWD: u8 = 7;
const TYPEDEF: u8 = 8;
const VOLATILE: u8 = 9;
const CONST: u8 = 10;
const RESTRICT: u8 = 11;
/// A function.
pub const FUNC: u8 = 12;
/// The prototype of functions.
pub const FUNC_PROTO: u8 = 13;
/// A variable.
pub const VAR: u8 = 14;
/// A section with variables.
pub const DATASEC: u8 = 15;
const FLOAT: u8 = 16;
const DECL_TAG: u8 = 17;
const TYPE_TAG: u8 = 18;
const ENUM64: u8 = 19;

/// A type.
pub struct Type<'a> {
    /// Offset of its name.
    pub name: u32,
    /// What sort of type it is.
    pub kind: u8,
    /// The number of its entries, or the linkage of a function.
    pub vlen: u32,
    /// Its size in bytes, or the type that it refers to.
    pub size_or_type: u32,
    /// The whole of it.
    pub span: Span<'a>,
}

impl<'a> Type<'a> {
    fn read(types: &Span<'a>, at: u64) -> Result<Self, ParseError> {
        let info = types.le32(at.saturating_add(4))?;
        let vlen = info & 0xff_ffff;
        let kind = (info >> 24) as u8 & 0x7f;
        let extra = match kind {
            INT | VAR | DECL_TAG => 4,
            ARRAY => 12,
            STRUCT | UNION | DATASEC | ENUM64 => u64::from(vlen).saturating_mul(12),
            ENUM | FUNC_PROTO => u64::from(vlen).saturating_mul(8),
            PTR | FWD | TYPEDEF | VOLATILE | CONST | RESTRICT | FUNC | FLOAT | TYPE_TAG => 0,
            _ => {
                return Err(ParseError::unsupported(
                    "a type of an unknown kind",
                    types.at(at),
                ))
            }
        };
        let size = TYPE_SIZE.saturating_add(extra);
        Ok(Self {
            name: types.le32(at)?,
            kind,
            vlen,
            size_or_type: types.le32(at.saturating_add(8))?,
            span: types.subspan(at, size, "a type lies outside its section")?,
        })
    }

    /// The `index`-th word of what follows the common fields.
    pub fn word(&self, index: u64) -> Result<u32, ParseError> {
        let at = index.saturating_mul(4).saturating_add(TYPE_SIZE);
        self.span.le32(at)
    }

    /// The three words of each entry of a structure or section.
    pub fn triples(&self) -> impl Iterator<Item = Result<[u32; 3], ParseError>> + '_ {
        (0..u64::from(self.vlen)).map(|index| {
            let first = index.saturating_mul(3);
            Ok([
                self.word(first)?,
                self.word(first.saturating_add(1))?,
                self.word(first.saturating_add(2))?,
            ])
        })
    }

    /// This type is malformed.
    pub fn error(&self, wrong: &'static str) -> ParseError {
        ParseError::malformed(wrong, self.span.at(0))
    }
}

/// The types of an object.
pub struct Types<'a> {
    types: Span<'a>,
    strings: Span<'a>,
    /// Where each type begins; the first has the ID 1.
    offsets: KVVec<u32>,
}

impl<'a> Types<'a> {
    /// Reads the `.BTF` section.
    pub fn parse(section: Span<'a>) -> Result<Self, ParseError> {
        let header_size = check_header(&section)?;
        let span = |field| {
            let at = u64::from(section.le32(field)?).saturating_add(header_size);
            let len = section.le32(field.saturating_add(4))?;
            section.subspan(
                at,
                len.into(),
                "the types or strings lie outside the section",
            )
        };
        let types = span(8)?;
        let strings = span(16)?;
        let mut offsets = KVVec::new();
        let mut at = 0;
        while at < types.size() {
            offsets.push(at as u32, GFP_KERNEL_ACCOUNT)?;
            at = at.saturating_add(Type::read(&types, at)?.span.size());
        }
        Ok(Self {
            types,
            strings,
            offsets,
        })
    }

    /// The type of this ID.
    pub fn get(&self, id: u32) -> Result<Type<'a>, ParseError> {
        let offset = (id as usize)
            .checked_sub(1)
            .and_then(|index| self.offsets.get(index))
            .ok_or(ParseError::malformed(
                "no type has this ID",
                self.types.at(0),
            ))?;
        Type::read(&self.types, u64::from(*offset))
    }

    /// All types.
    pub fn iter(&self) -> impl Iterator<Item = Result<Type<'a>, ParseError>> + '_ {
        self.offsets
            .iter()
            .map(|&offset| Type::read(&self.types, u64::from(offset)))
    }

    /// The string at this offset.
    pub fn name(&self, offset: u32) -> Result<&'a CStr, ParseError> {
        self.strings.string(offset.into())
    }

    /// The bytes of all strings.
    pub fn strings(&self) -> &'a [u8] {
        self.strings.bytes()
    }

    /// The type of this ID without what qualifies or renames it.
    pub fn unqualified(&self, mut id: u32) -> Result<Type<'a>, ParseError> {
        let mut type_ = self.get(id)?;
        for _ in 0..DEPTH_MAX {
            match type_.kind {
                TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG => id = type_.size_or_type,
                _ => return Ok(type_),
            }
            type_ = self.get(id)?;
        }
        Err(type_.error("a type is nested too deeply"))
    }

    /// The size of an object of the type of this ID.
    pub fn size_of(&self, mut id: u32) -> Result<u32, ParseError> {
        let mut count = 1_u32;
        for _ in 0..DEPTH_MAX {
            let type_ = self.unqualified(id)?;
            let size = match type_.kind {
                INT | STRUCT | UNION | ENUM | ENUM64 | FLOAT => type_.size_or_type,
                PTR => 8,
                ARRAY => {
                    count = count
                        .checked_mul(type_.word(2)?)
                        .ok_or(type_.error("an array is too large"))?;
                    id = type_.word(0)?;
                    continue;
                }
                _ => return Err(type_.error("a type has no size")),
            };
            return size
                .checked_mul(count)
                .ok_or(type_.error("an array is too large"));
        }
        Err(ParseError::malformed(
            "a type is nested too deeply",
            self.types.at(0),
        ))
    }

    /// The number of elements of the array of this ID.
    pub fn array_len(&self, id: u32) -> Result<u32, ParseError> {
        let array = self.get(id)?;
        match array.kind {
            ARRAY => array.word(2),
            _ => Err(array.error("not an array")),
        }
    }

    /// The section of this name, if there is one.
    pub fn section(&self, name: &CStr) -> Result<Option<Type<'a>>, ParseError> {
        for type_ in self.iter() {
            let type_ = type_?;
            if type_.kind == DATASEC && self.name(type_.name)? == name {
                return Ok(Some(type_));
            }
        }
        Ok(None)
    }
}

/// Checks the header that `.BTF` and `.BTF.ext` have in common and returns its size.
pub fn check_header(section: &Span<'_>) -> Result<u64, ParseError> {
    let [version, flags] = section.array(2)?;
    if (section.le16(0)?, version, flags) != (MAGIC, VERSION, 0) {
        return Err(ParseError::unsupported(
            "type information in an unknown format",
            section.at(0),
        ));
    }
    let size = section.le32(4)?;
    if size < HEADER_SIZE {
        return Err(ParseError::malformed(
            "the header of the type information is too small",
            section.at(4),
        ));
    }
    Ok(size.into())
}

/// The header of type information with so many bytes of types and of strings.
pub fn header(types: u32, strings: u32) -> impl Iterator<Item = u8> {
    let [m0, m1] = MAGIC.to_le_bytes();
    let first = u32::from_le_bytes([m0, m1, VERSION, 0]);
    [first, HEADER_SIZE, 0, types, types, strings]
        .into_iter()
        .flat_map(u32::to_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types from their words, and the names "a" and "b" at 1 and 3.
    fn section(types: &[u32]) -> std::vec::Vec<u8> {
        let types: std::vec::Vec<u8> = types.iter().flat_map(|word| word.to_le_bytes()).collect();
        let strings = b"\0a\0b\0";
        let mut section: std::vec::Vec<u8> =
            header(types.len() as u32, strings.len() as u32).collect();
        section.extend(types);
        section.extend(strings);
        section
    }

    fn info(kind: u8, vlen: u32) -> u32 {
        (u32::from(kind) << 24) | vlen
    }

    /// `int a`, then `depth` types that only refer to the one before.
    fn nested(kind: u8, depth: u32) -> std::vec::Vec<u8> {
        let mut types = vec![1, info(INT, 0), 4, 32];
        for id in 1..=depth {
            types.extend([0, info(kind, 0), id]);
        }
        section(&types)
    }

    #[test]
    fn types_of_all_kinds() -> Result<(), ParseError> {
        let extra = |kind| match kind {
            INT | VAR | DECL_TAG => 1,
            ARRAY => 3,
            STRUCT | UNION | DATASEC | ENUM64 => 6,
            ENUM | FUNC_PROTO => 4,
            _ => 0,
        };
        let mut words = vec![];
        for kind in INT..=ENUM64 {
            words.extend([1, info(kind, 2), u32::from(kind)]);
            words.extend(vec![7; extra(kind)]);
        }
        let section = section(&words);
        let btf = Types::parse(Span::whole(&section))?;
        assert_eq!(btf.iter().count(), 19);
        for kind in INT..=ENUM64 {
            let type_ = btf.get(kind.into())?;
            assert_eq!((type_.kind, type_.vlen), (kind, 2));
            assert_eq!(type_.size_or_type, u32::from(kind));
            assert_eq!(btf.name(type_.name), Ok(c"a"));
        }
        for id in [0, 20, u32::MAX] {
            assert!(btf.get(id).is_err());
        }
        for name in [5, 6, u32::MAX] {
            assert!(btf.name(name).is_err());
        }
        for kind in [0, ENUM64 + 1, 0x7f] {
            let unknown = self::section(&[1, info(kind, 0), 0]);
            let error = Types::parse(Span::whole(&unknown)).err();
            assert_eq!(
                error,
                Some(ParseError::unsupported("a type of an unknown kind", 24))
            );
        }
        Ok(())
    }

    #[test]
    fn lies_about_sizes() {
        let section = section(&[1, info(STRUCT, 1), 4, 3, 1, 0]);
        assert!(Types::parse(Span::whole(&section)).is_ok());
        for len in 0..section.len() {
            assert!(Types::parse(Span::whole(&section[..len])).is_err(), "{len}");
        }
        for (at, word) in [
            // Magic number, size of the header, bounds of types and strings.
            (0, 0x0001_eb9e),
            (0, 0x0002_eb9f),
            (0, 0x0101_eb9f),
            (4, 23),
            (4, 25),
            (4, u32::MAX),
            (8, 6),
            (8, u32::MAX),
            (12, 23),
            (12, 11),
            (12, u32::MAX),
            (16, 25),
            (20, 6),
            (20, u32::MAX),
            // The number of members.
            (28, info(STRUCT, 2)),
            (28, info(STRUCT, 0xff_ffff)),
        ] {
            let mut section = section.clone();
            section[at..at + 4].copy_from_slice(&word.to_le_bytes());
            assert!(
                Types::parse(Span::whole(&section)).is_err(),
                "{at} {word:#x}"
            );
        }
    }

    #[test]
    fn nesting() -> Result<(), ParseError> {
        for kind in [TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG] {
            let deep = nested(kind, DEPTH_MAX);
            let btf = Types::parse(Span::whole(&deep))?;
            assert_eq!(btf.unqualified(DEPTH_MAX)?.kind, INT);
            assert!(btf.unqualified(DEPTH_MAX + 1).is_err());
        }
        // One that refers to itself.
        let endless = section(&[1, info(TYPEDEF, 0), 1, 0, info(ARRAY, 0), 0, 2, 1, 1]);
        let btf = Types::parse(Span::whole(&endless))?;
        assert!(btf.unqualified(1).is_err());
        assert!(btf.size_of(1).is_err());
        assert!(btf.size_of(2).is_err());
        Ok(())
    }

    #[test]
    fn sizes() -> Result<(), ParseError> {
        let array = |of, len| [0, info(ARRAY, 0), 0, of, 1, len];
        let words = [
            vec![1, info(INT, 0), 4, 32],
            vec![0, info(PTR, 0), 0],
            array(1, 0x3fff_ffff).to_vec(),
            array(1, 0x4000_0000).to_vec(),
            array(1, 0x1_0000).to_vec(),
            array(5, 0x3fff).to_vec(),
            array(5, 0x4000).to_vec(),
            array(5, 0).to_vec(),
            vec![1, info(FWD, 0), 0],
        ];
        let section = section(&words.concat());
        let btf = Types::parse(Span::whole(&section))?;
        assert_eq!(btf.size_of(1), Ok(4));
        assert_eq!(btf.size_of(2), Ok(8));
        assert_eq!(btf.size_of(3), Ok(0xffff_fffc));
        assert!(btf.size_of(4).is_err());
        assert_eq!(btf.size_of(5), Ok(0x4_0000));
        assert_eq!(btf.size_of(6), Ok(0xfffc_0000));
        assert!(btf.size_of(7).is_err());
        assert_eq!(btf.size_of(8), Ok(0));
        assert!(btf.size_of(9).is_err());
        assert_eq!(btf.array_len(6), Ok(0x3fff));
        assert!(btf.array_len(1).is_err());
        Ok(())
    }
}
