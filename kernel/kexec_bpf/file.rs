// SPDX-License-Identifier: GPL-2.0

//! Reads whole files.

use kernel::prelude::*;

use crate::{
    buffer::Buffer,
    ffi::File,
    pe::IMAGE_MAX,
    refusal::{
        Context,
        Refusal, //
    },
};

/// Reads a whole file. Security modules see a kernel image or an initrd. `what` names the file in
/// the log.
pub(crate) fn read(file: &File, is_image: bool, what: &str) -> Result<Buffer, Refusal> {
    let refuse = |errno, why: &str| Err(Refusal::new(errno, fmt!("{what}: {why}")));
    let len = match file.len() {
        Ok(0) if is_image => return refuse(ENOEXEC, "the file is empty"),
        Ok(len @ ..=IMAGE_MAX) => len,
        Ok(_) => return refuse(EFBIG, "the file is larger than 1 GiB"),
        Err(errno) => return refuse(errno, "not a regular file that is open for reading"),
    };
    let mut bytes = Buffer::new(len).context(fmt!("{what}"))?;
    if len == 0 {
        return Ok(bytes);
    }
    match file.read(&mut bytes, len as usize, is_image) {
        Ok(()) => Ok(bytes),
        Err(error) => {
            let (errno, why) = match error {
                EACCES | EPERM => (EKEYREJECTED, "IMA or another security module rejected it"),
                ETXTBSY => (EBUSY, "the file is open for writing"),
                ENOMEM => (ENOMEM, "out of memory while reading the file"),
                EINTR | ERESTARTSYS => (EINTR, "interrupted by a signal while reading the file"),
                // The file has changed, the disk is bad, or a hook returned some other errno.
                _ => (EIO, "the file cannot be read"),
            };
            let error = error.to_errno();
            Err(Refusal::new(errno, fmt!("{what}: {why}: {error}")))
        }
    }
}
