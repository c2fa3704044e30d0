// SPDX-License-Identifier: GPL-2.0

//! Objects that no compiler makes, and the verdict that each has to get. They are only bytes, and
//! the tests of the parsers in host/ read them too.

pub mod btf;
pub mod code;
pub mod elf;
pub mod headers;
pub mod info;
pub mod maps;
pub mod order;
pub mod relocations;
pub mod sections;
pub mod types;

use btf::{Info, Types};
use elf::{Elf, File};

pub const ELIBBAD: i32 = 80;
pub const ELIBEXEC: i32 = 83;
pub const ENOPKG: i32 = 65;
pub const EFBIG: i32 = 27;
pub const ECANCELED: i32 = 125;

/// An object, and the verdict that it has to get.
pub struct Case {
    /// What is special about it.
    pub what: String,
    pub object: Vec<u8>,
    pub errno: i32,
    /// The reason in the log.
    pub why: String,
    /// Text that the verifier has to write to the log.
    pub says: String,
}

fn case(what: impl Into<String>, object: Vec<u8>, errno: i32, why: String) -> Case {
    Case {
        what: what.into(),
        object,
        errno,
        why,
        says: String::new(),
    }
}

/// Refused because of the byte at `at`.
fn malformed(what: impl Into<String>, object: Vec<u8>, rule: &str, at: usize) -> Case {
    case(
        what,
        object,
        ELIBBAD,
        format!("object: {rule} (byte {at:#x})"),
    )
}

/// Refused because something is missing, without an offset.
fn incomplete(what: impl Into<String>, object: Vec<u8>, rule: &str) -> Case {
    case(what, object, ELIBBAD, format!("object: {rule}"))
}

fn unsupported(what: impl Into<String>, object: Vec<u8>, rule: &str, at: usize) -> Case {
    case(
        what,
        object,
        ENOPKG,
        format!("object: {rule} (byte {at:#x})"),
    )
}

fn too_big(what: impl Into<String>, object: Vec<u8>, rule: &str, at: usize) -> Case {
    case(
        what,
        object,
        EFBIG,
        format!("object: {rule} (byte {at:#x})"),
    )
}

/// The reason if the kernel's own check of types fails.
pub const BAD_BTF: &str = "object: the kernel rejected its BTF";

fn bad_btf(what: impl Into<String>, object: Vec<u8>) -> Case {
    case(what, object, ELIBBAD, BAD_BTF.into())
}

/// Refused by the verifier, which says why.
fn verifier(what: impl Into<String>, object: Vec<u8>, errno: i32, says: impl Into<String>) -> Case {
    let why = format!("program: the verifier rejected it: -{errno}");
    Case {
        says: says.into(),
        ..case(what, object, ELIBEXEC, why)
    }
}

/// Well-formed. The load is refused only because the program binds no kernel.
fn accepted(what: impl Into<String>, object: Vec<u8>) -> Case {
    case(
        what,
        object,
        ECANCELED,
        "the program bound no kernel".into(),
    )
}

/// An instruction.
pub fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Vec<u8> {
    let mut bytes = vec![code, (src << 4) | dst];
    bytes.extend(off.to_le_bytes());
    bytes.extend(imm.to_le_bytes());
    bytes
}

/// Sets a register to a constant.
pub fn mov(dst: u8, imm: i32) -> Vec<u8> {
    insn(0xb7, dst, 0, 0, imm)
}

/// The two instructions that load 64 bits.
pub fn load(dst: u8, src: u8, imm: i32) -> Vec<u8> {
    [insn(0x18, dst, src, 0, imm), vec![0; 8]].concat()
}

pub fn call(src: u8, imm: i32) -> Vec<u8> {
    insn(0x85, 0, src, 0, imm)
}

pub fn exit() -> Vec<u8> {
    insn(0x95, 0, 0, 0, 0)
}

/// The size of a map's variable in `.maps`.
const SLOT: u32 = 64;

/// The parts that an object is made of.
#[derive(Clone)]
pub struct Parts {
    pub elf: Elf,
    pub types: Types,
    pub info: Info,
}

impl Parts {
    /// The smallest object: a program of these instructions.
    pub fn program(code: &[Vec<u8>]) -> Self {
        let code = code.concat();
        let mut elf = Elf::default();
        let mut types = Types::default();
        let mut info = Info::default();
        elf.add("kexec", elf::PROGBITS, elf::ALLOC | elf::EXEC, &code);
        elf.add("license", elf::PROGBITS, elf::ALLOC, b"GPL\0");
        elf.add(".BTF", elf::PROGBITS, 0, &[]);
        elf.add(".BTF.ext", elf::PROGBITS, 0, &[]);
        elf.symbols.push(elf::Symbol {
            name: "program".into(),
            info: elf::GLOBAL | elf::FUNC,
            section: Some("kexec"),
            size: code.len() as u64,
            ..elf::Symbol::default()
        });
        let int = types.int();
        let program = types.function("program", int, 1);
        info.functions
            .push((types.string("kexec"), vec![[0, program]]));
        Self { elf, types, info }
    }

    pub fn smallest() -> Self {
        Self::program(&[mov(0, 0), exit()])
    }

    /// An object with a part of each kind: a map, data, a function, relocations, a missing weak
    /// kernel function, and records of all kinds.
    pub fn full() -> Self {
        let mut parts = Self::program(&[
            load(1, 0, 0),          // the map
            load(1, 0, 4),          // .bss
            load(1, 0, 0),          // whether there is the kernel function
            insn(0x15, 1, 0, 1, 0), // if r1 == 0 goto +1
            call(1, -1),            // the kernel function
            call(1, -1),            // the function
            mov(0, 1),              // whether there is a structure of the kernel
            exit(),
        ]);
        let text = [mov(0, 1), exit()].concat();
        let (elf, types) = (&mut parts.elf, &mut parts.types);
        elf.add(".text", elf::PROGBITS, elf::ALLOC | elf::EXEC, &text);
        elf.add(".bss", elf::NOBITS, elf::ALLOC, &[]).room = 8;
        elf.add(".rodata", elf::PROGBITS, elf::ALLOC, b"constant");
        for (name, info, other, section, size) in [
            (
                "function",
                elf::GLOBAL | elf::FUNC,
                elf::HIDDEN,
                Some(".text"),
                16,
            ),
            ("variable", elf::GLOBAL | elf::OBJECT, 0, Some(".bss"), 8),
            ("no_such_function", elf::WEAK, 0, None, 0),
        ] {
            elf.symbols.push(elf::Symbol {
                name: name.into(),
                info,
                other,
                section,
                value: 0,
                size,
            });
        }
        let int = 1;
        let function = types.function("function", int, 1);
        let missing = types.function("no_such_function", int, 2);
        types.section(".ksyms", &[(missing, 0)]);
        let long = types.add("long", btf::INT, 0, 8, &[0x0100_0040]);
        let variable = types.variable("variable", long, 1);
        types.section(".bss", &[(variable, 8)]);
        let local = types.add("no_such_structure", btf::STRUCT, 0, 4, &[]);
        let (file, line) = (types.string("file.c"), types.string("a line"));
        let (kexec, text) = (types.string("kexec"), types.string(".text"));
        let access = types.string("0");
        parts.info.functions.push((text, vec![[0, function]]));
        let line = |insn: u32| [8 * insn, file, line, 1 << 10];
        parts.info.lines = vec![(kexec, vec![line(0), line(9)]), (text, vec![line(0)])];
        // BPF_CORE_TYPE_EXISTS, for `mov(0, 1)`.
        parts.info.relocations = vec![(kexec, vec![[8 * 9, local, access, 8]])];
        parts.declare(
            "map",
            &[
                ("type", 2),
                ("key_size", 4),
                ("value_size", 8),
                ("max_entries", 1),
            ],
        );
        for (insn, symbol, kind) in [
            (0, "map", elf::R_64_64),
            (2, "variable", elf::R_64_64),
            (4, "no_such_function", elf::R_64_64),
            (7, "no_such_function", elf::R_64_32),
            (8, "function", elf::R_64_32),
        ] {
            parts.elf.relocate("kexec", 8 * insn, symbol, kind);
        }
        parts
    }

    /// Declares the only map, by numbers.
    pub fn declare(&mut self, name: &str, fields: &[(&str, u32)]) {
        let definition = self.definition(fields);
        self.declare_as(&[(name, definition)]);
    }

    /// The definition of a map by numbers.
    pub fn definition(&mut self, fields: &[(&str, u32)]) -> u32 {
        let members: Vec<_> = fields
            .iter()
            .map(|&(field, number)| (field, self.number(number)))
            .collect();
        self.types.structure(&members)
    }

    /// The type that stands for a number in the definition of a map.
    fn number(&mut self, number: u32) -> u32 {
        let array = self.types.array(1, 1, number);
        self.types.pointer(array)
    }

    /// Declares maps, each with its definition.
    pub fn declare_as(&mut self, maps: &[(&str, u32)]) {
        let mut variables = Vec::new();
        for (&(name, definition), index) in maps.iter().zip(0..) {
            variables.push((self.types.variable(name, definition, 1), SLOT));
            self.elf.symbols.push(elf::Symbol {
                name: name.into(),
                info: elf::GLOBAL | elf::OBJECT,
                section: Some(".maps"),
                value: u64::from(SLOT) * index,
                size: SLOT.into(),
                ..elf::Symbol::default()
            });
        }
        self.types.section(".maps", &variables);
        let room = vec![0; SLOT as usize * maps.len()];
        self.elf.add(".maps", elf::PROGBITS, elf::ALLOC, &room);
    }

    /// The object, with the offsets of its parts.
    pub fn file(&self) -> File {
        let mut elf = self.elf.clone();
        for (name, data) in [
            (".BTF", self.types.write()),
            (".BTF.ext", self.info.write()),
        ] {
            if let Some(section) = elf.sections.iter_mut().find(|s| s.name == name) {
                section.data = data;
            }
        }
        elf.write()
    }

    /// The object.
    pub fn write(&self) -> Vec<u8> {
        self.file().bytes
    }
}
