// SPDX-License-Identifier: GPL-2.0

//! Archives of one file, byte by byte, and the paths that they refuse.

use std::convert::Infallible;

use kexec_bpf_host::cpio::{Archive, PATH_MAX};
use kexec_bpf_host::error::Kind;

fn archive(path: &str, mode: u32, data: &[u8]) -> Vec<u8> {
    let archive = Archive::new(path.as_bytes(), mode, data.len() as u64).unwrap();
    let mut bytes = Vec::new();
    archive
        .head(|piece| {
            bytes.extend(piece);
            Ok::<_, Infallible>(())
        })
        .unwrap();
    assert_eq!(bytes.len(), archive.head_len());
    bytes.extend(data);
    bytes.extend(archive.tail());
    bytes
}

#[test]
fn as_systemd_stub_makes_it() {
    let expected = "\
        070701\
        000000010000416d0000000000000000\
        00000001000000000000000000000000\
        00000000000000000000000000000007\
        00000000.extra\0\0\0\0\
        070701\
        00000002000081240000000000000000\
        00000001000000000000000500000000\
        00000000000000000000000000000012\
        00000000.extra/os-release\0\
        ID=x\n\0\0\0\
        070701\
        00000000000000000000000000000000\
        00000001000000000000000000000000\
        0000000000000000000000000000000B\
        00000000TRAILER!!!\0\0\0\0";
    let bytes = archive(".extra/os-release", 0o444, b"ID=x\n");
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[test]
fn each_part_is_padded() {
    for name_len in 1..=PATH_MAX {
        for data_len in 0..=8 {
            let name = "n".repeat(name_len);
            let bytes = archive(&name, 0o444, &vec![b'd'; data_len]);
            let padded = |len: usize| len.div_ceil(4) * 4;
            assert_eq!(
                bytes.len(),
                padded(110 + name_len + 1) + padded(data_len) + 124
            );
        }
    }
}

#[test]
fn deepest_path() {
    let path = ["d"; 128].join("/");
    assert_eq!(path.len(), PATH_MAX);
    let bytes = archive(&path, 0o444, b"");
    let entries = bytes.windows(6).filter(|bytes| bytes == b"070701").count();
    assert_eq!(entries, 129);
}

#[test]
fn a_sink_that_fails_ends_it() {
    let archive = Archive::new(b"a/b", 0, 0).unwrap();
    let mut left = 20;
    let result = archive.head(|_| {
        left -= 1;
        if left == 0 {
            Err("full")
        } else {
            Ok(())
        }
    });
    assert_eq!((result, left), (Err("full"), 0));
}

#[test]
fn limits() {
    let kind = |path: &[u8], mode, len| Archive::new(path, mode, len).map_err(|e| e.kind).err();
    let long = [b'n'; PATH_MAX + 1];
    let max = u64::from(u32::MAX);
    for (path, mode, len, error) in [
        (&b"a"[..], 0o7777, max, None),
        (b"a", 0o444, max + 1, Some(Kind::TooBig)),
        (b"a", 0o444, u64::MAX, Some(Kind::TooBig)),
        (b"a", 0o10000, 0, Some(Kind::Malformed)),
        (b"a", u32::MAX, 0, Some(Kind::Malformed)),
        (&long[..PATH_MAX], 0, 0, None),
        (&long, 0, 0, Some(Kind::TooBig)),
    ] {
        assert_eq!(kind(path, mode, len), error);
    }
}

#[test]
fn paths() {
    for path in [
        "a",
        "a/b",
        "...",
        ".a",
        "a..",
        "a b",
        "a/TRAILER!!!",
        "TRAILER!!",
        "~",
    ] {
        assert!(Archive::new(path.as_bytes(), 0, 0).is_ok(), "{path}");
    }
    for (path, at) in [
        ("", 0),
        ("/", 0),
        ("/a", 0),
        ("a/", 2),
        ("a//b", 2),
        (".", 0),
        ("..", 0),
        ("./a", 0),
        ("a/./b", 2),
        ("a/b/..", 4),
        ("a\0", 0),
        ("a/\n", 2),
        ("a/b/\x7f", 4),
        ("\u{e4}", 0),
        ("TRAILER!!!", 0),
        ("TRAILER!!!/a", 0),
    ] {
        let error = Archive::new(path.as_bytes(), 0, 0).unwrap_err();
        assert_eq!(
            (error.kind, error.at),
            (Kind::Malformed, Some(at)),
            "{path:?}: {error}"
        );
    }
}
