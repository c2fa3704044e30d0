// SPDX-License-Identifier: GPL-2.0

//! An image that was read once and that the signature policy admits. No other file makes one.

use kernel::{
    bindings,
    prelude::*, //
};

use crate::{
    ffi::{
        self,
        File, //
    },
    identity::{
        Digest,
        Key, //
    },
    pe::Pe,
    resource::{
        Covered,
        Resource, //
    },
    session::{
        Session,
        What, //
    },
};

/// Name of the section with the BPF object.
const OBJECT_SECTION: &[u8] = b".bpf";
/// The largest object, in bytes.
const OBJECT_MAX: u64 = bindings::KEXEC_BPF_OBJECT_MAX as u64;
/// The most levels of nesting.
pub(crate) const DEPTH_MAX: u32 = bindings::KEXEC_BPF_DEPTH_MAX;

/// A PE image with a BPF object, which the policy admits: unsigned, too, where no signature is
/// enforced. `resource` knows which bytes a signature covers.
pub(crate) struct Image {
    /// The image.
    pub(crate) resource: Resource,
    /// Its `.bpf` section.
    pub(crate) object: Resource,
    /// Level of nesting, from 0.
    pub(crate) depth: u32,
    /// Its Authenticode digest, if it is signed itself.
    pub(crate) digest: Digest,
    /// Names the image, its program and all levels above.
    pub(crate) key: Key,
}

impl Image {
    /// Reads an image and checks its signature. The file goes on to `Parts::install()`: kexec_file
    /// has IMA measure the command line with it.
    // As for `loader::load()`.
    #[inline(never)]
    pub(crate) fn read(fd: i32, session: &mut Session) -> Result<(File, Self)> {
        let file = session.open(fd, What::Image)?;
        let bytes = session.read(&file, true, What::Image)?;
        let (covered, digest) = {
            let pe = Pe::parse(&bytes).map_err(|error| session.malformed(What::Image, error))?;
            match ffi::verify_pe(&bytes) {
                Ok((digest, signer)) => {
                    session
                        .log
                        .line(fmt!("image: signed by '{signer}', digest {digest}"));
                    session.name_image(&digest, &signer);
                    (Covered::Ranges(pe.covered()), digest)
                }
                Err(error) => {
                    session.unsigned(error)?;
                    (Covered::Nothing, Digest::NONE)
                }
            }
        };
        let resource = Resource::new(bytes, covered)?;
        let image = Self::new(resource, 0, digest, &Key::default(), session)?;
        match image {
            Some(image) => Ok((file, image)),
            None => Err(session.refuse(What::Image, ENOEXEC, fmt!("there is no section .bpf"))),
        }
    }

    /// The kernel that this image's program bound, if that is another image with a program.
    pub(crate) fn nested(&self, kernel: &Resource, session: &mut Session) -> Result<Option<Self>> {
        // The program would run on the same bytes again, and could end only by looking at `depth`.
        if kernel.bytes() == self.resource.bytes() {
            return Err(session
                .log
                .refuse(ELOOP, fmt!("nesting: the program hands its own image back")));
        }
        let depth = self.depth.saturating_add(1);
        Self::new(kernel.clone(), depth, Digest::NONE, &self.key, session)
    }

    fn new(
        resource: Resource,
        depth: u32,
        digest: Digest,
        parent: &Key,
        session: &mut Session,
    ) -> Result<Option<Self>> {
        // The bytes are parsed once more at level 0, where they are known to keep the rules: what
        // was parsed before borrowed a buffer that has moved into the resource since. A kernel does
        // not have to be a PE image.
        let Ok(pe) = Pe::parse(resource.bytes()) else {
            return Ok(None);
        };
        let section = pe
            .section(OBJECT_SECTION)
            .map_err(|error| session.malformed(What::Image, error))?;
        let Some(section) = section else {
            return Ok(None);
        };
        if depth >= DEPTH_MAX {
            return Err(session
                .log
                .refuse(ELOOP, fmt!("nesting: more than {DEPTH_MAX} levels")));
        }
        let object = resource.piece(section.range.start as u64, section.range.len() as u64)?;
        if object.len() > OBJECT_MAX {
            return Err(session.refuse(
                What::Image,
                EFBIG,
                fmt!("section .bpf is larger than {OBJECT_MAX} bytes"),
            ));
        }
        // An image that keeps the rules has no section that its signature does not cover, and a
        // kernel was bound as verified bytes. No program runs that is not, should one of them fail.
        if session.enforced && !object.is_verified() {
            return Err(session.refuse(
                What::Image,
                EACCES,
                fmt!("no signature covers all of section .bpf"),
            ));
        }
        let key = Key::new(parent, &digest, object.bytes());
        session.log.line(fmt!("level {depth}: key {key}"));
        session.name_program(&key);
        Ok(Some(Self {
            object,
            resource,
            depth,
            digest,
            key,
        }))
    }
}
