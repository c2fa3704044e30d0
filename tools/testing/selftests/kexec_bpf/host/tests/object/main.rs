// SPDX-License-Identifier: GPL-2.0

//! The object loader, with objects as clang makes them, and as no compiler would.

mod changed;
mod costly;
mod linked;
mod odd;
#[path = "../../properties/object.rs"]
mod properties;
mod refused;

use std::ffi::CStr;
use std::process::{
    Command,
    Stdio, //
};

use kexec_bpf_host::error::ParseError;
use kexec_bpf_host::object::link::Kernel;
use kexec_bpf_host::object::linked::Linked;
use kexec_bpf_host::object::Object;

/// A kernel with two functions.
struct Fake;

impl Kernel for Fake {
    fn kfunc_id(&self, name: &CStr) -> Option<u32> {
        match name.to_bytes() {
            b"bpf_strong" => Some(1001),
            b"bpf_weak" => Some(1002),
            _ => None,
        }
    }
}

/// Compiles a fixture.
fn compile(name: &str, options: &[&str]) -> Vec<u8> {
    let output = Command::new("clang")
        .args([
            "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Werror",
        ])
        .args(options)
        .args(["-c", "-o", "-"])
        .arg(format!("../progs/parsers/{name}.bpf.c"))
        .stderr(Stdio::inherit())
        .output()
        .expect("clang is needed");
    assert!(output.status.success());
    output.stdout
}

fn link(object: &[u8]) -> Result<Linked<'_>, ParseError> {
    Linked::new(Object::parse(object)?, &Fake)
}
