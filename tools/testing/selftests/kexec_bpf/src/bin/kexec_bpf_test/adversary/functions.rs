// SPDX-License-Identifier: GPL-2.0

//! Functions of the kernel that BPF programs can be attached to, as the kernel lists them.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::fs;

use libbpf_rs::libbpf_sys::{self, btf, btf_type};

use support::harness::Result;

/// The type that a function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    Nothing,
    Bool,
    /// A signed integer of so many bits.
    Signed(u32),
    Other,
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    pub id: u32,
    pub name: String,
    pub returns: Returns,
}

const INT: u32 = 1;
const FUNC: u32 = 12;
/// const, volatile, restrict, typedef, type tag
const MODIFIERS: [u32; 5] = [8, 9, 10, 11, 18];

struct Btf(*mut btf);

impl Drop for Btf {
    fn drop(&mut self) {
        // SAFETY: It is ours.
        unsafe { libbpf_sys::btf__free(self.0) };
    }
}

impl Btf {
    fn kind(of: &btf_type) -> u32 {
        (of.info >> 24) & 0x1f
    }

    /// The type that it refers to.
    fn next(of: &btf_type) -> u32 {
        // SAFETY: Any bytes are a number.
        unsafe { of.__bindgen_anon_1.type_ }
    }

    fn get(&self, id: u32) -> Option<&btf_type> {
        // SAFETY: libbpf returns NULL, or a type that lives as long as it does.
        unsafe { libbpf_sys::btf__type_by_id(self.0, id).as_ref() }
    }

    fn name(&self, of: &btf_type) -> String {
        // SAFETY: libbpf checked the string.
        let name = unsafe { libbpf_sys::btf__name_by_offset(self.0, of.name_off) };
        match name.is_null() {
            true => String::new(),
            // SAFETY: It ends with a NUL.
            false => unsafe { CStr::from_ptr(name) }
                .to_string_lossy()
                .into_owned(),
        }
    }

    fn returns(&self, function: &btf_type) -> Returns {
        let mut id = self.get(Self::next(function)).map_or(0, Self::next);
        loop {
            match self.get(id) {
                _ if id == 0 => return Returns::Nothing,
                Some(of) if MODIFIERS.contains(&Self::kind(of)) => id = Self::next(of),
                Some(of) if Self::kind(of) == INT => {
                    // SAFETY: An integer has one more word: how it is encoded.
                    let encoding = unsafe { *std::ptr::from_ref(of).add(1).cast::<u32>() } >> 24;
                    return match encoding & 5 {
                        1 => Returns::Signed(8 * Self::next(of)),
                        4 => Returns::Bool,
                        _ => Returns::Other,
                    };
                }
                _ => return Returns::Other,
            }
        }
    }
}

/// The functions in the kernel's BTF for whose names `wanted` is true.
pub fn functions(wanted: impl Fn(&str) -> bool) -> Result<Vec<Function>> {
    // SAFETY: There are no requirements.
    let btf = Btf(unsafe { libbpf_sys::btf__load_vmlinux_btf() });
    if btf.0.is_null() {
        return Err("the kernel's BTF cannot be read".into());
    }
    // SAFETY: It is there.
    let count = unsafe { libbpf_sys::btf__type_cnt(btf.0) };
    let mut all = Vec::new();
    for id in 1..count {
        let Some(of) = btf.get(id).filter(|of| Btf::kind(of) == FUNC) else {
            continue;
        };
        let name = btf.name(of);
        if wanted(&name) {
            let returns = btf.returns(of);
            all.push(Function { id, name, returns });
        }
    }
    Ok(all)
}

/// The names of the functions on the error injection list.
pub fn injectable() -> Result<BTreeSet<String>> {
    let symbols = fs::read_to_string("/proc/kallsyms")?;
    let names = symbols
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2)?.strip_prefix("_eil_addr_"));
    Ok(names.map(Into::into).collect())
}
