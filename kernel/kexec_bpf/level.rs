// SPDX-License-Identifier: GPL-2.0

//! One run of a program: what it may name, and what it decided.

use kernel::{
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
    resource::Resource,
    session::{
        Session,
        What, //
    },
};

/// The most resources that a program can make.
const HANDLES_MAX: usize = bindings::KEXEC_BPF_HANDLES_MAX as usize;
/// The first handle; what is below are the well-known resources.
const FIRST_HANDLE: u32 = bindings::bpf_kexec_resource_BPF_KEXEC_CMDLINE + 1;

/// The state of one level of nesting.
pub(crate) struct Level<'a> {
    /// What the program sees. Its kfuncs find the level by it, see `exports.rs`.
    pub(crate) ctx: bpf_kexec_ctx,
    /// The image.
    image: Resource,
    /// The kernel that the program bound.
    pub(crate) kernel: Option<Resource>,
    /// What the program makes of initrd and command line.
    pub(crate) parts: Parts,
    /// What belongs to the whole load.
    pub(crate) session: &'a mut Session,
    handles: KVec<Resource>,
    refused: Option<Error>,
}

impl<'a> Level<'a> {
    /// The level of an image, with what the one above left.
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
            depth: image.depth,
            machine: 0,
            digest_len: image.digest.bytes().len() as u32,
            digest: image.digest.padded(),
            key: image.key.0,
        };
        Self::new(ctx, image.resource.clone(), parts, session)
    }

    /// A level whose program sees `ctx`, with what is known here filled in.
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

    /// Runs the program. Returns what it returned, unless the kernel refused something for good.
    pub(crate) fn run(&mut self, program: &Program) -> Result<i32> {
        let returned = program.run(self);
        match self.refused {
            Some(errno) => Err(errno),
            None => Ok(returned),
        }
    }

    /// Runs the program and takes its decisions.
    pub(crate) fn decide(mut self, program: &Program) -> Result<(Resource, Parts)> {
        let returned = self.run(program)?;
        let log = &mut self.session.log;
        if returned != 0 {
            return Err(log.refuse(ECANCELED, fmt!("program returned {returned}")));
        }
        match self.kernel {
            Some(kernel) => Ok((kernel, self.parts)),
            None => Err(log.refuse(ECANCELED, fmt!("the program bound no kernel"))),
        }
    }

    /// Does what a kfunc is called for. What the kernel refuses for good ends the load, whatever
    /// the program makes of it; other errors are the program's to handle.
    pub(crate) fn call(&mut self, body: impl FnOnce(&mut Self) -> Result<i64>) -> i64 {
        let result = match self.refused {
            Some(errno) => Err(errno),
            None if klib::killed() => Err(self.refuse(EINTR, fmt!("killed by a signal"))),
            None => body(self),
        };
        result.unwrap_or_else(|errno| {
            if ends_load(errno) {
                self.refused = Some(errno);
            }
            i64::from(errno.to_errno())
        })
    }

    /// Writes why a kfunc returns `errno`, and returns it.
    pub(crate) fn refuse(&mut self, errno: Error, why: kernel::fmt::Arguments<'_>) -> Error {
        self.session.refuse(What::Request, errno, why)
    }

    /// Makes a handle for a new resource.
    pub(crate) fn add(&mut self, resource: Resource) -> Result<u32> {
        if self.handles.len() >= HANDLES_MAX {
            return Err(self.refuse(EFBIG, fmt!("more than {HANDLES_MAX} resources")));
        }
        let handle = FIRST_HANDLE.saturating_add(self.handles.len() as u32);
        self.handles.push(resource, GFP_KERNEL_ACCOUNT)?;
        Ok(handle)
    }

    /// The resource of this number, other than initrd and command line.
    pub(crate) fn resource(&self, number: u32) -> Result<&Resource> {
        match number {
            bindings::bpf_kexec_resource_BPF_KEXEC_IMAGE => Some(&self.image),
            bindings::bpf_kexec_resource_BPF_KEXEC_KERNEL => self.kernel.as_ref(),
            _ => number
                .checked_sub(FIRST_HANDLE)
                .and_then(|index| self.handles.get(index as usize)),
        }
        .ok_or(ENOENT)
    }

    /// The piece that a range names.
    pub(crate) fn range(&self, range: &bindings::bpf_kexec_range) -> Result<Resource> {
        self.resource(range.resource)?
            .piece(range.offset, range.len)
    }
}
