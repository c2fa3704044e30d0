// SPDX-License-Identifier: GPL-2.0

//! Small objects that could take a parser much time.

use std::cell::Cell;
use std::ffi::CStr;

use kexec_bpf_host::error::Kind;
use kexec_bpf_host::object::btf::{
    Type,
    Types,
    DATASEC, //
};
use kexec_bpf_host::object::elf::Elf;
use kexec_bpf_host::object::link::Kernel;
use kexec_bpf_host::object::linked::Linked;
use kexec_bpf_host::object::span::Span;
use kexec_bpf_host::object::Object;

use super::{
    compile,
    link, //
};

fn refusal(object: &[u8]) -> (Kind, &'static str) {
    let error = link(object).err().expect("not refused");
    (error.kind, error.wrong)
}

/// A kernel that counts how often it is asked.
#[derive(Default)]
struct Counting(Cell<usize>);

impl Kernel for Counting {
    fn kfunc_id(&self, _: &CStr) -> Option<u32> {
        self.0.set(self.0.get() + 1);
        None
    }
}

/// The kernel may go through all of its functions to find one.
#[test]
fn functions_of_the_kernel() {
    let calls = |count| {
        let names: Vec<_> = (0..count).map(|index| format!("f(weak_{index})")).collect();
        compile("refused", &[&format!("-DKFUNCS(f)={}", names.join(" "))])
    };
    let asked = |object: &[u8]| {
        let kernel = Counting::default();
        let linked = Object::parse(object).and_then(|object| Linked::new(object, &kernel));
        (linked.is_ok(), kernel.0.get())
    };
    assert_eq!(asked(&calls(256)), (true, 256));
    let many = calls(257);
    assert_eq!(asked(&many), (false, 256));
    let rule = "too many kernel functions";
    assert_eq!(refusal(&many), (Kind::TooBig, rule));

    // Its address is taken, and it is called.
    assert_eq!(asked(&compile("small", &[])), (true, 1));
}

/// For each section of variables the one of the object is looked for.
#[test]
fn sections_of_variables() {
    let object = compile("small", &[]);
    let elf = Elf::parse(&object).unwrap();
    let mut sections = elf.sections.iter();
    let section = sections.find(|s| s.name == c".BTF").unwrap();
    let btf = Types::parse(section.data).unwrap();
    let license = btf.section(c"license").unwrap().unwrap().name;
    let counts = |type_: &Type<'_>| type_.kind == DATASEC && btf.name(type_.name) != Ok(c".ksyms");
    let has = btf.iter().filter(|type_| counts(type_.as_ref().unwrap()));
    let spare = elf.sections.len() - has.count();

    // All of .BTF at the end, with some empty sections more. The header has the sizes of itself and
    // of the types, and where the strings are.
    let with = |count: usize| {
        let empty: Vec<u8> = [license, u32::from(DATASEC) << 24, 0]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        let more = empty.repeat(count);
        let mut types = section.data.bytes().to_vec();
        let word = |at| Span::whole(section.data.bytes()).le32(at).unwrap();
        let end = (word(4) + word(12)) as usize;
        types.splice(end..end, more.iter().copied());
        for at in [12, 16] {
            let moved = word(at) + more.len() as u32;
            types[at as usize..][..4].copy_from_slice(&moved.to_le_bytes());
        }
        let mut object = object.clone();
        let header = section.header as usize;
        let place = [object.len() as u64, types.len() as u64];
        let place: Vec<u8> = place.iter().flat_map(|field| field.to_le_bytes()).collect();
        object[header + 24..header + 40].copy_from_slice(&place);
        object.extend(types);
        object
    };
    assert!(link(&with(spare)).is_ok());
    let rule = "more DATASEC types than sections";
    assert_eq!(refusal(&with(spare + 1)), (Kind::Malformed, rule));
}
