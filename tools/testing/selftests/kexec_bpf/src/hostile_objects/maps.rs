// SPDX-License-Identifier: GPL-2.0

//! Maps of unsupported kinds and sizes, and malformed definitions of maps.

use super::btf::{self, Types};
use super::elf;
use super::{accepted, case, incomplete, malformed, too_big, unsupported, Case, Parts, ELIBBAD};

/// The most bytes that all maps can take.
const SIZE_MAX: u32 = 16 << 20;
const MAPS_MAX: usize = 32;

const OTHER_TYPE: &str = "'map': not an array map";

pub fn cases() -> Vec<Case> {
    [
        kinds(),
        attributes(),
        definitions(),
        sections(),
        names(),
        sizes(),
        counts(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

type Fields<'a> = [(&'a str, u32)];

const ARRAY: &Fields<'_> = &[
    ("type", 2),
    ("key_size", 4),
    ("value_size", 8),
    ("max_entries", 1),
];

fn declared(fields: &Fields<'_>) -> Parts {
    let mut parts = Parts::smallest();
    parts.declare("map", fields);
    parts
}

/// The array with some fields changed or added.
fn array_with(changes: &Fields<'_>) -> Parts {
    let mut fields = ARRAY.to_vec();
    for &(name, value) in changes {
        match fields.iter_mut().find(|field| field.0 == name) {
            Some(field) => field.1 = value,
            None => fields.push((name, value)),
        }
    }
    declared(&fields)
}

/// The last declared variable and its definition.
fn places(parts: &Parts) -> (usize, usize) {
    let types = parts.file().data(".BTF");
    let last = parts.types.next() - 1;
    let at = |id| types + parts.types.at(id);
    (at(last - 1), at(last - 2))
}

fn kinds() -> Vec<Case> {
    let mut cases = vec![accepted("an array", declared(ARRAY).write())];
    // Tail calls, per CPU, LRU, in each other, ring buffers, local storage, struct_ops, arenas.
    for kind in [1].into_iter().chain(3..40).chain([255, 1 << 16, u32::MAX]) {
        let parts = array_with(&[("type", kind)]);
        let what = format!("a map of type {kind}");
        let at = places(&parts).0;
        cases.push(unsupported(what, parts.write(), OTHER_TYPE, at));
    }
    for (changes, rule) in [
        (("type", 0), "the map has no type"),
        (("key_size", 0), "the map has no key size"),
        (("value_size", 0), "the map has no value size"),
        (("max_entries", 0), "the map has no number of entries"),
        (("key_size", 1), "the keys are not 4 bytes long"),
        (("key_size", 8), "the keys are not 4 bytes long"),
        (("key_size", u32::MAX), "the keys are not 4 bytes long"),
    ] {
        let parts = array_with(&[changes]);
        let rule = format!("'map': {rule}");
        let what = format!("an array with {changes:?}");
        cases.push(unsupported(what, parts.write(), &rule, places(&parts).0));
    }
    for (index, rule) in [
        "the map has no type",
        "the map has no key size",
        "the map has no value size",
        "the map has no number of entries",
    ]
    .into_iter()
    .enumerate()
    {
        let mut fields = ARRAY.to_vec();
        let (name, _) = fields.remove(index);
        let parts = declared(&fields);
        let what = format!("a map without {name}");
        let rule = format!("'map': {rule}");
        cases.push(unsupported(what, parts.write(), &rule, places(&parts).0));
    }
    cases
}

fn attributes() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in [
        "pinning",
        "map_extra",
        "numa_node",
        "values",
        "inner_map",
        "x\n",
    ] {
        let parts = array_with(&[(name, 1)]);
        let what = format!("a map with {name:?}");
        let rule = format!("'{}': unsupported field of a map", name.replace('\n', "?"));
        cases.push(unsupported(what, parts.write(), &rule, places(&parts).1));
    }
    // Maps that are read-only or write-only for programs are supported.
    for bit in 0..32 {
        let parts = array_with(&[("map_flags", 1 << bit)]);
        let what = format!("a map with flag {bit}");
        let object = parts.write();
        let rule = "'map': unsupported map flags";
        cases.push(match bit {
            7 | 8 => accepted(what, object),
            _ => unsupported(what, object, rule, places(&parts).0),
        });
    }
    let both = array_with(&[("map_flags", 3 << 7)]);
    let why = "object: cannot create map 'map'".into();
    let what = "a map that nobody reads or writes";
    cases.push(case(what, both.write(), ELIBBAD, why));
    cases
}

/// A map whose definition is the type that `make` returns. The caller adds the place of the named
/// type to the error.
fn defined(make: impl Fn(&mut Parts) -> u32) -> Parts {
    let mut parts = Parts::smallest();
    let definition = make(&mut parts);
    parts.declare_as(&[("map", definition)]);
    parts
}

fn definitions() -> Vec<Case> {
    let types_at = |parts: &Parts| parts.file().data(".BTF") + btf::HEADER_LEN;
    let mut cases = Vec::new();
    let parts = defined(|_| 1);
    let rule = "the definition of a map is not a structure";
    let at = types_at(&parts);
    cases.push(malformed("a map that is an int", parts.write(), rule, at));
    for id in [0, 100, u32::MAX] {
        let parts = defined(|_| id);
        let what = format!("a map of type {id}");
        let at = types_at(&parts);
        cases.push(malformed(what, parts.write(), "no type has this ID", at));
        let parts = defined(|parts| parts.types.structure(&[("type", id)]));
        let what = format!("a map with a field of type {id}");
        cases.push(malformed(what, parts.write(), "no type has this ID", at));
        for name in ["key", "type"] {
            let parts = defined(|parts| {
                let pointer = parts.types.pointer(id);
                parts.types.structure(&[(name, pointer)])
            });
            let what = format!("a map with a {name} of type {id}");
            cases.push(malformed(what, parts.write(), "no type has this ID", at));
        }
    }
    let parts = defined(|parts| parts.types.structure(&[("type", 1)]));
    let rule = "a field of a map is not a pointer";
    let what = "a map whose type is not a pointer";
    cases.push(malformed(what, parts.write(), rule, at));
    let parts = defined(|parts| {
        let pointer = parts.types.pointer(1);
        parts.types.structure(&[("type", pointer)])
    });
    let what = "a map whose type is not an array";
    cases.push(malformed(what, parts.write(), "not an array", at));
    for kind in [btf::FWD, btf::FUNC, btf::VAR, btf::DATASEC] {
        let mut id = 0;
        let mut parts = Parts::smallest();
        let rest = &[0][..usize::from(kind == btf::VAR)];
        id += parts.types.add("other", kind, 0, 1, rest);
        let pointer = parts.types.pointer(id);
        let definition = parts.types.structure(&[("value", pointer)]);
        parts.declare_as(&[("map", definition)]);
        let at = parts.file().data(".BTF") + parts.types.at(id);
        let what = format!("a map with values of kind {kind}");
        cases.push(malformed(what, parts.write(), "a type has no size", at));
    }

    // Cycles of types.
    let cycle = |types: &mut Types| {
        let id = types.next();
        types.add("cycle", btf::TYPEDEF, 0, id, &[])
    };
    let deep = "a type is nested too deeply";
    let parts = defined(|parts| cycle(&mut parts.types));
    let at = places(&parts).1;
    cases.push(malformed("a map that is a cycle", parts.write(), deep, at));
    let parts = defined(|parts| {
        let id = parts.types.next();
        parts.types.array(id, 1, 1);
        let pointer = parts.types.pointer(id);
        parts.types.structure(&[("value", pointer)])
    });
    let at = types_at(&parts);
    cases.push(malformed("an array of itself", parts.write(), deep, at));
    for (first, second) in [(1 << 16, 1 << 16), (1 << 31, 2), (u32::MAX, u32::MAX)] {
        let mut parts = Parts::smallest();
        let inner = parts.types.array(1, 1, first);
        let outer = parts.types.array(inner, 1, second);
        let pointer = parts.types.pointer(outer);
        let definition = parts.types.structure(&[("value", pointer)]);
        parts.declare_as(&[("map", definition)]);
        let what = format!("values of {second} times {first} numbers");
        let rule = "an array is too large";
        let types = parts.file().data(".BTF");
        let at = match first.checked_mul(second) {
            None => types + parts.types.at(inner),
            Some(_) => types + parts.types.at(1),
        };
        cases.push(malformed(what, parts.write(), rule, at));
    }

    for (first, second) in [(4, 8), (8, 4)] {
        let parts = declared(&[("key_size", first), ("key_size", second)]);
        let rule = "a field of a map is given twice, and differs";
        let what = format!("keys of {first} and {second} bytes");
        cases.push(malformed(what, parts.write(), rule, places(&parts).1));
    }
    cases
}

/// The type information of `.maps` and its variables.
fn sections() -> Vec<Case> {
    let mut parts = Parts::smallest();
    parts.elf.add(".maps", elf::PROGBITS, elf::ALLOC, &[0; 64]);
    let rule = "no type information for the section .maps";
    let mut cases = vec![incomplete("maps without types", parts.write(), rule)];

    // The symbol is that of something else, or is missing.
    let mut parts = declared(ARRAY);
    let at = places(&parts).0;
    let rule = "'map': the map has no symbol";
    parts.elf.symbol("map").name = "other".into();
    cases.push(malformed("a map of another name", parts.write(), rule, at));
    parts.elf.symbol("other").name = "map".into();
    parts.elf.symbol("map").section = Some("kexec");
    let what = "a map in the code";
    cases.push(malformed(what, parts.write(), rule, at));

    let rule = "'map': not a global variable";
    for linkage in [0, 2, u32::MAX] {
        let mut parts = declared(ARRAY);
        let variable = parts.types.next() - 2;
        parts.types.put(variable, 3, linkage);
        let what = format!("a map of linkage {linkage}");
        cases.push(unsupported(what, parts.write(), rule, at));
    }
    // The section contains something else.
    for (id, name) in [(1, "int"), (2, ""), (3, "program")] {
        let mut parts = declared(ARRAY);
        let section = parts.types.next() - 1;
        parts.types.put(section, 3, id);
        let at = parts.file().data(".BTF") + parts.types.at(id);
        let rule = match name {
            "" => "not a global variable".into(),
            name => format!("'{name}': not a global variable"),
        };
        let what = format!("type {id} among the maps");
        cases.push(unsupported(what, parts.write(), &rule, at));
    }
    for id in [0, 100, u32::MAX] {
        let mut parts = declared(ARRAY);
        let section = parts.types.next() - 1;
        parts.types.put(section, 3, id);
        let what = format!("type {id} among the maps");
        let at = parts.file().data(".BTF") + btf::HEADER_LEN;
        cases.push(malformed(what, parts.write(), "no type has this ID", at));
    }
    cases
}

fn names() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in ["a-map", "a map", "map$", "m\u{e9}p"] {
        let mut parts = Parts::smallest();
        parts.declare(name, ARRAY);
        cases.push(accepted(format!("a map {name:?}"), parts.write()));
    }
    let mut parts = Parts::smallest();
    let definition = parts.definition(ARRAY);
    parts.declare_as(&[("map", definition), ("map", definition)]);
    let at = places(&parts).0;
    let rule = "'map': two maps of this name";
    cases.push(malformed("two maps of a name", parts.write(), rule, at));
    cases
}

/// A section of zeroes.
fn zeroes(parts: &mut Parts, name: &str, len: u64) {
    parts.elf.add(name, elf::NOBITS, elf::ALLOC, &[]).room = len;
}

/// The limits of memory.
fn sizes() -> Vec<Case> {
    let mut cases = Vec::new();
    let rule = |name| format!("'{name}': with it, the maps take over 16 MiB");
    for changes in [
        &[("value_size", SIZE_MAX)][..],
        &[("max_entries", SIZE_MAX / 8)],
        &[("value_size", 1), ("max_entries", SIZE_MAX / 8)],
        &[("value_size", 4095), ("max_entries", SIZE_MAX / 4096)],
    ] {
        let what = format!("an array with {changes:?}");
        cases.push(accepted(what, array_with(changes).write()));
    }
    for changes in [
        &[("value_size", SIZE_MAX + 1)][..],
        &[("value_size", 1 << 31)],
        &[("value_size", u32::MAX)],
        &[("max_entries", SIZE_MAX / 8 + 1)],
        &[("max_entries", u32::MAX)],
        &[("value_size", u32::MAX), ("max_entries", u32::MAX)],
        &[("value_size", 1 << 16), ("max_entries", 1 << 16)],
        &[("value_size", 1), ("max_entries", SIZE_MAX / 8 + 1)],
        &[("value_size", 4097), ("max_entries", SIZE_MAX / 4096)],
    ] {
        let parts = array_with(changes);
        let what = format!("an array with {changes:?}");
        let at = places(&parts).0;
        cases.push(too_big(what, parts.write(), &rule("map"), at));
    }

    let max = u64::from(SIZE_MAX);
    for (declared, bss, other) in [
        (0, 0, 0),
        (0, max, 0),
        (8, max - 16, 8),
        (8, 0, max - 8),
        (8, max - 8, 0),
    ] {
        let parts = together(declared, bss, other);
        let what = format!("maps of {declared}, {bss} and {other} bytes");
        cases.push(accepted(what, parts.write()));
    }
    for (declared, bss, other, name) in [
        (0, max + 1, 0, ".bss"),
        (0, max, 1, ".bss.2"),
        (8, max - 7, 0, ".bss"),
        (8, max - 16, 9, ".bss.2"),
        (SIZE_MAX, 1, 0, ".bss"),
        (0, u64::from(u32::MAX) + 1, 0, ".bss"),
        (0, 1 << 40, 0, ".bss"),
        (0, u64::MAX, 0, ".bss"),
        (8, 8, u64::MAX, ".bss.2"),
    ] {
        let parts = together(declared, bss, other);
        let what = format!("maps of {declared}, {bss:#x} and {other:#x} bytes");
        let at = parts.file().header(name);
        cases.push(too_big(what, parts.write(), &rule(name), at));
    }
    cases
}

/// An object with a declared map and two sections of zeroes, of these sizes.
fn together(declared: u32, bss: u64, other: u64) -> Parts {
    let mut parts = Parts::smallest();
    if declared != 0 {
        parts = array_with(&[("value_size", declared)]);
    }
    zeroes(&mut parts, ".bss", bss);
    zeroes(&mut parts, ".bss.2", other);
    parts
}

fn counts() -> Vec<Case> {
    let mut parts = Parts::smallest();
    let definition = parts.definition(ARRAY);
    let names: Vec<_> = (0..=MAPS_MAX).map(|index| format!("map{index}")).collect();
    let maps: Vec<_> = names.iter().map(|name| (&name[..], definition)).collect();
    let with = |count: usize| {
        let mut parts = parts.clone();
        parts.declare_as(&maps[..count]);
        parts
    };
    let rule = "too many maps";
    let mut cases = vec![accepted("32 maps", with(MAPS_MAX).write())];
    let too_many = with(MAPS_MAX + 1);
    let at = places(&too_many).0;
    cases.push(too_big("33 maps", too_many.write(), rule, at));
    // An empty section does not make a map.
    let mut parts = with(MAPS_MAX);
    zeroes(&mut parts, ".bss", 0);
    cases.push(accepted("32 maps and an empty section", parts.write()));
    parts.elf.section(".bss").room = 1;
    let file = parts.file();
    let at = file.header(".bss");
    cases.push(too_big("32 maps and a section", file.bytes, rule, at));
    cases
}
