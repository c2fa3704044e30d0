// SPDX-License-Identifier: GPL-2.0

//! Safe functions and types over what `include/linux/kexec_bpf.h` offers.

use core::{
    ffi::CStr,
    mem::{
        size_of,
        ManuallyDrop, //
    },
    ptr::{
        self,
        NonNull, //
    },
};

use kernel::{
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    fs::LocalFile,
    prelude::*,
    sync::aref::ARef, //
};

use crate::{
    identity::{
        Digest,
        Key,
        Signer, //
    },
    object::{
        link::Insn,
        linked::Linked,
        map::MapSpec, //
    },
};

/// `IMAGE_FILE_MACHINE_*` of the running kernel.
pub(crate) fn machine() -> u32 {
    // SAFETY: There are no requirements.
    unsafe { bindings::kexec_bpf_machine() }
}

/// An open file.
pub(crate) struct File(ARef<LocalFile>);

impl File {
    /// The file of a descriptor of the caller's.
    pub(crate) fn get(fd: i32) -> Result<Self> {
        let fd = u32::try_from(fd).map_err(|_| EBADF)?;
        Ok(Self(LocalFile::fget(fd)?))
    }

    /// The length in bytes, or `EBADF` if this is not a regular file that is open for reading.
    pub(crate) fn len(&self) -> Result<u64> {
        // SAFETY: The file is open.
        let len = unsafe { bindings::kexec_bpf_file_size(self.0.as_ptr()) };
        match u64::try_from(len) {
            Ok(len) => Ok(len),
            Err(_) => Err(Error::from_errno(len as i32)),
        }
    }

    /// Appends the file to `buffer`, through the hooks for images or for initrds. Fails if there
    /// are more or less than `len` bytes in it.
    pub(crate) fn read(&self, buffer: &mut VVec<u8>, len: usize, is_image: bool) -> Result {
        let to = buffer
            .spare_capacity_mut()
            .get_mut(..len)
            .ok_or(EINVAL)?
            .as_mut_ptr();
        // SAFETY: The file is open; `to` has room for `len` bytes.
        to_result(unsafe {
            bindings::kexec_bpf_read_file(self.0.as_ptr(), to.cast(), len, is_image)
        })?;
        // SAFETY: All `len` bytes were written, in the spare capacity.
        unsafe { buffer.inc_len(len) };
        Ok(())
    }
}

/// Checks the signature of a PE image against the trusted keys and the revocation lists.
pub(crate) fn verify_pe(image: &[u8]) -> Result<(Digest, Signer)> {
    let mut digest = bindings::pefile_digest::default();
    // SAFETY: The slice is valid for its length, and `digest` for writing.
    to_result(unsafe {
        bindings::kexec_bpf_verify_pe(image.as_ptr().cast(), image.len(), &mut digest)
    })?;
    if digest.algo.is_null() {
        return Err(EBADMSG);
    }
    // SAFETY: It is there, and algorithms are named by string literals of the kernel.
    let algorithm = unsafe { CStr::from_char_ptr(digest.algo) };
    let signer = Signer::new(digest.signer);
    let digest = Digest::new(algorithm, digest.digest, digest.len as usize).ok_or(EBADMSG)?;
    Ok((digest, signer))
}

/// Whether an image needs a signature of its own, now.
pub(crate) fn sig_enforced() -> bool {
    // SAFETY: There are no requirements.
    unsafe { bindings::kexec_bpf_sig_enforced() }
}

/// Leaves lockdown's notice of an image that is refused for want of a signature.
pub(crate) fn note_unverified() {
    // SAFETY: There are no requirements.
    unsafe { bindings::kexec_bpf_note_unverified() }
}

/// The BTF ID of a kernel function.
pub(crate) fn kfunc_id(name: &CStr) -> Option<u32> {
    // SAFETY: The name ends with a NUL.
    u32::try_from(unsafe { bindings::kexec_bpf_kfunc_id(name.as_char_ptr()) }).ok()
}

/// Type information of a program.
///
/// # Invariants
///
/// Owns a reference.
pub(crate) struct Btf(NonNull<bindings::btf>);

impl Btf {
    /// Checks BTF.
    pub(crate) fn parse(data: &[u8]) -> Result<Self> {
        let len = u32::try_from(data.len())?;
        // SAFETY: The slice is valid for its length.
        let btf = unsafe { bindings::kexec_bpf_btf_parse(data.as_ptr().cast(), len) };
        // INVARIANT: The caller of `kexec_bpf_btf_parse()` gets a reference.
        Ok(Self(NonNull::new(from_err_ptr(btf)?).ok_or(ENOMEM)?))
    }
}

impl Drop for Btf {
    fn drop(&mut self) {
        // SAFETY: By the type invariant there is a reference to put.
        unsafe { bindings::kexec_bpf_btf_put(self.0.as_ptr()) }
    }
}

/// A map that user space has no name for.
///
/// # Invariants
///
/// Owns a reference.
#[repr(transparent)]
pub(crate) struct Map(NonNull<bindings::bpf_map>);

impl Map {
    /// Creates the map that an object asks for.
    pub(crate) fn create(map: &MapSpec<'_>, flags: u32) -> Result<Self> {
        let spec = bindings::kexec_bpf_map_spec {
            name: map.name.as_char_ptr(),
            value_size: map.value_size,
            max_entries: map.max_entries,
            map_flags: flags,
        };
        // SAFETY: The name ends with a NUL.
        let map = unsafe { bindings::kexec_bpf_map_create(&spec) };
        // INVARIANT: The caller of `kexec_bpf_map_create()` gets a reference.
        Ok(Self(NonNull::new(from_err_ptr(map)?).ok_or(ENOMEM)?))
    }

    /// Writes the first bytes of an array of one element.
    pub(crate) fn fill(&self, data: &[u8], freeze: bool) -> Result {
        let len = u32::try_from(data.len())?;
        // SAFETY: The map is alive by the type invariant, the slice is valid for its length.
        to_result(unsafe {
            bindings::kexec_bpf_map_fill(self.0.as_ptr(), data.as_ptr().cast(), len, freeze)
        })
    }

    /// Copies a map of the caller's. `EBADF` if that cannot be read, `EFBIG` if it is too large,
    /// `ELIBBAD` if it is no plain array.
    pub(crate) fn snapshot(fd: i32) -> Result<Self> {
        // SAFETY: There are no requirements.
        let map = unsafe { bindings::kexec_bpf_map_snapshot(fd) };
        // INVARIANT: The caller of `kexec_bpf_map_snapshot()` gets a reference.
        Ok(Self(NonNull::new(from_err_ptr(map)?).ok_or(ENOMEM)?))
    }

    /// Copies what is in an array, or fails with `ELIBBAD` if it is of another shape.
    pub(crate) fn copy_from(&self, other: &Self) -> Result {
        // SAFETY: The maps are alive by the type invariant.
        to_result(unsafe { bindings::kexec_bpf_map_copy(self.0.as_ptr(), other.0.as_ptr()) })
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: By the type invariant there is a reference to put.
        unsafe { bindings::kexec_bpf_map_put(self.0.as_ptr()) }
    }
}

/// What a program runs on: its kfuncs find it by the context that they are given.
///
/// # Safety
///
/// At `CONTEXT` bytes from the start there is a `bpf_kexec_ctx`, and the kfuncs take the context of
/// a running program for one that is there in a `Self`.
pub(crate) unsafe trait Context {
    /// The offset of the context.
    const CONTEXT: usize;
}

/// A verified and compiled program.
///
/// # Invariants
///
/// This is a program of type `BPF_PROG_TYPE_KEXEC`, and owns a reference to it.
pub(crate) struct Program(NonNull<bindings::bpf_prog>);

impl Program {
    /// Verifies and compiles a program. What the verifier says is written to `log`, with a NUL at
    /// the end; nothing if that is empty. The program has references of its own to the maps.
    pub(crate) fn load(
        linked: &Linked<'_>,
        maps: &[Map],
        btf: Option<&Btf>,
        log: &mut [u8],
    ) -> Result<Self> {
        let mut spec = bindings::kexec_bpf_prog_spec {
            name: linked.name.as_char_ptr(),
            license: linked.license.as_char_ptr(),
            insns: linked.insns.as_ptr().cast(),
            insn_cnt: u32::try_from(linked.insns.len())?,
            map_cnt: u32::try_from(maps.len())?,
            // `Map` is a pointer to a map.
            maps: maps.as_ptr().cast_mut().cast(),
            ..Default::default()
        };
        if let Some(btf) = btf {
            spec.btf = btf.0.as_ptr();
            spec.func_info = linked.info.functions.as_ptr().cast();
            spec.func_info_cnt = u32::try_from(linked.info.functions.len())?;
            spec.line_info = linked.info.lines.as_ptr().cast();
            spec.line_info_cnt = u32::try_from(linked.info.lines.len())?;
            spec.core_relos = linked.info.core_relos.as_ptr().cast();
            spec.core_relo_cnt = u32::try_from(linked.info.core_relos.len())?;
        }
        const { assert!(size_of::<Insn>() == size_of::<bindings::bpf_insn>()) };

        let log_len = u32::try_from(log.len())?;
        // SAFETY: Pointers and counts are those of slices and strings that live until the end of
        // this function; maps and BTF are alive by the invariants of their types.
        let prog =
            unsafe { bindings::kexec_bpf_prog_load(&spec, log.as_mut_ptr().cast(), log_len) };
        // INVARIANT: The caller of `kexec_bpf_prog_load()` gets a reference.
        Ok(Self(NonNull::new(from_err_ptr(prog)?).ok_or(ENOMEM)?))
    }

    /// Calls `body` with a program that someone else owns.
    ///
    /// # Safety
    ///
    /// `prog` is a program of type `BPF_PROG_TYPE_KEXEC` that lives until this function returns.
    pub(crate) unsafe fn with_borrowed<T>(
        prog: *mut bindings::bpf_prog,
        body: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        // INVARIANT: It is never dropped, so the reference can be someone else's.
        let program = ManuallyDrop::new(Self(NonNull::new(prog).ok_or(EINVAL)?));
        body(&program)
    }

    /// Runs the program, and returns what it returned. Its kfuncs run outside of it, see
    /// [`outside_of_program()`].
    pub(crate) fn run<T: Context>(&self, state: &mut T) -> i32 {
        let ctx = ptr::from_mut(state).wrapping_byte_add(T::CONTEXT).cast();
        // SAFETY: By the type invariant this is a program of this type, and by the requirements of
        // `Context` this is the context for it. The program and its kfuncs are all that touches
        // `state` while it runs.
        unsafe { bindings::kexec_bpf_prog_run(self.0.as_ptr(), ctx) as i32 }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: By the type invariant there is a reference to put.
        unsafe { bindings::kexec_bpf_prog_put(self.0.as_ptr()) }
    }
}

/// Calls `body` as if no program were running: what it waits for, nobody else waits for.
///
/// # Safety
///
/// A program that [`Program::run()`] runs has called a kfunc.
pub(crate) unsafe fn outside_of_program<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: The program was entered, by the safety requirements.
    unsafe { bindings::kexec_bpf_leave() };
    let result = body();
    // SAFETY: It was left above.
    unsafe { bindings::kexec_bpf_enter() };
    result
}

/// Whether a loader of this architecture knows a kernel.
pub(crate) fn probe(kernel: &[u8]) -> Result {
    // SAFETY: The slice is valid for its length.
    to_result(unsafe { bindings::kexec_bpf_probe(kernel.as_ptr().cast(), kernel.len()) })
}

/// Installs a kernel. `cmdline` ends with a NUL, or is empty. Where signatures are enforced by now,
/// fails with `EKEYREJECTED` if they were not when all was `checked`.
pub(crate) fn install(
    kernel: &[u8],
    checked: bool,
    initrd: &[u8],
    cmdline: &[u8],
    file: &File,
    flags: u32,
) -> Result {
    let pointer = |bytes: &[u8]| match bytes {
        [] => ptr::null(),
        _ => bytes.as_ptr(),
    };
    let parts = bindings::kexec_bpf_parts {
        kernel: kernel.as_ptr().cast(),
        kernel_len: kernel.len(),
        initrd: pointer(initrd).cast(),
        initrd_len: initrd.len(),
        cmdline: pointer(cmdline).cast(),
        cmdline_len: cmdline.len(),
        file: file.0.as_ptr(),
        checked,
    };
    // SAFETY: Pointers and lengths are those of slices; kexec_file only reads them, and only during
    // the call. The file is open.
    to_result(unsafe { bindings::kexec_bpf_install(&parts, flags) })
}

/// Leaves an audit and a dmesg line of a load with these `KEXEC_BPF_*`.
pub(crate) fn record(
    flags: u32,
    digest: &Digest,
    signer: &Signer,
    key: Option<&Key>,
    verdict: Result,
) {
    let record = bindings::kexec_bpf_record {
        flags,
        digest: digest.bytes().as_ptr(),
        digest_len: digest.bytes().len() as u32,
        digest_algo: digest.algorithm().as_char_ptr(),
        key: key.map_or(ptr::null(), |key| key.0.as_ptr()),
        signer: signer.bytes().as_ptr().cast(),
        signer_len: signer.bytes().len() as u32,
        verdict: verdict.map_or_else(|error| error.to_errno(), |()| 0),
    };
    // SAFETY: Pointers and lengths are those of slices, the algorithm's name ends with a NUL; a key
    // is a SHA-256.
    unsafe { bindings::kexec_bpf_leave_record(&record) }
}
