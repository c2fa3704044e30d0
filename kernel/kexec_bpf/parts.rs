// SPDX-License-Identifier: GPL-2.0

//! What a kernel is booted with: initrd and command line, first the caller's and last the final
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
    log::Log,
    printable::Printable, //
    resource::{
        Covered,
        Resource, //
    },
    session::{
        Session,
        What,
        ENFORCED_MEANWHILE, //
    },
};

/// Initrd and command line.
#[derive(Default)]
pub(crate) struct Parts {
    /// The initrd.
    pub(crate) initrd: Initrd,
    /// The command line.
    pub(crate) cmdline: Cmdline,
}

impl Parts {
    /// The caller's command line, and nothing else. It is read from memory of the caller's, which
    /// may take long: before anything is held.
    // As for `loader::load()`.
    #[inline(never)]
    pub(crate) fn of_caller(args: &bindings::kexec_bpf_args, log: &mut Log) -> Result<Self> {
        let mut cmdline = Cmdline::default();
        let len = args.cmdline_len;
        if len > cmdline::LEN_MAX as u64 {
            let max = cmdline::LEN_MAX;
            return Err(log.refuse(EFBIG, fmt!("caller's command line: more than {max} bytes")));
        }
        let mut refuse = |errno, why: &str| log.refuse(errno, fmt!("caller's command line: {why}"));
        let mut text = KVec::new();
        UserSlice::new(UserPtr::from_addr(args.cmdline as usize), len as usize)
            .read_all(&mut text, GFP_KERNEL_ACCOUNT)
            .map_err(|error| match error {
                ENOMEM => refuse(ENOMEM, cmdline::why_not(ENOMEM)),
                _ => refuse(EFAULT, "it cannot be read"),
            })?;
        cmdline
            .append(&text)
            .map_err(|error| refuse(error, cmdline::why_not(error)))?;
        if len != 0 {
            log.line(fmt!("caller's command line: {len} bytes"));
        }
        Ok(Self {
            initrd: Initrd::default(),
            cmdline,
        })
    }

    /// Adds the caller's initrd, if there is one.
    #[inline(never)]
    pub(crate) fn read_initrd(
        &mut self,
        args: &bindings::kexec_bpf_args,
        session: &mut Session,
    ) -> Result {
        if args.initrd_fd == -1 {
            return Ok(());
        }
        let file = session.open(args.initrd_fd, What::Initrd)?;
        let bytes = session.read(&file, false, What::Initrd)?;
        session
            .log
            .line(fmt!("caller's initrd: {} bytes", bytes.len()));
        self.initrd.append(Resource::new(bytes, Covered::Nothing)?)
    }

    /// Hands them to kexec_file with their kernel, unless this is a dry run. kexec_file copies them.
    // As for `loader::load()`: kexec_file is called from here.
    #[inline(never)]
    pub(crate) fn install(
        self,
        kernel: &Resource,
        file: &File,
        flags: u32,
        session: &mut Session,
    ) -> Result {
        let initrd = self.initrd.join().map_err(|errno| {
            let why = initrd::why_not_joined(errno);
            session.refuse(What::Initrd, errno, fmt!("{why}"))
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
        session.enforcement_is_the_same()?;
        if flags & bindings::KEXEC_BPF_DRY_RUN != 0 {
            session.log.line(fmt!("accepted, not installed: dry run"));
            return Ok(());
        }
        let initrd = initrd.as_ref().map_or(&[][..], Resource::bytes);
        let checked = session.enforced && kernel.is_verified();
        let installed = ffi::install(kernel.bytes(), checked, initrd, &cmdline, file, flags);
        installed.map_err(|error| {
            let log = &mut session.log;
            match error {
                EPERM => log.refuse(
                    EPERM,
                    fmt!("kexec was disabled during the load, or its limit is used up"),
                ),
                EKEYREJECTED => log.refuse(EBUSY, fmt!("{ENFORCED_MEANWHILE}")),
                EBUSY => log.refuse(EBUSY, fmt!("another load is under way: try again")),
                _ => {
                    // Two of them would mean something else to the caller.
                    let errno = match error {
                        EINVAL | ENOEXEC => ELIBBAD,
                        _ => error,
                    };
                    let error = error.to_errno();
                    log.refuse(errno, fmt!("kernel: kexec_file does not take it: {error}"))
                }
            }
        })?;
        session.log.line(fmt!("accepted, installed"));
        Ok(())
    }
}
