// SPDX-License-Identifier: GPL-2.0

//! Completes the type information of an object.
//!
//! Clang leaves out what the kernel requires: offsets of variables, sizes of sections, and names of
//! parameters.

use core::ffi::CStr;

use kernel::prelude::*;

use super::{
    btf::{
        self,
        Header,
        Type,
        Types, //
    },
    elf::{
        self,
        Elf, //
    }, //
};
use crate::{
    error::ParseError,
    printable::printable,
    sort::sort, //
};

/// Section of the kernel functions that a program calls.
const KSYMS: &CStr = c".ksyms";

const FUNC_STATIC: u32 = 0;
const FUNC_GLOBAL: u32 = 1;
const FUNC_EXTERN: u32 = 2;

/// Makes the type information for the kernel, with the same IDs.
pub struct Fixup<'o, 'a> {
    elf: &'o Elf<'a>,
    btf: &'o Types<'a>,
    /// IDs of the functions to make static.
    statics: &'o [u32],
    /// Offset of the name to give to parameters without one.
    parameter: u32,
    /// Names of global variables, ordered, and their offsets in their sections.
    variables: KVVec<(&'a CStr, u32)>,
    /// How many more sections there may be.
    sections: usize,
    out: KVVec<u8>,
}

impl<'o, 'a> Fixup<'o, 'a> {
    /// The type information with `statics`, IDs of functions, made static. The function `program`
    /// lends its name to parameters that have none.
    pub fn run(
        elf: &'o Elf<'a>,
        btf: &'o Types<'a>,
        statics: &'o [u32],
        program: u32,
    ) -> Result<KVVec<u8>, ParseError> {
        let mut fixup = Self {
            elf,
            btf,
            statics,
            parameter: btf.get(program)?.name,
            variables: variables(elf)?,
            sections: elf.sections.len(),
            out: KVVec::new(),
        };
        fixup
            .out
            .extend_from_slice(Header::new(0, 0).as_bytes(), GFP_KERNEL_ACCOUNT)?;
        let start = fixup.out.len();
        for (id, type_) in (1..).zip(btf.iter()) {
            fixup.append(id, &type_?)?;
        }
        let strings = fixup.out.len();
        let types_len = strings.saturating_sub(start);
        fixup
            .out
            .extend_from_slice(btf.strings(), GFP_KERNEL_ACCOUNT)?;
        for byte in fixup.out.iter_mut().skip(strings) {
            *byte = shown(*byte);
        }
        for type_ in btf.iter() {
            fixup.name(&type_?, strings);
        }
        let header = Header::new(types_len as u32, btf.strings().len() as u32);
        for (to, from) in fixup.out.iter_mut().zip(header.as_bytes()) {
            *to = *from;
        }
        Ok(fixup.out)
    }

    /// The kernel requires identifiers for names, but not for those of sections and tags. Compilers
    /// of other languages than C use other characters, too. The strings begin at `strings`.
    fn name(&mut self, type_: &Type<'_>, strings: usize) {
        if matches!(type_.kind, btf::DATASEC | btf::DECL_TAG | btf::TYPE_TAG) {
            return;
        }
        // The kernel refuses a name that is too long.
        let len = self.btf.name(type_.name).map_or(0, CStr::count_bytes);
        let at = strings.saturating_add(type_.name as usize);
        for byte in self.out.iter_mut().skip(at).take(len) {
            if !matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'.') {
                *byte = b'_';
            }
        }
    }

    fn append(&mut self, id: u32, type_: &Type<'_>) -> Result<(), ParseError> {
        match type_.kind {
            btf::FUNC => {
                let linkage = match type_.vlen {
                    _ if self.statics.contains(&id) => FUNC_STATIC,
                    // The kernel does not know external linkage.
                    FUNC_EXTERN => FUNC_GLOBAL,
                    linkage => linkage,
                };
                self.head(type_, linkage, type_.size_or_type)
            }
            btf::FUNC_PROTO => self.prototype(type_),
            btf::DATASEC if self.btf.name(type_.name)? == KSYMS => {
                // These are functions, without sizes. The kernel requires a size of any section.
                self.head(type_, 0, 1)
            }
            btf::DATASEC => self.section(type_),
            btf::VAR if type_.word(0)? > btf::VAR_GLOBAL => {
                let error = ParseError::unsupported(
                    "external variables are not supported",
                    type_.span.at(0),
                );
                Err(error.named(self.btf.name(type_.name)?.to_bytes()))
            }
            _ => self.bytes(type_.span.bytes()),
        }
    }

    /// The kernel requires names for the parameters of functions. Declarations of kernel functions
    /// often have none.
    fn prototype(&mut self, type_: &Type<'_>) -> Result<(), ParseError> {
        self.head(type_, type_.vlen, type_.size_or_type)?;
        for parameter in 0..u64::from(type_.vlen) {
            let word = parameter.saturating_mul(2);
            let name = type_.word(word)?;
            let of = type_.word(word.saturating_add(1))?;
            // A variadic function ends with a parameter without name and type.
            self.word(if name == 0 && of != 0 {
                self.parameter
            } else {
                name
            })?;
            self.word(of)?;
        }
        Ok(())
    }

    /// The kernel requires the size of a section, and its variables with offsets, ordered by them.
    fn section(&mut self, type_: &Type<'_>) -> Result<(), ParseError> {
        let many = type_.error("more DATASEC types than sections");
        self.sections = self.sections.checked_sub(1).ok_or(many)?;
        let name = self.btf.name(type_.name)?;
        let error = ParseError::unsupported(
            "variables of a section that does not exist",
            type_.span.at(0),
        );
        let error = error.named(name.to_bytes());
        let mut sections = self.elf.sections.iter();
        let section = sections.find(|s| s.name == name).ok_or(error)?;
        let mut variables = KVVec::new();
        for entry in type_.triples() {
            let [id, mut offset, size] = entry?;
            let var = self.btf.get(id)?;
            if var.kind == btf::VAR && var.word(0)? == btf::VAR_GLOBAL {
                offset = self.offset(&var)?;
            }
            variables.push([offset, id, size], GFP_KERNEL_ACCOUNT)?;
        }
        sort(&mut variables);
        self.head(type_, type_.vlen, section.size as u32)?;
        for &[offset, id, size] in variables.iter() {
            self.word(id)?;
            self.word(offset)?;
            self.word(size)?;
        }
        Ok(())
    }

    /// Where a global variable is in its section.
    fn offset(&self, var: &Type<'_>) -> Result<u32, ParseError> {
        let name = self.btf.name(var.name)?;
        let found = self
            .variables
            .binary_search_by_key(&name, |&(name, _)| name);
        let variable = found.ok().and_then(|index| self.variables.get(index));
        let missing = var.error("the variable has no symbol");
        variable
            .map(|&(_, offset)| offset)
            .ok_or(missing.named(name.to_bytes()))
    }

    fn head(&mut self, type_: &Type<'_>, vlen: u32, size_or_type: u32) -> Result<(), ParseError> {
        self.word(type_.name)?;
        self.word((u32::from(type_.kind) << 24) | vlen)?;
        self.word(size_or_type)
    }

    fn word(&mut self, word: u32) -> Result<(), ParseError> {
        self.bytes(&word.to_le_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), ParseError> {
        Ok(self.out.extend_from_slice(bytes, GFP_KERNEL_ACCOUNT)?)
    }
}

/// A byte of a string, made safe for the caller's log, to which the verifier writes names and lines
/// of source code. A control character could forge a line of the log there.
fn shown(byte: u8) -> u8 {
    match byte {
        0 => 0,
        b'\t' => b' ',
        _ => printable(byte),
    }
}

/// The names of an object's global variables, ordered, and their offsets in their sections.
fn variables<'a>(elf: &Elf<'a>) -> Result<KVVec<(&'a CStr, u32)>, ParseError> {
    let mut all = KVVec::new();
    for symbol in elf.symbols() {
        let symbol = symbol?;
        if symbol.kind == elf::STT_OBJECT && symbol.is_global() {
            if let Ok(offset) = u32::try_from(symbol.value) {
                all.push((symbol.name, offset), GFP_KERNEL_ACCOUNT)?;
            }
        }
    }
    sort(&mut all);
    Ok(all)
}
