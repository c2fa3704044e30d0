// SPDX-License-Identifier: GPL-2.0
use kexec_bpf_host::{link::Kernel, map::Content, object::Object};
use std::{ffi::CStr, fs, path::Path, process::Command};
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
fn compile(name: &str, extra: &[&str]) -> Vec<u8> {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.o"));
    let s = Command::new("clang")
        .args([
            "-O2",
            "-g",
            "-target",
            "bpf",
            "-Wall",
            "-Wno-unused-function",
            "-c",
        ])
        .args(extra)
        .arg(format!("fixtures/{name}.bpf.c"))
        .arg("-o")
        .arg(&out)
        .status()
        .unwrap();
    assert!(s.success());
    fs::read(out).unwrap()
}
#[test]
fn full() {
    let o = compile("full", &[]);
    let l = match Object::parse(&o).and_then(|o| o.link(&Fake)) {
        Ok(l) => l,
        Err(e) => panic!("{e}"),
    };
    println!("{:?} {:?}", l.name, l.license);
    for m in l.maps.iter() {
        println!(
            "{:?} {} {} {} {} {:#x} {:?}",
            m.name, m.map_type, m.key_size, m.value_size, m.max_entries, m.flags, m.content
        );
    }
    for (i, x) in l.insns.iter().enumerate() {
        println!("{i} {x:x?}");
    }
    println!("{:?}", &l.info.functions[..]);
    println!("{:?}", &l.info.lines[..]);
    println!("{:?}", &l.info.core_relos[..]);
    fs::write("/tmp/full.btf", &l.btf[..]).unwrap();
}
