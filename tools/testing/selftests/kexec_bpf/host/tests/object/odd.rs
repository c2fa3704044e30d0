// SPDX-License-Identifier: GPL-2.0

//! What compilers make at times: flags of sections, constants that have no type, names that C does
//! not have, and names with a flavor.

use kexec_bpf_host::error::Kind;
use kexec_bpf_host::object::btf::{
    Types,
    DATASEC, //
};
use kexec_bpf_host::object::elf::Elf;
use kexec_bpf_host::object::map::Content;
use kexec_bpf_host::object::span::Span;

use super::properties::CALL;
use super::{
    compile,
    link,
    properties, //
};

#[test]
fn flags_of_sections() {
    const FLAGS: u64 = 8;
    const COMPRESSED: u32 = 1 << 11;

    let object = compile("small", &[]);
    let elf = Elf::parse(&object).unwrap();
    let verdict = |name: &str, flag: u32| {
        let named = |section: &&_| section_name(section) == name;
        let section = elf.sections.iter().find(named).unwrap();
        let at = (section.header + FLAGS) as usize;
        let mut object = object.clone();
        let flags = section.flags as u32 | flag;
        object[at..at + 4].copy_from_slice(&flags.to_le_bytes());
        link(&object).map(drop).map_err(|error| {
            let rule = format!("'{name}': {}", error.wrong);
            assert!(error.to_string().starts_with(&rule), "{error}");
            (error.kind, error.wrong)
        })
    };
    for name in [
        "kexec",
        ".text",
        ".maps",
        ".bss",
        ".BTF",
        ".BTF.ext",
        "license",
        ".relkexec",
    ] {
        let rule = "compressed sections are not supported";
        let refused = Err((Kind::Unsupported, rule));
        assert_eq!(verdict(name, COMPRESSED), refused);
        assert_eq!(verdict(name, COMPRESSED | (1 << 30)), refused);
        // SHF_LINK_ORDER, SHF_GROUP, SHF_TLS and one that nobody uses.
        for flag in [1 << 7, 1 << 9, 1 << 10, 1 << 30] {
            let refused = Err((Kind::Unsupported, "unknown flags of a section"));
            assert_eq!(verdict(name, flag), refused, "{name}: {flag:#x}");
        }
        // SHF_MERGE, SHF_STRINGS, SHF_INFO_LINK, SHF_GNU_RETAIN.
        assert_eq!(
            verdict(name, (1 << 4) | (1 << 5) | (1 << 6) | (1 << 21)),
            Ok(())
        );
    }
    // Nobody reads this one.
    assert_eq!(verdict(".debug_info", COMPRESSED), Ok(()));
}

fn section_name<'a>(section: &kexec_bpf_host::object::elf::Section<'a>) -> &'a str {
    section.name.to_str().unwrap()
}

#[test]
fn constants_without_a_type() {
    let object = compile("odd", &[]);
    let linked = link(&object).unwrap();
    let mut maps = linked.maps.iter();
    let map = maps.find(|map| map.name == c".rodata.cst32").unwrap();
    let words = [31_u64, 41, 59, 26].map(u64::to_le_bytes).concat();
    assert_eq!(map.content, Content::Rodata(&words));
    properties::check(&linked, &object);
}

#[test]
fn names_that_c_does_not_have() {
    let object = compile("odd", &[]);
    let linked = link(&object).unwrap();
    assert_eq!(linked.name, c"odd$program");
    for name in [c".data.with-dash", c".rodata._ZN4core$LT$u32$GT$E"] {
        assert!(linked.maps.iter().any(|map| map.name == name), "{name:?}");
    }
    let types = Types::parse(Span::whole(&linked.btf)).unwrap();
    let mut names = Vec::new();
    for type_ in types.iter() {
        let type_ = type_.unwrap();
        let name = types.name(type_.name).unwrap().to_str().unwrap();
        let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        assert!(type_.kind == DATASEC || name.chars().all(is_fine), "{name}");
        names.push(name);
    }
    for name in ["odd_program", "with_dollar"] {
        assert!(names.contains(&name), "{name}");
    }
}

/// As in libbpf, a flavor is not a part of the kernel's name.
#[test]
fn flavors() {
    let object = compile("odd", &[]);
    let linked = link(&object).unwrap();
    let called = linked.insns.iter().filter(|insn| insn.code == CALL);
    let ids: Vec<_> = called.map(|insn| (insn.regs >> 4, insn.imm)).collect();
    // Of the others the kernel has no function: of bpf_weak___one, bpf_weak____four, bpf_weak___.
    assert_eq!(ids, [(2, 1001), (2, 0), (2, 0), (2, 0), (2, 1002)]);
}
