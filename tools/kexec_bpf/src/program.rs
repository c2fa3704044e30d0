// SPDX-License-Identifier: GPL-2.0

//! What the BPF object in an image declares.

use std::ops::Range;

use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::read::{Object, ObjectSection, ObjectSymbol};
use object::LittleEndian as LE;
use serde::Serialize;

use crate::Result;

/// The map that takes private data.
const PRIVATE_MAP: &str = "private";
/// The constant that `attach --allow-crash-initrd` sets, in programs that declare it.
const ALLOW_CRASH_INITRD: &str = "allow_crash_initrd";

#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct Program {
    pub size: usize,
    pub license: String,
    /// Those that the object declares, without those for its variables.
    pub maps: Vec<String>,
    /// What it calls in the kernel.
    pub kfuncs: Vec<String>,
    /// Whether a caller's initrd may replace the image's for a crash kernel, if the program knows
    /// that choice.
    pub allow_crash_initrd: Option<bool>,
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
            allow_crash_initrd: setting(object, ALLOW_CRASH_INITRD)
                .map(|range| object[range].iter().any(|&byte| byte != 0)),
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

    /// Sets the constant in an object by which its program allows a caller's initrd to replace the
    /// image's for a crash kernel.
    pub fn allow_crash_initrd(object: &mut [u8]) -> Result<()> {
        let range = setting(object, ALLOW_CRASH_INITRD).ok_or_else(|| {
            format!("it has no constant {ALLOW_CRASH_INITRD}, so its program knows no such choice")
        })?;
        object[range].copy_from_slice(&1u32.to_le_bytes());
        Ok(())
    }

    /// Whether it has any use for a profile or for companion files.
    pub fn takes_private_data(&self) -> bool {
        self.maps.iter().any(|name| name == PRIVATE_MAP)
    }
}

/// Where in the object a constant is that its signer can set, of 4 bytes.
fn setting(object: &[u8], name: &str) -> Option<Range<usize>> {
    let elf = ElfFile::<FileHeader64<LE>>::parse(object).ok()?;
    let mut symbols = elf.symbols();
    let symbol = symbols.find(|symbol| symbol.name_bytes() == Ok(name.as_bytes()))?;
    let section = elf.section_by_index(symbol.section_index()?).ok()?;
    let (start, size) = section.file_range()?;
    let end = symbol.address().checked_add(symbol.size())?;
    let fits = section.name_bytes() == Ok(b".rodata") && symbol.size() == 4 && end <= size;
    let start = usize::try_from(start.checked_add(symbol.address())?).ok()?;
    (fits && start.checked_add(4)? <= object.len()).then_some(start..start + 4)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::fs;

    /// A program with a kfunc and, if it is declared, the constant.
    fn object(constant: &str) -> Vec<u8> {
        let source = format!(
            r#"
            #define SEC(name) __attribute__((section(name), used))
            extern long kfunc(void *, unsigned) SEC(".ksyms");
            {constant}
            SEC("kexec") int program(void *ctx) {{ return kfunc(ctx, allow_crash_initrd); }}
            char _license[] SEC("license") = "GPL";
            "#
        );
        let root = Scratch::new();
        fs::write(root.join("object.c"), source).unwrap();
        root.run("clang -target bpf -g -O2 -c object.c -o object.o");
        fs::read(root.join("object.o")).unwrap()
    }

    #[test]
    fn the_signer_s_choice() {
        let before = object(
            "const volatile unsigned first = 7;
             const volatile unsigned allow_crash_initrd = 0;",
        );
        let mut object = before.clone();
        Program::allow_crash_initrd(&mut object).unwrap();
        let changed: Vec<_> = (0..object.len())
            .filter(|&at| object[at] != before[at])
            .collect();
        assert_eq!(changed.len(), 1);
        assert_eq!(object[changed[0]], 1);
        let elf = ElfFile::<FileHeader64<LE>>::parse(&*object).unwrap();
        assert_eq!(
            Program::read(&before).unwrap().allow_crash_initrd,
            Some(false)
        );
        assert_eq!(
            Program::read(&object).unwrap().allow_crash_initrd,
            Some(true)
        );
        let rodata = elf.section_by_name(".rodata").unwrap().data().unwrap();
        assert_eq!(rodata, [7, 0, 0, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn programs_without_that_choice() {
        for constant in [
            "const volatile unsigned long allow_crash_initrd = 0;",
            "unsigned allow_crash_initrd = 0;",
            "extern unsigned allow_crash_initrd SEC(\".ksyms\");",
            "#define allow_crash_initrd 0",
        ] {
            assert_eq!(
                Program::allow_crash_initrd(&mut object(constant)).unwrap_err(),
                "it has no constant allow_crash_initrd, so its program knows no such choice",
                "{constant}"
            );
        }
    }

    #[test]
    fn malformed_objects() {
        let whole = object("const volatile unsigned allow_crash_initrd = 0;");
        assert_eq!(Program::read(&whole).unwrap().kfuncs, ["kfunc"]);
        for len in 0..whole.len() {
            let _ = Program::read(&whole[..len]);
            let _ = Program::allow_crash_initrd(&mut whole[..len].to_vec());
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0xff;
            let _ = Program::read(&changed);
            let _ = Program::allow_crash_initrd(&mut changed);
        }
        let error = Program::read(b"\x7fELF").unwrap_err();
        assert!(
            error.starts_with("the object in its section .bpf is malformed: "),
            "{error}"
        );
    }
}
