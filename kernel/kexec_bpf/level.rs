// SPDX-License-Identifier: GPL-2.0

//! One run of a program: the resources that it can name, and its decisions.

use kernel::{
    alloc::AllocError,
    bindings::{
        self,
        bpf_kexec_ctx, //
    },
    prelude::*, //
};

use crate::{
    errno::ends_load,
    ffi::{
        self,
        Program, //
    },
    image::Image,
    klib,
    parts::Parts,
    refusal::Refusal,
    resource::Resource,
    session::Session, //
};

/// The most resources that a program can make.
const HANDLES_MAX: usize = bindings::KEXEC_BPF_HANDLES_MAX as usize;
/// The first handle. Smaller numbers are those of the well-known resources.
const FIRST_HANDLE: u32 = bindings::bpf_kexec_resource_BPF_KEXEC_CMDLINE + 1;

/// The state of one level of nesting.
pub(crate) struct Level<'a> {
    /// The context of the program. Kfuncs find the level by it, see `exports.rs`.
    pub(crate) ctx: bpf_kexec_ctx,
    /// The image.
    image: Resource,
    /// The kernel that the program bound.
    pub(crate) kernel: Option<Resource>,
    /// The initrd and the command line, as the program left them so far.
    pub(crate) parts: Parts,
    /// The load that the level is part of.
    pub(crate) session: &'a mut Session,
    handles: KVec<Resource>,
    /// The reason for which the load ends, whatever the program returns.
    refused: Option<Refusal>,
}

impl<'a> Level<'a> {
    /// The level of an image, with the parts that the level above left.
    pub(crate) fn of_image(image: &Image, parts: Parts, session: &'a mut Session) -> Self {
        // An image that is signed itself has a digest, but not all of it is verified: no signature
        // covers the certificate table. An image that is nested in a signed one has no digest of
        // its own, but all of it is verified.
        let is_signed = !image.digest.bytes().is_empty() || image.resource.is_verified();
        let flags = match is_signed {
            true => bindings::BPF_KEXEC_CTX_SIGNED,
            false => 0,
        };
        let ctx = bpf_kexec_ctx {
            image_len: 0,
            flags,
            level: image.level,
            machine: 0,
            digest_len: image.digest.bytes().len() as u32,
            digest: image.digest.padded(),
            key: image.key.0,
        };
        Self::new(ctx, image.resource.clone(), parts, session)
    }

    /// A level whose program sees `ctx`. Fields that do not depend on the image are filled in.
    pub(crate) fn new(
        mut ctx: bpf_kexec_ctx,
        image: Resource,
        parts: Parts,
        session: &'a mut Session,
    ) -> Self {
        ctx.image_len = image.len();
        ctx.machine = ffi::machine();
        if session.enforced {
            ctx.flags |= bindings::BPF_KEXEC_CTX_ENFORCED;
        }
        if session.is_crash {
            ctx.flags |= bindings::BPF_KEXEC_CTX_CRASH;
        }
        Self {
            ctx,
            image,
            kernel: None,
            parts,
            session,
            handles: KVec::new(),
            refused: None,
        }
    }

    /// Runs the program, and returns its value. Fails if the kernel refused something for good.
    pub(crate) fn run(&mut self, program: &Program) -> Result<i32, Refusal> {
        let returned = program.run(self);
        match self.refused.take() {
            Some(refusal) => Err(refusal),
            None => Ok(returned),
        }
    }

    /// Runs the program, and returns the kernel that it bound, and the parts.
    pub(crate) fn decide(mut self, program: &Program) -> Result<(Resource, Parts), Refusal> {
        match (self.run(program)?, self.kernel) {
            (0, Some(kernel)) => Ok((kernel, self.parts)),
            (0, None) => Err(Refusal::new(ECANCELED, fmt!("the program bound no kernel"))),
            (returned, _) => Err(Refusal::new(ECANCELED, fmt!("program returned {returned}"))),
        }
    }

    /// Executes a kfunc. Some refusals end the load, whatever the program does next. Other errors
    /// are for the program to handle.
    pub(crate) fn call(&mut self, body: impl FnOnce(&mut Self) -> Result<i64, CallError>) -> i64 {
        if let Some(refusal) = &self.refused {
            return refusal.errno.to_errno().into();
        }
        let result = match klib::killed() {
            true => Err(Refusal::new(EINTR, fmt!("program: killed by a signal")).into()),
            false => body(self),
        };
        let errno = match result {
            Ok(value) => return value,
            Err(CallError::Contract(errno)) => errno,
            Err(CallError::Refused(refusal)) => {
                let errno = refusal.errno;
                if ends_load(errno) {
                    self.refused = Some(refusal);
                } else {
                    self.session.log.line(fmt!("{refusal}"));
                }
                errno
            }
        };
        errno.to_errno().into()
    }

    /// Adds a resource, and returns its handle.
    pub(crate) fn add(&mut self, resource: Resource) -> Result<u32, Refusal> {
        if self.handles.len() >= HANDLES_MAX {
            return Err(Refusal::new(
                EFBIG,
                fmt!("program: more than {HANDLES_MAX} resources"),
            ));
        }
        let handle = FIRST_HANDLE.saturating_add(self.handles.len() as u32);
        self.handles.push(resource, GFP_KERNEL_ACCOUNT)?;
        Ok(handle)
    }

    /// The resource of this number, except initrd and command line.
    pub(crate) fn resource(&self, number: u32) -> Result<&Resource, CallError> {
        match number {
            bindings::bpf_kexec_resource_BPF_KEXEC_IMAGE => Some(&self.image),
            bindings::bpf_kexec_resource_BPF_KEXEC_KERNEL => self.kernel.as_ref(),
            _ => number
                .checked_sub(FIRST_HANDLE)
                .and_then(|index| self.handles.get(index as usize)),
        }
        .ok_or(CallError::Contract(ENOENT))
    }

    /// The piece that a range names.
    pub(crate) fn range(&self, range: &bindings::bpf_kexec_range) -> Result<Resource, CallError> {
        self.resource(range.resource)?
            .piece(range.offset, range.len)
            .ok_or(CallError::Contract(ERANGE))
    }
}

/// Why a kfunc fails.
pub(crate) enum CallError {
    /// The arguments break the contract in `kfuncs.c`, which explains the errno. The log does not.
    Contract(Error),
    /// The caller's log gives the reason.
    Refused(Refusal),
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<AllocError> for CallError {
    fn from(error: AllocError) -> Self {
        Self::Refused(error.into())
    }
}
