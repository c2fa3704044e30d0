// SPDX-License-Identifier: GPL-2.0

//! Archives of one file, read by another library.
//!
//! The input is a mode, a length, a path up to NUL, and the file.

#![no_main]

use cpio::NewcReader;
use kexec_bpf_host::cpio::Archive;
use libfuzzer_sys::fuzz_target;
use std::convert::Infallible;
use std::io::Read;
use std::path::{
    Component,
    Path, //
};

/// Whether a path keeps the rules, as std sees them.
fn is_fine(path: &str) -> bool {
    let path_ = Path::new(path);
    let rebuilt: Vec<_> = path_.components().map(Component::as_os_str).collect();
    (1..=255).contains(&path.len())
        && path.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && path_
            .components()
            .all(|c| matches!(c, Component::Normal(_)))
        && rebuilt.join("/".as_ref()) == path
        && !path_.starts_with("TRAILER!!!")
}

fn head(archive: &Archive<'_>) -> Vec<u8> {
    let mut head = Vec::new();
    let Ok(()) = archive.head(|piece| {
        head.extend(piece);
        Ok::<_, Infallible>(())
    });
    assert_eq!(head.len(), archive.head_len());
    head
}

/// Reads an entry, and returns the bytes after it.
fn expect<'a>(archive: &'a [u8], inode: u32, name: &str, mode: u32, data: &[u8]) -> &'a [u8] {
    let mut reader = NewcReader::new(archive).expect("no entry");
    let entry = reader.entry();
    assert_eq!(
        (entry.name(), entry.ino(), entry.mode()),
        (name, inode, mode)
    );
    assert_eq!(
        (entry.uid(), entry.gid(), entry.nlink(), entry.mtime()),
        (0, 0, 1, 0)
    );
    let mut found = Vec::new();
    reader.read_to_end(&mut found).expect("the data ends early");
    assert_eq!(found, data);
    reader.finish().expect("no padding")
}

fuzz_target!(|input: &[u8]| {
    let Some((mode, input)) = input.split_first_chunk() else {
        return;
    };
    let Some((len, input)) = input.split_first_chunk() else {
        return;
    };
    let mode = u64::from_le_bytes(*mode);
    let (dir_mode, file_mode) = ((mode >> 16) as u32, mode as u32 & 0xffff);
    let len = u64::from_le_bytes(*len);
    let mut parts = input.splitn(2, |&byte| byte == 0);
    let path = parts.next().unwrap_or_default();
    let data = parts.next().unwrap_or_default();

    let fine = std::str::from_utf8(path).is_ok_and(is_fine)
        && file_mode <= 0o7777
        && dir_mode <= 0o7777
        && mode >> 32 == 0
        && (dir_mode == 0 || path.contains(&b'/'));
    let of_any_length = Archive::new(path, mode, len);
    assert_eq!(of_any_length.is_ok(), fine && len <= u32::MAX.into());
    if let Ok(archive) = of_any_length {
        let total = head(&archive).len() as u64 + len + archive.tail().len() as u64;
        assert_eq!(total % 4, 0);
    }
    let Ok(archive) = Archive::new(path, mode, data.len() as u64) else {
        return assert!(!fine);
    };

    let bytes = [&head(&archive), data, archive.tail()].concat();
    let path = std::str::from_utf8(path).expect("it is ASCII");
    let mut rest = &bytes[..];
    let mut inode = 1;
    for (at, _) in path.match_indices('/') {
        let is_last = path.rfind('/') == Some(at);
        let mode = if is_last && dir_mode != 0 {
            dir_mode
        } else {
            0o555
        };
        rest = expect(rest, inode, &path[..at], 0o040_000 | mode, b"");
        inode += 1;
    }
    rest = expect(rest, inode, path, 0o100_000 | file_mode, data);
    rest = expect(rest, 0, "TRAILER!!!", 0, b"");
    assert_eq!(rest, b"");
});
