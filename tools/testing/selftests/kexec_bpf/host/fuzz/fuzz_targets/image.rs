// SPDX-License-Identifier: GPL-2.0

//! PE images, from the file to the object that they carry.

#![no_main]

#[path = "../../properties/pe.rs"]
mod properties;

use kexec_bpf_host::object::Object;
use kexec_bpf_host::pe::Pe;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(pe) = Pe::parse(data) else { return };
    properties::check(&pe, data);
    if let Ok(Some(section)) = pe.section(b".bpf") {
        let _ = Object::parse(&data[section.range]);
    }
});
