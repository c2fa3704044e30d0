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

fn initrd_len(image: &[u8]) -> usize {
    let sections = pe::sections(image);
    sections
        .iter()
        .find(|section| section.name == ".initrd")
        .map_or(0, |section| section.len)
}

fn dry_run() -> Result {
    let image = image("small")?;
    let initrd = initrd_len(&image);
    let run = Load::dry(&file(&image)?).run();
    run.check(
        0,
        &[
            SIGNED,
            "level 0: key *",
            &format!("program: kernel of {LINUX} bytes"),
            &format!("program: initrd of {initrd} bytes"),
            &format!(
                "program: {} bytes appended to the command line",
                CMDLINE.len()
            ),
            &format!("kernel: {LINUX} bytes, initrd: {initrd} bytes, command line: '{CMDLINE}'"),
            "accepted, not installed: dry run",
        ],
    )?;
    equal("a kernel is loaded", loaded()?, false)
}

fn initrd_and_command_line_of_the_caller() -> Result {
    let (image, initrd) = (file(&image("plain")?)?, file(b"an initrd")?);
    let load = Load {
        initrd: initrd.as_raw_fd(),
        cmdline: b"quiet \x01 \xff",
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
            &format!("kernel: {LINUX} bytes, initrd: 9 bytes, command line: 'quiet ? ?'"),
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
        for level in 0..levels {
            lines.push(format!("level {level}: key *"));
            lines.push("program: kernel of *".into());
            lines.push("program: initrd of 0 bytes".into());
        }
        lines.push(format!(
            "kernel: {LINUX} bytes, initrd: 0 bytes, command line: ''"
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
        let run = Load::dry(&file(&image(name)?)?).run();
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
                "program: initrd of 0 bytes",
                &format!("kernel: {LINUX} bytes, initrd: 0 bytes, command line: ''"),
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
    let initrd = initrd_len(&image);
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
            &format!("program: initrd of {initrd} bytes"),
            "program: *",
            "kernel: *",
            "accepted, installed",
        ],
    )?;
    equal("a kernel is loaded", loaded()?, true)?;
    unload()?;
    equal("a kernel is loaded", loaded()?, false)
}
