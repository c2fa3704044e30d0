// SPDX-License-Identifier: GPL-2.0

//! Objects that were cut or changed somewhere: they are refused, or make something well formed.

use super::{
    compile,
    link,
    properties, //
};

/// The section headers come last, so that something is missing from each truncation.
#[test]
fn truncations() {
    let object = compile("small", &[]);
    for len in 0..object.len() {
        assert!(link(&object[..len]).is_err(), "{len}");
    }
}

#[test]
fn changed_bytes() {
    let mut object = compile("small", &[]);
    for at in 0..object.len() {
        let old = object[at];
        for new in [
            0,
            1,
            0x7f,
            0x80,
            0xff,
            old ^ 1,
            old ^ 8,
            old ^ 0x20,
            old.wrapping_add(1),
        ] {
            object[at] = new;
            if let Ok(linked) = link(&object) {
                properties::check(&linked, &object);
            }
        }
        object[at] = old;
    }
}

#[test]
fn changed_words() {
    let mut object = compile("small", &[]);
    let len = object.len() as u32;
    for at in (0..object.len() - 4).step_by(2) {
        let old: [u8; 4] = object[at..at + 4].try_into().unwrap();
        for new in [
            0,
            1,
            8,
            24,
            len - 1,
            len,
            len + 1,
            1 << 24,
            i32::MAX as u32,
            1 << 31,
            !7,
            !0,
        ] {
            object[at..at + 4].copy_from_slice(&new.to_le_bytes());
            if let Ok(linked) = link(&object) {
                properties::check(&linked, &object);
            }
        }
        object[at..at + 4].copy_from_slice(&old);
    }
}

#[test]
fn unchanged() {
    for name in ["small", "full"] {
        let object = compile(name, &[]);
        properties::check(&link(&object).unwrap(), &object);
    }
}
