// SPDX-License-Identifier: GPL-2.0

//! Compiles the BPF programs that libbpf loads, and lists the modules that have tests.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use libbpf_cargo::SkeletonBuilder;

const KERNEL: &str = "../../../..";
const TESTS: &str = "src/bin/kexec_bpf_test";

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    compile_programs(&out);
    let mut modules = vec![];
    find_modules(Path::new(TESTS), "crate", &mut modules);
    modules.sort();
    fs::write(out.join("modules.rs"), format!("[{}]", modules.concat())).expect("it is ours");
    println!("cargo:rerun-if-changed={TESTS}");
}

/// Finds the modules with tests below a directory, so that a module whose `mod` line was forgotten
/// does not compile.
fn find_modules(directory: &Path, path: &str, modules: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("it is a directory") {
        let file = entry.expect("it can be read").path();
        let name = file.file_stem().expect("it has a name").to_string_lossy();
        let module = format!("{path}::{name}");
        if file.is_dir() {
            find_modules(&file, &module, modules);
        } else if fs::read_to_string(&file).is_ok_and(|text| text.contains("\ntests! {")) {
            modules.push(format!("&{module}::TESTS,\n"));
        }
    }
}

/// Compiles the programs of progs/loaded, of the documentation and of tools/kexec_bpf.
fn compile_programs(out: &Path) {
    const LOADED: &str = "progs/loaded";
    println!("cargo:rerun-if-changed={LOADED}");
    let loaded = fs::read_dir(LOADED).expect("it is a directory");
    let loaded = loaded.map(|entry| entry.expect("it can be read").path());
    let others = [
        "progs/first/first.bpf.c",
        "../../../kexec_bpf/uki.bpf.c",
        "../../../kexec_bpf/zboot.bpf.c",
    ];
    for source in loaded.chain(others.map(PathBuf::from)) {
        let name = source.file_stem().expect("it has a name");
        SkeletonBuilder::new()
            .source(&source)
            .obj(out.join(name).with_extension("o"))
            .clang_args([
                "-Wall".into(),
                "-Werror".into(),
                "-mcpu=v3".into(),
                "-I../../../kexec_bpf".into(),
                // Where Debian has asm/types.h.
                format!("-idirafter/usr/include/{}-linux-gnu", env::consts::ARCH),
                format!("-idirafter{KERNEL}/include/uapi"),
            ])
            .build()
            .unwrap_or_else(|error| panic!("{}: {error:?}", source.display()));
        println!("cargo:rerun-if-changed={}", source.display());
    }
    for header in [
        "../../../kexec_bpf",
        "../../../../include/uapi/linux/kexec_bpf.h",
    ] {
        println!("cargo:rerun-if-changed={header}");
    }
}
