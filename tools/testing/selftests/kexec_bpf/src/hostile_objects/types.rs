// SPDX-License-Identifier: GPL-2.0

//! Malformed types.

use super::{accepted, bad_btf, malformed, unsupported, Case, Parts};
use super::{btf, elf};

pub fn cases() -> Vec<Case> {
    [
        header(),
        kinds(),
        left_to_the_kernel(),
        strings(),
        sections(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The headers of `.BTF` and `.BTF.ext`.
fn header() -> Vec<Case> {
    let file = Parts::full().file();
    let mut cases = Vec::new();
    for name in [".BTF", ".BTF.ext"] {
        let at = file.data(name);
        for (byte, value) in [(0, 0), (1, 0), (0, 0xeb), (2, 0), (2, 2), (3, 1), (3, 0x80)] {
            let what = format!("{name}: byte {byte} is {value}");
            let object = file.with(at + byte, &[value]);
            cases.push(unsupported(
                what,
                object,
                "type information in an unknown format",
                at,
            ));
        }
        for len in [0, 8, 23] {
            let what = format!("{name}: hdr_len {len}");
            let object = file.with(at + 4, &[len]);
            let rule = "the header of the type information is too small";
            cases.push(malformed(what, object, rule, at + 4));
        }
    }
    // The length of the header, and offset and length of types and of strings.
    let parts = Parts::full();
    let at = file.data(".BTF");
    let rule = "the types or strings lie outside the section";
    let (types, strings) = (at + btf::HEADER_LEN, at + parts.types.strings_at());
    for (field, value, start) in [
        (4, u32::MAX, at + u32::MAX as usize),
        (8, u32::MAX, types + u32::MAX as usize),
        (12, u32::MAX, types),
        (16, u32::MAX, types + u32::MAX as usize),
        (20, u32::MAX, strings),
        (20, parts.types.strings.len() as u32 + 1, strings),
    ] {
        let object = file.with(at + field, &value.to_le_bytes());
        let what = format!("types: field {field} is {value}");
        cases.push(malformed(what, object, rule, start));
    }
    // The last type is cut off.
    for cut in [1, 4, 12] {
        let mut parts = Parts::smallest();
        let id = parts.types.int();
        let file = parts.file();
        let at = file.data(".BTF");
        let len = (parts.types.strings_at() - btf::HEADER_LEN - cut) as u32;
        let object = file.with(at + 12, &len.to_le_bytes());
        let what = format!("types without the last {cut} bytes");
        let start = at + parts.types.at(id);
        cases.push(match cut {
            12 => malformed(what, object, "the data ends inside a field", start),
            _ => malformed(what, object, "a type lies outside its section", start),
        });
    }
    cases
}

fn kinds() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in [0, 20, 21, 0x7f] {
        let mut parts = Parts::smallest();
        let id = parts.types.add("", kind, 0, 0, &[]);
        let at = parts.file().data(".BTF") + parts.types.at(id);
        let what = format!("a type of kind {kind}");
        cases.push(unsupported(
            what,
            parts.write(),
            "a type of an unknown kind",
            at,
        ));
    }
    let rule = "a type lies outside its section";
    for kind in [
        btf::STRUCT,
        btf::UNION,
        btf::ENUM,
        btf::FUNC_PROTO,
        btf::DATASEC,
        btf::ENUM64,
    ] {
        for vlen in [1, 2, 0xffff, 0xff_ffff] {
            let mut parts = Parts::smallest();
            let id = parts.types.add("huge", kind, vlen, 4, &[]);
            let at = parts.file().data(".BTF") + parts.types.at(id);
            let what = format!("a type of kind {kind} with {vlen} entries");
            cases.push(malformed(what, parts.write(), rule, at));
        }
    }
    cases
}

/// The kernel checks these, and the loader does not.
fn left_to_the_kernel() -> Vec<Case> {
    use btf::*;
    let mut cases = Vec::new();
    let next = Parts::smallest().types.next();
    for (what, name, kind, vlen, of, rest) in [
        ("a type that is itself", "t", TYPEDEF, 0, next, &[][..]),
        ("a pointer to no type", "", PTR, 0, 1000, &[]),
        (
            "a pointer to the end of all types",
            "",
            PTR,
            0,
            u32::MAX,
            &[],
        ),
        ("a pointer with a name", "p", PTR, 0, 1, &[]),
        ("a constant of itself", "", CONST, 0, next, &[]),
        ("an array of itself", "", ARRAY, 0, 0, &[next, 1, 1]),
        ("an array of void", "", ARRAY, 0, 0, &[0, 1, 1]),
        ("an array of no type", "", ARRAY, 0, 0, &[1000, 1, 1]),
        (
            "an array that overflows",
            "",
            ARRAY,
            0,
            0,
            &[1, 1, u32::MAX],
        ),
        ("a structure in itself", "s", STRUCT, 1, 4, &[0, next, 0]),
        ("a member past the end", "s", STRUCT, 1, 4, &[0, 1, 8]),
        ("a member of no type", "s", STRUCT, 1, 4, &[0, 1000, 0]),
        (
            "a member with no name",
            "s",
            STRUCT,
            1,
            4,
            &[u32::MAX, 1, 0],
        ),
        (
            "members out of order",
            "s",
            STRUCT,
            2,
            8,
            &[0, 1, 32, 0, 1, 0],
        ),
        ("a union with an offset", "u", UNION, 1, 8, &[0, 1, 32]),
        ("an enumeration of 3 bytes", "e", ENUM, 0, 3, &[]),
        ("a number of more bits than bytes", "i", INT, 0, 4, &[0x40]),
        ("a number without bytes", "i", INT, 0, 0, &[0x20]),
        ("a float of 3 bytes", "f", FLOAT, 0, 3, &[]),
        ("a forward declaration without a name", "", FWD, 0, 0, &[]),
        ("a function of no prototype", "f", FUNC, 0, 1, &[]),
        ("a function of unknown linkage", "f", FUNC, 3, 2, &[]),
        ("a prototype of no type", "", FUNC_PROTO, 0, 1000, &[]),
        ("a parameter of no type", "", FUNC_PROTO, 1, 0, &[0, 1000]),
        ("a variable of void", "v", VAR, 0, 0, &[0]),
        ("a tag of itself", "", TYPE_TAG, 0, next, &[]),
        ("a tag of nothing", "t", DECL_TAG, 0, 1000, &[u32::MAX]),
        (
            "a tag of a member that is missing",
            "t",
            DECL_TAG,
            0,
            1,
            &[7],
        ),
    ] {
        let mut parts = Parts::smallest();
        parts.types.add(name, kind, vlen, of, rest);
        cases.push(bad_btf(what, parts.write()));
    }
    // Two types that refer to each other.
    let mut parts = Parts::smallest();
    parts.types.add("a", TYPEDEF, 0, next + 1, &[]);
    parts.types.add("b", TYPEDEF, 0, next, &[]);
    cases.push(bad_btf("two types that are each other", parts.write()));
    // Types that are deeply nested, without a cycle.
    let mut parts = Parts::smallest();
    for id in next..next + 1000 {
        parts.types.pointer(id - 1);
    }
    cases.push(accepted("a pointer to a pointer, and so on", parts.write()));
    let mut parts = Parts::smallest();
    for id in next..next + 1000 {
        parts.types.add("t", TYPEDEF, 0, id - 1, &[]);
    }
    cases.push(accepted("a name of a name, and so on", parts.write()));
    cases
}

fn strings() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in ["a name", "1", "a\n", "\u{e9}", "Vec<u8>", "a$b"] {
        let mut parts = Parts::smallest();
        parts.types.add(name, btf::STRUCT, 0, 4, &[]);
        let what = format!("a structure {name:?}");
        cases.push(match name {
            "1" => bad_btf(what, parts.write()),
            _ => accepted(what, parts.write()),
        });
    }
    for offset in [1000, u32::MAX] {
        let mut parts = Parts::smallest();
        let id = parts.types.add("name", btf::STRUCT, 0, 4, &[]);
        parts.types.put(id, 0, offset);
        let what = format!("a structure whose name is at {offset}");
        cases.push(bad_btf(what, parts.write()));
        // The loader itself reads the names of sections.
        let id = parts.types.section("name", &[]);
        parts.types.put(id, 0, offset);
        let what = format!("a section whose name is at {offset}");
        let at = parts.file().data(".BTF") + parts.types.strings_at() + offset as usize;
        cases.push(malformed(
            what,
            parts.write(),
            "a string lies outside its table",
            at,
        ));
    }
    let mut parts = Parts::smallest();
    parts.types.strings[0] = b'x';
    cases.push(bad_btf("strings that begin with one", parts.write()));
    let mut parts = Parts::smallest();
    parts.types.strings.extend(b"endless");
    cases.push(bad_btf("strings without an end", parts.write()));
    let mut parts = Parts::smallest();
    let id = parts.types.section("", &[]);
    parts.types.put(id, 0, parts.types.strings.len() as u32);
    parts.types.strings.extend(b"endless");
    let rule = "a string has no terminating NUL";
    let at = parts.file().data(".BTF") + parts.types.strings_at() + parts.types.strings.len() - 7;
    cases.push(malformed(
        "a section's name without an end",
        parts.write(),
        rule,
        at,
    ));
    cases
}

/// Sections of variables.
fn sections() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut parts = Parts::smallest();
    let id = parts.types.section(".none", &[]);
    let at = parts.file().data(".BTF") + parts.types.at(id);
    let rule = "'.none': variables of a section that does not exist";
    cases.push(unsupported("variables of nothing", parts.write(), rule, at));

    let mut parts = Parts::smallest();
    for _ in 0..parts.file().count() {
        parts.types.section("license", &[]);
    }
    let what = "as many sections of variables as sections";
    cases.push(accepted(what, parts.write()));
    let id = parts.types.section("license", &[]);
    let at = parts.file().data(".BTF") + parts.types.at(id);
    let rule = "more DATASEC types than sections";
    cases.push(malformed("and one more", parts.write(), rule, at));

    let with = |variable: u32, size, symbol: &str| {
        let mut parts = Parts::smallest();
        let zeroes = parts.elf.add(".bss", elf::NOBITS, elf::ALLOC, &[]);
        zeroes.room = 4;
        let id = parts.types.variable("variable", 1, 1);
        let id = if variable == 0 { id } else { variable };
        parts.types.section(".bss", &[(id, size)]);
        parts.elf.symbols.push(elf::Symbol {
            name: symbol.into(),
            info: elf::GLOBAL | elf::OBJECT,
            section: Some(".bss"),
            size: 4,
            ..Default::default()
        });
        parts
    };
    cases.push(accepted("a variable", with(0, 4, "variable").write()));
    for size in [0, 1, 5, u32::MAX] {
        let what = format!("a variable of 4 bytes that takes {size}");
        cases.push(bad_btf(what, with(0, size, "variable").write()));
    }
    for id in [1, 2, 3] {
        let what = format!("type {id} among the variables");
        cases.push(bad_btf(what, with(id, 4, "variable").write()));
    }
    let parts = with(1000, 4, "variable");
    let at = parts.file().data(".BTF") + btf::HEADER_LEN;
    let what = "a variable that is missing";
    cases.push(malformed(what, parts.write(), "no type has this ID", at));
    let mut parts = with(0, 4, "variable");
    for value in [4, 1 << 31] {
        parts.elf.symbol("variable").value = value;
        let what = format!("a variable at {value} of a section of 4 bytes");
        cases.push(bad_btf(what, parts.write()));
    }
    let parts = with(0, 4, "other");
    let at = parts.file().data(".BTF") + parts.types.at(parts.types.next() - 2);
    let rule = "'variable': the variable has no symbol";
    cases.push(malformed(
        "a variable of no address",
        parts.write(),
        rule,
        at,
    ));
    cases
}
