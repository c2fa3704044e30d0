// SPDX-License-Identifier: GPL-2.0

//! The objects with which the selftests attack the system call, as far as the parsers refuse them.

// The messages of the verifier are not used here.
#[allow(dead_code)]
#[path = "../../src/hostile_objects/mod.rs"]
mod cases;

use std::ffi::CStr;

use cases::{
    Case,
    BAD_BTF,
    EFBIG,
    ELIBBAD,
    ENOPKG, //
};
use kexec_bpf_host::error::{
    Kind,
    ParseError, //
};
use kexec_bpf_host::object::link::Kernel;
use kexec_bpf_host::object::linked::Linked;
use kexec_bpf_host::object::Object;

/// A kernel that has each function but those that are named `no_such_function`.
struct Fake;

impl Kernel for Fake {
    fn kfunc_id(&self, name: &CStr) -> Option<u32> {
        let name = name.to_bytes();
        (!name.starts_with(b"no_such_function")).then_some(1)
    }
}

fn link(object: &[u8]) -> Result<Linked<'_>, ParseError> {
    Linked::new(Object::parse(object)?, &Fake)
}

/// The errno and the reason of a case, if it is the parsers that refuse it.
fn refusal(case: &Case) -> Option<(i32, &str)> {
    let why = case.why.strip_prefix("object: ")?;
    let is_kernels = case.why == BAD_BTF || why.starts_with("cannot create map");
    (!is_kernels).then_some((case.errno, why))
}

#[test]
fn cases() {
    let mut wrong = 0;
    for (sort, cases) in [
        ("headers", cases::headers::cases()),
        ("sections", cases::sections::cases()),
        ("relocations", cases::relocations::cases()),
        ("maps", cases::maps::cases()),
        ("types", cases::types::cases()),
        ("info", cases::info::cases()),
        ("code", cases::code::cases()),
        ("order", cases::order::cases()),
    ] {
        for case in cases {
            let got = link(&case.object).err().map(|error| {
                let errno = match error.kind {
                    Kind::Malformed => ELIBBAD,
                    Kind::Unsupported => ENOPKG,
                    Kind::TooBig => EFBIG,
                    other => panic!("{other:?}"),
                };
                (errno, error.to_string())
            });
            let got = got.as_ref().map(|(errno, text)| (*errno, text.as_str()));
            if got != refusal(&case) {
                wrong += 1;
                let want = refusal(&case);
                println!("{sort}: {}:\n  {got:?}\n  instead of {want:?}", case.what);
            }
        }
    }
    assert_eq!(wrong, 0);
}
