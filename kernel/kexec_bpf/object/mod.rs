// SPDX-License-Identifier: GPL-2.0

//! BPF objects: from the bytes of an image's `.bpf` section to a program for the verifier.
//!
//! ```text
//! bytes -> elf: sections, symbols, relocations; roles: what sections are for
//!           |  btf: types; map: what maps to create
//!           v
//!        Object: one program with its functions, maps, types and license
//!           |  link: instructions; btf_ext: information about them; btf_fixup: types
//!           v
//!        linked: what the kernel loads
//! ```
//!
//! All of them read the object through `span`, so that errors name the offending byte.

pub mod btf;
pub mod btf_ext;
pub mod btf_fixup;
pub mod elf;
pub mod link;
pub mod linked;
pub mod map;
pub mod roles;
pub mod span;

use core::ffi::CStr;

use kernel::prelude::*;

use crate::error::{
    Kind,
    ParseError, //
};
use btf::Types;
use elf::{
    Elf,
    Relocation,
    Section,
    Symbol, //
};
use map::MapSpec;
use roles::{
    Role,
    Roles, //
};
use span::Span;

/// Size of an object in bytes.
pub const OBJECT_MAX: usize = 1 << 20;
/// The verifier's limit, with the program itself.
const FUNCTIONS_MAX: usize = 256;
/// The longest license that the kernel has room for, with its NUL.
const LICENSE_MAX: u64 = 128;

/// Size of an instruction in bytes.
pub const INSN_SIZE: u64 = 8;

/// A function; the first of an object is the program itself.
pub struct Function<'a> {
    /// Its name.
    pub name: &'a CStr,
    /// Whether the verifier checks it at each call, with what the caller passes.
    pub is_static: bool,
    /// Its instructions.
    pub code: Span<'a>,
    /// Where they begin in the section.
    pub start: u64,
    /// Index of the section.
    pub section: usize,
}

impl<'a> Function<'a> {
    fn read(
        elf: &Elf<'a>,
        symbol: &Symbol<'a>,
        section: usize,
        is_program: bool,
    ) -> Result<Self, ParseError> {
        let malformed =
            |wrong| ParseError::malformed(wrong, symbol.at).named(symbol.name.to_bytes());
        if symbol.size == 0 || symbol.value % INSN_SIZE != 0 || symbol.size % INSN_SIZE != 0 {
            return Err(malformed("not made of whole instructions"));
        }
        let all = elf.sections.get(section).map(|section| section.data);
        let all = all.ok_or(malformed("the function has no section"))?;
        if is_program && (!symbol.is_global() || symbol.size != all.size()) {
            return Err(malformed("not the only function of its section"));
        }
        Ok(Self {
            name: symbol.name,
            is_static: symbol.is_hidden() && !is_program,
            code: all.subspan(
                symbol.value,
                symbol.size,
                "a function lies outside its section",
            )?,
            start: symbol.value,
            section,
        })
    }

    /// Where it ends in its section.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.code.size())
    }
}

/// A BPF object.
pub struct Object<'a> {
    pub(crate) elf: Elf<'a>,
    pub(crate) btf: Types<'a>,
    pub(crate) btf_ext: Span<'a>,
    pub(crate) license: &'a CStr,
    pub(crate) maps: KVVec<MapSpec<'a>>,
    /// The program and, ordered, the functions in `.text`.
    pub(crate) functions: KVVec<Function<'a>>,
    /// The relocations of each section of code, ordered.
    relocations: KVVec<(usize, KVVec<Relocation>)>,
    /// Index of the section with the program.
    program: usize,
}

impl<'a> Object<'a> {
    /// Reads an object, the content of an image's `.bpf` section.
    pub fn parse(object: &'a [u8]) -> Result<Self, ParseError> {
        if object.len() > OBJECT_MAX {
            return Err(ParseError::too_big(
                "the object is larger than 1 MiB",
                OBJECT_MAX as u64,
            ));
        }
        let elf = Elf::parse(object)?;
        let roles = Roles::new(&elf.sections)?;
        let incomplete = |wrong| ParseError::whole(Kind::Malformed, wrong);
        let data = |role, wrong| {
            let index = roles.index(role);
            let section = index.and_then(|index| elf.sections.get(index));
            section.map(|section| section.data).ok_or(incomplete(wrong))
        };
        let license = data(Role::License, "no license")?;
        if license.size() > LICENSE_MAX {
            return Err(ParseError::too_big(
                "the license is too long",
                license.at(0),
            ));
        }
        let btf = Types::parse(data(Role::Btf, "no .BTF section")?)?;
        let program = roles.index(Role::Program);
        let program = program.ok_or(incomplete("no program"))?;
        Ok(Self {
            license: license.string(0)?,
            maps: map::read(&elf, &btf, &roles)?,
            functions: functions(&elf, program, roles.index(Role::Text))?,
            relocations: relocations(&elf.sections, &roles)?,
            btf_ext: data(Role::BtfExt, "no .BTF.ext section")?,
            btf,
            program,
            elf,
        })
    }

    /// Index of the function that has the byte at `offset` of a section.
    pub(crate) fn function_at(&self, section: usize, offset: u64) -> Option<usize> {
        let index = if section == self.program {
            0
        } else {
            self.functions
                .partition_point(|f| f.section == self.program || f.start <= offset)
                .checked_sub(1)?
        };
        let function = self.functions.get(index)?;
        let inside = (function.start..function.end()).contains(&offset);
        (function.section == section && inside).then_some(index)
    }

    /// Index of the section of code that has this name.
    pub(crate) fn code(&self, name: &CStr) -> Option<usize> {
        // The program comes first; all others are in one section.
        let mut functions = [self.functions.first()?, self.functions.last()?].into_iter();
        let section = |index| self.elf.sections.get(index);
        functions
            .find(|f| section(f.section).is_some_and(|section| section.name == name))
            .map(|f| f.section)
    }

    /// The relocations of a function.
    pub(crate) fn relocations_of(&self, function: &Function<'_>) -> &[Relocation] {
        let mut sections = self.relocations.iter();
        let Some((_, all)) = sections.find(|(section, _)| *section == function.section) else {
            return &[];
        };
        let bound = |offset| all.partition_point(|relocation| relocation.offset < offset);
        all.get(bound(function.start)..bound(function.end()))
            .unwrap_or_default()
    }
}

/// The program and, ordered, the functions in `.text`.
fn functions<'a>(
    elf: &Elf<'a>,
    program: usize,
    text: Option<usize>,
) -> Result<KVVec<Function<'a>>, ParseError> {
    let mut functions = KVVec::<Function<'a>>::new();
    for symbol in elf.symbols() {
        let symbol = symbol?;
        let Some(section) = symbol.section.filter(|_| symbol.kind == elf::STT_FUNC) else {
            continue;
        };
        if section != program && Some(section) != text {
            continue;
        }
        if functions.len() == FUNCTIONS_MAX {
            return Err(ParseError::too_big("too many functions", symbol.at));
        }
        let function = Function::read(elf, &symbol, section, section == program)?;
        // They are few, so that insertion is fast enough.
        let place = |f: &Function<'_>| (f.section != program, f.start);
        let position = functions.partition_point(|other| place(other) < place(&function));
        functions.push(function, GFP_KERNEL_ACCOUNT)?;
        if let Some(rest) = functions.get_mut(position..) {
            rest.rotate_right(1);
        }
    }
    if functions.first().map(|first| first.section) != Some(program) {
        return Err(ParseError::whole(Kind::Malformed, "no program"));
    }
    for (one, next) in functions.iter().zip(functions.iter().skip(1)) {
        if one.section == next.section && one.end() > next.start {
            let error = ParseError::malformed("overlaps the function before it", next.code.at(0));
            return Err(error.named(next.name.to_bytes()));
        }
    }
    Ok(functions)
}

/// The relocations of each section of code. Compilers write them in order, in one section each.
fn relocations(
    sections: &[Section<'_>],
    roles: &Roles,
) -> Result<KVVec<(usize, KVVec<Relocation>)>, ParseError> {
    let mut all = KVVec::<(usize, KVVec<Relocation>)>::new();
    for section in sections.iter().filter(|s| s.kind == elf::SHT_REL) {
        let name = section.name.to_bytes();
        let malformed = |wrong| ParseError::malformed(wrong, section.header).named(name);
        let index = section.info as usize;
        match roles.get(index) {
            Some(Role::Program | Role::Text) => (),
            Some(Role::Btf | Role::BtfExt | Role::Ignored) => continue,
            Some(_) => {
                let wrong = "relocations of data are not supported";
                return Err(ParseError::unsupported(wrong, section.header).named(name));
            }
            None => return Err(malformed("relocations of a section that does not exist")),
        }
        if all.iter().any(|&(other, _)| other == index) {
            return Err(malformed("its section already has relocations"));
        }
        let mut ordered = KVVec::<Relocation>::new();
        for entry in elf::relocations(section)? {
            let entry = entry?;
            if ordered
                .last()
                .is_some_and(|last| last.offset >= entry.offset)
            {
                return Err(malformed("the relocations are out of order"));
            }
            ordered.push(entry, GFP_KERNEL_ACCOUNT)?;
        }
        all.push((index, ordered), GFP_KERNEL_ACCOUNT)?;
    }
    Ok(all)
}
