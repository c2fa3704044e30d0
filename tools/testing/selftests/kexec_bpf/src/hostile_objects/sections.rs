// SPDX-License-Identifier: GPL-2.0

//! Sections that are missing, duplicate, or unsupported. The log names them.

use super::elf::{self, Symbol};
use super::{
    accepted, btf, call, exit, incomplete, load, malformed, mov, too_big, unsupported, verifier,
    Case, Parts,
};

pub fn cases() -> Vec<Case> {
    [missing(), twice(), unknown(), ignored(), external(), tags()]
        .into_iter()
        .flatten()
        .collect()
}

fn missing() -> Vec<Case> {
    let cases = [
        ("license", "no license"),
        (".BTF", "no .BTF section"),
        (".BTF.ext", "no .BTF.ext section"),
    ];
    let mut cases: Vec<_> = cases
        .into_iter()
        .map(|(name, rule)| {
            let mut parts = Parts::smallest();
            parts.elf.section(name).name = ".comment".into();
            incomplete(format!("no {name}"), parts.write(), rule)
        })
        .collect();
    let mut parts = Parts::smallest();
    let all = &mut parts.elf;
    all.section("kexec").name = ".text".into();
    all.symbol("program").section = Some(".text");
    let object = parts.write();
    cases.push(incomplete("no kexec", object, "no program"));
    let mut parts = Parts::smallest();
    parts.elf.section("kexec").data.clear();
    parts.elf.symbols.clear();
    let what = "kexec without a symbol";
    cases.push(incomplete(what, parts.write(), "no program"));
    cases
}

fn twice() -> Vec<Case> {
    ["kexec", ".text", "license", ".maps", ".BTF", ".BTF.ext"]
        .into_iter()
        .map(|name| {
            let mut parts = Parts::full();
            let second = parts.elf.section(name).clone();
            parts.elf.sections.push(second);
            let file = parts.file();
            // The second one is before .symtab and .strtab.
            let at = file.table + elf::SHDR_LEN * (file.count() - 3);
            let rule = format!("'{name}': two sections of this name");
            malformed(format!("{name} twice"), file.bytes, &rule, at)
        })
        .collect()
}

fn unknown() -> Vec<Case> {
    const DATA: u64 = elf::ALLOC | 1;
    const CODE: u64 = elf::ALLOC | elf::EXEC;
    let long = "x".repeat(48);
    let mut cases = Vec::new();
    for (name, flags, shown) in [
        (".struct_ops", DATA, ".struct_ops"),
        (".struct_ops.link", DATA, ".struct_ops.link"),
        ("struct_ops/init", CODE, "struct_ops/init"),
        (".addr_space.1", DATA, ".addr_space.1"),
        (".arena.1", DATA, ".arena.1"),
        (".percpu", DATA, ".percpu"),
        (".kconfig", DATA, ".kconfig"),
        (".ksyms", DATA, ".ksyms"),
        (".jumptables", DATA, ".jumptables"),
        (".init_array", DATA, ".init_array"),
        (".bss", DATA, ".bss"),
        (".database", DATA, ".database"),
        ("maps", DATA, "maps"),
        ("version", DATA, "version"),
        ("license.2", DATA, "license.2"),
        (".maps.2", DATA, ".maps.2"),
        (".BTF.2", 0, ".BTF.2"),
        ("xdp", CODE, "xdp"),
        ("syscall", CODE, "syscall"),
        ("freplace/program", CODE, "freplace/program"),
        ("kexec/2", CODE, "kexec/2"),
        ("kexec.2", CODE, "kexec.2"),
        ("?kexec", CODE, "?kexec"),
        ("kexec ", CODE, "kexec "),
        (".text.unlikely", CODE, ".text.unlikely"),
        (".init", CODE, ".init"),
        ("", DATA, ""),
        // Names that look like a line of the log, or clear the screen.
        ("a\nrefused: \x1b[2J\u{e9}", DATA, "a?refused: ?[2J??"),
        (&long, DATA, &long[..47]),
    ] {
        let mut parts = Parts::smallest();
        parts.elf.add(name, elf::PROGBITS, flags, &mov(0, 0));
        let file = parts.file();
        let at = file.table + elf::SHDR_LEN * (file.count() - 3);
        let rule = match shown {
            "" => "unsupported section".into(),
            ".jumptables" => {
                "'.jumptables': jump tables are not supported: compile with -mcpu=v3".into()
            }
            name => format!("'{name}': unsupported section"),
        };
        let what = format!("a section {name:?}");
        cases.push(unsupported(what, file.bytes, &rule, at));
    }
    cases
}

/// Sections of the compiler that the loader does not need.
fn ignored() -> Vec<Case> {
    let mut parts = Parts::smallest();
    for (name, kind) in [
        (".debug_info", elf::PROGBITS),
        (".comment", elf::PROGBITS),
        (".llvm_addrsig", 0x6fff_4c03),
        (".more", elf::STRTAB),
    ] {
        parts.elf.add(name, kind, 0, b"\xff");
    }
    parts
        .elf
        .add(".rel.BTF", elf::REL, 0, b"not even entries")
        .info = 3;
    vec![accepted("sections without a meaning", parts.write())]
}

/// Symbols of the running kernel.
fn external() -> Vec<Case> {
    let external = |name: &str, info| Symbol {
        name: name.into(),
        info,
        ..Symbol::default()
    };
    let mut cases = Vec::new();
    for (name, info) in [
        ("CONFIG_HZ", elf::GLOBAL),
        ("linux_banner", elf::GLOBAL | elf::OBJECT),
        ("", elf::GLOBAL),
        ("", elf::WEAK),
        ("static", elf::LOCAL),
    ] {
        let mut parts = Parts::program(&[load(1, 0, 0), mov(0, 0), exit()]);
        parts.elf.symbols.push(external(name, info));
        parts.elf.relocate("kexec", 0, name, elf::R_64_64);
        let file = parts.file();
        let rule = match name {
            "" => "the address of a kernel symbol is not supported".into(),
            name => format!("'{name}': the address of a kernel symbol is not supported"),
        };
        let what = format!("the address of '{name}'");
        let at = file.symbol(1);
        cases.push(unsupported(what, file.bytes, &rule, at));
    }

    let kfunc = |name: &str, bind| {
        let mut parts = Parts::program(&[call(1, -1), mov(0, 0), exit()]);
        parts.elf.symbols.push(external(name, bind));
        parts.elf.relocate("kexec", 0, name, elf::R_64_32);
        let function = parts.types.function(name, 1, 2);
        parts.types.section(".ksyms", &[(function, 0)]);
        parts
    };
    let file = kfunc("no_such_function", elf::GLOBAL).file();
    let rule = "'no_such_function': the kernel has no such function";
    let at = file.symbol(1);
    cases.push(unsupported("an unknown kfunc", file.bytes, rule, at));
    let file = kfunc("", elf::WEAK).file();
    let rule = "the relocation does not match the instruction";
    let at = file.data(".relkexec");
    cases.push(malformed("a kfunc without a name", file.bytes, rule, at));
    cases.push(verifier(
        "a weak kfunc that is called all the same",
        kfunc("no_such_function", elf::WEAK).write(),
        22,
        "invalid kernel function call not eliminated in verifier pass",
    ));
    for (name, says) in [
        (
            "bpf_throw",
            "calling kernel function bpf_throw is not allowed",
        ),
        (
            "kernel_restart",
            "calling kernel function kernel_restart is not allowed",
        ),
    ] {
        let what = format!("a call of {name}");
        cases.push(verifier(what, kfunc(name, elf::GLOBAL).write(), 13, says));
    }

    // As many functions as the verifier accepts, and one more.
    for count in [256, 257] {
        let code = [vec![load(1, 0, 0); count], vec![mov(0, 0), exit()]].concat();
        let mut parts = Parts::program(&code);
        for index in 0..count {
            let name = format!("no_such_function{index}");
            parts.elf.symbols.push(external(&name, elf::WEAK));
            parts
                .elf
                .relocate("kexec", 16 * index as u64, &name, elf::R_64_64);
        }
        let what = format!("{count} functions of the kernel");
        let file = parts.file();
        let at = file.symbol(count);
        let rule = "too many kernel functions";
        cases.push(match count {
            256 => accepted(what, file.bytes),
            _ => too_big(what, file.bytes, rule, at),
        });
    }

    // A variable of the kernel, which only its type shows.
    let mut parts = Parts::smallest();
    let variable = parts.types.variable("linux_banner", 1, 2);
    parts.types.section(".ksyms", &[(variable, 0)]);
    let file = parts.file();
    let at = file.data(".BTF") + parts.types.at(variable);
    let rule = "'linux_banner': external variables are not supported";
    cases.push(unsupported(
        "a variable of the kernel",
        file.bytes,
        rule,
        at,
    ));
    cases
}

fn tags() -> Vec<Case> {
    let mut parts = Parts::full();
    let program = parts.info.functions[0].1[0][1];
    let types = &mut parts.types;
    types.add("a tag", btf::DECL_TAG, 0, program, &[u32::MAX]);
    let tag = types.add("a tag", btf::TYPE_TAG, 0, 1, &[]);
    types.pointer(tag);
    vec![accepted("tags", parts.write())]
}
