// SPDX-License-Identifier: GPL-2.0

//! One run of a program: what it may name, and what it decided.

use kernel::{
    bindings,
    prelude::*, //
};

use crate::{
    digest::{
        Digest,
        Key, //
    },
    ffi::{
        self,
        Program, //
    },
    image::VerifiedImage,
    library,
    parts::Parts,
    resource::Resource,
    session::{
        ends_load,
        Session,
        What, //
    },
};

/// The most resources that a program can make.
const HANDLES_MAX: usize = bindings::KEXEC_BPF_HANDLES_MAX as usize;
/// The first handle; what is below are the well-known resources.
const HANDLES: u32 = bindings::bpf_kexec_resource_BPF_KEXEC_CMDLINE + 1;

/// The state of one level of nesting.
///
/// The program and C know a pointer to it as one to its first field.
#[repr(C)]
pub(crate) struct Level<'a> {
    ctx: bindings::bpf_kexec_ctx,
    /// The image.
    pub(crate) image: Resource,
    /// What the program makes of kernel, initrd and command line.
    pub(crate) parts: Parts,
    /// What belongs to the whole load.
    pub(crate) session: &'a mut Session,
    handles: KVec<Resource>,
    refused: Option<Error>,
}

const _: () = assert!(core::mem::offset_of!(Level<'static>, ctx) == 0);

impl<'a> Level<'a> {
    /// A level for the image, with what the one above left.
    pub(crate) fn new(image: &VerifiedImage, parts: Parts, session: &'a mut Session) -> Self {
        let mut flags = 0;
        // The certificate table of an image that is signed itself is not verified, and what is
        // nested in one has no digest.
        if image.resource.is_verified() || !image.digest.bytes().is_empty() {
            flags |= bindings::BPF_KEXEC_CTX_SIGNED;
        }
        let ctx = Self::context(flags, image.depth, &image.digest, &image.key);
        Self::with_context(ctx, image.resource.clone(), parts, session)
    }

    /// The context of a program.
    pub(crate) fn context(
        flags: u32,
        depth: u32,
        digest: &Digest,
        key: &Key,
    ) -> bindings::bpf_kexec_ctx {
        bindings::bpf_kexec_ctx {
            image_len: 0,
            flags,
            depth,
            machine: ffi::machine(),
            digest_len: digest.bytes().len() as u32,
            digest: digest.padded(),
            key: key.0,
        }
    }

    /// A level whose program sees `ctx`, but for what is known here.
    pub(crate) fn with_context(
        mut ctx: bindings::bpf_kexec_ctx,
        image: Resource,
        parts: Parts,
        session: &'a mut Session,
    ) -> Self {
        ctx.image_len = image.len();
        if session.enforced {
            ctx.flags |= bindings::BPF_KEXEC_CTX_ENFORCED;
        }
        if session.is_crash {
            ctx.flags |= bindings::BPF_KEXEC_CTX_CRASH;
        }
        Self {
            ctx,
            image,
            parts: Parts {
                kernel: None,
                ..parts
            },
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
    pub(crate) fn decide(mut self, program: &Program) -> Result<Parts> {
        let returned = self.run(program)?;
        let log = &mut self.session.log;
        if returned != 0 {
            return Err(log.refuse(ECANCELED, fmt!("program returned {returned}")));
        }
        if self.parts.kernel.is_none() {
            return Err(log.refuse(ECANCELED, fmt!("the program bound no kernel")));
        }
        Ok(self.parts)
    }

    /// What the program saw.
    pub(crate) fn ctx(&self) -> &bindings::bpf_kexec_ctx {
        &self.ctx
    }

    /// Does what a kfunc is called for. What the kernel refuses for good ends the load, whatever
    /// the program makes of it; other errors are the program's to handle.
    pub(crate) fn call(&mut self, body: impl FnOnce(&mut Self) -> Result<i64>) -> i64 {
        let result = match self.refused {
            Some(errno) => Err(errno),
            None if library::killed() => Err(self.refuse(EINTR, fmt!("killed by a signal"))),
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
        let handle = HANDLES.saturating_add(self.handles.len() as u32);
        self.handles.push(resource, GFP_KERNEL_ACCOUNT)?;
        Ok(handle)
    }

    /// The resource of this number, other than initrd and command line.
    pub(crate) fn resource(&self, number: u32) -> Result<&Resource> {
        match number {
            bindings::bpf_kexec_resource_BPF_KEXEC_IMAGE => Some(&self.image),
            bindings::bpf_kexec_resource_BPF_KEXEC_KERNEL => self.parts.kernel.as_ref(),
            _ => number
                .checked_sub(HANDLES)
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
