// SPDX-License-Identifier: GPL-2.0

//! cpio archives (newc) of one file: the bytes before its data, and those after.
//!
//! They are, byte for byte, those that systemd-stub makes: directories first, inodes numbered from
//! 1, everything owned by root and from 1970. The same file is always the same archive.

use core::convert::Infallible;

use crate::{
    error::{
        Kind,
        ParseError, //
    },
    printable::printable, //
};

/// The longest path, in bytes.
pub const PATH_MAX: usize = 255;

const HEADER_LEN: usize = 110;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const PERMISSIONS: u64 = 0o7777;
/// The position of the directory's mode in that of [`Archive::new`].
pub const DIR_MODE_SHIFT: u32 = 16;
/// The mode of directories.
const DIR_MODE: u32 = 0o555;

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
/// `path` keeps the rules of [`Archive::new`]; the modes have permission bits only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Archive<'a> {
    path: &'a [u8],
    mode: u32,
    /// The mode of the directory that the file is in.
    dir_mode: u32,
    len: u32,
}

impl<'a> Archive<'a> {
    /// An archive for `len` bytes of data.
    ///
    /// The path is relative, of 1 to 255 bytes of printable ASCII, and no component is empty, `.`
    /// or `..`. The first one is not the name that ends an archive.
    ///
    /// The mode of the file is in the lower 16 bits of `mode`, that of its directory in the 16 bits
    /// above. Zero there stands for the mode that all other directories have.
    pub fn new(path: &'a [u8], mode: u64, len: u64) -> Result<Self, ParseError> {
        let error = |kind, wrong| Err(ParseError::whole(kind, wrong).named(path));
        let Ok(len) = u32::try_from(len) else {
            return error(Kind::TooBig, "a cpio file of 4 GiB or more");
        };
        if mode & !(PERMISSIONS | (PERMISSIONS << DIR_MODE_SHIFT)) != 0 {
            return error(Kind::Malformed, "the mode has more than permission bits");
        }
        let dir_mode = match mode >> DIR_MODE_SHIFT {
            0 => DIR_MODE,
            _ if !path.contains(&b'/') => {
                let wrong = "the mode is also for a directory, and the path has none";
                return error(Kind::Malformed, wrong);
            }
            dir_mode => dir_mode as u32,
        };
        let mode = (mode & PERMISSIONS) as u32;
        if path.len() > PATH_MAX {
            let error = ParseError::too_big("the path is longer than 255 bytes", PATH_MAX as u64);
            return Err(error.named(path));
        }
        let mut at = 0u64;
        for component in path.split(|&byte| byte == b'/') {
            let is_shown = |&byte: &u8| printable(byte) == byte;
            let wrong = match component {
                b"" | b"." | b".." => Some("the path has an empty component, '.' or '..'"),
                END if at == 0 => Some("the path would end the archive"),
                _ if !component.iter().all(is_shown) => Some("the path is not printable ASCII"),
                _ => None,
            };
            if let Some(wrong) = wrong {
                return Err(ParseError::malformed(wrong, at).named(path));
            }
            at = at.saturating_add(component.len() as u64).saturating_add(1);
        }
        // INVARIANT: The path keeps the rules, and there are no other bits in the modes.
        Ok(Self {
            path,
            mode,
            dir_mode,
            len,
        })
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

    /// Passes on the bytes before the data, piece by piece.
    pub fn head<E>(&self, mut put: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let slashes = self
            .path
            .iter()
            .enumerate()
            .filter(|(_, &byte)| byte == b'/');
        let last = self.path.iter().rposition(|&byte| byte == b'/');
        let mut inode = 1;
        for (len, _) in slashes {
            let directory = self.path.get(..len).unwrap_or_default();
            let mode = match Some(len) == last {
                true => self.dir_mode,
                false => DIR_MODE,
            };
            entry(&mut put, inode, S_IFDIR | mode, 0, directory)?;
            inode = inode.saturating_add(1);
        }
        entry(&mut put, inode, S_IFREG | self.mode, self.len, self.path)
    }

    /// The bytes after the data.
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
