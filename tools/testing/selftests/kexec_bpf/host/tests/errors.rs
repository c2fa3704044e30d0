// SPDX-License-Identifier: GPL-2.0

//! The text of errors, and of names that come with the bytes.

use kexec_bpf_host::error::{Kind, ParseError};
use kexec_bpf_host::printable::{printable, Name, Printable};

#[test]
fn display() {
    let error = ParseError::malformed("two sections of this name", 0x40);
    assert_eq!(error.to_string(), "two sections of this name (byte 0x40)");
    assert_eq!(
        error.named(b".bpf\0\0\0\0").to_string(),
        "'.bpf': two sections of this name (byte 0x40)"
    );
    assert_eq!(error.kind, Kind::Malformed);
    let whole = ParseError::whole(Kind::Malformed, "has no type information").named(b"kexec");
    assert_eq!(whole.to_string(), "'kexec': has no type information");
    assert_eq!(ParseError::no_memory().to_string(), "out of memory");
    assert_eq!(ParseError::interrupted().to_string(), "killed by a signal");
}

#[test]
fn printable_bytes() {
    let shown: Vec<u8> = (0..=u8::MAX).map(printable).collect();
    let text: Vec<u8> = (b' '..=b'~').collect();
    let rest = 256 - 32 - text.len();
    assert_eq!(shown, [&[b'?'; 32], &text[..], &vec![b'?'; rest]].concat());
    assert_eq!(Printable(b"a\0\nb").to_string(), "a??b");
}

#[test]
fn names_are_cut_and_made_printable() {
    assert_eq!(Name::new(b"").to_string(), "");
    assert_eq!(Name::new(b"\0x").to_string(), "");
    assert_eq!(Name::new(b"a b\n\x1b\x7f\xff").to_string(), "a b????");
    for len in [Name::MAX - 1, Name::MAX, Name::MAX + 1, 1000] {
        let name = vec![b'x'; len];
        assert_eq!(Name::new(&name).to_string().len(), len.min(Name::MAX));
    }
}
