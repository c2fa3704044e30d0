// SPDX-License-Identifier: GPL-2.0

//! What the BPF object in an image declares.

use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::read::{Object, ObjectSection, ObjectSymbol};
use object::LittleEndian as LE;
use serde::Serialize;

use crate::Result;

/// The map that takes private data.
const PRIVATE_MAP: &str = "private";

#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct Program {
    pub size: usize,
    pub license: String,
    /// Those that the object declares, without those for its variables.
    pub maps: Vec<String>,
    /// What it calls in the kernel.
    pub kfuncs: Vec<String>,
}

impl Program {
    pub fn read(object: &[u8]) -> Result<Self> {
        let malformed = |error| format!("the object in its section .bpf is malformed: {error}");
        let elf = ElfFile::<FileHeader64<LE>>::parse(object).map_err(malformed)?;
        let mut license = Vec::new();
        let mut maps_index = None;
        for section in elf.sections() {
            match section.name_bytes().map_err(malformed)? {
                b"license" => license = section.data().map_err(malformed)?.to_vec(),
                b".maps" => maps_index = Some(section.index()),
                _ => {}
            }
        }
        license.truncate(
            license
                .iter()
                .position(|&byte| byte == 0)
                .unwrap_or(license.len()),
        );
        let mut program = Self {
            size: object.len(),
            license: text(&license),
            maps: Vec::new(),
            kfuncs: Vec::new(),
        };
        for symbol in elf.symbols() {
            let name = text(symbol.name_bytes().map_err(malformed)?);
            if name.is_empty() || symbol.is_local() {
                continue;
            }
            if symbol.is_undefined() {
                program.kfuncs.push(name);
            } else if symbol.section_index() == maps_index {
                program.maps.push(name);
            }
        }
        program.maps.sort();
        program.kfuncs.sort();
        Ok(program)
    }

    /// Whether it has any use for a profile or for companion files.
    pub fn takes_private_data(&self) -> bool {
        self.maps.iter().any(|name| name == PRIVATE_MAP)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::fs;

    /// A program with a kfunc.
    fn object() -> Vec<u8> {
        let source = r#"
            #define SEC(name) __attribute__((section(name), used))
            extern long kfunc(void *) SEC(".ksyms");
            SEC("kexec") int program(void *ctx) { return kfunc(ctx); }
            char _license[] SEC("license") = "GPL";
        "#;
        let root = Scratch::new();
        fs::write(root.join("object.c"), source).unwrap();
        root.run("clang -target bpf -g -O2 -c object.c -o object.o");
        fs::read(root.join("object.o")).unwrap()
    }

    #[test]
    fn malformed_objects() {
        let whole = object();
        assert_eq!(Program::read(&whole).unwrap().kfuncs, ["kfunc"]);
        for len in 0..whole.len() {
            let _ = Program::read(&whole[..len]);
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0xff;
            let _ = Program::read(&changed);
        }
        let error = Program::read(b"\x7fELF").unwrap_err();
        assert!(
            error.starts_with("the object in its section .bpf is malformed: "),
            "{error}"
        );
    }
}
