// SPDX-License-Identifier: GPL-2.0

//! Objects, from the ELF file to the linked program.

#![no_main]

#[path = "../../properties/object.rs"]
mod properties;

use kexec_bpf_host::object::link::Kernel;
use kexec_bpf_host::object::linked::Linked;
use kexec_bpf_host::object::Object;
use libfuzzer_sys::fuzz_target;
use std::ffi::CStr;

/// A kernel with some functions.
struct Fake;

impl Kernel for Fake {
    fn kfunc_id(&self, name: &CStr) -> Option<u32> {
        let name = name.to_bytes();
        (name.starts_with(b"bpf_") && name != b"bpf_absent").then_some(1001)
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(linked) = Object::parse(data).and_then(|object| Linked::new(object, &Fake)) {
        properties::check(&linked, data);
    }
});
