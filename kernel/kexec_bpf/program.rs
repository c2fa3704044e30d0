// SPDX-License-Identifier: GPL-2.0

//! A program that is ready to be verified, with all that it takes.

use core::ffi::CStr;

use crate::btf_ext::Info;
use crate::btf_fixup::Fixup;
use crate::error::{
    Error,
    Kind,
    Result, //
};
use crate::link::{
    Insn,
    Kernel,
    Linker, //
};
use crate::map::Map;
use crate::object::Object;
use crate::vec::Vec;

/// A program that is ready to be verified.
pub struct Linked<'a> {
    /// The program's name.
    pub name: &'a CStr,
    /// The license that it is under.
    pub license: &'a CStr,
    /// The maps that it uses, in the order in which instructions refer to them.
    pub maps: Vec<Map<'a>>,
    /// Its instructions.
    pub insns: Vec<Insn>,
    /// The types that `info` refers to.
    pub btf: Vec<u8>,
    /// What is known about instructions.
    pub info: Info,
}

impl<'a> Object<'a> {
    /// Makes what the kernel loads.
    // The caller's stack has to last for the program's run, without what linking takes.
    #[inline(never)]
    pub fn link<K: Kernel>(self, kernel: &K) -> Result<Linked<'a>> {
        let linker = Linker::link(&self, kernel)?;
        let info = Info::read(&self, &linker)?;
        let mut statics = Vec::default();
        for (&index, &[_, type_]) in linker.order.iter().zip(info.functions.iter()) {
            if self.functions.get(index).is_some_and(|f| f.is_static) {
                statics.push(type_)?;
            }
        }
        let missing = Error::whole(Kind::Malformed, "there is no program");
        let &[_, program] = info.functions.first().ok_or(missing)?;
        let insns = linker.insns;
        Ok(Linked {
            btf: Fixup::run(&self.elf, &self.btf, &statics, program)?,
            name: self.functions.first().ok_or(missing)?.name,
            license: self.license,
            maps: self.maps,
            insns,
            info,
        })
    }
}
