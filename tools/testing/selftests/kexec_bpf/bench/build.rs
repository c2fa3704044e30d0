// SPDX-License-Identifier: GPL-2.0

//! Bindings of the libraries, made by the command `bindgen` of their headers. `$LIBRARIES` has the
//! directories, between colons, that have an own usr/include and usr/lib.

use std::env;
use std::path::Path;
use std::process::Command;

const NAMES: [&str; 5] = [
    "zlibVersion|inflate(Init2_|End)?|Z_.*",
    "libdeflate_((alloc|free)_decompressor|gzip_decompress)",
    "isal_inflate(_init)?|ISAL_.*",
    "ZSTD_((create|free)DCtx|decompressDCtx)",
    "prctl|PR_SET_THP_DISABLE",
];

fn main() {
    println!("cargo::rerun-if-changed=src/libraries.h");
    println!("cargo::rerun-if-env-changed=LIBRARIES");
    let libraries = env::var("LIBRARIES").unwrap_or_default();
    let target = env::var("TARGET").unwrap();
    let (arch, _) = target.split_once('-').unwrap();
    let multiarch = format!("{}-linux-gnu", arch.trim_end_matches("gc"));

    let out = Path::new(&env::var_os("OUT_DIR").unwrap()).join("libraries.rs");
    let mut bindgen = Command::new("bindgen");
    bindgen.arg("src/libraries.h").arg("-o").arg(out);
    bindgen.args([
        "--no-layout-tests",
        "--no-doc-comments",
        "--allowlist-item",
        &NAMES.join("|"),
        "--",
        "-target",
        &target,
    ]);
    for root in libraries.split(':') {
        bindgen.arg(format!("-I{root}/usr/include"));
        let lib = format!("{root}/usr/lib/{multiarch}");
        println!("cargo::rustc-link-search=native={lib}");
        println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
    }
    assert!(bindgen.status().expect("bindgen").success());
    println!("cargo::rustc-link-search=native=/usr/lib/{multiarch}");
    for name in ["z", "deflate", "zstd"] {
        println!("cargo::rustc-link-lib=static={name}");
    }
    // Debian has no static one.
    println!("cargo::rustc-link-arg=-l:libisal.so.2");
}
