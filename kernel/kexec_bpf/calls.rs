// SPDX-License-Identifier: GPL-2.0

//! The kfuncs: what a program calls of its level. Their contracts are in `kfuncs.c`.

use kernel::{
    bindings::{
        self,
        bpf_kexec_range, //
    },
    prelude::*, //
};

use crate::{
    buffer::{
        self,
        Buffer, //
    },
    cmdline::{
        self,
        Cmdline, //
    },
    decompress,
    errno::why_not_verified,
    ffi,
    initrd::{
        self,
        cpio::{
            Archive,
            PATH_MAX, //
        }, //
    },
    level::Level,
    memory::ProgramMemory,
    pe::{
        Pe,
        IMAGE_MAX, //
    },
    resource::{
        Covered,
        Resource, //
    },
    session::What,
};

/// The most bytes that pass through the program's memory at once.
const GET_MAX: usize = bindings::KEXEC_BPF_GET_MAX as usize;

/// Kernels read their header in place.
const KERNEL_ALIGN: usize = 8;

impl Level<'_> {
    /// `bpf_kexec_carrier()`
    pub(crate) fn carrier(
        &mut self,
        op: u64,
        range: &mut bpf_kexec_range,
        buffer: &ProgramMemory<'_>,
    ) -> Result<i64> {
        if range.flags != 0 || buffer.len() > GET_MAX {
            return Err(EINVAL);
        }
        match u32::try_from(op)? {
            bindings::bpf_kexec_op_BPF_KEXEC_GET => self.get(range, buffer),
            bindings::bpf_kexec_op_BPF_KEXEC_PUT => self.put(range, buffer),
            bindings::bpf_kexec_op_BPF_KEXEC_STAT => self.stat(range),
            bindings::bpf_kexec_op_BPF_KEXEC_BIND_KERNEL => self.bind_kernel(range),
            bindings::bpf_kexec_op_BPF_KEXEC_BIND_INITRD => self.bind_initrd(range),
            bindings::bpf_kexec_op_BPF_KEXEC_BIND_CMDLINE => self.bind_cmdline(range),
            _ => Err(EINVAL),
        }
    }

    fn get(&mut self, range: &bpf_kexec_range, buffer: &ProgramMemory<'_>) -> Result<i64> {
        if range.len > buffer.len() as u64 {
            return Err(ERANGE);
        }
        match range.resource {
            bindings::bpf_kexec_resource_BPF_KEXEC_INITRD => {
                let mut at = 0usize;
                self.parts.initrd.read(range.offset, range.len, |bytes| {
                    buffer.write(at, bytes)?;
                    at = at.saturating_add(bytes.len());
                    Ok(())
                })?;
            }
            bindings::bpf_kexec_resource_BPF_KEXEC_CMDLINE => {
                let from = range.offset as usize;
                let end = range.offset.checked_add(range.len).ok_or(ERANGE)? as usize;
                let text = self.parts.cmdline.bytes().get(from..end).ok_or(ERANGE)?;
                buffer.write(0, text)?;
            }
            _ => buffer.write(0, self.range(range)?.bytes())?,
        }
        Ok(range.len as i64)
    }

    fn put(&mut self, range: &mut bpf_kexec_range, buffer: &ProgramMemory<'_>) -> Result<i64> {
        let copy = || -> Result<Resource> {
            let mut copy = Buffer::new(buffer.len() as u64)?;
            copy.resize(buffer.len(), 0, GFP_KERNEL_ACCOUNT)?;
            buffer.read(&mut copy)?;
            Resource::new(copy, Covered::Nothing)
        };
        let resource = copy().map_err(|errno| {
            let why = buffer::why_not(errno);
            self.refuse(errno, fmt!("resource of {} bytes: {why}", buffer.len()))
        })?;
        let len = resource.len();
        let handle = self.add(resource)?;
        *range = bpf_kexec_range {
            resource: handle,
            flags: 0,
            offset: 0,
            len,
        };
        Ok(i64::from(handle))
    }

    fn stat(&mut self, range: &mut bpf_kexec_range) -> Result<i64> {
        let (len, is_verified) = match range.resource {
            bindings::bpf_kexec_resource_BPF_KEXEC_INITRD => (self.parts.initrd.len(), false),
            bindings::bpf_kexec_resource_BPF_KEXEC_CMDLINE => {
                (self.parts.cmdline.bytes().len() as u64, false)
            }
            number => {
                let resource = self.resource(number)?;
                (resource.len(), resource.is_verified())
            }
        };
        range.offset = 0;
        range.len = len;
        if is_verified {
            range.flags = bindings::BPF_KEXEC_RANGE_VERIFIED;
        }
        Ok(0)
    }

    fn bind_kernel(&mut self, range: &bpf_kexec_range) -> Result<i64> {
        if range.len == 0 {
            self.kernel = None;
            return Ok(0);
        }
        let kernel = self.range(range)?;
        if self.session.enforced && !kernel.is_verified() {
            return Err(self.refuse(
                EACCES,
                fmt!(
                "bytes {:#x} to {:#x} of resource {} as kernel: no signature covers all of them",
                range.offset,
                range.offset.saturating_add(range.len),
                range.resource
            ),
            ));
        }
        if kernel.bytes().as_ptr().align_offset(KERNEL_ALIGN) != 0 {
            return Err(self.refuse(
                EINVAL,
                fmt!(
                    "kernel at {:#x}, not a multiple of {KERNEL_ALIGN}",
                    range.offset
                ),
            ));
        }
        self.session
            .log
            .line(fmt!("program: kernel of {} bytes", range.len));
        self.kernel = Some(kernel);
        Ok(0)
    }

    fn bind_initrd(&mut self, range: &bpf_kexec_range) -> Result<i64> {
        let initrd = match range.len {
            0 => None,
            _ => Some(self.range(range)?),
        };
        self.parts.initrd.clear();
        if let Some(initrd) = initrd {
            self.parts
                .initrd
                .append(initrd)
                .map_err(|errno| self.refuse(errno, fmt!("initrd: {}", initrd::why_not(errno))))?;
        }
        self.session
            .log
            .line(fmt!("program: initrd of {} bytes", range.len));
        Ok(0)
    }

    fn bind_cmdline(&mut self, range: &bpf_kexec_range) -> Result<i64> {
        let text = match range.len {
            0 => None,
            _ => Some(self.range(range)?),
        };
        let old = core::mem::take(&mut self.parts.cmdline);
        let text = text.as_ref().map_or(&[][..], Resource::bytes);
        if let Err(error) = self.parts.cmdline.append(text) {
            self.parts.cmdline = old;
            return Err(self.refuse(
                error,
                fmt!(
                    "command line of {} bytes: {}",
                    range.len,
                    cmdline::why_not(error)
                ),
            ));
        }
        self.session
            .log
            .line(fmt!("program: command line of {} bytes", range.len));
        Ok(0)
    }

    /// `bpf_kexec_decompress()`
    pub(crate) fn decompress(
        &mut self,
        src: &bpf_kexec_range,
        algo: u64,
        out_len: u64,
        flags: u64,
    ) -> Result<i64> {
        const EXACT: u64 = bindings::BPF_KEXEC_EXACT as u64;
        if src.flags != 0 || flags & !EXACT != 0 {
            return Err(EINVAL);
        }
        let src = self.range(src)?;
        let want = match (flags & EXACT != 0, out_len) {
            (true, len @ ..=IMAGE_MAX) => decompress::Want::Exactly(len),
            (true, _) => return Err(self.refuse(EFBIG, fmt!("decompress: more than 1 GiB"))),
            (false, 0) => decompress::Want::AtMost(IMAGE_MAX),
            (false, len) => decompress::Want::AtMost(len.min(IMAGE_MAX)),
        };
        let out = decompress::run(src.bytes(), algo, want, &mut Buffer::new)
            .map_err(|error| self.refuse(error.kind.errno(), fmt!("decompress: {error}")))?;
        let len = out.len();
        let handle = self.add(Resource::new(out, src.covers_result())?)?;
        self.session
            .log
            .line(fmt!("program: decompressed {} bytes to {len}", src.len()));
        Ok(i64::from(handle))
    }

    /// `bpf_kexec_initrd_append()`
    pub(crate) fn initrd_append(
        &mut self,
        src: &bpf_kexec_range,
        path: Option<&ProgramMemory<'_>>,
        mode: u64,
    ) -> Result<i64> {
        if src.flags != 0 {
            return Err(EINVAL);
        }
        let piece = self.range(src)?;
        match path {
            None if mode != 0 => return Err(EINVAL),
            None => self.parts.initrd.append(piece),
            Some(path) => {
                // One byte too many is what a longer path is refused for.
                let mut copy = [0; PATH_MAX + 1];
                let (copy, _) = copy.split_at_mut(path.len().min(PATH_MAX + 1));
                path.read(copy)?;
                // No more bits are known than these.
                let mode = u32::try_from(mode).unwrap_or(u32::MAX);
                let archive = Archive::new(copy, mode, piece.len())
                    .map_err(|error| self.refuse(error.kind.errno(), fmt!("initrd: {error}")))?;
                self.parts.initrd.append_file(&archive, piece)
            }
        }
        .map_err(|errno| self.refuse(errno, fmt!("initrd: {}", initrd::why_not(errno))))?;
        self.session
            .log
            .line(fmt!("program: {} bytes appended to the initrd", src.len));
        Ok(0)
    }

    /// `bpf_kexec_cmdline_append()`
    pub(crate) fn cmdline_append(&mut self, text: &ProgramMemory<'_>, flags: u64) -> Result<i64> {
        if flags != 0 {
            return Err(EINVAL);
        }
        let append = |cmdline: &mut Cmdline| -> Result {
            if text.len() > cmdline::LEN_MAX {
                return Err(EFBIG);
            }
            let mut copy = KVec::from_elem(0, text.len(), GFP_KERNEL_ACCOUNT)?;
            text.read(&mut copy)?;
            cmdline.append(&copy)
        };
        append(&mut self.parts.cmdline).map_err(|error| {
            self.refuse(
                error,
                fmt!(
                    "{} bytes of command line: {}",
                    text.len(),
                    cmdline::why_not(error)
                ),
            )
        })?;
        self.session.log.line(fmt!(
            "program: {} bytes appended to the command line",
            text.len()
        ));
        Ok(0)
    }

    /// `bpf_kexec_read_fd()`
    pub(crate) fn read_fd(&mut self, fd: i64, flags: u64) -> Result<i64> {
        let verify = match flags {
            0 => false,
            _ if flags == u64::from(bindings::BPF_KEXEC_VERIFY_PE) => true,
            _ => return Err(EINVAL),
        };
        let file = self.session.open(i32::try_from(fd)?, What::File)?;
        let bytes = self.session.read(&file, verify, What::File)?;
        let covered = match verify {
            false => Covered::Nothing,
            true => {
                let pe =
                    Pe::parse(&bytes).map_err(|error| self.session.malformed(What::File, error))?;
                let (digest, signer) = ffi::verify_pe(&bytes).map_err(|error| {
                    let (errno, why) = why_not_verified(error);
                    self.session.refuse(What::File, errno, fmt!("{why}"))
                })?;
                self.session
                    .log
                    .line(fmt!("program: file: signed by '{signer}', digest {digest}"));
                Covered::Ranges(pe.covered())
            }
        };
        let handle = self.add(Resource::new(bytes, covered)?)?;
        Ok(i64::from(handle))
    }
}
