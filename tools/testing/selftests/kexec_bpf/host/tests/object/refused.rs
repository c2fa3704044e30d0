// SPDX-License-Identifier: GPL-2.0

//! What is refused, and why.

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
            let end = text.rfind(" at byte").unwrap_or(text.len());
            (error.kind, text[..end].to_string())
        }
    }
}

/// What is refused of a variant of the fixture `refused`, and why.
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
        "not the only function of its section 'second'",
    );
    for name in ["kexec/2", "xdp", "?kexec", "syscall", ".init"] {
        refused(
            &[&format!("-DSECOND_PROGRAM=\"{name}\"")],
            unsupported,
            &format!("an unsupported section '{name}'"),
        );
    }
    refused(
        &["-DSTATIC_PROGRAM"],
        malformed,
        "not the only function of its section 'program'",
    );
    refused(&["-DNO_LICENSE"], malformed, "there is no license");
    refused(&["-g0"], malformed, "there is no .BTF section");
    refused(
        &["-DSTRONG"],
        unsupported,
        "the kernel has no function 'bpf_absent'",
    );
    refused(
        &["-DVARIABLE=linux_banner"],
        unsupported,
        "an external variable 'linux_banner'",
    );
    refused(
        &["-DKCONFIG=CONFIG_HZ"],
        unsupported,
        "the address of something in the kernel 'CONFIG_HZ'",
    );
    refused(
        &["-DPOINTER"],
        unsupported,
        "relocations of data '.rel.data'",
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
            &format!("an unsupported section '{name}'"),
        );
    }
}

#[test]
fn refused_instructions() {
    let load = "a load that refers to the kernel";
    let call = "a call of something that is no function";
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
        refused(&[&bytes], Kind::Malformed, "a call of unknown sort");
    }
}

#[test]
fn refused_maps() {
    let array = "__uint(type,2);__uint(max_entries,1);__uint(key_size,4);__uint(value_size,4)";
    let variant = |map: &str| format!("-DMAP={map};");
    assert!(link(&compile("refused", &[&variant(array)])).is_ok());
    let replaced = |from: &str, to: &str| refusal(&[&variant(&array.replace(from, to))]);
    for (from, to, rule) in [
        ("type,2", "type,27", "a map that is no array"),
        ("type,2", "type,1", "a map that is no array"),
        ("type,2", "type,0", "a map without a type"),
        ("max_entries,1", "max_entries,0", "a map without entries"),
        ("key_size,4", "key_size,0", "a map without keys"),
        (
            "key_size,4",
            "key_size,8",
            "an array whose keys are not of 4 bytes",
        ),
        ("value_size,4", "value_size,0", "a map without values"),
        (
            "type,2)",
            "type,2);__uint(map_flags,1)",
            "a map with unsupported flags",
        ),
        (
            "type,2)",
            "type,2);__uint(map_flags,1024)",
            "a map with unsupported flags",
        ),
    ] {
        let text = format!("{rule} 'map'");
        assert_eq!(replaced(from, to), (Kind::Unsupported, text), "{to}");
    }
    for field in ["pinning", "map_extra", "numa_node", "values"] {
        let to = format!("type,2);__uint({field},1)");
        let text = format!("a map with a field '{field}'");
        assert_eq!(replaced("type,2)", &to), (Kind::Unsupported, text));
    }
    let text = "a field of a map is given twice";
    for key in ["__type(key,u64)", "__type(key,u32)"] {
        let twice = replaced("type,2)", &format!("type,2);{key}"));
        assert_eq!(twice, (Kind::Malformed, text.to_string()), "{key}");
    }
    refused(
        &["-DMAP=int type;"],
        Kind::Malformed,
        "a field of a map is not a pointer",
    );
    refused(
        &["-DINNER_MAP"],
        Kind::Unsupported,
        "a map with a field 'values'",
    );
    refused(
        &["-DSTATIC_MAP"],
        Kind::Unsupported,
        "a map that is not a global variable 'map'",
    );
}

/// Each limit is met, and then exceeded by one.
#[test]
fn limits() {
    let maps = ["-DMAPS"];
    assert_eq!(link(&compile("refused", &maps)).unwrap().maps.len(), 32);
    let maps = ["-DMAPS", "-DBSS=1"];
    refused(&maps, Kind::TooBig, "there are too many maps");
    let map = |entries: u32| {
        let number = format!("__uint(max_entries,{entries})");
        format!("-DMAP=__uint(type,2);{number};__uint(key_size,4);__uint(value_size,4);")
    };
    assert!(link(&compile("refused", &[&map(2 << 20)])).is_ok());
    let text = "over 16 MiB of maps, with 'map'";
    refused(&[&map((2 << 20) + 1)], Kind::TooBig, text);
    refused(&[&map(u32::MAX)], Kind::TooBig, text);

    assert!(link(&compile("refused", &["-DFUNCTIONS=255"])).is_ok());
    refused(
        &["-DFUNCTIONS=256"],
        Kind::TooBig,
        "there are too many functions",
    );

    assert!(link(&compile("refused", &["-DBSS=16<<20"])).is_ok());
    refused(
        &["-DBSS=(16<<20)+1"],
        Kind::TooBig,
        "over 16 MiB of maps, with '.bss'",
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
        (52, &[63], malformed, "the headers have a wrong size"),
        (58, &[63], malformed, "the headers have a wrong size"),
        (60, &[0, 0], malformed, "a section header is missing"),
        (
            60,
            &[0, 1],
            malformed,
            "the section headers lie outside the object",
        ),
        (60, &[1, 1], Kind::TooBig, "there are too many sections"),
        (62, &[0xff, 0xff], malformed, "a section header is missing"),
        (62, &[0, 0], malformed, "a name has no end"),
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
        ("kexec", 0, u32::MAX, malformed, "a name lies outside"),
        (
            "kexec",
            TYPE,
            7,
            unsupported,
            "an unsupported section 'kexec'",
        ),
        (
            "kexec",
            FLAGS,
            0,
            unsupported,
            "an unsupported section 'kexec'",
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
            "not the only function of its section 'program'",
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
            "an unsupported section '.text'",
        ),
        (".symtab", TYPE, 1, malformed, "there is no symbol table"),
        (".maps", TYPE, 2, malformed, "a second symbol table"),
        (
            ".symtab",
            ENTRY_SIZE,
            25,
            malformed,
            "the entries have a wrong size '.symtab'",
        ),
        (
            ".symtab",
            SIZE,
            25,
            malformed,
            "the entries have a wrong size '.symtab'",
        ),
        (
            ".symtab",
            SIZE,
            0,
            malformed,
            "a map without a symbol 'map'",
        ),
        (
            ".symtab",
            LINK,
            u32::MAX,
            malformed,
            "the symbols have no names",
        ),
        (
            ".symtab",
            LINK,
            text,
            malformed,
            "the symbols have no names",
        ),
        (
            ".relkexec",
            INFO,
            u32::MAX,
            malformed,
            "relocations of nothing '.relkexec'",
        ),
        (
            ".relkexec",
            INFO,
            bss,
            unsupported,
            "relocations of data '.relkexec'",
        ),
        (
            ".relkexec",
            ENTRY_SIZE,
            24,
            malformed,
            "the entries have a wrong size '.relkexec'",
        ),
        ("license", SIZE, 3, malformed, "a name has no end"),
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
    let text = "no section has this code".to_string();
    assert_eq!(lie, (Kind::Malformed, text));
}

#[test]
fn lies_about_relocations() {
    let malformed = Kind::Malformed;
    let unsuitable = "a relocation that does not suit the code";
    let relocations = section(".relkexec").2;
    for offset in [0_u64, 1, 7, 8] {
        let lie = lie(relocations, &offset.to_le_bytes());
        assert_eq!(lie, (malformed, unsuitable.to_string()), "{offset}");
    }
    for offset in [u64::MAX, 1 << 20] {
        let text = "relocations that are out of order '.relkexec'";
        assert_eq!(
            lie(relocations, &offset.to_le_bytes()),
            (malformed, text.to_string())
        );
    }
    let (kind, text) = lie(relocations + 8, &[2]);
    assert_eq!(kind, Kind::Unsupported);
    assert_eq!(text, "a relocation of unknown sort 'map'");
    let text = "a symbol is missing".to_string();
    assert_eq!(lie(relocations + 12, &[0xff; 4]), (malformed, text));
}
