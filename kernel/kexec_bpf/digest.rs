// SPDX-License-Identifier: GPL-2.0

//! What names an image.

use kernel::{
    fmt,
    prelude::*, //
};

use crate::ffi;

/// The longest digest, in bytes.
pub(crate) const DIGEST_MAX: usize = 64;

/// An Authenticode digest that a signature was checked against; empty if there is none.
#[derive(Clone, Copy)]
pub(crate) struct Digest {
    bytes: [u8; DIGEST_MAX],
    len: usize,
}

impl Digest {
    /// There is none.
    pub(crate) const NONE: Self = Self {
        bytes: [0; DIGEST_MAX],
        len: 0,
    };

    /// The first `len` bytes.
    pub(crate) fn new(bytes: [u8; DIGEST_MAX], len: usize) -> Self {
        Self { bytes, len }
    }

    /// The bytes in use.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The bytes in use, then zeroes.
    pub(crate) fn padded(&self) -> [u8; DIGEST_MAX] {
        self.bytes
    }
}

/// SHA-256 over the key of the level above, the image's digest and the SHA-256 of its object.
#[derive(Clone, Copy, Default)]
pub(crate) struct Key(pub(crate) [u8; ffi::SHA256_LEN]);

impl Key {
    /// The key of an image below `parent`.
    pub(crate) fn new(parent: &Self, digest: &Digest, object: &[u8]) -> Self {
        Self(ffi::sha256(&[
            &parent.0,
            digest.bytes(),
            &ffi::sha256(&[object]),
        ]))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(self.bytes(), f)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in bytes {
        f.write_fmt(fmt!("{byte:02x}"))?;
    }
    Ok(())
}
