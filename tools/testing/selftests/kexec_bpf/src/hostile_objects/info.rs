// SPDX-License-Identifier: GPL-2.0

//! Wrong records about instructions: their functions, lines, and relocations to the kernel's types.

use super::btf::{self, Info};
use super::{
    accepted, call, case, exit, malformed, mov, too_big, unsupported, verifier, Case, Parts,
    ECANCELED,
};

pub fn cases() -> Vec<Case> {
    [
        tables(),
        records(),
        functions(),
        lines(),
        forgeries(),
        relocations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The offsets of the tables of `.BTF.ext`.
fn tables() -> Vec<Case> {
    let parts = Parts::full();
    let file = parts.file();
    let at = file.data(".BTF.ext");
    let end = file.header(".BTF.ext") + 32;
    let len = u32::from(file.bytes[end]) + 256 * u32::from(file.bytes[end + 1]);
    let records = at + Info::RECORDS;
    let mut cases = Vec::new();
    let rule = "the information lies outside its section";
    for field in [8, 16, 24] {
        for offset in [len, u32::MAX] {
            let object = file.with(at + field, &offset.to_le_bytes());
            let what = format!("a table at {offset}");
            cases.push(malformed(what, object, rule, records + offset as usize));
        }
        let offset = at + field;
        let start = u32::from_le_bytes(file.bytes[offset..offset + 4].try_into().unwrap());
        for size in [len, u32::MAX] {
            let object = file.with(at + field + 4, &size.to_le_bytes());
            let what = format!("a table of {size} bytes");
            cases.push(malformed(what, object, rule, records + start as usize));
        }
    }
    let object = file.with(at + 4, &u32::MAX.to_le_bytes());
    let start = at + u32::MAX as usize;
    cases.push(malformed("tables behind all", object, rule, start));
    // A header of 24 bytes has no field for relocations, but then the tables are elsewhere.
    let object = file.with(at + 4, &[24]);
    let rule = "unknown record size";
    cases.push(unsupported("tables in the header", object, rule, at + 24));
    let object = file.with(at + 12, &[0; 4]);
    let rule = "'program': no type information for this function";
    let what = "no table of functions";
    cases.push(malformed(what, object, rule, at + 8));
    cases
}

/// Rules for all records, tested with those of functions.
fn records() -> Vec<Case> {
    let parts = Parts::smallest();
    let file = parts.file();
    let records = file.data(".BTF.ext") + Info::RECORDS;
    let mut cases = Vec::new();
    for size in [0, 4, 7, 12, 16, u32::MAX] {
        let object = file.with(records, &size.to_le_bytes());
        let what = format!("records of {size} bytes");
        let rule = "unknown record size";
        cases.push(unsupported(what, object, rule, records));
    }
    let int = parts.types.at(1);
    let name = u32::from(file.bytes[file.data(".BTF") + int]);
    let rule = "no code section has this name";
    for (offset, what) in [(0, "''"), (name, "'int'"), (name + 1, "'nt'")] {
        let object = file.with(records + 4, &offset.to_le_bytes());
        let what = format!("records of section {what}");
        cases.push(malformed(what, object, rule, records + 4));
    }
    for offset in [1000, u32::MAX] {
        let object = file.with(records + 4, &offset.to_le_bytes());
        let at = file.data(".BTF") + parts.types.strings_at() + offset as usize;
        let what = format!("records of a section whose name is at {offset}");
        cases.push(malformed(
            what,
            object,
            "a string lies outside its table",
            at,
        ));
    }
    for count in [2, u32::MAX] {
        let object = file.with(records + 8, &count.to_le_bytes());
        let rule = "the data ends inside a field";
        let what = format!("{count} records where there is one");
        cases.push(malformed(what, object, rule, records + 20));
    }
    let object = file.with(records + 8, &[0]);
    let rule = "no code section has this name";
    let what = "no record where there is one";
    // The record counts as a section: offset 0 is the empty name.
    cases.push(malformed(what, object, rule, records + 12));
    for offset in [1_u32, 4, 7, u32::MAX] {
        let object = file.with(records + 12, &offset.to_le_bytes());
        let rule = "not the offset of an instruction";
        let what = format!("a record of byte {offset}");
        cases.push(malformed(what, object, rule, records + 12));
    }
    cases
}

fn functions() -> Vec<Case> {
    let parts = Parts::full();
    let at = parts.file().data(".BTF.ext") + 8;
    let (kexec, text) = (parts.info.functions[0].0, parts.info.functions[1].0);
    let (program, function) = (
        parts.info.functions[0].1[0][1],
        parts.info.functions[1].1[0][1],
    );
    let with = |functions: btf::Records<2>| {
        let mut parts = parts.clone();
        parts.info.functions = functions;
        parts.write()
    };
    let no_program = "'program': no type information for this function";
    let no_function = "'function': no type information for this function";
    let mut cases = Vec::new();
    for (what, rule, functions) in [
        ("no types", no_program, vec![]),
        (
            "no records",
            no_program,
            vec![(kexec, vec![]), (text, vec![])],
        ),
        (
            "none of the program",
            no_program,
            vec![(text, vec![[0, function]])],
        ),
        (
            "one inside the program",
            no_program,
            vec![(kexec, vec![[8, program]])],
        ),
        (
            "one behind the program",
            no_program,
            vec![(kexec, vec![[96, program]])],
        ),
        (
            "none of the function",
            no_function,
            vec![(kexec, vec![[0, program]])],
        ),
        (
            "two of the program",
            no_function,
            vec![
                (kexec, vec![[0, program], [0, program]]),
                (text, vec![[0, function]]),
            ],
        ),
    ] {
        cases.push(malformed(
            format!("types of functions: {what}"),
            with(functions),
            rule,
            at,
        ));
    }
    // The loader sorts the records.
    let functions = vec![(text, vec![[0, function]]), (kexec, vec![[0, program]])];
    cases.push(accepted("types of functions out of order", with(functions)));
    let functions = vec![
        (kexec, vec![[0, program]]),
        (text, vec![[0, function], [8, function]]),
    ];
    cases.push(verifier(
        "a type of what is inside a function",
        with(functions),
        22,
        "number of funcs in func_info doesn't match number of subprogs",
    ));
    let types = parts.file().data(".BTF") + btf::HEADER_LEN;
    for id in [0, 1000, u32::MAX] {
        let functions = vec![(kexec, vec![[0, id]]), (text, vec![[0, function]])];
        let what = format!("a program of type {id}");
        cases.push(malformed(
            what,
            with(functions),
            "no type has this ID",
            types,
        ));
        let functions = vec![(kexec, vec![[0, program]]), (text, vec![[0, id]])];
        let what = format!("a function of type {id}");
        cases.push(verifier(what, with(functions), 22, "invalid type id"));
    }
    let functions = vec![(kexec, vec![[0, 1]]), (text, vec![[0, function]])];
    let says = "invalid type id 1 in func info";
    cases.push(verifier(
        "a program that is an int",
        with(functions),
        22,
        says,
    ));
    cases
}

fn lines() -> Vec<Case> {
    let parts = Parts::full();
    let (kexec, lines) = parts.info.lines[0].clone();
    let with = |lines: Vec<[u32; 4]>| {
        let mut parts = parts.clone();
        parts.info.lines[0] = (kexec, lines);
        parts.write()
    };
    let [file, line, position] = [lines[0][1], lines[0][2], lines[0][3]];
    let swapped = vec![lines[1], lines[0]];
    let behind = vec![lines[0], [8 * 1000, file, line, position]];
    let mut cases = vec![
        accepted("lines out of order", with(swapped)),
        accepted("a line behind the program", with(behind)),
    ];
    let missing = vec![lines[1]];
    let says = "missing bpf_line_info for func#0";
    cases.push(verifier("no first line", with(missing), 22, says));
    let twice = vec![lines[0], lines[0]];
    let says = "Invalid line_info[1].insn_off:0";
    cases.push(verifier("two first lines", with(twice), 22, says));
    for offset in [1000, u32::MAX] {
        let says = "Invalid line_info[0].line_off or .file_name_off";
        let lies = vec![[0, offset, line, position]];
        let what = format!("a line in a file whose name is at {offset}");
        cases.push(verifier(what, with(lies), 22, says));
        let lies = vec![[0, file, offset, position]];
        let what = format!("a line at {offset}");
        cases.push(verifier(what, with(lies), 22, says));
    }
    cases
}

/// Text of the image that the verifier writes to the log. It must not look like a line of the
/// kernel, and must not control a terminal.
fn forgeries() -> Vec<Case> {
    const FORGERY: &str = "1\t0\naccepted, installed\r\n\x1b[8m\x7f\u{9b}8m";
    const SHOWN: &str = "1 0?accepted, installed???[8m???8m";

    let mut parts = Parts::program(&[call(0, 5), mov(0, 0), exit()]);
    let (file, line) = (parts.types.string(FORGERY), parts.types.string(FORGERY));
    let kexec = parts.types.string("kexec");
    parts.info.lines = vec![(kexec, vec![[0, file, line, 1 << 10]])];
    let says = format!("; {SHOWN} @ {SHOWN}:1");
    let mut cases = vec![verifier("a forged line", parts.write(), 22, says)];

    let mut parts = Parts::full();
    let path = parts.types.string(FORGERY);
    let [insn, local, _, kind] = parts.info.relocations[0].1[0];
    parts.info.relocations[0].1[0] = [insn, local, path, kind];
    let says = format!("parsing [{local}] STRUCT no_such_structure + {SHOWN} failed");
    cases.push(verifier("a forged path", parts.write(), 22, says));
    cases
}

/// Relocations of `mov(0, 1)` that ask whether a type exists.
fn relocations() -> Vec<Case> {
    const FIELD_OFFSET: u32 = 0;
    const TYPE_ID_TARGET: u32 = 7;
    const TYPE_EXISTS: u32 = 8;
    const INSN: u32 = 8 * 9;

    let parts = Parts::full();
    let (kexec, records) = parts.info.relocations[0].clone();
    let [_, local, access, _] = records[0];
    let with = |record: [u32; 4]| {
        let mut parts = parts.clone();
        parts.info.relocations[0] = (kexec, vec![record]);
        parts.write()
    };
    let refused = |what: String, record, says: String| verifier(what, with(record), 22, says);
    let mut cases = Vec::new();
    for (what, id, says) in [
        ("the end of all types", u32::MAX, "bad type id"),
        ("a type that is missing", 1000, "bad type id"),
        ("void", 0, "target candidate search failed for 0"),
        ("a nameless type", 2, "target candidate search failed for 2"),
    ] {
        let what = format!("a relocation to {what}");
        cases.push(refused(what, [INSN, id, access, TYPE_EXISTS], says.into()));
    }
    let parsing = |path| format!("parsing [{local}] STRUCT no_such_structure + {path} failed");
    for offset in [1000, u32::MAX] {
        let what = format!("a path at {offset}");
        let record = [INSN, local, offset, TYPE_EXISTS];
        cases.push(refused(what, record, parsing("<?>")));
    }
    for kind in [13, 99, u32::MAX] {
        let what = format!("a relocation of sort {kind}");
        cases.push(refused(what, [INSN, local, access, kind], parsing("0")));
    }
    for path in ["", ":", "0:", "0:9", "-1", "x", "0:0:0:0", "4294967295"] {
        let mut parts = parts.clone();
        let access = parts.types.string(path);
        parts.info.relocations[0] = (kexec, vec![[INSN, local, access, FIELD_OFFSET]]);
        let what = format!("a path {path:?}");
        cases.push(verifier(what, parts.write(), 22, parsing(path)));
    }
    for (insn, says) in [
        (0, "insn #0 (LDIMM64) has unexpected form"),
        (6, "trying to relocate unrecognized insn #6"),
        (8, "trying to relocate unrecognized insn #8"),
        (10, "trying to relocate unrecognized insn #10"),
    ] {
        let what = format!("a relocation of instruction {insn}");
        let record = [8 * insn, local, access, TYPE_EXISTS];
        cases.push(refused(what, record, says.into()));
    }
    // Then the program returns the constant of the compiler.
    let object = with([8 * 1000, local, access, TYPE_EXISTS]);
    let why = "program returned 1".into();
    let what = "a relocation behind the program";
    cases.push(case(what, object, ECANCELED, why));
    let record = [INSN, local, access, TYPE_ID_TARGET];
    cases.push(accepted(
        "a type that the kernel does not have",
        with(record),
    ));
    let repeated = |count| {
        let mut parts = parts.clone();
        parts.info.relocations[0] = (kexec, vec![record; count]);
        parts.write()
    };
    cases.push(accepted("256 relocations", repeated(256)));
    let rule = "too many CO-RE relocations";
    let at = parts.file().data(".BTF.ext") + 24;
    cases.push(too_big("257 relocations", repeated(257), rule, at));
    cases
}
