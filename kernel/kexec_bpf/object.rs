// SPDX-License-Identifier: GPL-2.0

//! What is in a BPF object: one program with its functions, maps, types and license.

use core::ffi::CStr;

use crate::btf::Btf;
use crate::elf::{
    self,
    Elf,
    Relocation,
    Section, //
};
use crate::error::{
    Error,
    Result, //
};
use crate::map::{
    self,
    Map, //
};
use crate::part::Part;
use crate::vec::Vec;

/// Size of an object in bytes.
pub const OBJECT_MAX: usize = 1 << 20;
/// The verifier takes no more, the program included.
const FUNCTIONS_MAX: usize = 256;
/// The kernel has room for this many bytes, NUL included.
const LICENSE_MAX: usize = 128;

/// Section of the program.
const PROGRAM: &CStr = c"kexec";

/// Size of an instruction in bytes.
pub const INSN_SIZE: u64 = 8;

/// What a section is for.
enum Role {
    Program,
    Text,
    License,
    Maps,
    Data,
    Btf,
    BtfExt,
    Relocations,
    Ignored,
}

impl Role {
    fn of(section: &Section<'_>) -> Result<Self> {
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
            (elf::SHT_PROGBITS, _) if is(b".rodata") || is(b".data") => Self::Data,
            (elf::SHT_NOBITS, _) if is(b".bss") => Self::Data,
            (elf::SHT_REL, _) => Self::Relocations,
            (elf::SHT_NULL | elf::SHT_SYMTAB | elf::SHT_STRTAB | elf::SHT_LLVM_ADDRSIG, _) => {
                Self::Ignored
            }
            (elf::SHT_PROGBITS, b".comment") => Self::Ignored,
            (elf::SHT_PROGBITS, _) if name.starts_with(b".debug_") => Self::Ignored,
            _ => {
                let error = Error::unsupported("an unsupported section", section.header);
                return Err(error.named(name));
            }
        })
    }
}

/// A function; the first of an object is the program itself.
pub struct Function<'a> {
    /// Its name.
    pub name: &'a CStr,
    /// Whether the verifier shall know what its callers pass.
    pub is_static: bool,
    /// Its instructions.
    pub code: Part<'a>,
    /// Where they begin in the section.
    pub start: u64,
    /// Index of the section.
    pub section: usize,
}

impl Function<'_> {
    /// Where it ends in its section.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.code.size())
    }
}

/// A relocation of code.
pub struct CodeRelocation {
    /// Index of the section that is changed.
    pub section: usize,
    /// What is changed there, and how.
    pub entry: Relocation,
}

/// A BPF object.
pub struct Object<'a> {
    pub(crate) elf: Elf<'a>,
    pub(crate) btf: Btf<'a>,
    pub(crate) btf_ext: Part<'a>,
    pub(crate) license: &'a CStr,
    pub(crate) maps: Vec<Map<'a>>,
    /// The program and, ordered, the functions in `.text`.
    pub(crate) functions: Vec<Function<'a>>,
    /// Ordered by section and offset.
    relocations: Vec<CodeRelocation>,
    program: usize,
}

impl<'a> Object<'a> {
    /// Reads an object, the content of an image's `.bpf` section.
    pub fn parse(object: &'a [u8]) -> Result<Self> {
        if object.len() > OBJECT_MAX {
            return Err(Error::too_big("the object is too large", OBJECT_MAX as u64));
        }
        let elf = Elf::parse(object)?;
        let index = Index::of(&elf.sections)?;
        let section = |index: Option<usize>, rule| {
            index
                .and_then(|index| elf.sections.get(index))
                .ok_or(Error::malformed(rule, 0))
        };
        let license = section(index.license, "there is no license")?.data;
        if license.size() > LICENSE_MAX as u64 {
            return Err(Error::too_big("the license is too long", license.at(0)));
        }
        let btf = Btf::parse(section(index.btf, "there is no .BTF section")?.data)?;
        let program = index
            .program
            .ok_or(Error::malformed("there is no program", 0))?;
        Ok(Self {
            license: license.string(0)?,
            maps: map::read(&elf, &btf, index.maps)?,
            functions: functions(&elf, program, index.text)?,
            relocations: relocations(&elf.sections)?,
            btf_ext: section(index.btf_ext, "there is no .BTF.ext section")?.data,
            btf,
            program,
            elf,
        })
    }

    /// Index of the function that has the byte at `offset` of a section.
    pub(crate) fn function_at(&self, section: usize, offset: u64) -> Option<usize> {
        let index = match section == self.program {
            true => 0,
            false => self
                .functions
                .partition_point(|f| f.section == self.program || f.start <= offset)
                .checked_sub(1)?,
        };
        let function = self.functions.get(index)?;
        let inside =
            function.section == section && (function.start..function.end()).contains(&offset);
        inside.then_some(index)
    }

    /// The relocations of a function.
    pub(crate) fn relocations_of(&self, function: &Function<'_>) -> &[CodeRelocation] {
        let bound = |offset| {
            self.relocations
                .partition_point(|r| (r.section, r.entry.offset) < (function.section, offset))
        };
        self.relocations
            .get(bound(function.start)..bound(function.end()))
            .unwrap_or_default()
    }
}

/// Where the sections are of which there is one at most.
#[derive(Default)]
struct Index {
    program: Option<usize>,
    text: Option<usize>,
    license: Option<usize>,
    maps: Option<usize>,
    btf: Option<usize>,
    btf_ext: Option<usize>,
}

impl Index {
    fn of(sections: &[Section<'_>]) -> Result<Self> {
        let mut all = Self::default();
        for (index, section) in sections.iter().enumerate() {
            let one = match Role::of(section)? {
                Role::Program => &mut all.program,
                Role::Text => &mut all.text,
                Role::License => &mut all.license,
                Role::Maps => &mut all.maps,
                Role::Btf => &mut all.btf,
                Role::BtfExt => &mut all.btf_ext,
                Role::Data | Role::Relocations | Role::Ignored => continue,
            };
            if one.replace(index).is_some() {
                let error = Error::malformed("a second section", section.header);
                return Err(error.named(section.name.to_bytes()));
            }
        }
        Ok(all)
    }
}

/// The program and, ordered, the functions in `.text`.
fn functions<'a>(elf: &Elf<'a>, program: usize, text: Option<usize>) -> Result<Vec<Function<'a>>> {
    let mut functions = Vec::default();
    for symbol in elf.symbols() {
        let symbol = symbol?;
        let code = symbol.section == Some(program) || (text.is_some() && symbol.section == text);
        let section = match symbol
            .section
            .filter(|_| code && symbol.kind == elf::STT_FUNC)
        {
            Some(section) => section,
            None => continue,
        };
        let malformed = |rule| Error::malformed(rule, symbol.at).named(symbol.name.to_bytes());
        if functions.len() == FUNCTIONS_MAX {
            return Err(Error::too_big("there are too many functions", symbol.at));
        }
        if symbol.size == 0 || symbol.value % INSN_SIZE != 0 || symbol.size % INSN_SIZE != 0 {
            return Err(malformed("not a sequence of instructions"));
        }
        let whole = elf.sections.get(section).map(|section| section.data);
        let whole = whole.ok_or(malformed("a function without a section"))?;
        if section == program && (!symbol.is_global() || symbol.size != whole.size()) {
            return Err(malformed(
                "the program is not the only function of its section",
            ));
        }
        functions.push(Function {
            name: symbol.name,
            // The verifier takes the program for global whatever it is called.
            is_static: section != program && symbol.is_hidden(),
            code: whole.part(
                symbol.value,
                symbol.size,
                "a function lies outside its section",
            )?,
            start: symbol.value,
            section,
        })?;
    }
    functions.sort_unstable_by_key(|f| (f.section != program, f.start));
    match functions.first() {
        Some(first) if first.section == program => (),
        _ => return Err(Error::malformed("there is no program", 0)),
    }
    for (one, next) in functions.iter().zip(functions.iter().skip(1)) {
        if one.section == next.section && one.end() > next.start {
            let error = Error::malformed("functions overlap", next.code.at(0));
            return Err(error.named(next.name.to_bytes()));
        }
    }
    Ok(functions)
}

/// All relocations of code, ordered by section and offset.
fn relocations(sections: &[Section<'_>]) -> Result<Vec<CodeRelocation>> {
    let mut all = Vec::default();
    for relocations in sections.iter().filter(|s| s.kind == elf::SHT_REL) {
        let error = |error: Error| error.named(relocations.name.to_bytes());
        let index = relocations.info as usize;
        let changed = sections.get(index).ok_or(error(Error::malformed(
            "relocations of nothing",
            relocations.header,
        )))?;
        match Role::of(changed)? {
            Role::Program | Role::Text => (),
            Role::Btf | Role::BtfExt | Role::Ignored => continue,
            _ => {
                return Err(error(Error::unsupported(
                    "relocations of data",
                    relocations.header,
                )))
            }
        }
        for entry in elf::relocations(relocations)? {
            all.push(CodeRelocation {
                section: index,
                entry: entry?,
            })?;
        }
    }
    all.sort_unstable_by_key(|r| (r.section, r.entry.offset));
    Ok(all)
}
