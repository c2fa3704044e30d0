// SPDX-License-Identifier: GPL-2.0

//! The alternative to `kexec_bpf_load(2)`: taking the image apart into files, as tools do.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use zstd_safe::{DCtx, InBuffer, OutBuffer};

use support::harness::{Context, Result};
use support::uapi::SYS_KEXEC_FILE_LOAD;

use crate::image::{payload, section};

/// The buffer size of `zstd` and `gzip`.
const BUFFER_LEN: usize = 128 << 10;

const CMDLINE: &[u8] = b"quiet\0";

/// Kernel and initrd, open for reading.
pub struct Parts {
    pub kernel: File,
    pub initrd: Option<File>,
}

impl Parts {
    /// Takes an image apart.
    pub fn of(image: &File) -> Result<Self> {
        if let Some((name, range)) = payload(image)? {
            return Ok(Self {
                kernel: file("kernel", |to| match name.as_str() {
                    "gzip" => gunzip(piece(image, range)?, to),
                    "zstd" => unzstd(piece(image, range)?, to),
                    _ => Err(format!("compressed by {name}").into()),
                })?,
                initrd: None,
            });
        }
        let copy = |name: &str, range: Range<u64>| {
            file(name, |to| {
                io::copy(&mut piece(image, range)?, to)?;
                Ok(())
            })
        };
        let kernel = section(image, ".linux")?.ok_or("there is no .linux")?;
        let initrd = section(image, ".initrd")?;
        Ok(Self {
            kernel: copy("kernel", kernel)?,
            initrd: initrd.map(|range| copy("initrd", range)).transpose()?,
        })
    }

    /// The length of both.
    pub fn len(&self) -> Result<u64> {
        let initrd = match &self.initrd {
            Some(initrd) => initrd.metadata()?.len(),
            None => 0,
        };
        Ok(self.kernel.metadata()?.len() + initrd)
    }

    /// `kexec_file_load(2)`.
    pub fn load(&self) -> Result {
        const KEXEC_FILE_NO_INITRAMFS: libc::c_ulong = 4;
        let (initrd, flags) = match &self.initrd {
            Some(initrd) => (initrd.as_raw_fd(), 0),
            None => (-1, KEXEC_FILE_NO_INITRAMFS),
        };
        // SAFETY: The descriptors are open, and the command line is as long as it is said to be.
        let result = unsafe {
            libc::syscall(
                SYS_KEXEC_FILE_LOAD,
                self.kernel.as_raw_fd(),
                initrd,
                CMDLINE.len(),
                CMDLINE.as_ptr(),
                flags,
            )
        };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()).context("kexec_file_load"),
        }
    }
}

/// A file in memory that `fill` writes. The kernel refuses a file that is open for writing.
fn file(name: &str, fill: impl FnOnce(&mut File) -> Result) -> Result<File> {
    let path = PathBuf::from("/tmp").join(name);
    fill(&mut File::create(&path)?)?;
    let file = File::open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

fn piece(mut image: &File, range: Range<u64>) -> Result<impl Read + '_> {
    image.seek(SeekFrom::Start(range.start))?;
    Ok(image.take(range.end - range.start))
}

fn gunzip(from: impl Read, to: &mut File) -> Result {
    let from = io::BufReader::with_capacity(BUFFER_LEN, from);
    let mut decoder = GzDecoder::new(from);
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        match decoder.read(&mut buffer)? {
            0 => return Ok(()),
            len => to.write_all(&buffer[..len])?,
        }
    }
}

fn unzstd(mut from: impl Read, to: &mut File) -> Result {
    let failed = |code| format!("zstd: {}", zstd_safe::get_error_name(code));
    let mut context = DCtx::create();
    let mut buffers = [vec![0; BUFFER_LEN], vec![0; BUFFER_LEN]];
    let [input, output] = &mut buffers;
    loop {
        let len = from.read(input)?;
        if len == 0 {
            return Ok(());
        }
        let mut input = InBuffer::around(&input[..len]);
        loop {
            let mut output = OutBuffer::around(&mut output[..]);
            context
                .decompress_stream(&mut output, &mut input)
                .map_err(failed)?;
            to.write_all(output.as_slice())?;
            let full = output.pos() == output.capacity();
            if input.pos() == len && !full {
                break;
            }
        }
    }
}
