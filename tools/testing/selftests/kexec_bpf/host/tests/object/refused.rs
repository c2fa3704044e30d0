// SPDX-License-Identifier: GPL-2.0

//! Objects that are refused, and the reasons.

use std::sync::OnceLock;

use kexec_bpf_host::error::Kind;
use kexec_bpf_host::object::elf::Elf;
use kexec_bpf_host::object::OBJECT_MAX;

use super::{
    compile,
    link, //
};

/// Why an object is refused.
#[track_caller]
fn reason(object: &[u8]) -> (Kind, String) {
    match link(object) {
        Ok(_) => panic!("not refused"),
        Err(error) => {
            let text = error.to_string();
            let end = text.rfind(" (byte").unwrap_or(text.len());
            (error.kind, text[..end].to_string())
        }
    }
}

/// The refusal of a variant of the fixture `refused`.
fn refusal(options: &[&str]) -> (Kind, String) {
    reason(&compile("refused", options))
}

#[track_caller]
fn refused(options: &[&str], kind: Kind, text: &str) {
    assert_eq!(refusal(options), (kind, text.to_string()), "{options:?}");
}

#[test]
fn refused_programs() {
    let malformed = Kind::Malformed;
    let unsupported = Kind::Unsupported;
    refused(
        &["-DSECOND_PROGRAM=\"kexec\""],
        malformed,
        "'second': not the only function of its section",
    );
    for name in ["kexec/2", "xdp", "?kexec", "syscall", ".init"] {
        refused(
            &[&format!("-DSECOND_PROGRAM=\"{name}\"")],
            unsupported,
            &format!("'{name}': unsupported section"),
        );
    }
    refused(
        &["-DSTATIC_PROGRAM"],
        malformed,
        "'program': not the only function of its section",
    );
    refused(&["-DNO_LICENSE"], malformed, "no license");
    refused(&["-g0"], malformed, "no .BTF section");
    refused(
        &["-DSTRONG"],
        unsupported,
        "'bpf_absent': the kernel has no such function",
    );
    refused(
        &["-DVARIABLE=linux_banner"],
        unsupported,
        "'linux_banner': external variables are not supported",
    );
    refused(
        &["-DKCONFIG=CONFIG_HZ"],
        unsupported,
        "'CONFIG_HZ': the address of a kernel symbol is not supported",
    );
    refused(
        &["-DPOINTER"],
        unsupported,
        "'.rel.data': relocations of data are not supported",
    );
    for name in [
        ".struct_ops",
        ".struct_ops.link",
        ".addr_space.1",
        ".arena.1",
        "maps",
        "version",
        ".percpu",
        ".database",
    ] {
        refused(
            &[&format!("-DSECTION=\"{name}\"")],
            unsupported,
            &format!("'{name}': unsupported section"),
        );
    }
    refused(
        &["-DSECTION=\".jumptables\""],
        unsupported,
        "'.jumptables': jump tables are not supported: compile with -mcpu=v3",
    );
}

#[test]
fn refused_instructions() {
    let load = "the load refers to an object of the kernel";
    let call = "the call target is not a function";
    // A map of the caller's, by its file descriptor.
    for source in 1..=6 {
        let bytes = format!("-DASM=\".byte 0x18,0x{source}1,0,0,3,0,0,0,0,0,0,0,0,0,0,0\"");
        refused(&[&bytes], Kind::Malformed, load);
    }
    for target in ["0", "1", "100", "0x7fffffff", "-0x80000000"] {
        let bytes = format!("-DASM=\".byte 0x85,0x10,0,0\\n.long {target}\"");
        refused(&[&bytes], Kind::Malformed, call);
    }
    for source in [2, 3, 15] {
        let bytes = format!("-DASM=\".byte 0x85,0x{source:x}0,0,0,1,0,0,0\"");
        refused(&[&bytes], Kind::Malformed, "unknown kind of call");
    }
}

#[test]
fn refused_maps() {
    let array = "__uint(type,2);__uint(max_entries,1);__uint(key_size,4);__uint(value_size,4)";
    let variant = |map: &str| format!("-DMAP={map};");
    assert!(link(&compile("refused", &[&variant(array)])).is_ok());
    let replaced = |from: &str, to: &str| refusal(&[&variant(&array.replace(from, to))]);
    for (from, to, rule) in [
        ("type,2", "type,27", "not an array map"),
        ("type,2", "type,1", "not an array map"),
        ("type,2", "type,0", "the map has no type"),
        (
            "max_entries,1",
            "max_entries,0",
            "the map has no number of entries",
        ),
        ("key_size,4", "key_size,0", "the map has no key size"),
        ("key_size,4", "key_size,8", "the keys are not 4 bytes long"),
        ("value_size,4", "value_size,0", "the map has no value size"),
        (
            "type,2)",
            "type,2);__uint(map_flags,1)",
            "unsupported map flags",
        ),
        (
            "type,2)",
            "type,2);__uint(map_flags,1024)",
            "unsupported map flags",
        ),
    ] {
        let text = format!("'map': {rule}");
        assert_eq!(replaced(from, to), (Kind::Unsupported, text), "{to}");
    }
    for field in ["pinning", "map_extra", "numa_node", "values"] {
        let to = format!("type,2);__uint({field},1)");
        let text = format!("'{field}': unsupported field of a map");
        assert_eq!(replaced("type,2)", &to), (Kind::Unsupported, text));
    }
    let twice = |key| variant(&array.replace("type,2)", &format!("type,2);__type({key})")));
    let text = "a field of a map is given twice, and differs";
    for key in ["key,u64", "value,u8"] {
        refused(&[&twice(key)], Kind::Malformed, text);
    }
    for key in ["key,u32", "value,int"] {
        assert!(link(&compile("refused", &[&twice(key)])).is_ok(), "{key}");
    }
    refused(
        &["-DMAP=int type;"],
        Kind::Malformed,
        "a field of a map is not a pointer",
    );
    refused(
        &["-DINNER_MAP"],
        Kind::Unsupported,
        "'values': unsupported field of a map",
    );
    refused(
        &["-DSTATIC_MAP"],
        Kind::Unsupported,
        "'map': not a global variable",
    );
}

/// Each limit is met, and then exceeded by one.
#[test]
fn limits() {
    let maps = ["-DMAPS"];
    assert_eq!(link(&compile("refused", &maps)).unwrap().maps.len(), 32);
    let maps = ["-DMAPS", "-DBSS=1"];
    refused(&maps, Kind::TooBig, "too many maps");
    let map = |entries: u32| {
        let number = format!("__uint(max_entries,{entries})");
        format!("-DMAP=__uint(type,2);{number};__uint(key_size,4);__uint(value_size,4);")
    };
    assert!(link(&compile("refused", &[&map(2 << 20)])).is_ok());
    let text = "'map': with it, the maps take over 16 MiB";
    refused(&[&map((2 << 20) + 1)], Kind::TooBig, text);
    refused(&[&map(u32::MAX)], Kind::TooBig, text);

    assert!(link(&compile("refused", &["-DFUNCTIONS=255"])).is_ok());
    refused(&["-DFUNCTIONS=256"], Kind::TooBig, "too many functions");

    assert!(link(&compile("refused", &["-DBSS=16<<20"])).is_ok());
    refused(
        &["-DBSS=(16<<20)+1"],
        Kind::TooBig,
        "'.bss': with it, the maps take over 16 MiB",
    );

    let license = |len| format!("-DLICENSE=\"{}\"", "x".repeat(len));
    assert!(link(&compile("refused", &[&license(127)])).is_ok());
    refused(&[&license(128)], Kind::TooBig, "the license is too long");

    let mut object = compile("small", &[]);
    object.resize(OBJECT_MAX, 0);
    assert!(link(&object).is_ok());
    object.push(0);
    assert_eq!(link(&object).err().map(|e| e.kind), Some(Kind::TooBig));
}

fn small() -> &'static [u8] {
    static OBJECT: OnceLock<Vec<u8>> = OnceLock::new();
    OBJECT.get_or_init(|| compile("small", &[]))
}

/// Why the object `small` is refused with the bytes at `at` replaced.
fn lie(at: u64, bytes: &[u8]) -> (Kind, String) {
    let mut object = small().to_vec();
    let at = at as usize;
    object[at..at + bytes.len()].copy_from_slice(bytes);
    reason(&object)
}

/// Where the header of a section is, its index and where its data begins.
fn section(name: &str) -> (u64, u32, u64) {
    let elf = Elf::parse(small()).unwrap();
    let mut sections = elf.sections.iter().zip(0..);
    let (section, index) = sections
        .find(|(section, _)| section.name.to_bytes() == name.as_bytes())
        .unwrap();
    (section.header, index, section.data.at(0))
}

#[test]
fn lies_in_the_header() {
    let malformed = Kind::Malformed;
    let unsupported = Kind::Unsupported;
    let cases: [(u64, &[u8], Kind, &str); 14] = [
        (0, b"\x7fELG", malformed, "not an ELF file"),
        (4, &[1], unsupported, "not a 64-bit little-endian ELF file"),
        (5, &[2], unsupported, "not a 64-bit little-endian ELF file"),
        (6, &[0], unsupported, "not a 64-bit little-endian ELF file"),
        (16, &[2], unsupported, "not a relocatable BPF object"),
        (18, &[62], unsupported, "not a relocatable BPF object"),
        (
            40,
            &[0xff; 8],
            malformed,
            "the section headers lie outside the object",
        ),
        (52, &[63], malformed, "the headers have the wrong size"),
        (58, &[63], malformed, "the headers have the wrong size"),
        (
            60,
            &[0, 0],
            malformed,
            "a section header lies outside the table",
        ),
        (
            60,
            &[0, 1],
            malformed,
            "the section headers lie outside the object",
        ),
        (60, &[1, 1], Kind::TooBig, "too many sections"),
        (
            62,
            &[0xff, 0xff],
            malformed,
            "a section header lies outside the table",
        ),
        (62, &[0, 0], malformed, "a string has no terminating NUL"),
    ];
    for (at, bytes, kind, rule) in cases {
        assert_eq!(lie(at, bytes), (kind, rule.to_string()), "{at} {bytes:?}");
    }
}

#[test]
fn lies_about_sections() {
    const TYPE: u64 = 4;
    const FLAGS: u64 = 8;
    const OFFSET: u64 = 24;
    const SIZE: u64 = 32;
    const LINK: u64 = 40;
    const INFO: u64 = 44;
    const ENTRY_SIZE: u64 = 56;

    let malformed = Kind::Malformed;
    let unsupported = Kind::Unsupported;
    let bss = section(".bss").1;
    let text = section(".text").1;
    let cases: [(&str, u64, u32, Kind, &str); 19] = [
        (
            "kexec",
            0,
            u32::MAX,
            malformed,
            "a string lies outside its table",
        ),
        (
            "kexec",
            TYPE,
            7,
            unsupported,
            "'kexec': unsupported section",
        ),
        (
            "kexec",
            FLAGS,
            0,
            unsupported,
            "'kexec': unsupported section",
        ),
        (
            "kexec",
            OFFSET,
            u32::MAX,
            malformed,
            "a section lies outside the object",
        ),
        (
            "kexec",
            SIZE,
            u32::MAX,
            malformed,
            "a section lies outside the object",
        ),
        (
            "kexec",
            SIZE,
            8,
            malformed,
            "'program': not the only function of its section",
        ),
        (
            ".text",
            SIZE,
            0,
            malformed,
            "a function lies outside its section",
        ),
        (
            ".text",
            TYPE,
            8,
            unsupported,
            "'.text': unsupported section",
        ),
        (".symtab", TYPE, 1, malformed, "no symbol table"),
        (".maps", TYPE, 2, malformed, "a second symbol table"),
        (
            ".symtab",
            ENTRY_SIZE,
            25,
            malformed,
            "'.symtab': its entries have the wrong size",
        ),
        (
            ".symtab",
            SIZE,
            25,
            malformed,
            "'.symtab': its entries have the wrong size",
        ),
        (
            ".symtab",
            SIZE,
            0,
            malformed,
            "'map': the map has no symbol",
        ),
        (
            ".symtab",
            LINK,
            u32::MAX,
            malformed,
            "the symbol table has no string table",
        ),
        (
            ".symtab",
            LINK,
            text,
            malformed,
            "the symbol table has no string table",
        ),
        (
            ".relkexec",
            INFO,
            u32::MAX,
            malformed,
            "'.relkexec': relocations of a section that does not exist",
        ),
        (
            ".relkexec",
            INFO,
            bss,
            unsupported,
            "'.relkexec': relocations of data are not supported",
        ),
        (
            ".relkexec",
            ENTRY_SIZE,
            24,
            malformed,
            "'.relkexec': its entries have the wrong size",
        ),
        (
            "license",
            SIZE,
            3,
            malformed,
            "a string has no terminating NUL",
        ),
    ];
    for (name, field, value, kind, rule) in cases {
        let lie = lie(section(name).0 + field, &value.to_le_bytes());
        assert_eq!(lie, (kind, rule.to_string()), "{name} {field} {value}");
    }
}

#[test]
fn lies_about_information() {
    // The name of the first section that there is something said about.
    let lie = lie(section(".BTF.ext").2 + 36, &[0; 4]);
    let text = "no code section has this name".to_string();
    assert_eq!(lie, (Kind::Malformed, text));
}

#[test]
fn lies_about_relocations() {
    let malformed = Kind::Malformed;
    let unsuitable = "the relocation does not match the instruction";
    let relocations = section(".relkexec").2;
    for offset in [0_u64, 1, 7, 8] {
        let lie = lie(relocations, &offset.to_le_bytes());
        assert_eq!(lie, (malformed, unsuitable.to_string()), "{offset}");
    }
    for offset in [u64::MAX, 1 << 20] {
        let text = "'.relkexec': the relocations are out of order";
        assert_eq!(
            lie(relocations, &offset.to_le_bytes()),
            (malformed, text.to_string())
        );
    }
    let (kind, text) = lie(relocations + 8, &[2]);
    assert_eq!(kind, Kind::Unsupported);
    assert_eq!(text, "'map': unknown kind of relocation");
    let text = "a symbol lies outside the symbol table".to_string();
    assert_eq!(lie(relocations + 12, &[0xff; 4]), (malformed, text));
}
