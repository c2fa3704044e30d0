// SPDX-License-Identifier: GPL-2.0

//! Images that were read once, and that the signature policy admits.

use core::ffi::CStr;

use kernel::{
    bindings,
    prelude::*, //
};

use crate::{
    error::Kind,
    ffi::{
        self,
        File, //
    },
    file,
    identity::{
        Digest,
        Key, //
    },
    object::OBJECT_MAX,
    pe::{
        names_section,
        Pe, //
    },
    refusal::{
        Context,
        Refusal, //
    },
    resource::{
        Covered,
        Resource, //
    },
    session::Session,
    signature, //
};

/// The name of the section with the BPF object.
pub(crate) const OBJECT_SECTION: &CStr = c".bpf";
/// The most levels of nesting.
pub(crate) const LEVELS_MAX: u32 = bindings::KEXEC_BPF_LEVELS_MAX;

/// A PE image with a BPF object that the signature policy admits. Only this file makes one. Where
/// signatures are not enforced, it can be unsigned: `resource` knows which bytes are verified.
pub(crate) struct Image {
    /// The image.
    pub(crate) resource: Resource,
    /// Its `.bpf` section.
    pub(crate) object: Resource,
    /// Level of nesting, from 0.
    pub(crate) level: u32,
    /// Its Authenticode digest. It is empty unless the image itself is signed.
    pub(crate) digest: Digest,
    /// Names the image, its program and all levels above.
    pub(crate) key: Key,
}

impl Image {
    /// Reads an image and checks its signature. The file goes on to `Parts::install()`: kexec_file
    /// has IMA measure the command line with it.
    // Not inlined: its locals would be in the frame of `run()` while the program runs.
    #[inline(never)]
    pub(crate) fn read(fd: i32, session: &mut Session) -> Result<(File, Self), Refusal> {
        let file = session.open(fd, "image")?;
        let bytes = file::read(&file, true, "image")?;
        let (covered, digest) = verify(&bytes, session)?;
        let resource = Resource::new(bytes, covered)?;
        match Self::new(resource, 0, digest, &Key::default(), session)? {
            Some(image) => Ok((file, image)),
            None => Err(Refusal::new(
                ENOEXEC,
                fmt!("image: there is no section .bpf"),
            )),
        }
    }

    /// The kernel that this image's program bound, if that is another image with a program.
    pub(crate) fn nested(
        &self,
        kernel: &Resource,
        session: &mut Session,
    ) -> Result<Option<Self>, Refusal> {
        // The program would run on the same bytes again, and could end only by looking at `level`.
        if kernel.bytes() == self.resource.bytes() {
            let why = "nesting: the program bound its own image as kernel";
            return Err(Refusal::new(ELOOP, fmt!("{why}")));
        }
        let level = self.level.saturating_add(1);
        Self::new(kernel.clone(), level, Digest::NONE, &self.key, session)
    }

    fn new(
        resource: Resource,
        level: u32,
        digest: Digest,
        parent: &Key,
        session: &mut Session,
    ) -> Result<Option<Self>, Refusal> {
        // At level 0, the bytes are parsed a second time, as the result of the first time borrowed
        // a buffer that has moved into the resource since. At other levels, this is a kernel, which
        // does not have to be a PE image.
        let name = OBJECT_SECTION.to_bytes();
        let pe = match Pe::parse(resource.bytes()) {
            Ok(pe) => pe,
            // The program of an image must not be passed over: it may be what would refuse it.
            Err(error) if names_section(resource.bytes(), name) => {
                return Err(error).context(fmt!("image"));
            }
            Err(error) if error.kind == Kind::NoMemory => return Err(error).context(fmt!("image")),
            Err(_) => return Ok(None),
        };
        let Some(section) = pe.section(name).context(fmt!("image"))? else {
            return Ok(None);
        };
        if level >= LEVELS_MAX {
            return Err(Refusal::new(
                ELOOP,
                fmt!("nesting: more than {LEVELS_MAX} levels"),
            ));
        }
        if section.range.len() > OBJECT_MAX {
            return Err(Refusal::new(
                EFBIG,
                fmt!("image: section .bpf is larger than {OBJECT_MAX} bytes"),
            ));
        }
        // This cannot fail as long as the parser admits no section that the signature does not
        // cover, and kernels are bound of verified bytes. If one of these breaks, no program runs.
        let object = resource
            .piece(section.range.start as u64, section.range.len() as u64)
            .filter(|object| object.is_verified() || !session.enforced);
        let Some(object) = object else {
            let why = "image: no signature covers all of section .bpf";
            return Err(Refusal::new(EACCES, fmt!("{why}")));
        };
        let key = Key::new(parent, &digest, object.bytes());
        session.log.line(fmt!("level {level}: key {key}"));
        session.name_program(&key);
        Ok(Some(Self {
            object,
            resource,
            level,
            digest,
            key,
        }))
    }
}

/// Checks the signature of an image, and returns which bytes it covers, and their digest. Where
/// signatures are not enforced, an image needs none.
fn verify(image: &[u8], session: &mut Session) -> Result<(Covered, Digest), Refusal> {
    let pe = Pe::parse(image).context(fmt!("image"))?;
    match signature::verify(image, &pe) {
        Ok((digest, signer)) => {
            session
                .log
                .line(fmt!("image: signed by '{signer}', digest {digest}"));
            session.name_image(&digest, &signer);
            Ok((Covered::Ranges(pe.covered()), digest))
        }
        Err(why) => {
            let errno = why.errno();
            if session.enforced {
                ffi::note_unverified();
            }
            if session.enforced || matches!(errno, ENOMEM | EINTR) {
                return Err(Refusal::new(errno, fmt!("image: {why}")));
            }
            session.log.line(fmt!("image: not verified: {why}"));
            Ok((Covered::Nothing, Digest::NONE))
        }
    }
}
