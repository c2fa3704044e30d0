// SPDX-License-Identifier: GPL-2.0

//! Makes the instructions of one program from those of the functions of an object.

use core::ffi::CStr;

use kernel::prelude::*;

use super::{
    elf::{
        Relocation,
        Symbol, //
    },
    map::{
        Content,
        MapSpec, //
    },
    span::Span,
    Function,
    Object,
    INSN_SIZE, //
};
use crate::error::{
    Kind,
    ParseError, //
};

/// Relocation of an instruction that loads 64 bits.
const R_BPF_64_64: u32 = 1;
/// Relocation of a call.
const R_BPF_64_32: u32 = 10;

/// The verifier's limit. The kernel may take a millisecond to look one up.
const KFUNCS_MAX: usize = 256;

const LD_IMM64: u8 = 0x18;
const CALL: u8 = 0x85;

const PSEUDO_CALL: u8 = 1;
const PSEUDO_KFUNC_CALL: u8 = 2;

const PSEUDO_FUNC: u8 = 4;
const PSEUDO_MAP_IDX: u8 = 5;
const PSEUDO_MAP_IDX_VALUE: u8 = 6;

/// What the linker has to know of the running kernel.
pub trait Kernel {
    /// The BTF ID of the kernel function of this name.
    fn kfunc_id(&self, name: &CStr) -> Option<u32>;
}

/// An instruction, as `struct bpf_insn` on a little-endian machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Insn {
    /// What it does.
    pub code: u8,
    /// Destination register, and source register in the upper half.
    pub regs: u8,
    /// Offset.
    pub off: i16,
    /// Constant.
    pub imm: i32,
}

impl Insn {
    fn read(code: &Span<'_>, at: u64) -> Result<Self, ParseError> {
        let [code, regs, off @ .., i0, i1, i2, i3]: [u8; 8] = code.read(at)?;
        Ok(Self {
            code,
            regs,
            off: i16::from_le_bytes(off),
            imm: i32::from_le_bytes([i0, i1, i2, i3]),
        })
    }

    fn source(&self) -> u8 {
        self.regs >> 4
    }

    fn with_source(self, source: u8) -> Self {
        Self {
            regs: (self.regs & 0xf) | (source << 4),
            ..self
        }
    }
}

/// Appends functions to the program when they are first used, because the verifier refuses unused
/// ones.
pub struct Linker<'o, 'a, K> {
    object: &'o Object<'a>,
    kernel: &'o K,
    /// The instructions so far.
    pub insns: KVVec<Insn>,
    /// Indexes of the functions that are used, in the order of their instructions.
    pub order: KVVec<usize>,
    /// For each function of the object the index of its first instruction, if it is used.
    starts: KVVec<Option<i32>>,
    /// Where the symbols of kernel functions are in the object, and the IDs of the functions.
    kfuncs: KVVec<(u64, Option<u32>)>,
    /// The index of the instruction after those of all functions in `order`.
    end: i32,
}

impl<'o, 'a, K: Kernel> Linker<'o, 'a, K> {
    /// Links the program of `object`.
    pub fn link(object: &'o Object<'a>, kernel: &'o K) -> Result<Self, ParseError> {
        let mut starts = KVVec::new();
        for _ in object.functions.iter() {
            starts.push(None, GFP_KERNEL_ACCOUNT)?;
        }
        let mut linker = Self {
            object,
            kernel,
            insns: KVVec::new(),
            order: KVVec::new(),
            starts,
            kfuncs: KVVec::new(),
            end: 0,
        };
        linker.place(0)?;
        let mut next = 0_usize;
        while let Some(&function) = linker.order.get(next) {
            if let Some(function) = object.functions.get(function) {
                linker.append(function)?;
            }
            next = next.saturating_add(1);
        }
        Ok(linker)
    }

    /// The index in the program of the instruction at `offset` of a section, if it is used.
    pub fn insn_at(&self, section: usize, offset: u64) -> Option<u32> {
        let index = self.object.function_at(section, offset)?;
        let start = (*self.starts.get(index)?)?;
        let inside = offset.checked_sub(self.object.functions.get(index)?.start)?;
        u32::try_from(start)
            .ok()?
            .checked_add((inside / INSN_SIZE) as u32)
    }

    /// The index of the first instruction of a function, which is used from now on.
    fn place(&mut self, function: usize) -> Result<i32, ParseError> {
        let missing = ParseError::whole(Kind::Malformed, "a function is missing");
        let start = self.starts.get_mut(function).ok_or(missing)?;
        if let Some(start) = *start {
            return Ok(start);
        }
        let code = self.object.functions.get(function).ok_or(missing)?.code;
        // CAST: A function is smaller than the object, see `OBJECT_MAX`.
        let len = (code.size() / INSN_SIZE) as i32;
        let next = self.end;
        *start = Some(next);
        self.end = next.saturating_add(len);
        self.order.push(function, GFP_KERNEL_ACCOUNT)?;
        Ok(next)
    }

    fn append(&mut self, function: &Function<'a>) -> Result<(), ParseError> {
        let mut relocations = self.object.relocations_of(function).iter().peekable();
        let mut at = 0;
        while at < function.code.size() {
            let offset = function.start.saturating_add(at);
            let relocation = relocations.next_if(|r| r.offset <= offset);
            if let Some(relocation) = relocation.filter(|r| r.offset < offset) {
                return Err(mismatch(relocation));
            }
            let insn = Insn::read(&function.code, at)?;
            let next = at.saturating_add(INSN_SIZE);
            match insn.code {
                LD_IMM64 => {
                    let high = Insn::read(&function.code, next)?;
                    let [insn, high] = self.load(function, at, [insn, high], relocation)?;
                    self.insns.push(insn, GFP_KERNEL_ACCOUNT)?;
                    self.insns.push(high, GFP_KERNEL_ACCOUNT)?;
                    at = next.saturating_add(INSN_SIZE);
                }
                CALL => {
                    let insn = self.call(function, at, insn, relocation)?;
                    self.insns.push(insn, GFP_KERNEL_ACCOUNT)?;
                    at = next;
                }
                _ => {
                    if let Some(relocation) = relocation {
                        return Err(mismatch(relocation));
                    }
                    self.insns.push(insn, GFP_KERNEL_ACCOUNT)?;
                    at = next;
                }
            }
        }
        match relocations.next() {
            None => Ok(()),
            Some(relocation) => Err(mismatch(relocation)),
        }
    }

    /// An instruction that loads 64 bits: a constant, or the address of something.
    fn load(
        &mut self,
        function: &Function<'a>,
        at: u64,
        [insn, high]: [Insn; 2],
        relocation: Option<&Relocation>,
    ) -> Result<[Insn; 2], ParseError> {
        if insn.source() != 0 {
            let at = function.code.at(at);
            return Err(ParseError::malformed(
                "the load refers to an object of the kernel",
                at,
            ));
        }
        let Some(relocation) = relocation else {
            return Ok([insn, high]);
        };
        let symbol = self.symbol(relocation, R_BPF_64_64)?;
        let load = |source, imm, high_imm| {
            let insn = insn.with_source(source);
            let low = Insn { imm, ..insn };
            let high = Insn {
                imm: high_imm,
                ..high
            };
            Ok([low, high])
        };
        let Some(section) = symbol.section else {
            // The program asks whether the kernel has this function.
            if symbol.is_external() && symbol.is_weak() {
                return load(0, self.kfunc_id(&symbol)?.is_some().into(), 0);
            }
            return Err(symbol_error(
                "the address of a kernel symbol is not supported",
                &symbol,
            ));
        };
        let offset = symbol
            .value
            .checked_add_signed(insn.imm.into())
            .ok_or(mismatch(relocation))?;
        if let Some(target) = self.function_starting_at(section, offset) {
            return load(PSEUDO_FUNC, self.distance(target)?, 0);
        }
        let is_meant = |map: &MapSpec<'_>| {
            map.section == section && (map.content != Content::Declared || map.offset == offset)
        };
        let maps = &self.object.maps;
        let Some((map, index)) = maps.iter().zip(0..).find(|(map, _)| is_meant(map)) else {
            return Err(symbol_error(
                "not the address of data or of a function",
                &symbol,
            ));
        };
        match map.content {
            Content::Declared => load(PSEUDO_MAP_IDX, index, 0),
            _ if offset < map.value_size.into() => load(PSEUDO_MAP_IDX_VALUE, index, offset as i32),
            _ => Err(mismatch(relocation)),
        }
    }

    /// A call of a helper, of a function of the object or of one of the kernel.
    fn call(
        &mut self,
        function: &Function<'a>,
        at: u64,
        insn: Insn,
        relocation: Option<&Relocation>,
    ) -> Result<Insn, ParseError> {
        let malformed = |wrong| ParseError::malformed(wrong, function.code.at(at));
        match (insn.source(), relocation) {
            (0, None) => return Ok(insn),
            (PSEUDO_CALL, _) => (),
            _ => return Err(malformed("unknown kind of call")),
        }
        let mut section = function.section;
        // Where the distance counts from: without a relocation, from the calling instruction.
        let mut base = function.start.saturating_add(at);
        if let Some(relocation) = relocation {
            let symbol = self.symbol(relocation, R_BPF_64_32)?;
            if symbol.is_external() {
                return self.kfunc_call(insn, &symbol);
            }
            section = symbol.section.ok_or(mismatch(relocation))?;
            base = symbol.value;
        }
        let target = i64::from(insn.imm)
            .saturating_add(1)
            .checked_mul(INSN_SIZE as i64)
            .and_then(|distance| base.checked_add_signed(distance))
            .and_then(|offset| self.function_starting_at(section, offset))
            .ok_or(malformed("the call target is not a function"))?;
        let imm = self.distance(target)?;
        Ok(Insn { imm, ..insn })
    }

    /// A call of a kernel function. The verifier accepts the ID 0 of one that is never executed.
    fn kfunc_call(&mut self, insn: Insn, symbol: &Symbol<'_>) -> Result<Insn, ParseError> {
        let id = match self.kfunc_id(symbol)? {
            Some(id) => id as i32,
            None if symbol.is_weak() => 0,
            None => return Err(symbol_error("the kernel has no such function", symbol)),
        };
        let insn = insn.with_source(PSEUDO_KFUNC_CALL);
        Ok(Insn {
            off: 0,
            imm: id,
            ..insn
        })
    }

    /// The ID of a kernel function, if the kernel has it.
    fn kfunc_id(&mut self, symbol: &Symbol<'_>) -> Result<Option<u32>, ParseError> {
        if let Some(&(_, id)) = self.kfuncs.iter().find(|&&(at, _)| at == symbol.at) {
            return Ok(id);
        }
        if self.kfuncs.len() == KFUNCS_MAX {
            let wrong = "too many kernel functions";
            return Err(ParseError::too_big(wrong, symbol.at));
        }
        let id = match essential_len(symbol.name.to_bytes()) {
            None => self.kernel.kfunc_id(symbol.name),
            Some(len) => {
                let mut name = KVVec::with_capacity(len.saturating_add(1), GFP_KERNEL_ACCOUNT)?;
                let essential = symbol.name.to_bytes().get(..len).unwrap_or_default();
                name.extend_from_slice(essential, GFP_KERNEL_ACCOUNT)?;
                name.push(0, GFP_KERNEL_ACCOUNT)?;
                let name = CStr::from_bytes_with_nul(&name).unwrap_or_default();
                self.kernel.kfunc_id(name)
            }
        };
        self.kfuncs.push((symbol.at, id), GFP_KERNEL_ACCOUNT)?;
        Ok(id)
    }

    /// The distance from the end of the next instruction to a function.
    fn distance(&mut self, function: usize) -> Result<i32, ParseError> {
        let end = self.insns.len().saturating_add(1);
        // CAST: All functions together have less than `i32::MAX` instructions, see `OBJECT_MAX`.
        Ok(self.place(function)?.saturating_sub(end as i32))
    }

    /// The function of `.text` that begins at `offset` of a section.
    fn function_starting_at(&self, section: usize, offset: u64) -> Option<usize> {
        let index = self.object.function_at(section, offset)?;
        let function = self.object.functions.get(index)?;
        (index > 0 && function.start == offset).then_some(index)
    }

    fn symbol(&self, relocation: &Relocation, kind: u32) -> Result<Symbol<'a>, ParseError> {
        let symbol = self.object.elf.symbol(relocation.symbol)?;
        if relocation.kind != kind {
            return Err(symbol_error("unknown kind of relocation", &symbol));
        }
        Ok(symbol)
    }
}

/// The length of a name without its flavor, if it has one: what follows the last three underscores
/// that have other characters on both sides. As in libbpf, the kernel's name is without it, so that
/// an object can declare a function in several ways.
fn essential_len(name: &[u8]) -> Option<usize> {
    let separates = |bytes: &[u8]| match bytes {
        [before, b'_', b'_', b'_', after] => *before != b'_' && *after != b'_',
        _ => false,
    };
    name.windows(5).rposition(separates)?.checked_add(1)
}

/// The relocation is of another kind than its instruction.
fn mismatch(relocation: &Relocation) -> ParseError {
    ParseError::malformed(
        "the relocation does not match the instruction",
        relocation.at,
    )
}

/// The symbol cannot be linked.
fn symbol_error(wrong: &'static str, symbol: &Symbol<'_>) -> ParseError {
    ParseError::unsupported(wrong, symbol.at).named(symbol.name.to_bytes())
}
