// SPDX-License-Identifier: GPL-2.0

//! Objects that were cut or changed somewhere: they are refused, or make something well formed.

use kexec_bpf_host::btf::Btf;
use kexec_bpf_host::map::Content;
use kexec_bpf_host::part::Part;
use kexec_bpf_host::program::Linked;

use super::{
    compile,
    link,
    CALL,
    LD_IMM64, //
};

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

#[test]
fn unchanged() {
    assert_well_formed(&link(&compile("small", &[])).unwrap());
    assert_well_formed(&link(&compile("full", &[])).unwrap());
}
