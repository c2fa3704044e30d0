// SPDX-License-Identifier: GPL-2.0

//! The part of the kernel's configuration that the modules look at.

fn main() {
    for option in ["CONFIG_KEXEC_BPF", "CONFIG_KEXEC_BPF_KUNIT_TEST"] {
        println!("cargo::rustc-check-cfg=cfg({option})");
        println!("cargo::rustc-cfg={option}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
