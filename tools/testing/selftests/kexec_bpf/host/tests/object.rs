// SPDX-License-Identifier: GPL-2.0

//! Objects as clang makes them, and as no compiler would.

use std::env;
use std::ffi::CStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use kexec_bpf_host::btf::{
    self,
    Btf, //
};
use kexec_bpf_host::elf::{
    relocations,
    Elf,
    SHT_REL, //
};
use kexec_bpf_host::error::{
    Kind,
    Result, //
};
use kexec_bpf_host::link::Kernel;
use kexec_bpf_host::map::Content;
use kexec_bpf_host::object::{
    Object,
    OBJECT_MAX, //
};
use kexec_bpf_host::part::Part;
use kexec_bpf_host::program::Linked;

const CALL: u8 = 0x85;
const LD_IMM64: u8 = 0x18;

/// A kernel with two functions.
struct Fake;

impl Kernel for Fake {
    fn kfunc_id(&self, name: &CStr) -> Option<u32> {
        match name.to_bytes() {
            b"bpf_strong" => Some(1001),
            b"bpf_weak" => Some(1002),
            _ => None,
        }
    }
}

/// Compiles a fixture. Each variant has its own output: tests run in parallel.
fn compile(name: &str, options: &[&str]) -> Vec<u8> {
    let variant: String = options.concat();
    let variant = variant.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}{variant:.150}.o"));
    let status = Command::new("clang")
        .args([
            "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Werror", "-c",
        ])
        .args(options)
        .arg(format!("fixtures/{name}.bpf.c"))
        .arg("-o")
        .arg(&out)
        .status();
    assert!(status.expect("clang is needed").success());
    fs::read(out).expect("clang made no file")
}

fn link(object: &[u8]) -> Result<Linked<'_>> {
    Object::parse(object)?.link(&Fake)
}

/// What is refused of a variant of the fixture `refused`, and why.
fn refusal(options: &[&str]) -> (Kind, String) {
    match link(&compile("refused", options)) {
        Ok(_) => panic!("{options:?} is not refused"),
        Err(error) => {
            let text = error.to_string();
            let end = text.rfind(" at byte").unwrap_or(text.len());
            (error.kind, text[..end].to_string())
        }
    }
}

#[track_caller]
fn refused(options: &[&str], kind: Kind, text: &str) {
    assert_eq!(refusal(options), (kind, text.to_string()), "{options:?}");
}

/// Asserts what the kernel relies on. It verifies the instructions anyway, but must not find
/// references to anything of the caller's there.
fn assert_well_formed(linked: &Linked<'_>) {
    let len = linked.insns.len() as i64;
    let starts: Vec<i64> = linked.info.functions.iter().map(|f| f[0].into()).collect();
    assert_eq!(starts.first(), Some(&0));
    assert!(starts.windows(2).all(|pair| pair[0] < pair[1]));
    let mut at = 0;
    while at < linked.insns.len() {
        let insn = linked.insns[at];
        let target = at as i64 + i64::from(insn.imm) + 1;
        let map = linked.maps.get(insn.imm as usize);
        match (insn.code, insn.regs >> 4) {
            (CALL, 0 | 2) | (LD_IMM64, 0) => (),
            (CALL, 1) | (LD_IMM64, 4) => assert!(starts[1..].contains(&target)),
            (LD_IMM64, 5) => assert_eq!(map.map(|map| map.content), Some(Content::Declared)),
            (LD_IMM64, 6) => {
                let map = map.expect("no such map");
                assert_ne!(map.content, Content::Declared);
                assert!((linked.insns[at + 1].imm as u32) < map.value_size);
            }
            (CALL | LD_IMM64, source) => panic!("source {source}"),
            _ => (),
        }
        at += if insn.code == LD_IMM64 { 2 } else { 1 };
    }
    assert_eq!(at as i64, len);
    assert!(linked
        .info
        .lines
        .iter()
        .all(|line| i64::from(line[0]) < len));
    for relo in linked.info.core_relos.iter() {
        assert_eq!(relo[0] % 8, 0);
        assert!(i64::from(relo[0] / 8) < len);
    }
    for map in linked.maps.iter() {
        if let Content::Rodata(data) | Content::Data(data) = map.content {
            assert_eq!(data.len(), map.value_size as usize);
        }
    }
    assert!(Btf::parse(Part::whole(&linked.btf)).is_ok());
}

#[test]
fn maps() {
    let object = compile("full", &[]);
    let linked = link(&object).unwrap();
    let maps: Vec<_> = linked
        .maps
        .iter()
        .map(|map| {
            let name = map.name.to_str().unwrap();
            let sizes = (map.key_size, map.value_size, map.max_entries);
            (name, map.map_type, sizes, map.flags, map.content)
        })
        .collect();
    assert_eq!(
        maps,
        [
            ("private", 2, (4, 24, 7), 0, Content::Declared),
            ("table", 1, (8, 24, 16), 1, Content::Declared),
            (
                ".rodata",
                2,
                (4, 4, 1),
                0x80,
                Content::Rodata(&[3, 0, 0, 0])
            ),
            (
                ".data",
                2,
                (4, 16, 1),
                0,
                Content::Data(&[5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0])
            ),
            (".data.other", 2, (4, 4, 1), 0, Content::Data(&[9, 0, 0, 0])),
            (
                ".rodata.str1.1",
                2,
                (4, 14, 1),
                0x80,
                Content::Rodata(b"hello\0MAGIC!!\0")
            ),
            (".bss", 2, (4, 104, 1), 0, Content::Bss),
        ]
    );
}

#[test]
fn instructions() {
    let object = compile("full", &[]);
    let linked = link(&object).unwrap();
    assert_well_formed(&linked);
    assert_eq!(linked.name, c"program");
    assert_eq!(linked.license, c"GPL");

    // References, in the order of the code: what sort, and to what.
    let types = Btf::parse(Part::whole(&linked.btf)).unwrap();
    let function = |insn: i64| {
        let info = linked.info.functions.iter();
        let [_, id] = info
            .copied()
            .find(|info| i64::from(info[0]) == insn)
            .unwrap();
        types
            .name(types.get(id).unwrap().name)
            .unwrap()
            .to_str()
            .unwrap()
    };
    let mut found = Vec::new();
    for (at, insn) in linked.insns.iter().enumerate() {
        let target = at as i64 + i64::from(insn.imm) + 1;
        let map = || linked.maps[insn.imm as usize].name.to_str().unwrap();
        found.push(match (insn.code, insn.regs >> 4) {
            (CALL, 0) => format!("helper {}", insn.imm),
            (CALL, 1) => format!("call {}", function(target)),
            (CALL, 2) => format!("kfunc {}", insn.imm),
            (LD_IMM64, 0) => format!("constant {}", insn.imm),
            (LD_IMM64, 4) => format!("function {}", function(target)),
            (LD_IMM64, 5) => format!("map {}", map()),
            (LD_IMM64, 6) => format!("{}+{}", map(), linked.insns[at + 1].imm),
            _ => continue,
        });
    }
    assert_eq!(
        found,
        [
            ".rodata.str1.1+0",
            "helper 6",
            "map private",
            "helper 1",
            "map table",
            "helper 1",
            ".rodata+0",
            "function callback",
            "helper 181",
            "constant 1",
            "kfunc 1002",
            "constant 0",
            "kfunc 0",
            ".data+8",
            ".bss+0",
            "kfunc 1001",
            "call hidden",
            "call last",
            // callback
            "call last",
            // hidden
            "call global",
            ".data.other+0",
            // last
            ".bss+100",
            ".rodata.str1.1+6",
            // global
            "call last",
            ".data+0",
        ]
    );
    let functions: Vec<_> = linked
        .info
        .functions
        .iter()
        .map(|f| function(f[0].into()))
        .collect();
    assert_eq!(
        functions,
        ["program", "callback", "hidden", "last", "global"]
    );
}

/// Records stay with the instructions that they are about.
#[test]
fn information_about_instructions() {
    let object = compile("full", &[]);
    let linked = link(&object).unwrap();
    let types = Btf::parse(Part::whole(&linked.btf)).unwrap();

    assert!(linked
        .info
        .lines
        .windows(2)
        .all(|pair| pair[0][0] < pair[1][0]));
    for function in linked.info.functions.iter() {
        assert!(linked.info.lines.iter().any(|line| line[0] == function[0]));
    }
    let lines = fs::read_to_string("fixtures/full.bpf.c").unwrap();
    for &[insn, _, _, position] in linked.info.lines.iter() {
        let text = lines.lines().nth((position >> 10) as usize - 1).unwrap();
        if linked.insns[insn as usize].code == CALL && text.contains("bpf_strong") {
            assert!(linked.insns[insn as usize].imm == 1001 || text.contains("hidden"));
        }
    }

    let [relo] = linked.info.core_relos[..] else {
        panic!("one relocation was expected");
    };
    assert_eq!(
        types.name(types.get(relo[1]).unwrap().name),
        Ok(c"task_struct")
    );
    // task->pid
    assert_eq!(linked.insns[relo[0] as usize / 8].code, 0x61);
}

/// The kernel's rules for types, as far as compilers leave them to the loader.
#[test]
fn types() {
    let object = compile("full", &[]);
    let linked = link(&object).unwrap();
    let types = Btf::parse(Part::whole(&linked.btf)).unwrap();
    let mut linkage = Vec::new();
    for type_ in types.types() {
        let type_ = type_.unwrap();
        let name = types.name(type_.name).unwrap().to_str().unwrap();
        match type_.kind {
            btf::FUNC => {
                linkage.push((name, type_.vlen));
                let prototype = types.get(type_.size_or_type).unwrap();
                for word in (0..u64::from(prototype.vlen)).map(|index| 2 * index) {
                    let name = prototype.word(word).unwrap();
                    let type_ = prototype.word(word + 1).unwrap();
                    assert_eq!(name == 0, type_ == 0);
                }
            }
            btf::VAR => assert!(type_.word(0).unwrap() <= btf::VAR_GLOBAL),
            btf::DATASEC => {
                let mut end = 0;
                for entry in type_.triples() {
                    let [_, offset, size] = entry.unwrap();
                    assert!(offset >= end && size > 0, "{name}");
                    end = offset + size;
                }
                assert!(
                    end <= type_.size_or_type && type_.size_or_type > 0,
                    "{name}"
                );
            }
            _ => (),
        }
    }
    linkage.sort();
    assert_eq!(
        linkage,
        [
            ("bpf_absent", 1),
            ("bpf_strong", 1),
            ("bpf_weak", 1),
            ("callback", 0),
            ("global", 1),
            ("hidden", 0),
            ("last", 0),
            ("program", 1),
            ("unused", 1),
        ]
    );
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
        ("type,2", "type,27", "a map that is neither array nor hash"),
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
    let text = "a map is said to be two things";
    assert_eq!(
        replaced("type,2)", "type,2);__type(key,u64)"),
        (Kind::Malformed, text.to_string())
    );
    refused(
        &["-DMAP=int type;"],
        Kind::Malformed,
        "a field of a map is not a pointer",
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
        "a section is too large '.bss'",
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

/// The section headers come last, so that something is missing from each truncation.
#[test]
fn truncations() {
    let object = compile("small", &[]);
    for len in 0..object.len() {
        assert!(link(&object[..len]).is_err(), "{len}");
    }
}

#[test]
fn changed_bytes() {
    let mut object = compile("small", &[]);
    for at in 0..object.len() {
        let old = object[at];
        for new in [
            0,
            1,
            0x7f,
            0x80,
            0xff,
            old ^ 1,
            old ^ 8,
            old ^ 0x20,
            old.wrapping_add(1),
        ] {
            object[at] = new;
            if let Ok(linked) = link(&object) {
                assert_well_formed(&linked);
            }
        }
        object[at] = old;
    }
}

#[test]
fn changed_words() {
    let mut object = compile("small", &[]);
    let len = object.len() as u32;
    for at in (0..object.len() - 4).step_by(2) {
        let old: [u8; 4] = object[at..at + 4].try_into().unwrap();
        for new in [
            0,
            1,
            8,
            24,
            len - 1,
            len,
            len + 1,
            1 << 24,
            i32::MAX as u32,
            1 << 31,
            !7,
            !0,
        ] {
            object[at..at + 4].copy_from_slice(&new.to_le_bytes());
            if let Ok(linked) = link(&object) {
                assert_well_formed(&linked);
            }
        }
        object[at..at + 4].copy_from_slice(&old);
    }
}

/// Another reader sees the same sections and symbols.
#[test]
fn same_as_object_crate() {
    use object::read::elf::{
        FileHeader,
        SectionHeader,
        Sym, //
    };

    let bytes = compile("full", &[]);
    let ours = Elf::parse(&bytes).unwrap();
    let header = object::elf::FileHeader64::<object::LittleEndian>::parse(&bytes[..]).unwrap();
    let endian = object::LittleEndian;
    let sections = header.sections(endian, &bytes[..]).unwrap();
    assert_eq!(ours.sections.len(), sections.len());
    for (ours, theirs) in ours.sections.iter().zip(sections.iter()) {
        assert_eq!(
            ours.name.to_bytes(),
            sections.section_name(endian, theirs).unwrap()
        );
        assert_eq!(ours.kind, theirs.sh_type(endian));
        assert_eq!(ours.size, theirs.sh_size(endian));
        assert_eq!(ours.data.bytes(), theirs.data(endian, &bytes[..]).unwrap());
        if ours.kind == SHT_REL {
            let (theirs, _) = theirs.rel(endian, &bytes[..]).unwrap().unwrap();
            let ours: Vec<_> = relocations(ours).unwrap().map(Result::unwrap).collect();
            assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.iter().zip(theirs) {
                assert_eq!(ours.offset, theirs.r_offset.get(endian));
                assert_eq!(ours.symbol, theirs.r_sym(endian));
                assert_eq!(ours.kind, theirs.r_type(endian));
            }
        }
    }
    let symbols = sections
        .symbols(endian, &bytes[..], object::elf::SHT_SYMTAB)
        .unwrap();
    assert_eq!(ours.symbols().count(), symbols.len());
    for (ours, theirs) in ours.symbols().zip(symbols.iter()) {
        let ours = ours.unwrap();
        assert_eq!(
            ours.name.to_bytes(),
            theirs.name(endian, symbols.strings()).unwrap()
        );
        assert_eq!(ours.kind, theirs.st_type());
        assert_eq!(ours.value, theirs.st_value(endian));
        assert_eq!(ours.size, theirs.st_size(endian));
        assert_eq!(ours.is_global(), !theirs.is_local());
        assert_eq!(ours.is_weak(), theirs.is_weak());
        let section = symbols.symbol_section(endian, theirs, object::SymbolIndex(0));
        assert_eq!(ours.section, section.unwrap().map(|index| index.0));
    }
}
