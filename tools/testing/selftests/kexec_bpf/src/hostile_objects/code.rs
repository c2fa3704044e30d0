// SPDX-License-Identifier: GPL-2.0

//! Instructions that refer to forbidden objects, or are invalid.

use super::elf::{self, Symbol};
use super::{accepted, call, exit, insn, load, malformed, mov, verifier, Case, Parts};

pub fn cases() -> Vec<Case> {
    [loads(), calls(), helpers(), others(), lengths()]
        .into_iter()
        .flatten()
        .collect()
}

/// A program that begins with these instructions, and their offset.
fn beginning_with(code: Vec<u8>) -> (Vec<u8>, usize) {
    let file = Parts::program(&[code, mov(0, 0), exit()]).file();
    let at = file.data("kexec");
    (file.bytes, at)
}

/// References to maps by descriptor and by index, to BTF IDs, and to functions: of the caller, or
/// of the kernel.
fn loads() -> Vec<Case> {
    let mut cases = Vec::new();
    let (object, _) = beginning_with(load(1, 0, -1));
    cases.push(accepted("a constant", object));
    for source in 1..16 {
        for imm in [0, 1, -1] {
            let (object, at) = beginning_with(load(1, source, imm));
            let what = format!("a load of source {source}, {imm}");
            let rule = "the load refers to an object of the kernel";
            cases.push(malformed(what, object, rule, at));
        }
    }
    let file = Parts::program(&[mov(0, 0), insn(0x18, 1, 0, 0, 0)]).file();
    let at = file.data("kexec") + 16;
    let rule = "the data ends inside a field";
    cases.push(malformed("half a load", file.bytes, rule, at));
    let (object, _) = beginning_with([insn(0x18, 1, 0, 0, 0), mov(0, 0)].concat());
    let says = "invalid bpf_ld_imm64 insn";
    cases.push(verifier("a load of two halves", object, 22, says));
    cases
}

fn calls() -> Vec<Case> {
    let mut cases = Vec::new();
    for source in 2..16 {
        for imm in [0, 1, -1] {
            let (object, at) = beginning_with(call(source, imm));
            let what = format!("a call of source {source}, {imm}");
            let rule = "unknown kind of call";
            cases.push(malformed(what, object, rule, at));
        }
    }
    for imm in [0, 1, 2, 100, -1, -2, i32::MIN, i32::MAX] {
        let (object, at) = beginning_with(call(1, imm));
        let what = format!("a call of {imm}");
        let rule = "the call target is not a function";
        cases.push(malformed(what, object, rule, at));
    }
    // Only the first instruction of a function can be called.
    let mut parts = Parts::full();
    let text = [call(1, 0), exit(), mov(0, 0), exit()].concat();
    parts.elf.section(".text").data = text;
    let mut other = parts.elf.symbol("function").clone();
    (other.name, other.value) = ("other".into(), 16);
    parts.elf.symbols.push(other);
    let file = parts.file();
    let at = file.data(".text");
    let rule = "the call target is not a function";
    cases.push(malformed("a call into a function", file.bytes, rule, at));
    parts.elf.section(".text").data[4] = 1;
    let text = parts.info.functions[1].0;
    let other = parts.types.function("other", 1, 1);
    parts.info.functions.push((text, vec![[16, other]]));
    let line = parts.info.lines[1].1[0];
    let second = [16, line[1], line[2], line[3]];
    parts.info.lines[1].1.push(second);
    cases.push(accepted(
        "a call of a function by its distance",
        parts.write(),
    ));
    let global = {
        let mut parts = Parts::full();
        parts.elf.symbol("function").other = 0;
        parts.write()
    };
    let says = "Kexec programs cannot call global function function()";
    cases.push(verifier("a call of a global function", global, 22, says));
    // The loader leaves out a function that is not called, even if it is malformed.
    let mut parts = Parts::smallest();
    let flags = elf::ALLOC | elf::EXEC;
    parts.elf.add(".text", elf::PROGBITS, flags, &call(15, 0));
    parts.elf.symbols.push(Symbol {
        name: "unused".into(),
        info: elf::GLOBAL | elf::FUNC,
        section: Some(".text"),
        size: 8,
        ..Symbol::default()
    });
    cases.push(accepted("a function that nobody calls", parts.write()));
    cases
}

/// Helpers by number: unknown ones, that for tail calls, and one of other types.
fn helpers() -> Vec<Case> {
    [
        (0, "program of this type cannot use helper bpf_unspec#0"),
        (
            12,
            "program of this type cannot use helper bpf_tail_call#12",
        ),
        (
            166,
            "program of this type cannot use helper bpf_sys_bpf#166",
        ),
        (1000, "invalid func unknown#1000"),
        (i32::MAX, "invalid func unknown#2147483647"),
        (-1, "invalid func unknown#-1"),
    ]
    .into_iter()
    .map(|(imm, says)| {
        let (object, _) = beginning_with(call(0, imm));
        verifier(format!("a call of helper {imm}"), object, 22, says)
    })
    .collect()
}

fn others() -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, code, errno, says) in [
        (
            "an unknown instruction",
            insn(0xff, 0, 0, 0, 0),
            22,
            "unknown opcode ff",
        ),
        ("nothing", insn(0, 0, 0, 0, 0), 22, "unknown opcode 00"),
        (
            "a call of a register",
            insn(0x8d, 0, 0, 0, 1),
            22,
            "unknown opcode 8d",
        ),
        (
            "a call of class JMP32",
            insn(0x86, 0, 0, 0, 1),
            22,
            "unknown opcode 86",
        ),
        (
            "a jump to a register",
            insn(0x0d, 1, 0, 0, 0),
            22,
            "no jump tables found",
        ),
        (
            "a load of a packet",
            insn(0x20, 0, 0, 0, 0),
            22,
            "BPF_LD_[ABS|IND] instructions not allowed",
        ),
        (
            "a jump into nothing",
            insn(0x05, 0, 0, 0x7fff, 0),
            22,
            "jump out of range from insn 0 to 32768",
        ),
        (
            "a jump before the program",
            insn(0x05, 0, 0, -2, 0),
            22,
            "jump out of range from insn 0 to -1",
        ),
        (
            "a jump in place",
            insn(0x05, 0, 0, -1, 0),
            22,
            "unreachable insn 1",
        ),
        ("register 15", mov(15, 0), 22, "R15 is invalid"),
        (
            "a register that was never set",
            insn(0xbf, 0, 5, 0, 0),
            13,
            "R5 !read_ok",
        ),
        (
            "behind the stack",
            insn(0x7a, 10, 0, -520, 0),
            13,
            "invalid write to stack R10 off=-520 size=8",
        ),
        (
            "a store to the context",
            insn(0x7a, 1, 0, 0, 0),
            13,
            "invalid bpf_context access",
        ),
        (
            "a load of class LD, as a word",
            insn(0x00, 1, 0, 0, 1),
            22,
            "unknown opcode 00",
        ),
    ] {
        let (object, _) = beginning_with(code);
        cases.push(verifier(what, object, errno, says));
    }
    let object = Parts::program(&[mov(0, 0), insn(0x15, 0, 0, -2, 0), exit()]).write();
    let says = "infinite loop detected";
    cases.push(verifier("a loop without an end", object, 22, says));
    // r0 += 1; if r0 < 2^30 goto -2
    let count = [insn(0x07, 0, 0, 0, 1), insn(0xa5, 0, 0, -2, 1 << 30)].concat();
    let object = Parts::program(&[mov(0, 0), count, exit()]).write();
    let says = "The sequence of 8193 jumps is too complex";
    cases.push(verifier("a long loop", object, 7, says));
    let object = Parts::program(&[mov(0, 0)]).write();
    let says = "last insn is not an exit or jmp";
    cases.push(verifier("no end", object, 22, says));
    let object = Parts::program(&[exit()]).write();
    cases.push(verifier("no result", object, 13, "R0 !read_ok"));
    cases
}

/// Only the size of the object limits their number: the verifier accepts a million.
fn lengths() -> Vec<Case> {
    [4095, 4096, 4097, 65_536]
        .into_iter()
        .map(|len| {
            let mut code = vec![mov(0, 0); len - 1];
            code.push(exit());
            accepted(format!("{len} instructions"), Parts::program(&code).write())
        })
        .collect()
}
