// SPDX-License-Identifier: GPL-2.0

//! One load: the state that all of its levels share, and the record that it leaves.

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
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
        Key,
        Signer, //
    },
    log::Log,
    refusal::Refusal, //
};

/// The most files that one load reads: one for each resource of all levels.
const FILES_MAX: usize =
    (bindings::KEXEC_BPF_HANDLES_MAX * bindings::KEXEC_BPF_LEVELS_MAX) as usize;

/// One load.
pub(crate) struct Session {
    /// The caller's log.
    pub(crate) log: Log,
    /// Whether signatures are enforced: on the image, and over all bytes of the kernel to boot.
    pub(crate) enforced: bool,
    /// Whether the crash kernel is loaded.
    pub(crate) is_crash: bool,
    /// Descriptors that were read. None is read twice, as it may be another file the next time.
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

    /// Takes the file of a descriptor. No descriptor can be taken twice, even if it is not open.
    /// `what` names the file in the log.
    pub(crate) fn open(&mut self, fd: i32, what: &str) -> Result<File, Refusal> {
        if self.taken.contains(&fd) {
            return Err(Refusal::new(
                EBADF,
                fmt!("{what}: descriptor {fd} was already taken"),
            ));
        }
        if self.taken.len() == FILES_MAX {
            return Err(Refusal::new(
                EFBIG,
                fmt!("{what}: more than {FILES_MAX} files"),
            ));
        }
        self.taken.push(fd, GFP_KERNEL_ACCOUNT)?;
        File::get(fd)
            .map_err(|errno| Refusal::new(errno, fmt!("{what}: {fd} is not an open descriptor")))
    }

    /// Fails if signatures became enforced since the load began: the program may have accepted what
    /// it refuses where they are.
    pub(crate) fn enforcement_is_the_same(&self) -> Result<(), Refusal> {
        match self.enforced || !ffi::sig_enforced() {
            true => Ok(()),
            false => Err(enforced_meanwhile()),
        }
    }

    /// Sets the image that the record of this load names.
    pub(crate) fn name_image(&mut self, digest: &Digest, signer: &Signer) {
        self.digest = *digest;
        self.signer = *signer;
    }

    /// Sets the innermost program, which the record of this load names.
    pub(crate) fn name_program(&mut self, key: &Key) {
        self.key = Some(*key);
    }

    /// Leaves the record of a load with these flags, `KEXEC_BPF_*`.
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

/// The refusal of a load that began without enforcement.
pub(crate) fn enforced_meanwhile() -> Refusal {
    let why = "signatures became enforced during the load: load it again";
    Refusal::new(EBUSY, fmt!("{why}"))
}
