// SPDX-License-Identifier: GPL-2.0

//! Loads that `kexec_bpf_load(2)` refuses, each with an errno and a line that says why.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::ptr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{kill_process, waitpid, Pid, Signal, WaitOptions};

use support::harness::{equal, Context, Result};
use support::load::{
    bpf_ids, dry_run, enforced, file, image, loaded, syscall, with_capabilities, write_only, Load,
    CAP_SYS_BOOT,
};
use support::pe;
use support::uapi::{Args, ARGS_SIZE_VER0, CMDLINE_MAX, DRY_RUN, HANDLE, OBJECT_MAX};

tests! {
    EVERYWHERE;
    unknown_flags,
    bad_addresses,
    bad_descriptors,
    not_regular_files,
    no_images,
    without_program,
    a_byte_changed_in_each_section,
    the_program_of_another_image,
    objects_that_are_none,
    too_deeply_nested,
    its_own_image,
    the_verifier_refuses,
    no_kernel_bound,
    the_program_refuses,
    unverified_kernel,
    command_lines,
    the_callers_with_the_images_own,
    one_descriptor_twice,
    killed,
    needs_cap_sys_boot,
    nothing_is_left,
}

const NOT_A_FILE: &str = "not a regular file that is open for reading";
const MISFIT: &str = "its signature does not match, or is not trusted";

/// An image that was changed after it was signed is refused where signatures are enforced.
/// Elsewhere it counts as unsigned.
fn changed(bytes: &[u8], why: &str) -> Result {
    let run = dry_run(bytes)?;
    if enforced() {
        return run.refused(libc::EKEYREJECTED, &format!("image: {why}"));
    }
    let first = run.log.first().cloned().unwrap_or_default();
    equal("first line", first, format!("image: not verified: {why}"))
}

fn unknown_flags() -> Result {
    let image = file(&image("plain")?)?;
    for flag in [1 << 3, 1 << 4, 1 << 31] {
        let load = Load {
            flags: DRY_RUN | flag,
            ..Load::dry(&image)
        };
        load.run().check(libc::EINVAL, &[])?;
    }
    Ok(())
}

fn bad_addresses() -> Result {
    for address in [0, 1, 1 << 63, usize::MAX] {
        let args = ptr::without_provenance::<Args>(address);
        equal("errno", syscall(args, ARGS_SIZE_VER0), libc::EFAULT)?;
    }
    let file = file(&image("plain")?)?;
    for (cmdline, cmdline_len) in [(0, 1), (1, 10), (u64::MAX, 2), (1 << 63, 10)] {
        let args = Args {
            flags: DRY_RUN,
            image_fd: file.as_raw_fd(),
            initrd_fd: -1,
            map_fd: -1,
            cmdline,
            cmdline_len,
            ..Args::default()
        };
        let what = format!("command line of {cmdline_len} at {cmdline:#x}");
        equal(what, syscall(&args, ARGS_SIZE_VER0), libc::EFAULT)?;
    }
    Ok(())
}

fn bad_descriptors() -> Result {
    for fd in [-1, 1000, i32::MAX, i32::MIN] {
        let load = Load {
            image: fd,
            ..Load::default()
        };
        let why = format!("image: {fd} is not an open descriptor");
        load.run().refused(libc::EBADF, &why)?;
    }
    let image = file(&image("plain")?)?;
    for fd in [-2, 1000, i32::MAX, i32::MIN] {
        let load = Load {
            initrd: fd,
            ..Load::dry(&image)
        };
        let why = format!("initrd: {fd} is not an open descriptor");
        load.run().refused(libc::EBADF, &why)?;
    }
    Ok(())
}

fn not_regular_files() -> Result {
    let good = file(&image("plain")?)?;
    for other in [File::open("/")?, File::open("/dev/null")?, write_only()?] {
        let why = format!("image: {NOT_A_FILE}");
        Load::dry(&other).run().refused(libc::EBADF, &why)?;
        let load = Load {
            initrd: other.as_raw_fd(),
            ..Load::dry(&good)
        };
        load.run()
            .refused(libc::EBADF, &format!("initrd: {NOT_A_FILE}"))?;
    }
    Ok(())
}

fn no_images() -> Result {
    let mut header = vec![0; 4096];
    header[..2].copy_from_slice(b"MZ");
    header[0x3c] = 0x40;
    for (bytes, why) in [
        (&b""[..], "the file is empty"),
        (b"M", "no MZ signature (byte 0x0)"),
        (b"text", "no MZ signature (byte 0x0)"),
        (b"\x7fELF\x02\x01\x01", "no MZ signature (byte 0x0)"),
        (b"MZ", "no PE header (byte 0x3c)"),
        (&header[..0x3f], "no PE header (byte 0x3c)"),
        (&header[..0x40], "no PE signature (byte 0x40)"),
        (&header, "no PE signature (byte 0x40)"),
    ] {
        let what = format!("{} bytes", bytes.len());
        dry_run(bytes)?
            .refused(libc::ENOEXEC, &format!("image: {why}"))
            .context(what)?;
    }
    Ok(())
}

fn without_program() -> Result {
    dry_run(&image("nobpf")?)?.refused(libc::ENOEXEC, "image: there is no section .bpf")
}

fn a_byte_changed_in_each_section() -> Result {
    let mut image = image("plain")?;
    for section in pe::sections(&image) {
        let last = section.at + section.len - 1;
        for at in [section.at, section.at + section.len / 2, last] {
            image[at] ^= 0x10;
            changed(&image, MISFIT).context(format!("{}, byte {at:#x}", section.name))?;
            image[at] ^= 0x10;
        }
    }
    Ok(())
}

fn the_program_of_another_image() -> Result {
    let mut image = image("plain")?;
    let other = support::load::image("unverified_kernel")?;
    let find = |image: &[u8]| {
        let sections = pe::sections(image).into_iter();
        let mut programs = sections.filter(|section| section.name == ".bpf");
        programs
            .next()
            .map_or((0, 0), |section| (section.at, section.len))
    };
    let ((to, room), (from, len)) = (find(&image), find(&other));
    let len = len.min(room);
    equal("there is a program", len > 0, true)?;
    image[to..to + len].copy_from_slice(&other[from..from + len]);
    changed(&image, MISFIT)
}

fn objects_that_are_none() -> Result {
    for (name, errno, why) in [
        ("text", libc::ELIBBAD, "object: "),
        ("full", libc::ELIBBAD, "object: "),
        (
            "over",
            libc::EFBIG,
            &format!("image: section .bpf is larger than {OBJECT_MAX} bytes"),
        ),
    ] {
        let run = dry_run(&image(name)?)?;
        let log = run.log.join("\n");
        equal("errno", run.errno, errno).context(&log)?;
        equal("reason", log.contains(&format!("refused: {why}")), true).context(log)?;
    }
    Ok(())
}

fn too_deeply_nested() -> Result {
    dry_run(&image("nested-5")?)?.refused(libc::ELOOP, "nesting: more than 4 levels")
}

/// The levels would never end. The kernel refuses at the first one.
fn its_own_image() -> Result {
    let image = image("binds_itself")?;
    let run = dry_run(&image)?;
    if enforced() {
        // Its checksum and its certificates are not verified.
        let end = image.len();
        let what = format!("bytes 0x0 to {end:#x} of resource 0 as kernel");
        let why = format!("program: {what}: no signature covers all of them");
        return run.refused(libc::EACCES, &why);
    }
    run.refused(
        libc::ELOOP,
        "nesting: the program bound its own image as kernel",
    )?;
    let level = format!("program: kernel of {} bytes", image.len());
    let levels = run.log.iter().filter(|line| **line == level).count();
    equal("times that it was bound", levels, 1)
}

fn the_verifier_refuses() -> Result {
    let image = image("forbidden_helper")?;
    let run = dry_run(&image)?;
    run.refused(libc::ELIBEXEC, "program: the verifier rejected it: -22")?;
    let log = run.log.join("\n");
    equal(
        "the verifier's log",
        log.contains("cannot use helper bpf_ktime_get_ns"),
        true,
    )
    .context(log)?;
    // The same without room for its log.
    let file = file(&image)?;
    for size in [0, 1, 64, 200, 400] {
        let load = Load::dry(&file);
        equal("errno", load.run_with(&mut vec![0; size]), libc::ELIBEXEC)?;
    }
    Ok(())
}

fn no_kernel_bound() -> Result {
    dry_run(&image("binds_nothing")?)?.refused(libc::ECANCELED, "the program bound no kernel")
}

fn the_program_refuses() -> Result {
    dry_run(&image("returns_seven")?)?.refused(libc::ECANCELED, "program returned 7")
}

fn unverified_kernel() -> Result {
    let run = dry_run(&image("unverified_kernel")?)?;
    if !enforced() {
        // 4096 zeroes are not a kernel.
        let why = "kernel: no loader of this architecture knows its format";
        return run.refused(libc::ELIBBAD, why);
    }
    run.check(
        libc::EACCES,
        &[
            "image: signed by '*",
            "level 0: key *",
            &format!(
                "refused: program: bytes 0x0 to 0x1000 of resource {HANDLE} as kernel: \
                 no signature covers all of them"
            ),
            &format!("not loaded: -{}", libc::EACCES),
        ],
    )
}

fn command_lines() -> Result {
    let image = file(&image("plain")?)?;
    let long = [b'x'; CMDLINE_MAX + 1];
    for (cmdline, errno, why) in [
        (
            &long[..],
            libc::EFBIG,
            &format!("more than {CMDLINE_MAX} bytes")[..],
        ),
        (b"a\0b", libc::ELIBBAD, "there is a NUL or a newline in it"),
        (b"a\0", libc::ELIBBAD, "there is a NUL or a newline in it"),
        (b"a\nb", libc::ELIBBAD, "there is a NUL or a newline in it"),
    ] {
        let load = Load {
            cmdline,
            ..Load::dry(&image)
        };
        load.run()
            .refused(errno, &format!("caller's command line: {why}"))?;
    }
    // It is far too long. The kernel does not read it.
    let args = Args {
        flags: DRY_RUN,
        image_fd: image.as_raw_fd(),
        initrd_fd: -1,
        map_fd: -1,
        cmdline: 1,
        cmdline_len: u64::MAX,
        ..Args::default()
    };
    equal("errno", syscall(&args, ARGS_SIZE_VER0), libc::EFBIG)
}

/// uki.bpf.c decides that.
fn the_callers_with_the_images_own() -> Result {
    let (image, initrd) = (file(&image("small")?)?, file(b"an initrd")?);
    for (cmdline, initrd, refusal) in [
        (&b"quiet"[..], -1, 5),
        (b"", initrd.as_raw_fd(), 4),
        (b"quiet", initrd.as_raw_fd(), 5),
    ] {
        let run = Load {
            cmdline,
            initrd,
            ..Load::dry(&image)
        }
        .run();
        if enforced() {
            run.refused(libc::ECANCELED, &format!("program returned {refusal}"))?;
        } else {
            equal("errno", run.errno, 0).context(run.log.join("\n"))?;
        }
    }
    Ok(())
}

fn one_descriptor_twice() -> Result {
    let image = file(&image("plain")?)?;
    let fd = image.as_raw_fd();
    let load = Load {
        initrd: fd,
        ..Load::dry(&image)
    };
    let why = format!("initrd: descriptor {fd} was already taken");
    load.run().refused(libc::EBADF, &why)
}

/// An endless program can be killed. While it runs it has neither an ID nor a descriptor.
fn killed() -> Result {
    let file = file(&image("endless_loops")?)?;
    let load = Load::dry(&file);
    let mut log = vec![0; 4096];
    let before = bpf_ids();
    // SAFETY: There is one thread, and the child only makes system calls.
    let child = match unsafe { libc::fork() } {
        0 => {
            load.run_with(&mut log);
            // SAFETY: It has no requirements.
            unsafe { libc::_exit(0) }
        }
        child => Pid::from_raw(child).ok_or("fork")?,
    };
    sleep(Duration::from_secs(3));
    let during = bpf_ids();
    let fds = |process: &str| -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{process}/fd"))?.count())
    };
    // Reading the directory takes a descriptor.
    let descriptors = (fds(&child.as_raw_nonzero().to_string())?, fds("self")? - 1);
    let ended = waitpid(Some(child), WaitOptions::NOHANG)?;
    equal("the child ended by itself", ended.is_some(), false)?;

    let start = Instant::now();
    kill_process(child, Signal::KILL)?;
    let (_, status) = waitpid(Some(child), WaitOptions::empty())?.ok_or("it does not end")?;
    equal("signal", status.terminating_signal(), Some(libc::SIGKILL))?;
    equal(
        "it took long to end",
        start.elapsed() > Duration::from_secs(5),
        false,
    )?;
    equal(
        "numbers of programs, maps and BTF while it ran",
        during,
        before,
    )?;
    equal("descriptors while it ran", descriptors.0, descriptors.1)?;
    dry_run(&image("small")?)?;
    let next = dry_run(&image("small")?)?;
    equal("errno of the next load", next.errno, 0).context(next.log.join("\n"))
}

fn needs_cap_sys_boot() -> Result {
    let file = file(&image("plain")?)?;
    for flags in [DRY_RUN, 0] {
        let load = Load {
            flags,
            ..Load::dry(&file)
        };
        with_capabilities(!CAP_SYS_BOOT, || load.run().check(libc::EPERM, &[]))?;
    }
    equal("a kernel is loaded", loaded()?, false)
}

/// Refused loads leave nothing behind.
fn nothing_is_left() -> Result {
    let before = bpf_ids();
    for name in [
        "small",
        "nested-4",
        "nested-5",
        "forbidden_helper",
        "binds_nothing",
        "returns_seven",
        "unverified_kernel",
        "text",
    ] {
        dry_run(&image(name)?)?;
    }
    equal("numbers of programs, maps and BTF", bpf_ids(), before)?;
    equal("a kernel is loaded", loaded()?, false)
}
