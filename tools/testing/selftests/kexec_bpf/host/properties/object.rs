// SPDX-License-Identifier: GPL-2.0

//! Properties of each object that the loader accepts.

use kexec_bpf_host::object::btf::Types;
use kexec_bpf_host::object::elf::{
    relocations,
    Elf,
    SHT_NULL,
    SHT_REL, //
};
use kexec_bpf_host::object::linked::Linked;
use kexec_bpf_host::object::map::Content;
use kexec_bpf_host::object::span::Span;
use object::elf::{
    FileHeader64,
    SHT_SYMTAB, //
};
use object::read::elf::{
    FileHeader,
    SectionHeader,
    Sym, //
};
use object::LittleEndian as LE;

pub const CALL: u8 = 0x85;
pub const LD_IMM64: u8 = 0x18;

/// Checks the program that was linked from `object`.
pub fn check(linked: &Linked<'_>, object: &[u8]) {
    check_code(linked);
    check_info(linked);
    check_sizes(linked, object);
    for map in linked.maps.iter() {
        if let Content::Rodata(data) | Content::Data(data) = map.content {
            assert_eq!(data.len(), map.value_size as usize);
        }
    }
    let btf = Types::parse(Span::whole(&linked.btf)).expect("it was made here");
    // The verifier writes them to the log.
    let is_text = |&byte: &u8| matches!(byte, 0 | b' '..=b'~');
    assert!(btf.strings().iter().all(is_text));
    compare(object);
}

/// The kernel verifies the instructions anyway, but must not find references to anything of the
/// caller's there.
fn check_code(linked: &Linked<'_>) {
    let starts: Vec<i64> = linked.info.functions.iter().map(|f| f[0].into()).collect();
    assert_eq!(starts.first(), Some(&0));
    assert!(starts.is_sorted());
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
    assert_eq!(at, linked.insns.len());
}

fn check_info(linked: &Linked<'_>) {
    let len = linked.insns.len() as u32;
    assert!(linked.info.lines.is_sorted_by_key(|line| line[0]));
    assert!(linked.info.lines.iter().all(|line| line[0] < len));
    assert!(linked.info.core_relos.is_sorted_by_key(|relo| relo[0]));
    for relo in linked.info.core_relos.iter() {
        assert_eq!(relo[0] % 8, 0);
        assert!(relo[0] / 8 < len);
    }
}

/// The program is not much larger than its object.
fn check_sizes(linked: &Linked<'_>, object: &[u8]) {
    let len = object.len();
    assert!(linked.insns.len() * 8 <= len);
    assert!(linked.info.functions.len() * 8 <= len);
    assert!(linked.info.lines.len() * 16 <= len);
    assert!(linked.info.core_relos.len() * 16 <= len);
    // Types and strings may be the same bytes.
    assert!(linked.btf.len() <= 24 + 2 * len);
    assert!(linked.maps.len() <= 32);
}

/// Another parser sees the same sections and symbols.
fn compare(object: &[u8]) {
    let ours = Elf::parse(object).expect("it was accepted before");
    let header = FileHeader64::<LE>::parse(object).expect("no ELF header for the other parser");
    let theirs = header.sections(LE, object).expect("no sections");
    assert_eq!(ours.sections.len(), theirs.len());
    for (ours, their) in ours.sections.iter().zip(theirs.iter()) {
        assert_eq!(Ok(ours.name.to_bytes()), theirs.section_name(LE, their));
        assert_eq!(ours.kind, their.sh_type(LE).0);
        assert_eq!(ours.flags, their.sh_flags(LE).0);
        assert_eq!(ours.info, their.sh_info(LE));
        assert_eq!(ours.size, their.sh_size(LE));
        if ours.kind != SHT_NULL {
            assert_eq!(Ok(ours.data.bytes()), their.data(LE, object));
        }
        // Those of debug information are not looked at.
        let Some(ours) = relocations(ours).ok().filter(|_| ours.kind == SHT_REL) else {
            continue;
        };
        let (their, _) = their.rel(LE, object).unwrap().expect("no relocations");
        assert_eq!(ours.size_hint().0, their.len());
        for (ours, their) in ours.zip(their) {
            let ours = ours.expect("it has a right size");
            assert_eq!(ours.offset, their.r_offset.get(LE));
            assert_eq!(ours.symbol, their.r_sym(LE));
            assert_eq!(ours.kind, their.r_type(LE).0);
        }
    }

    let symbols = theirs.symbols(LE, object, SHT_SYMTAB).expect("no symbols");
    assert_eq!(ours.symbols().count(), symbols.len());
    for (ours, their) in ours.symbols().zip(symbols.iter()) {
        let ours = ours.expect("it was accepted before");
        assert_eq!(Ok(ours.name.to_bytes()), their.name(LE, symbols.strings()));
        assert_eq!(ours.kind, their.st_type().0);
        assert_eq!(ours.value, their.st_value(LE));
        assert_eq!(ours.size, their.st_size(LE));
        assert_eq!(ours.is_global(), !their.is_local());
        assert_eq!(ours.is_weak(), their.is_weak());
        let index = their.st_shndx(LE).0;
        let defined = (1..object::elf::SHN_LORESERVE).contains(&index);
        assert_eq!(ours.section, defined.then_some(index.into()));
    }
}
