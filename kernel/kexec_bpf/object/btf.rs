// SPDX-License-Identifier: GPL-2.0

//! The type information of a BPF object, as far as loading it takes.
//!
//! The kernel checks the rest when it loads the types.

use core::{
    ffi::CStr,
    mem::offset_of, //
};

use kernel::prelude::*;
use zerocopy::little_endian::{
    U16,
    U32, //
};
use zerocopy_derive::Immutable;

use super::span::Span;
use crate::error::ParseError;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;

/// The start of the headers of `.BTF` and `.BTF.ext`.
#[derive(FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub struct Preamble {
    magic: U16,
    version: u8,
    flags: u8,
    header_size: U32,
}

/// Bytes behind one of these headers.
#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub struct Extent {
    /// Where they begin, counted from the end of the header.
    offset: U32,
    len: U32,
}

/// `struct btf_header` without the description of the types' layout, which came later.
#[derive(FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub struct Header {
    preamble: Preamble,
    types: Extent,
    strings: Extent,
}

/// `struct btf_type`: the fields that all types begin with.
#[derive(FromBytes)]
#[repr(C)]
struct TypeHeader {
    name: U32,
    info: U32,
    size_or_type: U32,
}

/// Linkage of a variable that is seen outside the object.
pub const VAR_GLOBAL: u32 = 1;

/// The most types to follow to one that has a size.
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
/// An attribute of a declaration.
pub const DECL_TAG: u8 = 17;
/// An attribute of a type.
pub const TYPE_TAG: u8 = 18;
const ENUM64: u8 = 19;

impl TypeHeader {
    const SIZE: u64 = size_of::<Self>() as u64;
}

/// A type.
pub struct Type<'a> {
    /// Offset of its name.
    pub name: u32,
    /// Its kind: `INT` and so on.
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
        let header: TypeHeader = types.read(at)?;
        let info = header.info.get();
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
        let size = TypeHeader::SIZE.saturating_add(extra);
        Ok(Self {
            name: header.name.get(),
            kind,
            vlen,
            size_or_type: header.size_or_type.get(),
            span: types.subspan(at, size, "a type lies outside its section")?,
        })
    }

    /// The `index`-th word of what follows the common fields.
    pub fn word(&self, index: u64) -> Result<u32, ParseError> {
        let at = index.saturating_mul(4).saturating_add(TypeHeader::SIZE);
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
        let preamble = Preamble::read(&section)?;
        let header: Header = section.read(0)?;
        let wrong = "the types or strings lie outside the section";
        let types = preamble.subspan(&section, header.types, wrong)?;
        let strings = preamble.subspan(&section, header.strings, wrong)?;
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

impl Preamble {
    /// Reads the start of `section`.
    pub fn read(section: &Span<'_>) -> Result<Self, ParseError> {
        let preamble: Self = section.read(0)?;
        let format = (preamble.magic.get(), preamble.version, preamble.flags);
        if format != (MAGIC, VERSION, 0) {
            let wrong = "type information in an unknown format";
            return Err(ParseError::unsupported(wrong, section.at(0)));
        }
        if preamble.header_size() < size_of::<Header>() as u64 {
            let at = section.at(offset_of!(Self, header_size) as u64);
            let wrong = "the header of the type information is too small";
            return Err(ParseError::malformed(wrong, at));
        }
        Ok(preamble)
    }

    /// The size of the header.
    pub fn header_size(&self) -> u64 {
        self.header_size.get().into()
    }

    /// Bytes of `section` behind the header.
    pub fn subspan<'a>(
        &self,
        section: &Span<'a>,
        extent: Extent,
        wrong: &'static str,
    ) -> Result<Span<'a>, ParseError> {
        let at = self.header_size().saturating_add(extent.offset.into());
        section.subspan(at, extent.len.into(), wrong)
    }
}

impl Header {
    /// The header of type information with so many bytes of types and of strings.
    pub fn new(types: u32, strings: u32) -> Self {
        Self {
            preamble: Preamble {
                magic: MAGIC.into(),
                version: VERSION,
                flags: 0,
                header_size: (size_of::<Self>() as u32).into(),
            },
            types: Extent {
                offset: 0.into(),
                len: types.into(),
            },
            strings: Extent {
                offset: types.into(),
                len: strings.into(),
            },
        }
    }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_btf)]
mod tests {
    use super::*;

    type Result<T = ()> = core::result::Result<T, ParseError>;

    /// Types from their words, and the names "a" and "b" at 1 and 3.
    fn section(types: &[&[u32]]) -> Result<KVVec<u8>> {
        let mut bytes = KVVec::new();
        for word in types.iter().copied().flatten() {
            bytes.extend_from_slice(&word.to_le_bytes(), GFP_KERNEL)?;
        }
        let strings = b"\0a\0b\0";
        let header = Header::new(bytes.len() as u32, strings.len() as u32);
        let mut section = KVVec::new();
        for part in [header.as_bytes(), &bytes, strings] {
            section.extend_from_slice(part, GFP_KERNEL)?;
        }
        Ok(section)
    }

    fn parse(section: &[u8]) -> Result<Types<'_>> {
        Types::parse(Span::whole(section))
    }

    const fn info(kind: u8, vlen: u32) -> u32 {
        ((kind as u32) << 24) | vlen
    }

    const INT_A: [u32; 4] = [1, info(INT, 0), 4, 32];

    #[test]
    fn types_of_all_kinds() -> Result {
        let extra = |kind| match kind {
            INT | VAR | DECL_TAG => 1,
            ARRAY => 3,
            STRUCT | UNION | DATASEC | ENUM64 => 6,
            ENUM | FUNC_PROTO => 4,
            _ => 0,
        };
        let mut words = KVVec::new();
        for kind in INT..=ENUM64 {
            words.extend_from_slice(&[1, info(kind, 2), u32::from(kind)], GFP_KERNEL)?;
            words.extend_with(extra(kind), 7, GFP_KERNEL)?;
        }
        let section = section(&[&words])?;
        let btf = parse(&section)?;
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
            let unknown = self::section(&[&[1, info(kind, 0), 0]])?;
            let error = ParseError::unsupported("a type of an unknown kind", 24);
            assert_eq!(parse(&unknown).err(), Some(error));
        }
        Ok(())
    }

    #[test]
    fn lies_about_sizes() -> Result {
        let mut section = section(&[&[1, info(STRUCT, 1), 4, 3, 1, 0]])?;
        assert!(parse(&section).is_ok());
        for len in 0..section.len() {
            assert!(parse(&section[..len]).is_err());
        }
        for (at, word) in [
            // Magic number, size of the header, bounds of types and strings.
            (0, 0x0001_eb9e_u32),
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
            let mut old = [0; 4];
            old.copy_from_slice(&section[at..at + 4]);
            section[at..at + 4].copy_from_slice(&word.to_le_bytes());
            assert!(parse(&section).is_err());
            section[at..at + 4].copy_from_slice(&old);
        }
        Ok(())
    }

    #[test]
    fn nesting() -> Result {
        for kind in [TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG] {
            // Types that only refer to the one before.
            let mut words = KVVec::new();
            words.extend_from_slice(&INT_A, GFP_KERNEL)?;
            for id in 1..=DEPTH_MAX {
                words.extend_from_slice(&[0, info(kind, 0), id], GFP_KERNEL)?;
            }
            let deep = section(&[&words])?;
            let btf = parse(&deep)?;
            assert_eq!(btf.unqualified(DEPTH_MAX)?.kind, INT);
            assert!(btf.unqualified(DEPTH_MAX + 1).is_err());
        }
        // A type that refers to itself.
        let endless = section(&[&[1, info(TYPEDEF, 0), 1, 0, info(ARRAY, 0), 0, 2, 1, 1]])?;
        let btf = parse(&endless)?;
        assert!(btf.unqualified(1).is_err());
        assert!(btf.size_of(1).is_err());
        assert!(btf.size_of(2).is_err());
        Ok(())
    }

    #[test]
    fn sizes() -> Result {
        let array = |of, len| [0, info(ARRAY, 0), 0, of, 1, len];
        let section = section(&[
            &INT_A,
            &[0, info(PTR, 0), 0],
            &array(1, 0x3fff_ffff),
            &array(1, 0x4000_0000),
            &array(1, 0x1_0000),
            &array(5, 0x3fff),
            &array(5, 0x4000),
            &array(5, 0),
            &[1, info(FWD, 0), 0],
        ])?;
        let btf = parse(&section)?;
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
