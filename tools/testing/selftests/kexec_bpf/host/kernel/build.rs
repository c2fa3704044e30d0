// SPDX-License-Identifier: GPL-2.0

//! Bindings of the user-space interface, made by the command `bindgen`, which Rust in the kernel
//! needs as well.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    let include = "../../../../../../include/uapi";
    let header = format!("{include}/linux/kexec_bpf.h");
    println!("cargo::rerun-if-changed={header}");
    let out = Path::new(&env::var_os("OUT_DIR").unwrap()).join("bindings.rs");
    let mut bindgen = Command::new("bindgen");
    bindgen.arg(&header).arg("-o").arg(out).args([
        "--no-layout-tests",
        "--no-doc-comments",
        "--allowlist-var",
        "(BPF_)?KEXEC_.*",
        "--allowlist-type",
        "(bpf_)?kexec_.*",
    ]);
    assert!(bindgen.status().expect("bindgen").success());
}
