// SPDX-License-Identifier: GPL-2.0

//! Headers and symbols with wrong sizes, offsets, indexes and strings.

use super::elf::{self, SHDR_LEN, SYM_LEN};
use super::{accepted, incomplete, malformed, too_big, unsupported, Case, Parts};

// Fields of the header.
const SHOFF: usize = 40;
const SHNUM: usize = 60;
const SHSTRNDX: usize = 62;

// Fields of a section's header.
const NAME: usize = 0;
const TYPE: usize = 4;
const FLAGS: usize = 8;
const OFFSET: usize = 24;
const SIZE: usize = 32;
const LINK: usize = 40;
const ENTRY_SIZE: usize = 56;

pub fn cases() -> Vec<Case> {
    [
        header(),
        section_headers(),
        strings(),
        symbol_table(),
        symbols(),
        functions(),
        counts(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn header() -> Vec<Case> {
    let file = Parts::smallest().file();
    let (table, count) = (file.table, file.count());
    let mut cases = vec![
        accepted("the smallest object", file.bytes.clone()),
        accepted("one of each", Parts::full().write()),
        malformed("nothing", vec![], "the data ends inside a field", 0),
        malformed("no magic", file.with(3, b"G"), "not an ELF file", 0),
    ];
    for (at, value) in [(4, 1), (5, 2), (6, 0), (6, 2)] {
        let rule = "not a 64-bit little-endian ELF file";
        let what = format!("byte {at} of the header is {value}");
        cases.push(unsupported(what, file.with(at, &[value]), rule, 4));
    }
    for (at, value) in [(16, 0), (16, 2), (16, 3), (18, 0), (18, 62)] {
        let rule = "not a relocatable BPF object";
        let what = format!("byte {at} of the header is {value}");
        cases.push(unsupported(what, file.with(at, &[value]), rule, 16));
    }
    for (at, value) in [(52, 63), (52, 0), (58, 63), (58, 65), (58, 0)] {
        let rule = "the headers have the wrong size";
        let what = format!("byte {at} of the header is {value}");
        cases.push(malformed(what, file.with(at, &[value]), rule, 52));
    }
    let len = file.bytes.len() as u64;
    for offset in [table as u64 + 1, len - 1, len, len + 1, 1 << 63, u64::MAX] {
        let rule = "the section headers lie outside the object";
        let object = file.with(SHOFF, &offset.to_le_bytes());
        let what = format!("e_shoff {offset:#x}");
        cases.push(malformed(what, object, rule, offset as usize));
    }
    for (number, errno_is_too_big) in [
        (count + 1, false),
        (256, false),
        (257, true),
        (0xffff, true),
    ] {
        let object = file.with(SHNUM, &(number as u16).to_le_bytes());
        let what = format!("e_shnum {number}");
        cases.push(match errno_is_too_big {
            false => {
                let rule = "the section headers lie outside the object";
                malformed(what, object, rule, table)
            }
            true => too_big(what, object, "too many sections", SHNUM),
        });
    }
    let missing = "a section header lies outside the table";
    let object = file.with(SHNUM, &[0, 0]);
    cases.push(malformed(
        "e_shnum 0",
        object,
        missing,
        file.header(".strtab"),
    ));
    for index in [count, 0xff00, 0xffff] {
        let object = file.with(SHSTRNDX, &(index as u16).to_le_bytes());
        let what = format!("e_shstrndx {index}");
        cases.push(malformed(what, object, missing, table + SHDR_LEN * index));
    }
    // The null section.
    let object = file.with(SHSTRNDX, &[0, 0]);
    cases.push(malformed(
        "e_shstrndx 0",
        object,
        "a string has no terminating NUL",
        0,
    ));
    cases
}

fn section_headers() -> Vec<Case> {
    let file = Parts::full().file();
    let len = file.bytes.len() as u64;
    let mut cases = Vec::new();
    for name in [
        "kexec",
        "license",
        ".BTF",
        ".relkexec",
        ".symtab",
        ".strtab",
    ] {
        let header = file.header(name);
        let rule = "a section lies outside the object";
        for offset in [len, len + 1, u64::from(u32::MAX), 1 << 63, u64::MAX] {
            let object = file.with(header + OFFSET, &offset.to_le_bytes());
            let what = format!("{name} at {offset:#x}");
            cases.push(malformed(what, object, rule, offset as usize));
        }
        let data = file.data(name);
        for size in [len, len - data as u64 + 1, 1 << 63, u64::MAX] {
            let object = file.with(header + SIZE, &size.to_le_bytes());
            let what = format!("{name} of {size:#x} bytes");
            cases.push(malformed(what, object, rule, data));
        }
    }
    for (name, field, value) in [
        ("kexec", TYPE, 7),
        ("kexec", TYPE, elf::NOBITS),
        ("kexec", TYPE, u32::MAX),
        ("kexec", FLAGS, 0),
        (".text", FLAGS, elf::ALLOC as u32),
        (".text", TYPE, elf::NOBITS),
        (".bss", TYPE, elf::PROGBITS),
        (".rodata", TYPE, elf::NOBITS),
        ("license", TYPE, elf::NOBITS),
        (".BTF", TYPE, elf::NOBITS),
        (".maps", TYPE, 4), // SHT_RELA
    ] {
        let header = file.header(name);
        let rule = format!("'{name}': unsupported section");
        let object = file.with(header + field, &value.to_le_bytes());
        let what = format!("{name}: field {field} is {value}");
        cases.push(unsupported(what, object, &rule, header));
    }
    cases
}

fn strings() -> Vec<Case> {
    let mut parts = Parts::smallest();
    let file = parts.file();
    let (header, strings) = (file.header("kexec"), file.data(".strtab"));
    let len = file.table - strings;
    let mut cases = Vec::new();
    for offset in [len as u32 + 8, u32::MAX] {
        let object = file.with(header + NAME, &offset.to_le_bytes());
        let at = strings + offset as usize;
        let what = format!("a section's name at {offset:#x}");
        cases.push(malformed(
            what,
            object,
            "a string lies outside its table",
            at,
        ));
        let object = file.with(file.symbol(0) + NAME, &offset.to_le_bytes());
        let what = format!("a symbol's name at {offset:#x}");
        cases.push(malformed(
            what,
            object,
            "a string lies outside its table",
            at,
        ));
    }
    // The last name is that of .strtab.
    let size = file.header(".strtab") + SIZE;
    let old = file.bytes[size];
    let object = file.with(size, &[old - 1]);
    let at = strings + usize::from(old) - ".strtab\0".len();
    cases.push(malformed(
        "the names have no end",
        object,
        "a string has no terminating NUL",
        at,
    ));

    let debug = |len: usize| format!(".debug_{}", "x".repeat(len - 7));
    parts.elf.add(&debug(511), elf::PROGBITS, 0, &[]);
    cases.push(accepted("a name of 511 bytes", parts.write()));
    parts.elf.sections.last_mut().unwrap().name = debug(512);
    let file = parts.file();
    let name = file.header(&debug(512));
    let at = u16::from_le_bytes([file.bytes[name], file.bytes[name + 1]]);
    let at = file.data(".strtab") + usize::from(at);
    cases.push(malformed(
        "a name of 512 bytes",
        file.bytes,
        "a string has no terminating NUL",
        at,
    ));
    cases
}

fn symbol_table() -> Vec<Case> {
    let file = Parts::smallest().file();
    let header = file.header(".symtab");
    let mut cases = Vec::new();
    let object = file.with(header + TYPE, &[1]);
    let rule = "no symbol table";
    cases.push(incomplete("no symbols", object, rule));
    let object = file.with(file.header("license") + TYPE, &[2]);
    let rule = "a second symbol table";
    cases.push(malformed("symbols twice", object, rule, header));
    let rule = "'.symtab': its entries have the wrong size";
    for size in [0, 1, 23, 25, u64::MAX] {
        let object = file.with(header + ENTRY_SIZE, &size.to_le_bytes());
        let what = format!("symbols of {size} bytes");
        cases.push(malformed(what, object, rule, header));
    }
    for size in [1, SYM_LEN as u8 - 1, SYM_LEN as u8 + 1] {
        let object = file.with(header + SIZE, &[size]);
        let what = format!("{size} bytes of symbols");
        cases.push(malformed(what, object, rule, header));
    }
    for size in [0, SYM_LEN as u8] {
        let object = file.with(header + SIZE, &[size]);
        let what = format!("{size} bytes of symbols");
        cases.push(incomplete(what, object, "no program"));
    }
    let rule = "the symbol table has no string table";
    for link in [0, file.index("kexec"), file.count(), u32::MAX as usize] {
        let object = file.with(header + LINK, &(link as u32).to_le_bytes());
        let what = format!("names of symbols in section {link}");
        cases.push(malformed(what, object, rule, header));
    }
    cases
}

fn symbols() -> Vec<Case> {
    const INFO: usize = 4;
    const SECTION: usize = 6;
    const VALUE: usize = 8;
    const SIZE: usize = 16;

    let file = Parts::smallest().file();
    let symbol = file.symbol(0);
    let mut cases = Vec::new();
    for section in [file.count(), 0xfeff] {
        let object = file.with(symbol + SECTION, &(section as u16).to_le_bytes());
        let rule = "a symbol's section index is out of range";
        let what = format!("a symbol of section {section}");
        cases.push(malformed(what, object, rule, symbol + SECTION));
    }
    // A symbol without a section, or of a special one, is not a function of the program.
    for section in [0, file.index("license"), 0xff00, 0xfff1, 0xfff2, 0xffff] {
        let object = file.with(symbol + SECTION, &(section as u16).to_le_bytes());
        let what = format!("a program of section {section}");
        cases.push(incomplete(what, object, "no program"));
    }
    let object = file.with(symbol + INFO, &[elf::GLOBAL | elf::OBJECT]);
    let what = "a program that is a variable";
    cases.push(incomplete(what, object, "no program"));
    let rule = "'program': not made of whole instructions";
    for (field, value) in [
        (VALUE, 1),
        (VALUE, 4),
        (VALUE, u64::MAX),
        (SIZE, 0),
        (SIZE, 1),
        (SIZE, 15),
        (SIZE, u64::MAX),
    ] {
        let object = file.with(symbol + field, &value.to_le_bytes());
        let what = format!("a program: field {field} is {value:#x}");
        cases.push(malformed(what, object, rule, symbol));
    }
    let rule = "'program': not the only function of its section";
    for (field, value) in [(SIZE, 8_u64), (SIZE, 24), (SIZE, u64::MAX - 7)] {
        let object = file.with(symbol + field, &value.to_le_bytes());
        let what = format!("a program of {value:#x} bytes");
        cases.push(malformed(what, object, rule, symbol));
    }
    let object = file.with(symbol + INFO, &[elf::LOCAL | elf::FUNC]);
    cases.push(malformed("a static program", object, rule, symbol));
    for value in [8, 1 << 63, u64::MAX - 7] {
        let object = file.with(symbol + VALUE, &value.to_le_bytes());
        let at = file.data("kexec") as u64;
        let rule = "a function lies outside its section";
        let what = format!("a program at {value:#x}");
        cases.push(malformed(
            what,
            object,
            rule,
            at.saturating_add(value) as usize,
        ));
    }
    cases
}

fn functions() -> Vec<Case> {
    let parts = Parts::full();
    let text = parts.file().data(".text");
    let with = |value: u64, size: u64| {
        let mut parts = parts.clone();
        let symbol = parts.elf.symbol("function");
        (symbol.value, symbol.size) = (value, size);
        parts.write()
    };
    let rule = "a function lies outside its section";
    let mut cases = vec![
        malformed("a function past the end", with(16, 8), rule, text + 16),
        malformed("a function over the end", with(8, 16), rule, text + 8),
    ];
    let mut parts = Parts::full();
    let mut other = parts.elf.symbol("function").clone();
    other.name = "other".into();
    for (value, size) in [(0, 16), (0, 8), (8, 8)] {
        (other.value, other.size) = (value, size);
        parts.elf.symbols.push(other.clone());
        let what = format!("functions that overlap at {value}");
        // Of several at one place, the one that was added last comes first.
        let (name, at) = match value {
            0 => ("function", text),
            _ => ("other", text + 8),
        };
        let rule = format!("'{name}': overlaps the function before it");
        cases.push(malformed(what, parts.write(), &rule, at));
        parts.elf.symbols.pop();
    }
    // Two programs in one section, and the same one twice.
    let mut parts = Parts::smallest();
    let mut second = parts.elf.symbols[0].clone();
    second.name = "second".into();
    parts.elf.symbols.push(second.clone());
    let object = parts.write();
    let rule = "'program': overlaps the function before it";
    let at = parts.file().data("kexec");
    cases.push(malformed("a program twice", object, rule, at));
    second.size = 8;
    *parts.elf.symbols.last_mut().unwrap() = second;
    let file = parts.file();
    let rule = "'second': not the only function of its section";
    let at = file.symbol(1);
    cases.push(malformed("two programs", file.bytes, rule, at));
    cases
}

/// Objects at each limit, and one over it.
fn counts() -> Vec<Case> {
    let mut parts = Parts::smallest();
    while parts.file().count() < 256 {
        parts.elf.add(".comment", elf::PROGBITS, 0, &[]);
    }
    let mut cases = vec![accepted("256 sections", parts.write())];
    parts.elf.add(".comment", elf::PROGBITS, 0, &[]);
    let rule = "too many sections";
    cases.push(too_big("257 sections", parts.write(), rule, SHNUM));

    let mut parts = Parts::smallest();
    let text = vec![0; 8 * 256];
    let flags = elf::ALLOC | elf::EXEC;
    parts.elf.add(".text", elf::PROGBITS, flags, &text);
    for index in 0..256 {
        if index == 255 {
            cases.push(accepted("256 functions", parts.write()));
        }
        parts.elf.symbols.push(elf::Symbol {
            name: "f".into(),
            info: elf::GLOBAL | elf::FUNC,
            section: Some(".text"),
            value: 8 * index,
            size: 8,
            ..elf::Symbol::default()
        });
    }
    let file = parts.file();
    let at = file.symbol(256);
    let rule = "too many functions";
    cases.push(too_big("257 functions", file.bytes, rule, at));

    let license = |len| {
        let mut parts = Parts::smallest();
        parts.elf.section("license").data = vec![b'x'; len];
        parts
    };
    let at = license(1).file().data("license");
    for len in [0, 1, 127, 128] {
        let what = format!("a license of {len} bytes without an end");
        let object = license(len).write();
        cases.push(malformed(
            what,
            object,
            "a string has no terminating NUL",
            at,
        ));
    }
    for len in [1, 2, 128] {
        let mut parts = license(len);
        *parts.elf.section("license").data.last_mut().unwrap() = 0;
        let what = format!("a license of {len} bytes");
        cases.push(accepted(what, parts.write()));
    }
    let mut parts = license(129);
    *parts.elf.section("license").data.last_mut().unwrap() = 0;
    let rule = "the license is too long";
    cases.push(too_big("a license of 129 bytes", parts.write(), rule, at));
    cases
}
