// SPDX-License-Identifier: GPL-2.0

//! The kfuncs, by which a program uses its level. Their contracts are in `kfuncs.c`.

use kernel::{
    bindings::{
        self,
        bpf_kexec_range, //
    },
    prelude::*, //
};

use crate::{
    buffer::Buffer,
    cmdline::{
        self,
        Cmdline, //
    },
    decompress,
    ffi::ProgramMemory,
    file,
    identity::Hex,
    initrd::cpio::{
        Archive,
        PATH_MAX, //
    },
    klib::{
        self,
        SHA256_LEN, //
    },
    level::{
        CallError,
        Level, //
    },
    pe::{
        Pe,
        IMAGE_MAX, //
    },
    printable::Printable,
    refusal::{
        Context,
        Refusal, //
    },
    resource::{
        Covered,
        Resource, //
    },
    signature, //
};

/// The most bytes that one call copies to or from the program's memory.
const GET_MAX: usize = bindings::KEXEC_BPF_GET_MAX as usize;

/// The most bytes of a line that a program adds to the log.
const LINE_MAX: usize = bindings::KEXEC_BPF_LINE_MAX as usize;

/// The alignment of a kernel in bytes: loaders read its header in place.
const KERNEL_ALIGN: usize = 8;

/// The result of a kfunc.
type Called = Result<i64, CallError>;

/// An argument has a value that the kfunc does not define.
const INVALID: Called = Err(CallError::Contract(EINVAL));

impl Level<'_> {
    /// `bpf_kexec_carrier()`
    pub(crate) fn carrier(
        &mut self,
        op: u64,
        range: &mut bpf_kexec_range,
        buffer: &ProgramMemory<'_>,
    ) -> Called {
        if range.flags != 0 || buffer.len() > GET_MAX {
            return INVALID;
        }
        match u32::try_from(op) {
            Ok(bindings::bpf_kexec_op_BPF_KEXEC_GET) => self.get(range, buffer),
            Ok(bindings::bpf_kexec_op_BPF_KEXEC_PUT) => self.put(range, buffer),
            Ok(bindings::bpf_kexec_op_BPF_KEXEC_STAT) => self.stat(range),
            Ok(bindings::bpf_kexec_op_BPF_KEXEC_BIND_KERNEL) => self.bind_kernel(range),
            Ok(bindings::bpf_kexec_op_BPF_KEXEC_BIND_INITRD) => self.bind_initrd(range),
            Ok(bindings::bpf_kexec_op_BPF_KEXEC_BIND_CMDLINE) => self.bind_cmdline(range),
            Ok(bindings::bpf_kexec_op_BPF_KEXEC_PREPEND_INITRD) => self.prepend_initrd(range),
            Ok(bindings::bpf_kexec_op_BPF_KEXEC_LOG) => self.log(buffer),
            _ => INVALID,
        }
    }

    fn get(&mut self, range: &bpf_kexec_range, buffer: &ProgramMemory<'_>) -> Called {
        let (offset, len) = (range.offset, range.len);
        let copied = match range.resource {
            _ if len > buffer.len() as u64 => Err(ERANGE),
            bindings::bpf_kexec_resource_BPF_KEXEC_INITRD => {
                let mut at = 0usize;
                self.parts.initrd.read(offset, len, |bytes| {
                    buffer.write(at, bytes)?;
                    at = at.saturating_add(bytes.len());
                    Ok(())
                })
            }
            bindings::bpf_kexec_resource_BPF_KEXEC_CMDLINE => {
                let (start, end) = (offset as usize, offset.saturating_add(len) as usize);
                match self.parts.cmdline.bytes().get(start..end) {
                    Some(text) => buffer.write(0, text),
                    None => Err(ERANGE),
                }
            }
            _ => buffer.write(0, self.range(range)?.bytes()),
        };
        match copied {
            Ok(()) => Ok(len as i64),
            Err(errno) => Err(CallError::Contract(errno)),
        }
    }

    fn put(&mut self, range: &mut bpf_kexec_range, buffer: &ProgramMemory<'_>) -> Called {
        let len = buffer.len() as u64;
        let mut copy = Buffer::new(len).context(fmt!("program: resource of {len} bytes"))?;
        copy.resize(buffer.len(), 0, GFP_KERNEL_ACCOUNT)?;
        buffer.read_into(&mut copy).map_err(CallError::Contract)?;
        let resource = self.add(Resource::new(copy, Covered::Nothing)?)?;
        *range = bpf_kexec_range {
            resource,
            flags: 0,
            offset: 0,
            len,
        };
        Ok(resource.into())
    }

    fn stat(&mut self, range: &mut bpf_kexec_range) -> Called {
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

    fn bind_kernel(&mut self, range: &bpf_kexec_range) -> Called {
        if range.len == 0 {
            self.kernel = None;
            return Ok(0);
        }
        let kernel = self.range(range)?;
        let (start, end) = (range.offset, range.offset.saturating_add(range.len));
        if self.session.enforced && !kernel.is_verified() {
            let why = "as kernel: no signature covers all of them";
            let number = range.resource;
            return refuse(
                EACCES,
                fmt!("bytes {start:#x} to {end:#x} of resource {number} {why}"),
            );
        }
        if kernel.bytes().as_ptr().align_offset(KERNEL_ALIGN) != 0 {
            return refuse(
                EINVAL,
                fmt!("kernel at {start:#x}, which is not a multiple of {KERNEL_ALIGN}"),
            );
        }
        self.session
            .log
            .line(fmt!("program: kernel of {} bytes", range.len));
        self.kernel = Some(kernel);
        Ok(0)
    }

    fn bind_initrd(&mut self, range: &bpf_kexec_range) -> Called {
        let initrd = match range.len {
            0 => None,
            _ => Some(self.range(range)?),
        };
        self.parts.initrd.clear();
        if let Some(initrd) = initrd {
            self.parts
                .initrd
                .append(initrd)
                .context(fmt!("program: initrd"))?;
        }
        self.session
            .log
            .line(fmt!("program: initrd of {} bytes", range.len));
        Ok(0)
    }

    fn bind_cmdline(&mut self, range: &bpf_kexec_range) -> Called {
        let text = match range.len {
            0 => None,
            _ => Some(self.range(range)?),
        };
        let text = text.as_ref().map_or(&[][..], Resource::bytes);
        let mut cmdline = Cmdline::default();
        cmdline
            .append(text)
            .context(fmt!("program: command line of {} bytes", range.len))?;
        self.parts.cmdline = cmdline;
        self.session
            .log
            .line(fmt!("program: command line of {} bytes", range.len));
        Ok(0)
    }

    fn prepend_initrd(&mut self, range: &bpf_kexec_range) -> Called {
        let piece = self.range(range)?;
        self.parts
            .initrd
            .prepend(piece)
            .context(fmt!("program: initrd"))?;
        self.session
            .log
            .line(fmt!("program: {} bytes put before the initrd", range.len));
        Ok(0)
    }

    fn log(&mut self, buffer: &ProgramMemory<'_>) -> Called {
        let mut line = [0; LINE_MAX];
        let Some(line) = line.get_mut(..buffer.len()) else {
            return INVALID;
        };
        buffer.read_into(line).map_err(CallError::Contract)?;
        self.session
            .log
            .line(fmt!("program says: {}", Printable(line)));
        Ok(0)
    }

    /// `bpf_kexec_decompress()`
    pub(crate) fn decompress(
        &mut self,
        src: &bpf_kexec_range,
        algo: u64,
        out_len: u64,
        flags: u64,
    ) -> Called {
        const EXACT: u64 = bindings::BPF_KEXEC_EXACT as u64;
        if src.flags != 0 || flags & !EXACT != 0 {
            return INVALID;
        }
        let src = self.range(src)?;
        let want = match (flags & EXACT != 0, out_len) {
            (true, len @ ..=IMAGE_MAX) => decompress::OutputLen::Exactly(len),
            (true, _) => return refuse(EFBIG, fmt!("decompress: more than 1 GiB")),
            (false, 0) => decompress::OutputLen::AtMost(IMAGE_MAX),
            (false, len) => decompress::OutputLen::AtMost(len.min(IMAGE_MAX)),
        };
        let out = decompress::run(src.bytes(), algo, want, &mut Buffer::new)
            .context(fmt!("program: decompress"))?;
        let len = out.len();
        let handle = self.add(Resource::new(out, src.covers_result())?)?;
        self.session
            .log
            .line(fmt!("program: decompressed {} bytes to {len}", src.len()));
        Ok(handle.into())
    }

    /// `bpf_kexec_initrd_append()`
    pub(crate) fn initrd_append(
        &mut self,
        src: &bpf_kexec_range,
        path: Option<&ProgramMemory<'_>>,
        mode: u64,
    ) -> Called {
        if src.flags != 0 {
            return INVALID;
        }
        let piece = self.range(src)?;
        let initrd = &mut self.parts.initrd;
        let appended = match path {
            None if mode != 0 => return INVALID,
            None => initrd.append(piece),
            Some(path) => {
                // A path that is too long is refused for its first byte over the limit.
                let mut copy = [0; PATH_MAX + 1];
                let (copy, _) = copy.split_at_mut(path.len().min(PATH_MAX + 1));
                path.read_into(copy).map_err(CallError::Contract)?;
                Archive::new(copy, mode, piece.len())
                    .and_then(|archive| initrd.append_file(&archive, piece))
            }
        };
        appended.context(fmt!("program: initrd"))?;
        self.session
            .log
            .line(fmt!("program: {} bytes appended to the initrd", src.len));
        Ok(0)
    }

    /// `bpf_kexec_cmdline_append()`
    pub(crate) fn cmdline_append(&mut self, text: &ProgramMemory<'_>, flags: u64) -> Called {
        if flags != 0 {
            return INVALID;
        }
        let len = text.len();
        // A text that is too long is refused for its first byte over the limit.
        let mut copy = KVec::from_elem(0, len.min(cmdline::LEN_MAX + 1), GFP_KERNEL_ACCOUNT)?;
        text.read_into(&mut copy).map_err(CallError::Contract)?;
        self.parts
            .cmdline
            .append(&copy)
            .context(fmt!("program: {len} bytes of command line"))?;
        self.session
            .log
            .line(fmt!("program: {len} bytes appended to the command line"));
        Ok(0)
    }

    /// `bpf_kexec_read_fd()`
    pub(crate) fn read_fd(
        &mut self,
        fd: i64,
        flags: u64,
        digest: Option<&bpf_kexec_range>,
    ) -> Called {
        const WHAT: &str = "program: file";
        const SIGNATURE: u64 = bindings::BPF_KEXEC_VERIFY_PE as u64;
        const SHA256: u64 = bindings::BPF_KEXEC_VERIFY_SHA256 as u64;
        // A range that is refused does not cost the descriptor.
        let digest = match (flags, digest) {
            (0 | SIGNATURE, None) => None,
            (SHA256, Some(range)) => Some(self.sha256(range)?),
            _ => return INVALID,
        };
        let Ok(fd) = i32::try_from(fd) else {
            return INVALID;
        };
        let file = self.session.open(fd, WHAT)?;
        let bytes = file::read(&file, flags != 0, WHAT)?;
        let covered = match digest {
            Some(digest) => {
                let found = klib::sha256_unless_killed(&bytes).ok_or_else(|| {
                    let why = "killed by a signal while its SHA-256 was made";
                    Refusal::new(EINTR, fmt!("{WHAT}: {why}"))
                })?;
                let hex = Hex(&found);
                if digest.bytes() != found {
                    let why = "which is not the expected one";
                    return Err(Refusal::new(
                        EKEYREJECTED,
                        fmt!("{WHAT}: its SHA-256 is {hex}, {why}"),
                    )
                    .into());
                }
                self.session
                    .log
                    .line(fmt!("{WHAT}: has the expected SHA-256, {hex}"));
                digest.covers_result()
            }
            None if flags == 0 => Covered::Nothing,
            None => {
                let pe = Pe::parse(&bytes).context(fmt!("{WHAT}"))?;
                let (digest, signer) = signature::verify(&bytes, &pe)
                    .map_err(|why| Refusal::new(why.errno(), fmt!("{WHAT}: {why}")))?;
                self.session
                    .log
                    .line(fmt!("{WHAT}: signed by '{signer}', digest {digest}"));
                Covered::Ranges(pe.covered())
            }
        };
        let handle = self.add(Resource::new(bytes, covered)?)?;
        Ok(handle.into())
    }

    /// The expected SHA-256 of a file.
    fn sha256(&self, range: &bpf_kexec_range) -> Result<Resource, CallError> {
        const WHAT: &str = "program: digest of a file";
        if range.flags != 0 {
            return Err(CallError::Contract(EINVAL));
        }
        let digest = self.range(range)?;
        let len = digest.bytes().len();
        if len != SHA256_LEN {
            let why = "it has to have that of a SHA-256";
            return Err(Refusal::new(ELIBBAD, fmt!("{WHAT}: length {len}: {why}")).into());
        }
        if self.session.enforced && !digest.is_verified() {
            let why = "no signature covers all of it";
            return Err(Refusal::new(EACCES, fmt!("{WHAT}: {why}")).into());
        }
        Ok(digest)
    }
}

fn refuse(errno: Error, why: kernel::fmt::Arguments<'_>) -> Called {
    Err(Refusal::new(errno, fmt!("program: {why}")).into())
}
