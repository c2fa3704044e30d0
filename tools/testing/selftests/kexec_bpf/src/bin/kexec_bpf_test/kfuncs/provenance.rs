// SPDX-License-Identifier: GPL-2.0

//! Which bytes may be the kernel where signatures are enforced.

use std::os::fd::AsRawFd;

use support::compress::gzip;
use support::harness::{equal, Context, Result};
use support::load::{file, image};
use support::object::Input;
use support::pe;
use support::script::{
    bind_cmdline, bind_initrd, bind_kernel, decompress, put, read_fd, stat, Script, Step,
};
use support::uapi::{range, ENFORCED, GZIP, HANDLE, IMAGE, KERNEL, SIGNED, VERIFIED, VERIFY_PE};

tests! {
    BELOW_CONFIDENTIALITY;
    a_range_of_a_signed_image,
    nothing_of_an_unsigned_image,
    bytes_of_the_programs_making,
    refused_whatever_the_program_says,
    what_is_decompressed,
    a_part_of_what_is_decompressed,
    a_file,
    a_signed_file,
    bytes_that_no_digest_covers,
    without_enforcement,
    initrd_and_command_line_are_the_programs,
}

const EACCES: i64 = -libc::EACCES as i64;

fn enforced(image: &[u8]) -> Input<'_> {
    Input {
        image,
        flags: ENFORCED | SIGNED,
        ..Input::default()
    }
}

/// Fails unless the steps end in a bound kernel, or else the last one returns `EACCES`.
fn ends(input: &Input<'_>, steps: &[(Step, i64)], bound: bool) -> Result {
    let script = Script::load()?;
    let mut steps = steps.to_vec();
    if bound {
        script.check(input, &steps)?;
    } else {
        steps.last_mut().expect("there are steps").1 = EACCES;
        script.check_until(input, &steps, libc::EACCES)?;
    }
    Ok(())
}

fn a_range_of_a_signed_image() -> Result {
    let input = enforced(b"all of it is signed");
    for (offset, len) in [(0, 19), (0, 1), (16, 3)] {
        ends(&input, &[(bind_kernel(range(IMAGE, offset, len)), 0)], true)?;
    }
    // A range of the kernel is a range of the image.
    let steps = [
        (bind_kernel(range(IMAGE, 8, 11)), 0),
        (stat(KERNEL), 0),
        (bind_kernel(range(KERNEL, 0, 5)), 0),
    ];
    let run = Script::load()?.check(&input, &steps)?;
    equal("flags", run.done[1].range.flags, VERIFIED)?;
    equal("kernel", &run.output.kernel[..], b"t is ")
}

fn nothing_of_an_unsigned_image() -> Result {
    let input = Input {
        flags: ENFORCED,
        ..enforced(b"nothing is signed")
    };
    for (offset, len) in [(0, 17), (0, 1), (16, 1)] {
        ends(
            &input,
            &[(bind_kernel(range(IMAGE, offset, len)), 0)],
            false,
        )?;
    }
    // Binding nothing does not bind unverified bytes.
    ends(&input, &[(bind_kernel(range(IMAGE, 0, 0)), 0)], true)
}

fn bytes_of_the_programs_making() -> Result {
    let steps = [
        (put(b"not the image's"), HANDLE.into()),
        (bind_kernel(range(IMAGE, 0, 8)), 0),
        (bind_kernel(range(HANDLE, 0, 15)), 0),
    ];
    ends(&enforced(b"an image"), &steps, false)
}

/// A program cannot hide that it tried to bind unverified bytes.
fn refused_whatever_the_program_says() -> Result {
    let script = Script::load()?;
    for returned in [0, 1, -libc::EPERM] {
        let steps = [
            put(b"not the image's"),
            bind_kernel(range(HANDLE, 0, 8)),
            bind_kernel(range(IMAGE, 0, 8)),
        ];
        let run = script.run_and_return(&enforced(b"an image"), &steps, returned)?;
        equal("errno", run.output.errno, libc::EACCES)?;
        equal(
            "BIND of good bytes after that",
            run.done[2].returned,
            EACCES,
        )?;
    }
    Ok(())
}

fn what_is_decompressed() -> Result {
    let image = gzip(b"a kernel");
    for (flags, bound) in [(SIGNED | ENFORCED, true), (ENFORCED, false)] {
        let input = Input {
            flags,
            ..enforced(&image)
        };
        let steps = [
            (
                decompress(range(IMAGE, 0, image.len() as u64), GZIP, 0, 0),
                HANDLE.into(),
            ),
            (stat(HANDLE), 0),
            (bind_kernel(range(HANDLE, 0, 8)), 0),
        ];
        ends(&input, &steps, bound).context(format!("flags {flags}"))?;
    }
    // The same with bytes that the program wrote.
    let steps = [
        (put(&image), HANDLE.into()),
        (
            decompress(range(HANDLE, 0, image.len() as u64), GZIP, 0, 0),
            i64::from(HANDLE) + 1,
        ),
        (bind_kernel(range(HANDLE + 1, 0, 8)), 0),
    ];
    ends(&enforced(&image), &steps, false)
}

fn a_part_of_what_is_decompressed() -> Result {
    let inner = [&[0; 8][..], &gzip(b"a kernel")].concat();
    let image = gzip(&inner);
    let inner_len = inner.len() as u64 - 8;
    let steps = [
        (
            decompress(range(IMAGE, 0, image.len() as u64), GZIP, 0, 0),
            HANDLE.into(),
        ),
        (
            decompress(range(HANDLE, 8, inner_len), GZIP, 0, 0),
            i64::from(HANDLE) + 1,
        ),
        (bind_kernel(range(HANDLE + 1, 0, 8)), 0),
    ];
    ends(&enforced(&image), &steps, true)
}

fn a_file() -> Result {
    let file = file(b"a kernel")?;
    let steps = [
        (read_fd(file.as_raw_fd().into(), 0), HANDLE.into()),
        (bind_kernel(range(HANDLE, 0, 8)), 0),
    ];
    ends(&enforced(b"an image"), &steps, false)
}

fn a_signed_file() -> Result {
    let image = image("plain")?;
    for section in pe::sections(&image) {
        let file = file(&image)?;
        for (flags, bound) in [(VERIFY_PE, true), (0, false)] {
            let kernel = range(HANDLE, section.at as u64, section.len as u64);
            let steps = [
                (read_fd(file.as_raw_fd().into(), flags), HANDLE.into()),
                (bind_kernel(kernel), 0),
            ];
            ends(&enforced(b"an image"), &steps, bound).context(&section.name)?;
        }
    }
    Ok(())
}

fn bytes_that_no_digest_covers() -> Result {
    let image = image("plain")?;
    let checksum = pe::checksum(&image) as u64;
    let entry = pe::certificate_entry(&image) as u64;
    let (table, table_len) = pe::certificates(&image);
    let (table, end) = (table as u64, (table + table_len) as u64);
    equal("the table is last", end, image.len() as u64)?;
    for (from, to, bound) in [
        (0, checksum, true),
        (0, checksum + 1, false),
        (checksum + 4, entry, true),
        (checksum + 4, entry + 1, false),
        (entry + 8, table, true),
        (entry + 8, table + 1, false),
        (table, end, false),
        (0, end, false),
    ] {
        // Kernels begin at multiples of 8.
        let from = u64::next_multiple_of(from, 8);
        let file = file(&image)?;
        let steps = [
            (read_fd(file.as_raw_fd().into(), VERIFY_PE), HANDLE.into()),
            (bind_kernel(range(HANDLE, from, to - from)), 0),
        ];
        ends(&enforced(b"an image"), &steps, bound).context(format!("{from:#x} to {to:#x}"))?;
    }
    Ok(())
}

fn without_enforcement() -> Result {
    for flags in [0, SIGNED] {
        let input = Input {
            flags,
            ..enforced(b"an image")
        };
        let steps = [
            (put(b"a kernel"), HANDLE.into()),
            (bind_kernel(range(HANDLE, 0, 8)), 0),
            (stat(KERNEL), 0),
        ];
        let run = Script::load()?.check(&input, &steps)?;
        equal("flags", run.done[2].range.flags, 0)?;
        equal("kernel", &run.output.kernel[..], b"a kernel")?;
    }
    Ok(())
}

fn initrd_and_command_line_are_the_programs() -> Result {
    let steps = [
        (put(b"of the program"), HANDLE.into()),
        (bind_initrd(range(HANDLE, 0, 14)), 0),
        (bind_cmdline(range(HANDLE, 0, 14)), 0),
        (bind_kernel(range(IMAGE, 0, 8)), 0),
    ];
    ends(&enforced(b"an image"), &steps, true)
}
