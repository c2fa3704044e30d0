// SPDX-License-Identifier: GPL-2.0

//! Images that `kexec_bpf_load(2)` accepts.

use std::os::fd::AsRawFd;

use support::harness::{equal, Context, Result};
use support::load::{enforced, file, image, loaded, syscall, unload, Load};
use support::pe;
use support::uapi::{Args, ARGS_SIZE_VER0, CMDLINE_MAX, DRY_RUN, ON_CRASH};

tests! {
    EVERYWHERE;
    dry_run,
    initrd_and_command_line_of_the_caller,
    the_longest_command_line,
    an_empty_initrd,
    nested_images,
    unsigned_image,
    checksum_changed,
    sizes_of_the_log,
    a_log_that_cannot_be_written,
    sizes_of_the_structure,
    as_crash_kernel,
    load_and_unload,
}

const SIGNED: &str = "image: signed by '*";
const LINUX: usize = 65_536;

/// The command line of small.efi.
const CMDLINE: &str = "panic=-1 from=image";

fn section_len(image: &[u8], name: &str) -> usize {
    let sections = pe::sections(image);
    let section = sections.iter().find(|section| section.name == name);
    section.map_or(0, |section| section.len)
}

/// Where the next archive begins in an initrd of one archive.
fn after(len: usize) -> usize {
    len.next_multiple_of(4) + 4
}

/// The length of an initrd after the program has put the image's `.osrel` into it, here: archive
/// headers for `.extra`, `.extra/os-release` and the end.
fn with_os_release(image: &[u8], here: usize) -> usize {
    let len = section_len(image, ".osrel");
    here + 120 + 128 + len.next_multiple_of(4) + 124
}

const OS_RELEASE: &str = "program: 12 bytes appended to the initrd";

fn dry_run() -> Result {
    let image = image("small")?;
    let initrd = section_len(&image, ".initrd");
    let whole = with_os_release(&image, after(initrd));
    let run = Load::dry(&file(&image)?).run();
    run.check(
        0,
        &[
            SIGNED,
            "level 0: key *",
            &format!("program: kernel of {LINUX} bytes"),
            &format!(
                "program: {} bytes appended to the command line",
                CMDLINE.len()
            ),
            &format!("program: initrd of {initrd} bytes"),
            OS_RELEASE,
            &format!("kernel: {LINUX} bytes, initrd: {whole} bytes, command line: '{CMDLINE}'"),
            "accepted, not installed: dry run",
        ],
    )?;
    equal("a kernel is loaded", loaded()?, false)
}

fn initrd_and_command_line_of_the_caller() -> Result {
    let bytes = image("plain")?;
    let whole = with_os_release(&bytes, after(9));
    let (image, initrd) = (file(&bytes)?, file(b"an initrd")?);
    let load = Load {
        initrd: initrd.as_raw_fd(),
        cmdline: b"quiet \x80 \xff",
        ..Load::dry(&image)
    };
    load.run().check(
        0,
        &[
            "caller's command line: 9 bytes",
            SIGNED,
            "level 0: key *",
            "caller's initrd: 9 bytes",
            &format!("program: kernel of {LINUX} bytes"),
            "program: command line of 0 bytes",
            "program: 9 bytes appended to the command line",
            OS_RELEASE,
            &format!("kernel: {LINUX} bytes, initrd: {whole} bytes, command line: 'quiet ? ?'"),
            "accepted, not installed: dry run",
        ],
    )
}

fn the_longest_command_line() -> Result {
    let image = file(&image("plain")?)?;
    let load = Load {
        cmdline: &[b'x'; CMDLINE_MAX],
        ..Load::dry(&image)
    };
    equal("errno", load.run().errno, 0)
}

fn an_empty_initrd() -> Result {
    let (image, initrd) = (file(&image("plain")?)?, file(b"")?);
    let load = Load {
        initrd: initrd.as_raw_fd(),
        ..Load::dry(&image)
    };
    let run = load.run();
    equal("errno", run.errno, 0).context(run.log.join("\n"))
}

fn nested_images() -> Result {
    for levels in 2..=4 {
        let image = image(&format!("nested-{levels}"))?;
        let run = Load::dry(&file(&image)?).run();
        let mut lines = vec![SIGNED.to_string()];
        let mut initrd = 0;
        for level in 0..levels {
            lines.push(format!("level {level}: key *"));
            lines.push("program: kernel of *".into());
            lines.push(OS_RELEASE.into());
            initrd = with_os_release(&image, initrd);
        }
        lines.push(format!(
            "kernel: {LINUX} bytes, initrd: {initrd} bytes, command line: ''"
        ));
        lines.push("accepted, not installed: dry run".into());
        run.check(0, &lines.iter().map(String::as_str).collect::<Vec<_>>())?;

        // Each level gets the command line that the level above left.
        let file = file(&image)?;
        let load = Load {
            cmdline: b"quiet",
            ..Load::dry(&file)
        };
        let log = load.run().log.join("\n");
        equal(
            "command line in the log",
            log.contains("command line: 'quiet'"),
            true,
        )?;
    }
    Ok(())
}

fn unsigned_image() -> Result {
    for (name, errno, why) in [
        ("unsigned", libc::EKEYREJECTED, "it is not signed"),
        ("untrusted", libc::EKEYREJECTED, "no trusted key signed it"),
        ("revoked", libc::EKEYREVOKED, "it or its signer was revoked"),
    ] {
        let image = image(name)?;
        let initrd = with_os_release(&image, 0);
        let run = Load::dry(&file(&image)?).run();
        if enforced() {
            run.refused(errno, &format!("image: {why}"))?;
            continue;
        }
        run.check(
            0,
            &[
                &format!("image: not verified: {why}"),
                "level 0: key *",
                &format!("program: kernel of {LINUX} bytes"),
                OS_RELEASE,
                &format!("kernel: {LINUX} bytes, initrd: {initrd} bytes, command line: ''"),
                "accepted, not installed: dry run",
            ],
        )
        .context(name)?;
    }
    Ok(())
}

/// The Authenticode digest does not cover it.
fn checksum_changed() -> Result {
    let mut image = image("plain")?;
    let at = pe::checksum(&image);
    for byte in &mut image[at..at + 4] {
        *byte ^= 0xff;
    }
    let run = Load::dry(&file(&image)?).run();
    equal("errno", run.errno, 0).context(run.log.join("\n"))
}

fn sizes_of_the_log() -> Result {
    let file = file(&image("plain")?)?;
    let whole = Load::dry(&file).run().log.join("\n") + "\n";
    for size in [
        0,
        1,
        2,
        10,
        100,
        whole.len(),
        whole.len() + 1,
        whole.len() + 2,
    ] {
        let mut log = vec![b'#'; size + 8];
        equal("errno", Load::dry(&file).run_with(&mut log[..size]), 0)?;
        let part = &whole.as_bytes()[..whole.len().min(size.saturating_sub(1))];
        let what = format!("log of {size} bytes");
        equal(format!("{what}: text"), &log[..part.len()], part)?;
        if size > 0 {
            equal(format!("{what}: end"), log[part.len()], 0)?;
        }
        equal(
            format!("{what}: what follows"),
            &log[size..],
            &[b'#'; 8][..],
        )?;
    }
    Ok(())
}

fn a_log_that_cannot_be_written() -> Result {
    let file = file(&image("plain")?)?;
    for (log_buf, log_size) in [(0, 4096), (1, u64::MAX), (u64::MAX, 1), (1 << 63, 1 << 20)] {
        let args = Args {
            flags: DRY_RUN,
            image_fd: file.as_raw_fd(),
            initrd_fd: -1,
            map_fd: -1,
            log_buf,
            log_size,
            ..Args::default()
        };
        let what = format!("{log_size} bytes at {log_buf:#x}");
        equal(what, syscall(&args, ARGS_SIZE_VER0), 0)?;
    }
    Ok(())
}

fn sizes_of_the_structure() -> Result {
    #[repr(C)]
    struct Page {
        args: Args,
        tail: [u8; 4096 - ARGS_SIZE_VER0],
    }

    let file = file(&image("plain")?)?;
    let args = Args {
        flags: DRY_RUN,
        image_fd: file.as_raw_fd(),
        initrd_fd: -1,
        map_fd: -1,
        ..Args::default()
    };
    let mut page = Page {
        args,
        tail: [0; 4096 - ARGS_SIZE_VER0],
    };
    for (size, errno) in [
        (ARGS_SIZE_VER0, 0),
        (ARGS_SIZE_VER0 + 1, 0),
        (ARGS_SIZE_VER0 + 8, 0),
        (4096, 0),
        (4097, libc::E2BIG),
        (usize::MAX, libc::E2BIG),
        (ARGS_SIZE_VER0 - 1, libc::EINVAL),
        (1, libc::EINVAL),
        (0, libc::EINVAL),
    ] {
        equal(format!("size {size}"), syscall(&page, size), errno)?;
    }
    for at in [0, 7, 4096 - ARGS_SIZE_VER0 - 1] {
        page.tail[at] = 1;
        equal(
            format!("byte {at} of the tail"),
            syscall(&page, 4096),
            libc::E2BIG,
        )?;
        equal("without the tail", syscall(&page, ARGS_SIZE_VER0), 0)?;
        page.tail[at] = 0;
    }
    Ok(())
}

fn as_crash_kernel() -> Result {
    let file = file(&image("plain")?)?;
    let load = Load {
        flags: DRY_RUN | ON_CRASH,
        ..Load::dry(&file)
    };
    let run = load.run();
    equal("errno", run.errno, 0).context(run.log.join("\n"))
}

fn load_and_unload() -> Result {
    let image = image("good")?;
    let initrd = section_len(&image, ".initrd");
    let file = file(&image)?;
    let run = Load {
        flags: 0,
        ..Load::dry(&file)
    }
    .run();
    run.check(
        0,
        &[
            SIGNED,
            "level 0: key *",
            "program: kernel of *",
            "program: *",
            &format!("program: initrd of {initrd} bytes"),
            OS_RELEASE,
            "kernel: *",
            "accepted, installed",
        ],
    )?;
    equal("a kernel is loaded", loaded()?, true)?;
    unload()?;
    equal("a kernel is loaded", loaded()?, false)
}
