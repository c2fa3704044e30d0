// SPDX-License-Identifier: GPL-2.0

//! What the sections of an object are for.

use core::ffi::CStr;

use kernel::prelude::*;

use super::elf::{
    self,
    Section, //
};
use crate::error::ParseError;

/// Section of the program.
pub const PROGRAM: &CStr = c"kexec";

/// What a section is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The program.
    Program,
    /// Functions that the program calls.
    Text,
    /// The license.
    License,
    /// Declared maps.
    Maps,
    /// Constants.
    Rodata,
    /// Variables.
    Data,
    /// Variables that begin as zeroes.
    Bss,
    /// Types.
    Btf,
    /// Information about instructions.
    BtfExt,
    /// Relocations.
    Relocations,
    /// Nothing that a loader needs.
    Ignored,
}

impl Role {
    fn of(section: &Section<'_>) -> Result<Self, ParseError> {
        let name = section.name.to_bytes();
        let is = |prefix: &[u8]| {
            name.strip_prefix(prefix)
                .is_some_and(|rest| matches!(rest.first(), None | Some(b'.')))
        };
        let code = section.flags & elf::SHF_EXECINSTR != 0;
        Ok(match (section.kind, name) {
            (elf::SHT_PROGBITS, _) if section.name == PROGRAM && code => Self::Program,
            (elf::SHT_PROGBITS, b".text") if code => Self::Text,
            (elf::SHT_PROGBITS, b"license") => Self::License,
            (elf::SHT_PROGBITS, b".maps") => Self::Maps,
            (elf::SHT_PROGBITS, b".BTF") => Self::Btf,
            (elf::SHT_PROGBITS, b".BTF.ext") => Self::BtfExt,
            (elf::SHT_PROGBITS, _) if is(b".rodata") => Self::Rodata,
            (elf::SHT_PROGBITS, _) if is(b".data") => Self::Data,
            (elf::SHT_NOBITS, _) if is(b".bss") => Self::Bss,
            (elf::SHT_REL, _) => Self::Relocations,
            (elf::SHT_NULL | elf::SHT_SYMTAB | elf::SHT_STRTAB | elf::SHT_LLVM_ADDRSIG, _) => {
                Self::Ignored
            }
            (elf::SHT_PROGBITS, b".comment") => Self::Ignored,
            (elf::SHT_PROGBITS, _) if name.starts_with(b".debug_") => Self::Ignored,
            _ => {
                let wrong = match name {
                    b".jumptables" => "jump tables are not supported: compile with -mcpu=v3",
                    _ => "unsupported section",
                };
                return Err(ParseError::unsupported(wrong, section.header).named(name));
            }
        })
    }

    /// Checks that the bytes of the section are what they seem to be.
    fn check_flags(self, section: &Section<'_>) -> Result<(), ParseError> {
        let wrong = match section.flags & !elf::SHF_PLAIN {
            _ if self == Self::Ignored => return Ok(()),
            0 => return Ok(()),
            flags if flags & elf::SHF_COMPRESSED != 0 => "compressed sections are not supported",
            _ => "unknown flags of a section",
        };
        let error = ParseError::unsupported(wrong, section.header);
        Err(error.named(section.name.to_bytes()))
    }

    /// Whether several sections can have this role.
    fn can_repeat(self) -> bool {
        match self {
            Self::Rodata | Self::Data | Self::Bss | Self::Relocations | Self::Ignored => true,
            Self::Program | Self::Text | Self::License | Self::Maps | Self::Btf | Self::BtfExt => {
                false
            }
        }
    }
}

/// The role of each section, by its index.
pub struct Roles(KVVec<Role>);

impl Roles {
    /// Works out what `sections` are for.
    pub fn new(sections: &[Section<'_>]) -> Result<Self, ParseError> {
        let mut roles = Self(KVVec::new());
        for section in sections {
            let role = Role::of(section)?;
            role.check_flags(section)?;
            if !role.can_repeat() && roles.index(role).is_some() {
                let error = ParseError::malformed("two sections of this name", section.header);
                return Err(error.named(section.name.to_bytes()));
            }
            roles.0.push(role, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(roles)
    }

    /// The role of the section with this index, if there is one.
    pub fn get(&self, index: usize) -> Option<Role> {
        self.0.get(index).copied()
    }

    /// Index of the first section with this role.
    pub fn index(&self, role: Role) -> Option<usize> {
        self.0.iter().position(|&other| other == role)
    }
}
