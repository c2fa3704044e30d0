// SPDX-License-Identifier: GPL-2.0

//! Reads what `.BTF.ext` says about instructions, and gives it the places of the linked ones.

use core::mem::offset_of;

use kernel::prelude::*;

use super::{
    btf::{
        Extent,
        Preamble, //
    },
    link::{
        Kernel,
        Linker, //
    },
    Object,
    INSN_SIZE, //
};
use crate::{
    error::ParseError,
    sort::sort, //
};

/// For each relocation the kernel may search all of its types, and no signal interrupts that.
const CORE_RELOS_MAX: usize = 256;

/// `struct btf_ext_header`; it may end before any of the records.
#[repr(C)]
struct Header {
    preamble: Preamble,
    functions: Extent,
    lines: Extent,
    core_relos: Extent,
}

const FUNCTIONS: u64 = offset_of!(Header, functions) as u64;
const LINES: u64 = offset_of!(Header, lines) as u64;
const CORE_RELOS: u64 = offset_of!(Header, core_relos) as u64;

/// Information about the instructions of a linked program, in their order.
pub struct Info {
    /// Each a `struct bpf_func_info`, one for each function.
    pub functions: KVVec<[u32; 2]>,
    /// Each a `struct bpf_line_info`.
    pub lines: KVVec<[u32; 4]>,
    /// Each a `struct bpf_core_relo`.
    pub core_relos: KVVec<[u32; 4]>,
}

impl Info {
    /// Reads the information about the instructions that were linked.
    pub fn read<K: Kernel>(
        object: &Object<'_>,
        linker: &Linker<'_, '_, K>,
    ) -> Result<Self, ParseError> {
        let functions = records(object, linker, FUNCTIONS)?;
        for (position, &function) in linker.order.iter().enumerate() {
            let function = object.functions.get(function);
            let start = function.and_then(|f| linker.insn_at(f.section, f.start));
            let info = functions.get(position).map(|&[insn, _]| insn);
            if info != start {
                let error = ParseError::malformed(
                    "no type information for this function",
                    object.btf_ext.at(FUNCTIONS),
                );
                return Err(error.named(function.map(|f| f.name.to_bytes()).unwrap_or_default()));
            }
        }
        let mut core_relos: KVVec<[u32; 4]> = records(object, linker, CORE_RELOS)?;
        if core_relos.len() > CORE_RELOS_MAX {
            let wrong = "too many CO-RE relocations";
            return Err(ParseError::too_big(wrong, object.btf_ext.at(CORE_RELOS)));
        }
        for [insn, ..] in core_relos.iter_mut() {
            // CO-RE relocations alone have byte offsets.
            *insn = insn.saturating_mul(INSN_SIZE as u32);
        }
        Ok(Self {
            functions,
            lines: records(object, linker, LINES)?,
            core_relos,
        })
    }
}

/// The records of one sort, of which the first word is turned into the index of an instruction.
fn records<const N: usize, K: Kernel>(
    object: &Object<'_>,
    linker: &Linker<'_, '_, K>,
    field: u64,
) -> Result<KVVec<[u32; N]>, ParseError> {
    let ext = &object.btf_ext;
    let preamble = Preamble::read(ext)?;
    let mut all = KVVec::new();
    if preamble.header_size() < field.saturating_add(size_of::<Extent>() as u64) {
        return Ok(all);
    }
    let wrong = "the information lies outside its section";
    let span = preamble.subspan(ext, ext.read(field)?, wrong)?;
    if span.size() == 0 {
        return Ok(all);
    }
    if span.le32(0)? as usize != size_of::<[u32; N]>() {
        return Err(ParseError::unsupported("unknown record size", span.at(0)));
    }
    let mut at = 4_u64;
    while at < span.size() {
        let name = object.btf.name(span.le32(at)?)?;
        let section = object.code(name);
        let section = section.ok_or(ParseError::malformed(
            "no code section has this name",
            span.at(at),
        ))?;
        let count = span.le32(at.saturating_add(4))?;
        at = at.saturating_add(8);
        for _ in 0..count {
            let mut record = [0; N];
            let first = span.at(at);
            for word in record.iter_mut() {
                *word = span.le32(at)?;
                at = at.saturating_add(4);
            }
            if let [offset, ..] = record.as_mut_slice() {
                if u64::from(*offset) % INSN_SIZE != 0 {
                    return Err(ParseError::malformed(
                        "not the offset of an instruction",
                        first,
                    ));
                }
                if let Some(insn) = linker.insn_at(section, u64::from(*offset)) {
                    *offset = insn;
                    all.push(record, GFP_KERNEL_ACCOUNT)?;
                }
            }
        }
    }
    sort(&mut all);
    Ok(all)
}
