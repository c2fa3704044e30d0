// SPDX-License-Identifier: GPL-2.0

//! `BPF_PROG_TEST_RUN`: runs a program that user space loaded on data from user space. Nothing is
//! installed.

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    bindings,
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    },
    uaccess::{
        UserPtr,
        UserSlice,
        UserSliceReader, //
    },
};

use crate::{
    buffer::Buffer,
    ffi::Program,
    image::LEVELS_MAX,
    klib,
    level::Level,
    log::Log,
    parts::Parts,
    pe::IMAGE_MAX,
    resource::{
        Covered,
        Resource, //
    },
    session::Session,
};

/// The flags that user space can set in the context.
const FLAGS: u32 = bindings::BPF_KEXEC_CTX_SIGNED
    | bindings::BPF_KEXEC_CTX_ENFORCED
    | bindings::BPF_KEXEC_CTX_CRASH;

/// The number of bytes that are copied between two checks for a signal.
const STEP: usize = 16 << 20;

/// Runs `program` `run.repeat` times, each time from the start.
pub(crate) fn test_run(program: &Program, run: &mut bindings::kexec_bpf_test_run) -> Result {
    let input = run.test;
    let mut ctx = input.ctx;
    let unused = ctx.digest.get(ctx.digest_len as usize..).ok_or(EINVAL)?;
    if ctx.flags & !FLAGS != 0 || ctx.level >= LEVELS_MAX || unused.iter().any(|&byte| byte != 0) {
        return Err(EINVAL);
    }
    // These fields are for output alone.
    if ctx.image_len != 0 || ctx.machine != 0 || input.kernel_len != 0 || input.nsecs != 0 {
        return Err(EINVAL);
    }
    let covered = match ctx.flags & bindings::BPF_KEXEC_CTX_SIGNED {
        0 => Covered::Nothing,
        _ => Covered::Everything,
    };
    ctx.flags |= bindings::BPF_KEXEC_CTX_TEST;

    let data_len = u64::from(run.data_in_len);
    let image_len = input
        .initrd_len
        .checked_add(input.cmdline_len)
        .and_then(|rest| data_len.checked_sub(rest))
        .ok_or(EINVAL)?;
    let enforced = ctx.flags & bindings::BPF_KEXEC_CTX_ENFORCED != 0;
    let mut data =
        UserSlice::new(UserPtr::from_ptr(run.data_in), run.data_in_len as usize).reader();
    let image = read(&mut data, image_len, covered)?;
    let initrd = read(&mut data, input.initrd_len, Covered::Nothing)?;
    let cmdline = read(&mut data, input.cmdline_len, Covered::Nothing)?;

    let mut left = run.repeat;
    let mut nsecs = 0i64;
    loop {
        if klib::killed() {
            return Err(EINTR);
        }
        let mut parts = Parts::default();
        parts.initrd.append(initrd.clone())?;
        parts.cmdline.append(cmdline.bytes())?;
        let mut session = Session::new(Log::new(0)?, false, enforced);
        let mut level = Level::new(ctx, image.clone(), parts, &mut session);
        let start = Instant::<Monotonic>::now();
        let returned = level.run(program);
        nsecs = nsecs.saturating_add(start.elapsed().as_nanos());
        left = left.saturating_sub(1);
        if left == 0 || returned.is_err() {
            run.test.nsecs = nsecs as u64 / u64::from(run.repeat.max(1));
            run.retval = returned? as u32;
            return finish(level, run);
        }
    }
}

fn read(data: &mut UserSliceReader, len: u64, covered: Covered) -> Result<Resource> {
    if len > IMAGE_MAX {
        return Err(EFBIG);
    }
    let mut bytes = Buffer::new(len)?;
    bytes.resize(len as usize, 0, GFP_KERNEL_ACCOUNT)?;
    for bytes in bytes.chunks_mut(STEP) {
        if klib::killed() {
            return Err(EINTR);
        }
        data.read_slice(bytes)?;
    }
    Ok(Resource::new(bytes, covered)?)
}

/// Copies kernel, initrd and command line to user space.
fn finish(level: Level<'_>, run: &mut bindings::kexec_bpf_test_run) -> Result {
    run.test.ctx = level.ctx;
    let (kernel, parts) = (level.kernel, level.parts);
    let initrd = parts.initrd.join()?;
    let bytes = |resource: &'_ Option<Resource>| resource.as_ref().map_or(0, Resource::len);
    run.test.kernel_len = bytes(&kernel);
    run.test.initrd_len = bytes(&initrd);
    run.test.cmdline_len = parts.cmdline.bytes().len() as u64;

    let room = run.data_out_len as usize;
    let mut out = UserSlice::new(UserPtr::from_ptr(run.data_out), room).writer();
    let mut len = 0usize;
    for part in [
        kernel.as_ref().map_or(&[][..], Resource::bytes),
        initrd.as_ref().map_or(&[][..], Resource::bytes),
        parts.cmdline.bytes(),
    ] {
        len = len.checked_add(part.len()).ok_or(EFBIG)?;
        for bytes in part.chunks(STEP) {
            let fits = bytes.len().min(out.len());
            if run.data_out.is_null() || fits == 0 {
                break;
            }
            if klib::killed() {
                return Err(EINTR);
            }
            out.write_slice(bytes.get(..fits).unwrap_or_default())?;
        }
    }
    run.data_out_len = u32::try_from(len)?;
    match run.data_out.is_null() || len <= room {
        true => Ok(()),
        false => Err(ENOSPC),
    }
}
