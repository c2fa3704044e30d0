// SPDX-License-Identifier: GPL-2.0

//! The program that is linked from the fixture with one of everything.

use std::fs;

use kexec_bpf_host::object::btf::{
    self,
    Types, //
};
use kexec_bpf_host::object::link::Insn;
use kexec_bpf_host::object::map::Content;
use kexec_bpf_host::object::span::Span;

use super::properties::{
    CALL,
    LD_IMM64, //
};
use super::{
    compile,
    link, //
};

#[test]
fn maps() {
    let object = compile("full", &[]);
    let linked = link(&object).unwrap();
    let maps: Vec<_> = linked
        .maps
        .iter()
        .map(|map| {
            let name = map.name.to_str().unwrap();
            let sizes = (map.value_size, map.max_entries);
            (name, sizes, map.flags, map.content)
        })
        .collect();
    assert_eq!(
        maps,
        [
            ("private", (24, 7), 0, Content::Declared),
            ("table", (24, 16), 128, Content::Declared),
            (".rodata", (4, 1), 0x80, Content::Rodata(&[3, 0, 0, 0])),
            (
                ".data",
                (16, 1),
                0,
                Content::Data(&[5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0])
            ),
            (".data.other", (4, 1), 0, Content::Data(&[9, 0, 0, 0])),
            (
                ".rodata.str1.1",
                (14, 1),
                0x80,
                Content::Rodata(b"hello\0MAGIC!!\0")
            ),
            (".bss", (104, 1), 0, Content::Bss),
        ]
    );
}

#[test]
fn instructions() {
    let object = compile("full", &[]);
    let linked = link(&object).unwrap();
    assert_eq!(linked.name, c"program");
    assert_eq!(linked.license, c"GPL");

    // References, in the order of the code, each with its sort and its target.
    let types = Types::parse(Span::whole(&linked.btf)).unwrap();
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
    let types = Types::parse(Span::whole(&linked.btf)).unwrap();

    assert!(linked
        .info
        .lines
        .windows(2)
        .all(|pair| pair[0][0] < pair[1][0]));
    for function in linked.info.functions.iter() {
        assert!(linked.info.lines.iter().any(|line| line[0] == function[0]));
    }
    let source = fs::read_to_string("../progs/parsers/full.bpf.c").unwrap();
    for (sort, imm, text) in [
        (0, 181, "bpf_loop("),
        (2, 1001, "bpf_strong("),
        (2, 1002, "bpf_weak("),
    ] {
        let called = |insn: &Insn| (insn.code, insn.regs >> 4, insn.imm) == (CALL, sort, imm);
        let at = linked.insns.iter().position(called).unwrap() as u32;
        let mut lines = linked.info.lines.iter();
        let [.., position] = lines.rfind(|line| line[0] <= at).unwrap();
        let line = source.lines().nth((position >> 10) as usize - 1);
        assert!(line.unwrap().contains(text), "{line:?}");
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
    let types = Types::parse(Span::whole(&linked.btf)).unwrap();
    let mut linkage = Vec::new();
    for type_ in types.iter() {
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
