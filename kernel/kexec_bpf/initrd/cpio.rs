// SPDX-License-Identifier: GPL-2.0

//! cpio archives (newc) of one file: what comes before its data, and what after.
//!
//! They are, byte for byte, those that systemd-stub makes: directories first, inodes numbered from
//! 1, everything owned by root and from 1970. The same file is always the same archive.

use crate::error::{
    printable,
    Error,
    Kind,
    Result, //
};
use core::convert::Infallible;

/// The longest path, in bytes.
pub const PATH_MAX: usize = 255;

const HEADER_LEN: usize = 110;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const PERMISSIONS: u32 = 0o7777;

/// The name that ends an archive.
const END: &[u8] = b"TRAILER!!!";

/// The most padding that data can need, and the last entry.
const TAIL: &[u8] = b"\0\0\0\
    070701\
    00000000000000000000000000000000000000010000000000000000\
    00000000000000000000000000000000\
    0000000B00000000TRAILER!!!\0\0\0\0";

/// An archive of one file and the directories that it is in.
///
/// # Invariants
///
/// `path` keeps the rules of [`Archive::new`]; `mode` has permission bits only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Archive<'a> {
    path: &'a [u8],
    mode: u32,
    len: u32,
}

impl<'a> Archive<'a> {
    /// An archive for `len` bytes of data.
    ///
    /// The path is relative, of 1 to 255 bytes of printable ASCII, and no component is empty, `.`
    /// or `..`. The first one is not the name that ends an archive.
    pub fn new(path: &'a [u8], mode: u32, len: u64) -> Result<Self> {
        let len = u32::try_from(len)
            .map_err(|_| Error::whole(Kind::TooBig, "4 GiB or more in a cpio file").named(path))?;
        if mode & !PERMISSIONS != 0 {
            return Err(
                Error::whole(Kind::Malformed, "a mode with more than permissions").named(path),
            );
        }
        if path.len() > PATH_MAX {
            return Err(
                Error::too_big("a path of more than 255 bytes", PATH_MAX as u64).named(path),
            );
        }
        let mut at = 0u64;
        for component in path.split(|&byte| byte == b'/') {
            let is_shown = |&byte: &u8| printable(byte) == byte;
            let rule = match component {
                b"" | b"." | b".." => Some("a path with an empty component, '.' or '..'"),
                END if at == 0 => Some("a path that ends the archive"),
                _ if !component.iter().all(is_shown) => Some("a path not in printable ASCII"),
                _ => None,
            };
            if let Some(rule) = rule {
                return Err(Error::malformed(rule, at).named(path));
            }
            at = at.saturating_add(component.len() as u64).saturating_add(1);
        }
        Ok(Self { path, mode, len })
    }

    /// The length of [`Self::head`].
    pub fn head_len(&self) -> usize {
        let mut len = 0usize;
        let Ok(()) = self.head(|piece| {
            len = len.saturating_add(piece.len());
            Ok::<_, Infallible>(())
        });
        len
    }

    /// Hands over what comes before the data, piece by piece.
    pub fn head<E>(&self, mut put: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let slashes = self
            .path
            .iter()
            .enumerate()
            .filter(|(_, &byte)| byte == b'/');
        let mut inode = 1;
        for (len, _) in slashes {
            let directory = self.path.get(..len).unwrap_or_default();
            entry(&mut put, inode, S_IFDIR | 0o555, 0, directory)?;
            inode = inode.saturating_add(1);
        }
        entry(&mut put, inode, S_IFREG | self.mode, self.len, self.path)
    }

    /// What comes after the data.
    pub fn tail(&self) -> &'static [u8] {
        let padded = self.len.wrapping_sub(1) & 3;
        TAIL.get(padded as usize..).unwrap_or_default()
    }
}

fn entry<E>(
    put: &mut impl FnMut(&[u8]) -> Result<(), E>,
    inode: u32,
    mode: u32,
    len: u32,
    name: &[u8],
) -> Result<(), E> {
    let name_len = name.len().saturating_add(1);
    put(b"070701")?;
    // Inode, mode, owner, group, links, time, length, four device numbers, length of name, sum.
    for field in [inode, mode, 0, 0, 1, 0, len, 0, 0, 0, 0, name_len as u32, 0] {
        put(&hex(field))?;
    }
    put(name)?;
    // The NUL that ends the name, and the padding.
    let end = HEADER_LEN.saturating_add(name.len());
    put(b"\0\0\0\0".get(end & 3..).unwrap_or_default())
}

fn hex(value: u32) -> [u8; 8] {
    let mut digits = [0; 8];
    let mut rest = value;
    for digit in digits.iter_mut().rev() {
        *digit = char::from_digit(rest & 0xf, 16).map_or(b'0', |digit| digit as u8);
        rest >>= 4;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
