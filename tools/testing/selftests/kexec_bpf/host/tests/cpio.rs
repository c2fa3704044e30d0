// SPDX-License-Identifier: GPL-2.0

//! Archives of one file, byte by byte, and the paths that they refuse.

use std::convert::Infallible;

use kexec_bpf_host::cpio::{Archive, PATH_MAX};
use kexec_bpf_host::error::Kind;

fn archive(path: &str, mode: u64, data: &[u8]) -> Vec<u8> {
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
fn mode_of_the_last_directory() {
    let modes = |path: &str, mode| -> Vec<u32> {
        let bytes = archive(path, mode, b"");
        let entries = bytes.windows(6).enumerate().filter(|(_, w)| w == b"070701");
        let mode = |(at, _)| std::str::from_utf8(&bytes[at + 14..at + 22]).unwrap();
        let mode = |entry| u32::from_str_radix(mode(entry), 16).unwrap();
        entries.map(mode).collect()
    };
    let end = 0;
    assert_eq!(modes("a", 0o400), [0o100_400, end]);
    assert_eq!(modes("a/b", 0o400), [0o040_555, 0o100_400, end]);
    for (dir, file) in [(0o500, 0o400), (1, 0), (0o7777, 0o7777)] {
        let mode = (dir << 16) | file;
        let (dir, file) = (0o040_000 | dir as u32, 0o100_000 | file as u32);
        assert_eq!(modes("a/b", mode), [dir, file, end]);
        let want = [0o040_555, 0o040_555, dir, file, end];
        assert_eq!(modes("a/b/c/d", mode), want);
    }
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
        (b"a", 0o100_444, 0, Some(Kind::Malformed)),
        (b"a/b", (0o7777 << 16) | 0o7777, 0, None),
        (b"a/b", 0o10000 << 16, 0, Some(Kind::Malformed)),
        (b"a/b", (0o40_500 << 16) | 0o400, 0, Some(Kind::Malformed)),
        (b"a/b", 1 << 32, 0, Some(Kind::Malformed)),
        (b"a/b", u64::MAX, 0, Some(Kind::Malformed)),
        // There is no directory to have a mode.
        (b"a", (0o555 << 16) | 0o444, 0, Some(Kind::Malformed)),
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
