// SPDX-License-Identifier: GPL-2.0

//! Initrd and command line of the kernel to boot: first those of the caller, in the end those that
//! the programs made.

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
    file,
    initrd::Initrd,
    log::Log,
    printable::Printable,
    refusal::{
        Context,
        Refusal, //
    },
    resource::{
        Covered,
        Resource, //
    },
    session::{
        enforced_meanwhile,
        Session, //
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
    /// The caller's command line, without an initrd. Reading the caller's memory may take long, so
    /// this comes first, when nothing is held.
    // Not inlined: its locals would be in the frame of `run()` while the program runs.
    #[inline(never)]
    pub(crate) fn of_caller(
        args: &bindings::kexec_bpf_args,
        log: &mut Log,
    ) -> Result<Self, Refusal> {
        const WHAT: &str = "caller's command line";
        let mut cmdline = Cmdline::default();
        let len = args.cmdline_len;
        if len > cmdline::LEN_MAX as u64 {
            let max = cmdline::LEN_MAX;
            return Err(Refusal::new(EFBIG, fmt!("{WHAT}: more than {max} bytes")));
        }
        let mut text = KVec::from_elem(0, len as usize, GFP_KERNEL_ACCOUNT)?;
        UserSlice::new(UserPtr::from_addr(args.cmdline as usize), len as usize)
            .reader()
            .read_slice(&mut text)
            .map_err(|_| Refusal::new(EFAULT, fmt!("{WHAT}: it cannot be read")))?;
        cmdline.append(&text).context(fmt!("{WHAT}"))?;
        if len != 0 {
            log.line(fmt!("{WHAT}: {len} bytes"));
        }
        Ok(Self {
            initrd: Initrd::default(),
            cmdline,
        })
    }

    /// Adds the caller's initrd, if there is one.
    // Not inlined: its locals would be in the frame of `run()` while the program runs.
    #[inline(never)]
    pub(crate) fn read_initrd(
        &mut self,
        args: &bindings::kexec_bpf_args,
        session: &mut Session,
    ) -> Result<(), Refusal> {
        if args.initrd_fd == -1 {
            return Ok(());
        }
        let file = session.open(args.initrd_fd, "initrd")?;
        let bytes = file::read(&file, false, "initrd")?;
        session
            .log
            .line(fmt!("caller's initrd: {} bytes", bytes.len()));
        let initrd = Resource::new(bytes, Covered::Nothing)?;
        self.initrd.append(initrd).context(fmt!("initrd"))
    }

    /// Passes the parts and their kernel to kexec_file, which copies them. A dry run does not.
    // Not inlined: its locals would be in the frame of `run()` while the program runs.
    #[inline(never)]
    pub(crate) fn install(
        self,
        kernel: &Resource,
        file: &File,
        flags: u32,
        session: &mut Session,
    ) -> Result<(), Refusal> {
        let initrd = self.initrd.join().context(fmt!("initrd"))?;
        let cmdline = self.cmdline.into_string()?;
        session.log.line(fmt!(
            "kernel: {} bytes, initrd: {} bytes, command line: '{}'",
            kernel.len(),
            initrd.as_ref().map_or(0, Resource::len),
            Printable(cmdline.strip_suffix(b"\0").unwrap_or_default())
        ));
        ffi::probe(kernel.bytes()).map_err(|_| {
            let why = "kernel: no loader of this architecture knows its format";
            Refusal::new(ELIBBAD, fmt!("{why}"))
        })?;
        session.enforcement_is_the_same()?;
        if flags & bindings::KEXEC_BPF_DRY_RUN != 0 {
            session.log.line(fmt!("accepted, not installed: dry run"));
            return Ok(());
        }
        let initrd = initrd.as_ref().map_or(&[][..], Resource::bytes);
        let checked = session.enforced && kernel.is_verified();
        ffi::install(kernel.bytes(), checked, initrd, &cmdline, file, flags)
            .map_err(why_not_installed)?;
        session.log.line(fmt!("accepted, installed"));
        Ok(())
    }
}

fn why_not_installed(error: Error) -> Refusal {
    let (errno, why) = match error {
        EPERM => (
            EPERM,
            "kexec was disabled during the load, or its limit is used up",
        ),
        EKEYREJECTED if ffi::sig_enforced() => return enforced_meanwhile(),
        EKEYREJECTED => (
            EKEYREJECTED,
            "a security module rejected it, although signatures are not enforced",
        ),
        EBUSY => (EBUSY, "another load is under way: try again"),
        _ => {
            // To the caller, two of these errnos mean something else.
            let errno = match error {
                EINVAL | ENOEXEC => ELIBBAD,
                _ => error,
            };
            let error = error.to_errno();
            return Refusal::new(errno, fmt!("kernel: kexec_file rejected it: {error}"));
        }
    };
    Refusal::new(errno, fmt!("{why}"))
}
