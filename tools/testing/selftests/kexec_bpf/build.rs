// SPDX-License-Identifier: GPL-2.0

//! Compiles the BPF programs that the tests load on their own, those of tools/kexec_bpf among them.

use std::env;
use std::path::{Path, PathBuf};

use libbpf_cargo::SkeletonBuilder;

const KERNEL: &str = "../../../..";

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let programs = [
        "src/bpf/script.bpf.c",
        "src/bpf/context.bpf.c",
        "src/bpf/refused.bpf.c",
        "src/bpf/hooks.bpf.c",
        "src/bpf/operations.bpf.c",
        "first/first.bpf.c",
        "src/bin/kexec_bpf_bench/addons.bpf.c",
        "../../../kexec_bpf/uki.bpf.c",
        "../../../kexec_bpf/zboot.bpf.c",
    ];
    for program in programs {
        let source = Path::new(program);
        let name = source.file_stem().expect("it has a name");
        SkeletonBuilder::new()
            .source(source)
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
            .unwrap_or_else(|error| panic!("{program}: {error:?}"));
        println!("cargo:rerun-if-changed={program}");
    }
    for header in [
        "../../../kexec_bpf/kexec_bpf.bpf.h",
        "../../../kexec_bpf/zboot.h",
        "../../../../include/uapi/linux/kexec_bpf.h",
    ] {
        println!("cargo:rerun-if-changed={header}");
    }
}
