// SPDX-License-Identifier: GPL-2.0

//! The linked program of an object: all that the kernel's verifier takes.

use core::ffi::CStr;

use kernel::prelude::*;

use super::{
    btf_ext::Info,
    btf_fixup::Fixup,
    link::{
        Insn,
        Kernel,
        Linker, //
    },
    map::MapSpec,
    Object, //
};
use crate::error::{
    Kind,
    ParseError, //
};

/// A program that is ready to be verified.
pub struct Linked<'a> {
    /// The program's name.
    pub name: &'a CStr,
    /// The license that it is under.
    pub license: &'a CStr,
    /// The maps that it uses, in the order in which instructions refer to them.
    pub maps: KVVec<MapSpec<'a>>,
    /// Its instructions.
    pub insns: KVVec<Insn>,
    /// The types that `info` refers to.
    pub btf: KVVec<u8>,
    /// Information about instructions.
    pub info: Info,
}

impl<'a> Linked<'a> {
    /// Links the program of `object` for `kernel`.
    // Not inlined, so that the stack of linking is free again when the program runs.
    #[inline(never)]
    pub fn new<K: Kernel>(object: Object<'a>, kernel: &K) -> Result<Self, ParseError> {
        let linker = Linker::link(&object, kernel)?;
        let info = Info::read(&object, &linker)?;
        let mut statics = KVVec::new();
        for (&index, &[_, type_]) in linker.order.iter().zip(info.functions.iter()) {
            if object.functions.get(index).is_some_and(|f| f.is_static) {
                statics.push(type_, GFP_KERNEL_ACCOUNT)?;
            }
        }
        let missing = ParseError::whole(Kind::Malformed, "no program");
        let &[_, program] = info.functions.first().ok_or(missing)?;
        let insns = linker.insns;
        Ok(Self {
            btf: Fixup::run(&object.elf, &object.btf, &statics, program)?,
            name: object.functions.first().ok_or(missing)?.name,
            license: object.license,
            maps: object.maps,
            insns,
            info,
        })
    }
}
