// SPDX-License-Identifier: GPL-2.0

//! The identity of an image: its signer, its digest, and its key.

use kernel::{
    fmt,
    prelude::*, //
};

use crate::{
    klib::{
        sha256,
        SHA256_LEN, //
    },
    printable::Printable, //
};

/// The name of the signer of an image, for people to read. It is empty if nobody signed the image,
/// or if the signature names nobody.
#[derive(Clone, Copy)]
pub(crate) struct Signer([u8; SIGNER_MAX]);

/// The longest name in bytes, with its NUL.
const SIGNER_MAX: usize = 128;

impl Signer {
    /// Nobody.
    pub(crate) const NONE: Self = Self([0; SIGNER_MAX]);

    /// The signer whose name ends at the first NUL.
    pub(crate) fn new(name: [u8; SIGNER_MAX]) -> Self {
        Self(name)
    }

    /// The name, without NUL.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.split(|&byte| byte == 0).next().unwrap_or_default()
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Printable(self.bytes()), f)
    }
}

/// The room that the interface has for a digest, in bytes.
pub(crate) const DIGEST_MAX: usize = 64;

/// The Authenticode digest of an image by SHA-256, whatever algorithm it was signed with. It is
/// empty without a signature.
#[derive(Clone, Copy)]
pub(crate) struct Digest(Option<[u8; SHA256_LEN]>);

impl Digest {
    /// No digest.
    pub(crate) const NONE: Self = Self(None);

    /// The digest of a signed image.
    pub(crate) fn new(bytes: [u8; SHA256_LEN]) -> Self {
        Self(Some(bytes))
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |bytes| bytes)
    }

    /// Its bytes, then zeroes.
    pub(crate) fn padded(&self) -> [u8; DIGEST_MAX] {
        let mut padded = [0; DIGEST_MAX];
        if let Some(bytes) = &self.0 {
            padded[..SHA256_LEN].copy_from_slice(bytes);
        }
        padded
    }
}

/// Names an image, its program and all levels above: a SHA-256 over the key of the level above, the
/// image's digest, padded with zeroes to 64 bytes, and the SHA-256 of its object.
#[derive(Clone, Copy, Default)]
pub(crate) struct Key(pub(crate) [u8; SHA256_LEN]);

impl Key {
    /// The key of an image below `parent`.
    pub(crate) fn new(parent: &Self, digest: &Digest, object: &[u8]) -> Self {
        let object = sha256(object);
        let mut named = [0; 2 * SHA256_LEN + DIGEST_MAX];
        let (parent_part, rest) = named.split_at_mut(SHA256_LEN);
        let (digest_part, object_part) = rest.split_at_mut(DIGEST_MAX);
        parent_part.copy_from_slice(&parent.0);
        digest_part.copy_from_slice(&digest.padded());
        object_part.copy_from_slice(&object);
        Self(sha256(&named))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(self.bytes()).fmt(f)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

/// Bytes that print as hexadecimal digits.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            f.write_fmt(fmt!("{byte:02x}"))?;
        }
        Ok(())
    }
}
