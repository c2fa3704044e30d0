// SPDX-License-Identifier: GPL-2.0

//! What a load is about: kernel, initrd and command line, first the caller's and last the final
//! ones.

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    bindings,
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

use crate::{
    cmdline::{
        self,
        Cmdline, //
    },
    ffi::{
        self,
        File, //
    },
    initrd::{
        self,
        Initrd, //
    },
    log::Printable,
    resource::{
        Resource,
        NOTHING, //
    },
    session::{
        Enforced,
        Session,
        What, //
    },
};

/// Kernel, initrd and command line.
#[derive(Default)]
pub(crate) struct Parts {
    /// The kernel, once a program bound one.
    pub(crate) kernel: Option<Resource>,
    /// The initrd.
    pub(crate) initrd: Initrd,
    /// The command line.
    pub(crate) cmdline: Cmdline,
}

impl Parts {
    /// What the caller gave: no kernel.
    pub(crate) fn of_caller(
        args: &bindings::kexec_bpf_args,
        session: &mut Session,
    ) -> Result<Self> {
        let mut parts = Self::default();
        if args.initrd_fd != -1 {
            let file = session.open(args.initrd_fd, What::Initrd)?;
            let bytes = session.read(&file, false, What::Initrd)?;
            session
                .log
                .line(fmt!("caller's initrd: {} bytes", bytes.len()));
            parts.initrd.append(Resource::new(bytes, NOTHING)?)?;
        }
        if args.cmdline_len > cmdline::LEN_MAX as u64 {
            return Err(session.log.refuse(
                EFBIG,
                fmt!(
                    "caller's command line: more than {} bytes",
                    cmdline::LEN_MAX
                ),
            ));
        }
        let mut text = KVec::new();
        UserSlice::new(
            UserPtr::from_addr(args.cmdline as usize),
            args.cmdline_len as usize,
        )
        .read_all(&mut text, GFP_KERNEL_ACCOUNT)
        .map_err(|errno| {
            session
                .log
                .refuse(errno, fmt!("caller's command line: it cannot be read"))
        })?;
        parts.cmdline.append(&text).map_err(|error| {
            let why = cmdline::why_not(error);
            session
                .log
                .refuse(error, fmt!("caller's command line: {why}"))
        })?;
        if !text.is_empty() {
            session
                .log
                .line(fmt!("caller's command line: {} bytes", text.len()));
        }
        Ok(parts)
    }

    /// Hands them to kexec_file, which copies them, unless this is a dry run.
    pub(crate) fn install(self, file: &File, flags: u32, session: &mut Session) -> Result {
        let kernel = self.kernel.ok_or(ECANCELED)?;
        let initrd = self.initrd.join(&mut session.budget).map_err(|errno| {
            session.refuse(What::Initrd, errno, fmt!("{}", initrd::why_not(errno)))
        })?;
        let cmdline = self.cmdline.into_string()?;
        session.log.line(fmt!(
            "kernel: {} bytes, initrd: {} bytes, command line: '{}'",
            kernel.len(),
            initrd.as_ref().map_or(0, Resource::len),
            Printable(cmdline.strip_suffix(b"\0").unwrap_or_default())
        ));
        ffi::probe(kernel.bytes()).map_err(|_| {
            session.log.refuse(
                ELIBBAD,
                fmt!("kernel: no loader of this architecture knows its format"),
            )
        })?;
        if flags & bindings::KEXEC_BPF_DRY_RUN != 0 {
            session.log.line(fmt!("accepted, not installed: dry run"));
            return Ok(());
        }
        let initrd = initrd.as_ref().map_or(&[][..], Resource::bytes);
        let checked = session.enforced == Enforced::Signature;
        let installed = ffi::install(kernel.bytes(), checked, initrd, &cmdline, file, flags);
        installed.map_err(|error| {
            // These would mean something else to the caller.
            let errno = match error {
                EINVAL | ENOEXEC => ELIBBAD,
                _ => error,
            };
            session.log.refuse(
                errno,
                fmt!("kernel: kexec_file does not take it: {}", error.to_errno()),
            )
        })?;
        session.log.line(fmt!("accepted, installed"));
        Ok(())
    }
}
