// SPDX-License-Identifier: GPL-2.0

//! Safe functions and types for the C functions of `include/linux/kexec_bpf.h`.

use core::{
    ffi::CStr,
    marker::PhantomData,
    mem::{
        size_of,
        ManuallyDrop, //
    },
    ptr::{
        self,
        NonNull, //
    },
    slice, //
};

use kernel::{
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    ffi::c_void,
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
    /// The file of one of the caller's descriptors.
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

    /// Appends the file to `buffer`. Security modules see an image or an initrd. Fails unless the
    /// file has `len` bytes.
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
    Ok((Digest::new(digest.sha256), Signer::new(digest.signer)))
}

/// The SBAT level that shim had recorded when the kernel started. It is empty if there is none.
pub(crate) fn sbat_level() -> &'static [u8] {
    let mut level = ptr::null();
    // SAFETY: `level` is valid for writing.
    let len = unsafe { bindings::kexec_bpf_sbat_level(&mut level) };
    if len == 0 {
        return &[];
    }
    // SAFETY: So many bytes are there, and nobody writes to them any more.
    unsafe { slice::from_raw_parts(level, len) }
}

/// Whether an image needs a signature of its own at this time.
pub(crate) fn sig_enforced() -> bool {
    // SAFETY: There are no requirements.
    unsafe { bindings::kexec_bpf_sig_enforced() }
}

/// Leaves the notice of lockdown for an image that is refused because it is not signed.
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
    /// Checks type information.
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

/// A map that has neither a descriptor nor an ID.
///
/// # Invariants
///
/// Owns a reference.
#[repr(transparent)]
pub(crate) struct Map(NonNull<bindings::bpf_map>);

impl Map {
    /// Creates a map that an object declares.
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

    /// Copies one of the caller's maps. `EBADF` if it cannot be read, `EFBIG` if it is too large,
    /// `ELIBBAD` if it is not a plain array.
    pub(crate) fn snapshot(fd: i32) -> Result<Self> {
        // SAFETY: There are no requirements.
        let map = unsafe { bindings::kexec_bpf_map_snapshot(fd) };
        // INVARIANT: The caller of `kexec_bpf_map_snapshot()` gets a reference.
        Ok(Self(NonNull::new(from_err_ptr(map)?).ok_or(ENOMEM)?))
    }

    /// Copies the values of an array. `ELIBBAD` if their size or number differs.
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

/// State that a program runs on. Kfuncs find it by the context that the program passes.
///
/// # Safety
///
/// A `Self` has a `bpf_kexec_ctx` at the offset `CONTEXT`, and kfuncs assume that the context of a
/// running program is at this offset in a `Self`.
pub(crate) unsafe trait HasContext {
    /// The offset of the context.
    const CONTEXT: usize;
}

/// A verified and compiled program.
///
/// # Invariants
///
/// It is a program of type `BPF_PROG_TYPE_KEXEC`, and owns a reference to it.
pub(crate) struct Program(NonNull<bindings::bpf_prog>);

impl Program {
    /// Verifies and compiles a program. The verifier writes to `log`, unless that is empty, and
    /// ends its text with a NUL. The program takes references of its own to the maps.
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
        // INVARIANT: It is never dropped, so the reference can belong to someone else.
        let program = ManuallyDrop::new(Self(NonNull::new(prog).ok_or(EINVAL)?));
        body(&program)
    }

    /// Runs the program, and returns its value.
    pub(crate) fn run<T: HasContext>(&self, state: &mut T) -> i32 {
        let ctx = ptr::from_mut(state).wrapping_byte_add(T::CONTEXT).cast();
        // SAFETY: By the type invariant this is a program of this type, and by the requirements of
        // `HasContext` this is the context for it. The program and its kfuncs are all that touches
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

/// Bytes that a program passed to a kfunc: a piece of its stack, or of the value of a map.
///
/// In a test run, other tasks can write to the values of maps at any time. So there is no reference
/// to these bytes. They are copied, and the copy is checked and used. A C function copies them, as
/// Rust's memory model does not define the value of bytes that change meanwhile.
///
/// # Invariants
///
/// `start` is valid for reading and writing `len` bytes for `'a`. They can change at any time.
pub(crate) struct ProgramMemory<'a> {
    start: *mut c_void,
    len: usize,
    kfunc: PhantomData<&'a ()>,
}

impl ProgramMemory<'_> {
    /// The memory that a program passed as a pointer and a length.
    ///
    /// # Safety
    ///
    /// `start` is NULL, or valid for reading and writing `len` bytes for the lifetime of the
    /// returned value. It can have any alignment.
    pub(crate) unsafe fn new(start: *mut c_void, len: u64) -> Self {
        let len = match start.is_null() {
            true => 0,
            // No memory has more bytes than a `usize` can count.
            false => len as usize,
        };
        // INVARIANT: `start` is valid for `len` bytes, which are none if it is NULL.
        Self {
            start,
            len,
            kfunc: PhantomData,
        }
    }

    /// The length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Copies the first bytes to all of `to`. `ERANGE` if there are not so many.
    pub(crate) fn read_into(&self, to: &mut [u8]) -> Result {
        if to.len() > self.len {
            return Err(ERANGE);
        }
        // SAFETY: By the type invariant, `start` is valid for so many bytes, and so is `to`. They
        // do not overlap: `to` is memory of the kernel's own.
        unsafe { bindings::memcpy(to.as_mut_ptr().cast(), self.start, to.len()) };
        Ok(())
    }

    /// Copies all of `from` to `at` bytes behind the start. `ERANGE` if it does not fit.
    pub(crate) fn write(&self, at: usize, from: &[u8]) -> Result {
        if at.checked_add(from.len()).is_none_or(|end| end > self.len) {
            return Err(ERANGE);
        }
        let to = self.start.wrapping_byte_add(at);
        // SAFETY: By the type invariant, `to` is valid for so many bytes, and so is `from`. They do
        // not overlap: `from` is memory of the kernel's own.
        unsafe { bindings::memcpy(to, from.as_ptr().cast(), from.len()) };
        Ok(())
    }
}

/// Whether a loader of this architecture knows a kernel.
pub(crate) fn probe(kernel: &[u8]) -> Result {
    // SAFETY: The slice is valid for its length.
    to_result(unsafe { bindings::kexec_bpf_probe(kernel.as_ptr().cast(), kernel.len()) })
}

/// Installs a kernel. `cmdline` ends with a NUL, or is empty. `checked` tells that the rules were
/// kept that hold where signatures are enforced. If they are enforced now and it is false, this
/// fails with `EKEYREJECTED`.
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

/// Leaves the record of a load with these flags, `KEXEC_BPF_*`, in audit and dmesg.
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
        key: key.map_or(ptr::null(), |key| key.0.as_ptr()),
        signer: signer.bytes().as_ptr().cast(),
        signer_len: signer.bytes().len() as u32,
        verdict: verdict.map_or_else(|error| error.to_errno(), |()| 0),
    };
    // SAFETY: Pointers and lengths are those of slices; a key is a SHA-256.
    unsafe { bindings::kexec_bpf_leave_record(&record) }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_memory)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        let mut bytes = *b"0123456789";
        let start = bytes.as_mut_ptr().wrapping_add(1);
        // SAFETY: So many bytes are behind `start`, and they live until the end of the function.
        let memory = unsafe { ProgramMemory::new(start.cast(), 8) };
        assert_eq!(memory.len(), 8);
        let mut copy = [0; 9];
        assert_eq!(memory.read_into(&mut copy), Err(ERANGE));
        assert!(memory.read_into(&mut copy[..8]).is_ok());
        assert_eq!(&copy, b"12345678\0");
        for (at, from, fits) in [
            (0, &b"abcdefgh"[..], true),
            (0, b"abcdefghi", false),
            (8, b"", true),
            (7, b"z", true),
            (8, b"z", false),
            (usize::MAX, b"z", false),
        ] {
            assert_eq!(memory.write(at, from).is_ok(), fits);
        }
        assert_eq!(&bytes, b"0abcdefgz9");
    }

    #[test]
    fn null_is_empty() {
        // SAFETY: It is NULL.
        let memory = unsafe { ProgramMemory::new(ptr::null_mut(), 8) };
        assert_eq!(memory.len(), 0);
        assert!(memory.read_into(&mut []).is_ok());
        assert!(memory.write(0, b"").is_ok());
        assert_eq!(memory.read_into(&mut [0]), Err(ERANGE));
        assert_eq!(memory.write(0, b"x"), Err(ERANGE));
    }
}
