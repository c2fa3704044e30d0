// SPDX-License-Identifier: GPL-2.0

//! The initrd: pieces that are joined once, at the end.

use core::mem;

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*, //
};

use crate::{
    buffer::Buffer,
    error::{
        Kind,
        ParseError, //
    },
    klib,
    pe::IMAGE_MAX,
    resource::{
        Covered,
        Resource, //
    },
};

#[forbid(unsafe_code)]
pub mod cpio;

use cpio::Archive;

/// The largest number of pieces.
const PIECES_MAX: usize = kernel::bindings::KEXEC_BPF_PIECES_MAX as usize;

/// Archives begin at multiples of this number of bytes.
const ALIGN: u64 = 4;

/// The fewest zeroes after an archive that may be compressed, if another one follows. The legacy
/// format of lz4 has no end: where the length of its next chunk would be, the kernel has to read 0,
/// or it takes the next archive for a chunk. With other formats the kernel skips zeroes.
const END: u64 = 4;

const TOO_LONG: ParseError = ParseError::whole(
    Kind::TooBig,
    "it would be too long, or have too many pieces",
);

/// The number of bytes that are copied between two checks for a signal.
const STEP: usize = 16 << 20;

/// A piece of the initrd.
struct Piece {
    bytes: Bytes,
    /// The number of zeroes before the piece, at most 7.
    padding: usize,
}

enum Bytes {
    Resource(Resource),
    Own(KVec<u8>),
    Static(&'static [u8]),
}

impl Bytes {
    fn get(&self) -> &[u8] {
        match self {
            Self::Resource(resource) => resource.bytes(),
            Self::Own(bytes) => bytes,
            Self::Static(bytes) => bytes,
        }
    }
}

/// The initrd of the kernel to boot.
#[derive(Default)]
pub(crate) struct Initrd {
    pieces: KVec<Piece>,
    len: u64,
}

impl Initrd {
    /// The length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Drops all pieces.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The number of zeroes before the next archive.
    fn padding(&self) -> u64 {
        let end = match self.pieces.last() {
            Some(Piece {
                bytes: Bytes::Resource(_),
                ..
            }) => END,
            // There is nothing before, or the end of an archive that was made here.
            _ => 0,
        };
        let align = self.len.wrapping_neg() % ALIGN;
        align.saturating_add(end)
    }

    /// Appends an archive, at a multiple of 4.
    pub(crate) fn append(&mut self, archive: Resource) -> Result<(), ParseError> {
        if archive.len() == 0 {
            return Ok(());
        }
        let padding = self.padding();
        self.push(Bytes::Resource(archive), padding)
    }

    /// Puts an archive before all others, which stay at multiples of 4.
    pub(crate) fn prepend(&mut self, archive: Resource) -> Result<(), ParseError> {
        if archive.len() == 0 {
            return Ok(());
        }
        let rest = mem::take(self);
        self.append(archive)?;
        let first = self.padding();
        for (index, piece) in rest.pieces.into_iter().enumerate() {
            let padding = match index {
                0 => first,
                _ => piece.padding as u64,
            };
            self.push(piece.bytes, padding)?;
        }
        Ok(())
    }

    /// Appends an archive of one file.
    pub(crate) fn append_file(
        &mut self,
        archive: &Archive<'_>,
        content: Resource,
    ) -> Result<(), ParseError> {
        let mut head = KVec::with_capacity(archive.head_len(), GFP_KERNEL_ACCOUNT)?;
        archive.head(|bytes| head.extend_from_slice(bytes, GFP_KERNEL_ACCOUNT))?;
        let padding = self.padding();
        self.push(Bytes::Own(head), padding)?;
        self.push(Bytes::Resource(content), 0)?;
        self.push(Bytes::Static(archive.tail()), 0)
    }

    fn push(&mut self, bytes: Bytes, padding: u64) -> Result<(), ParseError> {
        let len = self
            .len
            .checked_add(padding)
            .and_then(|len| len.checked_add(bytes.get().len() as u64))
            .filter(|&len| len <= IMAGE_MAX && self.pieces.len() < PIECES_MAX)
            .ok_or(TOO_LONG)?;
        let padding = padding as usize;
        self.pieces
            .push(Piece { bytes, padding }, GFP_KERNEL_ACCOUNT)?;
        self.len = len;
        Ok(())
    }

    /// Passes the `len` bytes from `offset` on to `take`, part by part. `ERANGE` if the initrd ends
    /// before.
    pub(crate) fn read(
        &self,
        offset: u64,
        len: u64,
        mut take: impl FnMut(&[u8]) -> Result,
    ) -> Result {
        let end = offset.checked_add(len).ok_or(ERANGE)?;
        if end > self.len {
            return Err(ERANGE);
        }
        let zeroes = [0; (ALIGN + END) as usize];
        let (mut skip, mut left) = (offset as usize, len as usize);
        for piece in self.pieces.iter() {
            for bytes in [
                zeroes.get(..piece.padding).unwrap_or_default(),
                piece.bytes.get(),
            ] {
                let rest = bytes.get(skip..).unwrap_or_default();
                skip = skip.saturating_sub(bytes.len());
                let rest = rest.get(..left).unwrap_or(rest);
                left = left.saturating_sub(rest.len());
                take(rest)?;
            }
        }
        Ok(())
    }

    /// Joins the pieces, and frees those that were copied.
    pub(crate) fn join(self) -> Result<Option<Resource>, ParseError> {
        if self.len == 0 {
            return Ok(None);
        }
        if let [Piece {
            bytes: Bytes::Resource(sole),
            ..
        }] = &*self.pieces
        {
            return Ok(Some(sole.clone()));
        }
        let mut joined = Buffer::new(self.len)?;
        for piece in self.pieces {
            joined.extend_with(piece.padding, 0, GFP_KERNEL_ACCOUNT)?;
            for bytes in piece.bytes.get().chunks(STEP) {
                if klib::killed() {
                    return Err(ParseError::interrupted());
                }
                joined.extend_from_slice(bytes, GFP_KERNEL_ACCOUNT)?;
            }
        }
        Ok(Some(Resource::new(joined, Covered::Nothing)?))
    }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_initrd)]
mod tests {
    use super::*;

    fn resource(bytes: &[u8]) -> Result<Resource> {
        let mut buffer = Buffer::new(bytes.len() as u64)?;
        buffer.extend_from_slice(bytes, GFP_KERNEL_ACCOUNT)?;
        Ok(Resource::new(buffer, Covered::Nothing)?)
    }

    fn read(initrd: &Initrd, offset: usize, len: usize) -> Result<KVec<u8>> {
        let mut read = KVec::new();
        initrd.read(offset as u64, len as u64, |bytes| {
            Ok(read.extend_from_slice(bytes, GFP_KERNEL)?)
        })?;
        Ok(read)
    }

    #[test]
    fn zeroes_are_between_archives() -> Result {
        let mut initrd = Initrd::default();
        initrd.append(resource(b"12345")?)?;
        initrd.append(resource(b"")?)?;
        initrd.append(resource(b"6789")?)?;
        initrd.append(resource(b"x")?)?;
        // At least four, and the next one begins at a multiple of four.
        let want = b"12345\0\0\0\0\0\0\x006789\0\0\0\0x";
        assert_eq!(initrd.len(), want.len() as u64);
        for offset in 0..=want.len() {
            for end in offset..=want.len() {
                let bytes = read(&initrd, offset, end - offset)?;
                assert_eq!(&bytes[..], &want[offset..end]);
            }
        }
        for (offset, len) in [(21, 1), (22, 0), (0, 22), (u64::MAX, 1), (1, u64::MAX)] {
            assert_eq!(initrd.read(offset, len, |_| Ok(())), Err(ERANGE));
        }
        let joined = initrd.join()?;
        assert!(joined.is_some_and(|joined| joined.bytes() == want));
        Ok(())
    }

    #[test]
    fn prepended_piece_is_first() -> Result {
        let mut initrd = Initrd::default();
        initrd.prepend(resource(b"12345")?)?;
        initrd.append(resource(b"6")?)?;
        initrd.prepend(resource(b"")?)?;
        initrd.prepend(resource(b"789")?)?;
        let want = b"789\0\0\0\0\x0012345\0\0\0\0\0\0\x006";
        assert_eq!(initrd.len(), want.len() as u64);
        let joined = initrd.join()?;
        assert!(joined.is_some_and(|joined| joined.bytes() == want));
        Ok(())
    }

    #[test]
    fn one_piece_is_not_copied() -> Result {
        let mut initrd = Initrd::default();
        initrd.append(resource(b"12345")?)?;
        let at = initrd.pieces[0].bytes.get().as_ptr();
        let joined = initrd.join()?;
        assert!(joined.is_some_and(|joined| joined.bytes().as_ptr() == at));
        assert!(Initrd::default().join()?.is_none());
        Ok(())
    }

    #[test]
    fn one_piece_of_another_kind_is_joined() -> Result {
        let mut initrd = Initrd::default();
        initrd.push(Bytes::Static(b"12345"), 0)?;
        let joined = initrd.join()?;
        assert!(joined.is_some_and(|joined| joined.bytes() == b"12345"));
        Ok(())
    }

    #[test]
    fn limits() -> Result {
        let mut initrd = Initrd::default();
        let piece = resource(b"1234")?;
        for _ in 0..PIECES_MAX {
            initrd.append(piece.clone())?;
        }
        assert_eq!(initrd.append(piece.clone()), Err(TOO_LONG));
        assert_eq!(initrd.len(), 8 * PIECES_MAX as u64 - 4);
        assert_eq!(initrd.prepend(piece), Err(TOO_LONG));
        Ok(())
    }

    #[test]
    fn file_is_wrapped() -> Result {
        let mut initrd = Initrd::default();
        initrd.append(resource(b"1")?)?;
        let archive = Archive::new(b"a", 0o644, 5).map_err(|_| EINVAL)?;
        initrd.append_file(&archive, resource(b"12345")?)?;
        // A byte and its padding, header and name, content with its padding, trailer.
        assert_eq!(initrd.len(), 8 + 112 + 8 + 124);
        for offset in [8, 8 + 112 + 8] {
            assert_eq!(&read(&initrd, offset, 6)?[..], b"070701");
        }
        // Its end needs no zeroes.
        initrd.append_file(&archive, resource(b"12345")?)?;
        assert_eq!(initrd.len(), 8 + 2 * (112 + 8 + 124));
        Ok(())
    }
}
