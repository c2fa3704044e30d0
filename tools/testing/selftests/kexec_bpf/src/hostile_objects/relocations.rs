// SPDX-License-Identifier: GPL-2.0

//! Relocations that do not fit their place, their symbol or their section.

use super::elf::{self, File, REL_LEN};
use super::{accepted, exit, load, malformed, mov, unsupported, verifier, Case, Parts};

// Fields of an entry.
const OFFSET: usize = 0;
const TYPE: usize = 8;
const SYMBOL: usize = 12;

const UNSUITABLE: &str = "the relocation does not match the instruction";

pub fn cases() -> Vec<Case> {
    [sections(), offsets(), types(), symbols(), addends()]
        .into_iter()
        .flatten()
        .collect()
}

/// The offset of an entry of `.relkexec`.
fn entry(file: &File, index: usize) -> usize {
    file.data(".relkexec") + REL_LEN * index
}

fn sections() -> Vec<Case> {
    const SIZE: usize = 32;
    const INFO: usize = 44;
    const ENTRY_SIZE: usize = 56;

    let file = Parts::full().file();
    let header = file.header(".relkexec");
    let mut cases = Vec::new();
    for info in [file.count(), 0xffff_ffff] {
        let object = file.with(header + INFO, &(info as u32).to_le_bytes());
        let rule = "'.relkexec': relocations of a section that does not exist";
        let what = format!("relocations of section {info}");
        cases.push(malformed(what, object, rule, header));
    }
    let rule = "'.relkexec': relocations of data are not supported";
    for name in [".rodata", ".bss", ".maps", "license", ".relkexec"] {
        let object = file.with(header + INFO, &[file.index(name) as u8]);
        let what = format!("relocations of {name}");
        cases.push(unsupported(what, object, rule, header));
    }
    // Then the code has no relocations.
    for name in [".BTF", ".BTF.ext", ".strtab"] {
        let object = file.with(header + INFO, &[file.index(name) as u8]);
        let rule = "the call target is not a function";
        let at = file.data("kexec") + 8 * 7;
        let what = format!("relocations of {name}");
        cases.push(malformed(what, object, rule, at));
    }
    let rule = "'.relkexec': its entries have the wrong size";
    for size in [0_u64, 1, 24, u64::MAX] {
        let object = file.with(header + ENTRY_SIZE, &size.to_le_bytes());
        let what = format!("relocations of {size} bytes");
        cases.push(malformed(what, object, rule, header));
    }
    for size in [1, REL_LEN as u8 + 1] {
        let object = file.with(header + SIZE, &[size]);
        let what = format!("{size} bytes of relocations");
        cases.push(malformed(what, object, rule, header));
    }
    let mut parts = Parts::full();
    let second = parts.elf.section(".relkexec").clone();
    parts.elf.sections.push(second);
    let file = parts.file();
    let at = file.table + elf::SHDR_LEN * (file.count() - 3);
    let rule = "'.relkexec': its section already has relocations";
    cases.push(malformed("two sets", file.bytes, rule, at));
    cases
}

fn offsets() -> Vec<Case> {
    let file = Parts::full().file();
    let first = entry(&file, 0);
    let last = entry(&file, 4);
    let mut cases = Vec::new();
    // Not at an instruction, and inside one.
    for offset in [1_u64, 7, 8] {
        let object = file.with(first + OFFSET, &offset.to_le_bytes());
        let what = format!("the first relocation at {offset}");
        cases.push(malformed(what, object, UNSUITABLE, first));
    }
    // An instruction that cannot be relocated.
    for offset in [8_u64 * 9, 8 * 10, 8 * 9 + 1, 8 * 10 + 7] {
        let object = file.with(last + OFFSET, &offset.to_le_bytes());
        let what = format!("the last relocation at {offset}");
        // The call without a relocation is found first.
        let rule = "the call target is not a function";
        let at = file.data("kexec") + 8 * 8;
        cases.push(malformed(what, object, rule, at));
    }
    let header = file.header(".relkexec");
    let rule = "'.relkexec': the relocations are out of order";
    for (what, index, offset) in [
        ("past the others", 0, 1 << 20),
        ("at the end of all addresses", 0, u64::MAX),
        ("twice at one place", 1, 0),
        ("before the first", 4, 0),
    ] {
        let object = file.with(entry(&file, index) + OFFSET, &u64::to_le_bytes(offset));
        let what = format!("a relocation {what}");
        cases.push(malformed(what, object, rule, header));
    }
    let mut parts = Parts::full();
    parts.elf.relocate("kexec", 8 * 9, "map", elf::R_64_64);
    let file = parts.file();
    let at = entry(&file, 5);
    let what = "a relocation of something that is not a load";
    cases.push(malformed(what, file.bytes, UNSUITABLE, at));
    // The place is behind the code.
    for offset in [8 * 11, u64::MAX] {
        let mut parts = Parts::full();
        parts.elf.relocate("kexec", offset, "map", elf::R_64_64);
        let what = format!("a relocation behind the code, at {offset:#x}");
        cases.push(accepted(what, parts.write()));
    }
    cases
}

fn types() -> Vec<Case> {
    let file = Parts::full().file();
    let mut cases = Vec::new();
    // The symbols: program, function, variable, no_such_function, map.
    for (index, name, symbol, wrong) in [
        (0, "map", 4, [0, 2, 3, 4, 10, u32::MAX]),
        (1, "variable", 2, [0, 2, 3, 4, 10, u32::MAX]),
        (3, "no_such_function", 3, [0, 1, 2, 3, 4, u32::MAX]),
        (4, "function", 1, [0, 1, 2, 3, 4, u32::MAX]),
    ] {
        for kind in wrong {
            let object = file.with(entry(&file, index) + TYPE, &kind.to_le_bytes());
            let rule = format!("'{name}': unknown kind of relocation");
            let what = format!("a relocation of type {kind} to {name}");
            cases.push(unsupported(what, object, &rule, file.symbol(symbol)));
        }
    }
    cases
}

fn symbols() -> Vec<Case> {
    let file = Parts::full().file();
    let (load, call) = (entry(&file, 0), entry(&file, 4));
    let mut cases = Vec::new();
    for entry in [load, call] {
        for symbol in [6, 0xff, u32::MAX] {
            let object = file.with(entry + SYMBOL, &symbol.to_le_bytes());
            let at = file.data(".symtab") + elf::SYM_LEN * symbol as usize;
            let what = format!("a relocation to symbol {symbol}");
            cases.push(malformed(
                what,
                object,
                "a symbol lies outside the symbol table",
                at,
            ));
        }
    }
    // The null symbol.
    let object = file.with(load + SYMBOL, &[0]);
    let rule = "the address of a kernel symbol is not supported";
    let at = file.data(".symtab");
    cases.push(unsupported("the address of nothing", object, rule, at));
    let object = file.with(call + SYMBOL, &[0]);
    cases.push(malformed("a call of nothing", object, UNSUITABLE, call));

    let number = |index: u8| index + 1;
    let at = file.data("kexec") + 8 * 8;
    for (what, symbol) in [("the program", 0), ("a variable", 2), ("a map", 4)] {
        let object = file.with(call + SYMBOL, &[number(symbol)]);
        let rule = "the call target is not a function";
        let what = format!("a call of {what}");
        cases.push(malformed(what, object, rule, at));
    }
    let object = file.with(load + SYMBOL, &[number(0)]);
    let rule = "'program': not the address of data or of a function";
    let what = "the address of the program";
    cases.push(unsupported(what, object, rule, file.symbol(0)));
    // It is a function, but not a callback.
    let object = file.with(load + SYMBOL, &[number(1)]);
    cases.push(accepted("the address of a function", object));
    for section in ["license", ".BTF", ".symtab"] {
        let index = file.index(section) as u8;
        let object = file.with(file.symbol(4) + 6, &[index]);
        // With that, the map has no symbol.
        let rule = "'map': the map has no symbol";
        let at = file.data(".BTF") + var_at(&Parts::full());
        let what = format!("a map in {section}");
        cases.push(malformed(what, object, rule, at));
        let object = file.with(file.symbol(2) + 6, &[index]);
        let rule = "'variable': not the address of data or of a function";
        let what = format!("the address of something in {section}");
        cases.push(unsupported(what, object, rule, file.symbol(2)));
    }
    cases
}

/// The offset of the type of the last map.
fn var_at(parts: &Parts) -> usize {
    parts.types.at(parts.types.next() - 2)
}

fn addends() -> Vec<Case> {
    let file = Parts::full().file();
    let code = file.data("kexec");
    let mut cases = Vec::new();
    let imm = |insn: usize, imm: i32| file.with(code + 8 * insn + 4, &imm.to_le_bytes());
    let last = imm(2, 7);
    cases.push(accepted("the last byte of a variable", last));
    for value in [8, i32::MAX, -1, i32::MIN] {
        let what = format!("byte {value} of a section of 8");
        cases.push(malformed(what, imm(2, value), UNSUITABLE, entry(&file, 1)));
    }
    let rule = "'map': not the address of data or of a function";
    for value in [1, 64, i32::MAX] {
        let what = format!("byte {value} of a map");
        cases.push(unsupported(what, imm(0, value), rule, file.symbol(4)));
    }
    for value in [-1, i32::MIN] {
        let what = format!("byte {value} of a map");
        cases.push(malformed(what, imm(0, value), UNSUITABLE, entry(&file, 0)));
    }
    let rule = "the call target is not a function";
    for value in [0, 1, -2, -3, i32::MAX, i32::MIN] {
        let what = format!("a call of a function, and {value} from there");
        cases.push(malformed(what, imm(8, value), rule, code + 8 * 8));
    }
    // Programs cannot write to constants, or get the address of a map.
    let store = |section: &'static str, errno, says| {
        let store = super::insn(0x7a, 1, 0, 0, 0);
        let mut parts = Parts::program(&[load(1, 0, 0), store, mov(0, 0), exit()]);
        parts.declare(
            "map",
            &[
                ("type", 2),
                ("key_size", 4),
                ("value_size", 8),
                ("max_entries", 1),
            ],
        );
        parts.elf.add(".rodata", elf::PROGBITS, elf::ALLOC, &[0; 8]);
        parts.elf.symbols.push(elf::Symbol {
            name: "constant".into(),
            info: elf::GLOBAL | elf::OBJECT,
            section: Some(".rodata"),
            ..elf::Symbol::default()
        });
        parts.elf.relocate("kexec", 0, section, elf::R_64_64);
        verifier(
            format!("a store to a {section}"),
            parts.write(),
            errno,
            says,
        )
    };
    cases.push(store("constant", 13, "write into map forbidden"));
    cases.push(store("map", 1, "access is allowed only to CAP_PERFMON"));
    cases
}
