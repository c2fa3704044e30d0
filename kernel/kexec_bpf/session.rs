// SPDX-License-Identifier: GPL-2.0

//! What all levels of one load share: log, files, policy.

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    bindings,
    fmt,
    prelude::*, //
};

use crate::{
    buffer::{
        self,
        Buffer, //
    },
    errno::{
        ends_load,
        why_not_verified, //
    },
    error,
    ffi::{
        self,
        File, //
    },
    identity::{
        Digest,
        Key,
        Signer, //
    },
    log::Log,
    pe::IMAGE_MAX, //
};

/// The most files that one load reads: one for each resource of all levels.
const FILES_MAX: usize = (bindings::KEXEC_BPF_HANDLES_MAX * bindings::KEXEC_BPF_DEPTH_MAX) as usize;

/// What is refused.
#[derive(Clone, Copy)]
pub(crate) enum What {
    /// The image, or one that is nested in it.
    Image,
    /// The caller's initrd.
    Initrd,
    /// What a program asks for.
    Request,
    /// A file that a program asks for.
    File,
}

impl What {
    /// Whether a program may go on without it.
    fn is_programs(self) -> bool {
        matches!(self, Self::Request | Self::File)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image => "image",
            Self::Initrd => "initrd",
            Self::Request => "program",
            Self::File => "program: file",
        })
    }
}

/// One load.
pub(crate) struct Session {
    /// The caller's log.
    pub(crate) log: Log,
    /// Whether the image needs a signature, and the kernel to be has to be of verified bytes.
    pub(crate) enforced: bool,
    /// Whether this is to be the crash kernel.
    pub(crate) is_crash: bool,
    /// Descriptors that were read. None is read twice: what is there may be another file then.
    taken: KVec<i32>,
    digest: Digest,
    signer: Signer,
    key: Option<Key>,
}

impl Session {
    /// A new load.
    pub(crate) fn new(log: Log, is_crash: bool, enforced: bool) -> Self {
        Self {
            log,
            enforced,
            is_crash,
            taken: KVec::new(),
            digest: Digest::NONE,
            signer: Signer::NONE,
            key: None,
        }
    }

    /// Takes the file from a descriptor, once, also if there is none.
    pub(crate) fn open(&mut self, fd: i32, what: What) -> Result<File> {
        if self.taken.contains(&fd) {
            return Err(self.refuse(what, EBADF, fmt!("descriptor {fd} was already taken")));
        }
        if self.taken.len() == FILES_MAX {
            return Err(self.refuse(what, EFBIG, fmt!("more than {FILES_MAX} files")));
        }
        self.taken.push(fd, GFP_KERNEL_ACCOUNT)?;
        File::get(fd)
            .map_err(|errno| self.refuse(what, errno, fmt!("{fd} is not an open descriptor")))
    }

    /// Reads a whole file.
    pub(crate) fn read(&mut self, file: &File, is_image: bool, what: What) -> Result<Buffer> {
        let len = file.len().map_err(|errno| {
            let why = "not a regular file that is open for reading";
            self.refuse(what, errno, fmt!("{why}"))
        })?;
        if len == 0 && is_image {
            return Err(self.refuse(what, ENOEXEC, fmt!("the file is empty")));
        }
        if len > IMAGE_MAX {
            return Err(self.refuse(what, EFBIG, fmt!("the file is larger than 1 GiB")));
        }
        let mut bytes = Buffer::new(len)
            .map_err(|errno| self.refuse(what, errno, fmt!("{}", buffer::why_not(errno))))?;
        if len == 0 {
            return Ok(bytes);
        }
        file.read(&mut bytes, len as usize, is_image)
            .map_err(|error| {
                let (errno, why) = match error {
                    EACCES | EPERM => (EKEYREJECTED, "IMA or another security module refuses it"),
                    ETXTBSY => (EBUSY, "someone writes to the file"),
                    ENOMEM => (ENOMEM, "there is no memory to read the file"),
                    EINTR | ERESTARTSYS => (EINTR, "a signal came while the file was read"),
                    // It has changed, the disk is bad, or a hook says anything.
                    _ => (EIO, "the file cannot be read"),
                };
                self.refuse(what, errno, fmt!("{why}: {}", error.to_errno()))
            })?;
        Ok(bytes)
    }

    /// Refuses what a parser refused.
    pub(crate) fn malformed(&mut self, what: What, error: error::Error) -> Error {
        self.refuse(what, error.kind.errno(), fmt!("{error}"))
    }

    /// Writes why something is refused with `errno`, and returns that.
    pub(crate) fn refuse(&mut self, what: What, errno: Error, why: fmt::Arguments<'_>) -> Error {
        if what.is_programs() && !ends_load(errno) {
            self.log.line(fmt!("{what}: {why}"));
            return errno;
        }
        self.log.refuse(errno, fmt!("{what}: {why}"))
    }

    /// Whether the policy takes an image whose signature check failed with `error`.
    pub(crate) fn unsigned(&mut self, error: Error) -> Result {
        let (errno, why) = why_not_verified(error);
        if self.enforced {
            ffi::note_unverified();
        }
        if self.enforced || matches!(errno, ENOMEM | EINTR) {
            return Err(self.refuse(What::Image, errno, fmt!("{why}")));
        }
        self.log.line(fmt!("image: not verified: {why}"));
        Ok(())
    }

    /// Refuses what was decided while signatures were not enforced, if they are now. It may be that
    /// the program took what it would refuse then.
    pub(crate) fn enforcement_is_the_same(&mut self) -> Result {
        match self.enforced || !ffi::sig_enforced() {
            true => Ok(()),
            false => Err(self.log.refuse(EBUSY, fmt!("{ENFORCED_MEANWHILE}"))),
        }
    }

    /// What the record of this load says of the image.
    pub(crate) fn name_image(&mut self, digest: &Digest, signer: &Signer) {
        self.digest = *digest;
        self.signer = *signer;
    }

    /// What the record of this load says of the innermost program.
    pub(crate) fn name_program(&mut self, key: &Key) {
        self.key = Some(*key);
    }

    /// Leaves the record of a load with these `KEXEC_BPF_*`.
    pub(crate) fn record(&self, flags: u32, verdict: Result) {
        ffi::record(
            flags,
            &self.digest,
            &self.signer,
            self.key.as_ref(),
            verdict,
        );
    }
}

/// Why a load is refused that began without enforcement.
pub(crate) const ENFORCED_MEANWHILE: &str =
    "signatures became enforced during the load: load it again";
