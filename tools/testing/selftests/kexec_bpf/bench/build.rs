// SPDX-License-Identifier: GPL-2.0

//! Makes bindings of the libraries from their headers, with the command `bindgen`.

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
    let out = Path::new(&env::var_os("OUT_DIR").unwrap()).join("libraries.rs");
    let mut bindgen = Command::new("bindgen");
    bindgen.arg("src/libraries.h").arg("-o").arg(out);
    bindgen.args([
        "--no-layout-tests",
        "--no-doc-comments",
        "--allowlist-item",
        &NAMES.join("|"),
    ]);
    assert!(bindgen.status().expect("bindgen").success());
    for name in ["z", "deflate", "isal", "zstd"] {
        println!("cargo::rustc-link-lib={name}");
    }
}
