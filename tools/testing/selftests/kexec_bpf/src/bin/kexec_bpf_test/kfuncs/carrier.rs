// SPDX-License-Identifier: GPL-2.0

//! `bpf_kexec_carrier()`

use support::harness::{equal, Context, Result};
use support::object::Input;
use support::script::{
    bind_cmdline, bind_initrd, bind_kernel, carrier, carrier_null, decompress, get, initrd_append,
    initrd_wrap, log, prepend_initrd, put, stat, Script, Step, PLACES,
};
use support::uapi::{
    range, Range, BIND_CMDLINE, BIND_INITRD, BIND_KERNEL, CMDLINE, CMDLINE_MAX, GET, GET_MAX, GZIP,
    HANDLE, HANDLES_MAX, IMAGE, INITRD, KERNEL, LINE_MAX, LOG, PREPEND_INITRD, PUT, SIGNED, STAT,
    VERIFIED,
};

tests! {
    BELOW_CONFIDENTIALITY;
    get_of_each_resource,
    get_needs_a_buffer,
    get_of_the_most_bytes,
    get_of_too_many_bytes,
    put_and_get,
    put_of_the_most_bytes,
    put_of_too_many_bytes,
    the_last_handle,
    one_handle_too_many,
    lengths_and_flags,
    unknown_operations,
    unknown_resources,
    flags_are_reserved,
    bind_and_bind_again,
    ranges_to_bind,
    kernels_are_aligned,
    ranges_that_are_not_aligned,
    a_command_line_to_bind,
    the_longest_command_line,
    lines_of_the_log,
}

const ERANGE: i64 = -libc::ERANGE as i64;
const EINVAL: i64 = -libc::EINVAL as i64;
const ENOENT: i64 = -libc::ENOENT as i64;
const EFBIG: i64 = -libc::EFBIG as i64;
const ELIBBAD: i64 = -libc::ELIBBAD as i64;

const TEN: &[u8] = b"0123456789";

/// An image, an initrd and a command line of ten bytes each.
fn tens() -> Input<'static> {
    Input {
        image: TEN,
        initrd: TEN,
        cmdline: TEN,
        ..Input::default()
    }
}

fn get_of_each_resource() -> Result {
    let script = Script::load()?;
    for resource in [IMAGE, INITRD, CMDLINE, HANDLE] {
        let mut steps = vec![(put(TEN), HANDLE.into())];
        for (offset, len, returned) in [
            (0, 0, 0),
            (0, 1, 1),
            (0, 10, 10),
            (0, 11, ERANGE),
            (9, 1, 1),
            (9, 2, ERANGE),
            (10, 0, 0),
            (10, 1, ERANGE),
            (11, 0, ERANGE),
            (3, 4, 4),
            (u64::MAX, 0, ERANGE),
            (u64::MAX, 1, ERANGE),
            (u64::MAX - 8, 9, ERANGE),
        ] {
            steps.push((get(range(resource, offset, len)), returned));
        }
        for (offset, len) in [
            (1, u64::MAX),
            (0, u64::MAX),
            (10, u64::MAX - 9),
            (0, 1 << 32),
        ] {
            let huge = carrier(GET, range(resource, offset, len), &[0; 16]);
            steps.push((huge, ERANGE));
        }
        let run = script.check(&tens(), &steps)?;
        for (step, done) in steps.iter().zip(&run.done).skip(1) {
            let at = done.range.offset as usize;
            if step.1 >= 0 {
                let want = &TEN[at..at + done.buffer.len()];
                equal(
                    format!("bytes of resource {resource}"),
                    &done.buffer[..],
                    want,
                )?;
            }
        }
    }
    Ok(())
}

fn get_needs_a_buffer() -> Result {
    let steps = [
        (carrier(GET, range(IMAGE, 0, 4), &[0xff; 3]), ERANGE),
        (carrier(GET, range(IMAGE, 0, 4), &[0xff; 4]), 4),
        (carrier(GET, range(IMAGE, 0, 4), &[0xff; 6]), 4),
        (carrier_null(GET, range(IMAGE, 0, 0)), 0),
        (carrier_null(GET, range(IMAGE, 0, 1)), ERANGE),
    ];
    let run = Script::load()?.check(&tens(), &steps)?;
    equal("a refused GET", &run.done[0].buffer[..], b"\xff\xff\xff")?;
    equal("a longer buffer", &run.done[2].buffer[..], b"0123\xff\xff")
}

fn get_of_the_most_bytes() -> Result {
    let image: Vec<u8> = (0..=GET_MAX).map(|i| i as u8 ^ (i >> 8) as u8).collect();
    let input = Input {
        image: &image,
        ..Input::default()
    };
    let most = range(IMAGE, 1, GET_MAX as u64);
    let run = Script::load()?.check(&input, &[(get(most), GET_MAX as i64)])?;
    equal("bytes", run.done[0].buffer == image[1..], true)
}

fn get_of_too_many_bytes() -> Result {
    let image = vec![0; GET_MAX + 1];
    let input = Input {
        image: &image,
        ..Input::default()
    };
    let longer = range(IMAGE, 0, GET_MAX as u64 + 1);
    Script::load()?.check(&input, &[(get(longer), EINVAL)])?;
    Ok(())
}

fn put_and_get() -> Result {
    let steps = [
        (put(b"first"), HANDLE.into()),
        (put(b""), i64::from(HANDLE) + 1),
        (carrier_null(PUT, Range::default()), i64::from(HANDLE) + 2),
        // PUT ignores the range.
        (
            carrier(PUT, range(77, 7, 7), b"last"),
            i64::from(HANDLE) + 3,
        ),
        (get(range(HANDLE, 0, 5)), 5),
        (get(range(HANDLE + 3, 1, 3)), 3),
        (get(range(HANDLE + 4, 0, 0)), ENOENT),
    ];
    let run = Script::load()?.check(&tens(), &steps)?;
    for (index, len) in [(0, 5), (1, 0), (2, 0), (3, 4)] {
        let want = range(HANDLE + index as u32, 0, len);
        equal("range of a new resource", run.done[index].range, want)?;
    }
    equal("bytes", &run.done[4].buffer[..], b"first")?;
    equal("bytes", &run.done[5].buffer[..], b"ast")
}

fn put_of_the_most_bytes() -> Result {
    let bytes: Vec<u8> = (0..GET_MAX).map(|i| (i % 251) as u8).collect();
    let end = range(HANDLE, GET_MAX as u64 - 300, 300);
    let steps = [(put(&bytes), HANDLE.into()), (get(end), 300)];
    let run = Script::load()?.check(&tens(), &steps)?;
    equal("bytes", &run.done[1].buffer[..], &bytes[GET_MAX - 300..])
}

fn put_of_too_many_bytes() -> Result {
    Script::load()?.check(&tens(), &[(put(&vec![0; GET_MAX + 1]), EINVAL)])?;
    Ok(())
}

fn puts(count: u32) -> Vec<(Step, i64)> {
    (0..count)
        .map(|i| (put(&[i as u8]), (HANDLE + i).into()))
        .collect()
}

fn the_last_handle() -> Result {
    let mut steps = puts(HANDLES_MAX);
    steps.push((get(range(HANDLE + HANDLES_MAX - 1, 0, 1)), 1));
    let run = Script::load()?.check(&tens(), &steps)?;
    equal(
        "byte",
        run.done.last().map(|done| done.buffer[0]),
        Some(HANDLES_MAX as u8 - 1),
    )
}

fn one_handle_too_many() -> Result {
    let mut steps = puts(HANDLES_MAX);
    steps.push((put(b"x"), EFBIG));
    steps.push((stat(IMAGE), EFBIG));
    Script::load()?.check_until(&tens(), &steps, libc::EFBIG)?;
    Ok(())
}

fn lengths_and_flags() -> Result {
    for flags in [0, SIGNED] {
        let verified = if flags == SIGNED { VERIFIED } else { 0 };
        let input = Input {
            image: b"an image",
            initrd: b"initrd",
            cmdline: b"cmdline",
            flags,
            ..Input::default()
        };
        let steps = [
            (stat(KERNEL), ENOENT),
            (put(b"four"), HANDLE.into()),
            (bind_kernel(range(IMAGE, 0, 3)), 0),
            (stat(IMAGE), 0),
            (stat(KERNEL), 0),
            (stat(INITRD), 0),
            (stat(CMDLINE), 0),
            (stat(HANDLE), 0),
            // STAT ignores offset and length.
            (carrier_null(STAT, range(IMAGE, u64::MAX, u64::MAX)), 0),
        ];
        let run = Script::load()?.check(&input, &steps)?;
        for (index, resource, len, flags) in [
            (3, IMAGE, 8, verified),
            (4, KERNEL, 3, verified),
            (5, INITRD, 6, 0),
            (6, CMDLINE, 7, 0),
            (7, HANDLE, 4, 0),
            (8, IMAGE, 8, verified),
        ] {
            let want = Range {
                flags,
                ..range(resource, 0, len)
            };
            equal("range", run.done[index].range, want)?;
        }
    }
    Ok(())
}

fn unknown_operations() -> Result {
    let steps = [0, 9, 1 << 31, (1 << 32) | GET, u64::MAX]
        .map(|op| (carrier(op, range(IMAGE, 0, 4), &[0; 4]), EINVAL));
    Script::load()?.check(&tens(), &steps)?;
    Ok(())
}

fn unknown_resources() -> Result {
    let mut steps = Vec::new();
    for resource in [KERNEL, HANDLE, HANDLE + 1, 1 << 31, u32::MAX] {
        for op in [
            GET,
            STAT,
            BIND_KERNEL,
            BIND_INITRD,
            BIND_CMDLINE,
            PREPEND_INITRD,
        ] {
            steps.push((carrier(op, range(resource, 0, 4), &[0; 4]), ENOENT));
        }
    }
    // A program can read and extend these, but not bind them.
    for resource in [INITRD, CMDLINE] {
        for op in [BIND_KERNEL, BIND_INITRD, BIND_CMDLINE, PREPEND_INITRD] {
            steps.push((carrier_null(op, range(resource, 0, 4)), ENOENT));
        }
    }
    Script::load()?.check(&tens(), &steps)?;
    Ok(())
}

fn flags_are_reserved() -> Result {
    let mut steps = Vec::new();
    for op in [
        GET,
        PUT,
        STAT,
        BIND_KERNEL,
        BIND_INITRD,
        BIND_CMDLINE,
        PREPEND_INITRD,
        LOG,
    ] {
        for flags in [VERIFIED, 1 << 1, 1 << 31] {
            let range = Range {
                flags,
                ..range(IMAGE, 0, 4)
            };
            steps.push((carrier(op, range, &[0; 4]), EINVAL));
        }
    }
    Script::load()?.check(&tens(), &steps)?;
    Ok(())
}

fn bind_and_bind_again() -> Result {
    let script = Script::load()?;
    let ops: [fn(Range) -> Step; 3] = [bind_kernel, bind_initrd, bind_cmdline];
    for (which, bind) in ops.into_iter().enumerate() {
        let last = |ranges: &[Range], want: &[u8]| {
            let steps: Vec<_> = ranges.iter().map(|&range| (bind(range), 0)).collect();
            let output = script.check(&tens(), &steps)?.output;
            let parts = [output.kernel, output.initrd, output.cmdline];
            equal(
                format!("part {which} after {ranges:?}"),
                &parts[which][..],
                want,
            )
        };
        last(&[range(IMAGE, 0, 10)], TEN)?;
        last(&[range(IMAGE, 8, 2)], b"89")?;
        last(&[range(IMAGE, 8, 2), range(IMAGE, 0, 3)], b"012")?;
        last(&[range(IMAGE, 0, 3), range(IMAGE, 0, 0)], b"")?;
        // An empty range unbinds, whatever its other fields are.
        last(&[range(IMAGE, 0, 3), range(77, u64::MAX, 0)], b"")?;
        last(&[range(IMAGE, 0, 0), range(IMAGE, 0, 1)], b"0")?;
    }
    Ok(())
}

fn ranges_to_bind() -> Result {
    let mut steps = Vec::new();
    for op in [BIND_KERNEL, BIND_INITRD, BIND_CMDLINE, PREPEND_INITRD] {
        for (offset, len) in [
            (0, 11),
            (8, 3),
            (10, 1),
            (16, 1),
            (u64::MAX, 1),
            (1, u64::MAX),
            (u64::MAX, u64::MAX),
        ] {
            steps.push((carrier_null(op, range(IMAGE, offset, len)), ERANGE));
        }
    }
    let output = Script::load()?.check(&tens(), &steps)?.output;
    equal("kernel", &output.kernel[..], b"")?;
    equal("initrd", &output.initrd[..], TEN)?;
    equal("command line", &output.cmdline[..], TEN)
}

fn kernels_are_aligned() -> Result {
    let image = [b'k'; 64];
    let input = Input {
        image: &image,
        ..Input::default()
    };
    let steps: Vec<_> = (0..=16)
        .map(|offset| {
            let returned = if offset % 8 == 0 { 0 } else { EINVAL };
            (bind_kernel(range(IMAGE, offset, 8)), returned)
        })
        .collect();
    Script::load()?.check(&input, &steps)?;
    Ok(())
}

/// The verifier does not require alignment, so each kfunc has to take a range at any address.
fn ranges_that_are_not_aligned() -> Result {
    let script = Script::load()?;
    let image = b"kernels\nname";
    let input = Input {
        image,
        initrd: TEN,
        ..Input::default()
    };
    for place in PLACES {
        let archive = range(HANDLE + 1, 0, 5);
        let steps = [
            (put(b"first"), HANDLE.into()),
            (put(b"piece"), i64::from(HANDLE) + 1),
            (get(range(IMAGE, 8, 4)), 4),
            (get(range(INITRD, 1, 9)), 9),
            (stat(HANDLE), 0),
            (bind_kernel(range(IMAGE, 0, 8)), 0),
            (bind_initrd(range(HANDLE, 0, 4)), 0),
            (bind_cmdline(range(IMAGE, 8, 4)), 0),
            (initrd_append(archive, 0), 0),
            (prepend_initrd(archive), 0),
            (initrd_wrap(archive, b"a", 0o400), 0),
            (decompress(archive, GZIP, 0, 0), ELIBBAD),
            (get(range(HANDLE + 2, 0, 1)), ENOENT),
        ]
        .map(|(step, returned)| (step.at(place), returned));
        let what = format!("place {place}");
        let run = script.check(&input, &steps).context(&what)?;
        for (index, resource, len) in [(0, HANDLE, 5), (1, HANDLE + 1, 5), (4, HANDLE, 5)] {
            equal(&what, run.done[index].range, range(resource, 0, len))?;
        }
        equal(&what, &run.done[2].buffer[..], b"name")?;
        equal(&what, &run.done[3].buffer[..], &TEN[1..])?;
        equal(&what, &run.output.kernel[..], &image[..8])?;
        let initrd = b"piece\0\0\0\0\0\0\0firs";
        equal(&what, &run.output.initrd[..16], initrd)?;
        equal(&what, &run.output.cmdline[..], b"name")?;
    }
    Ok(())
}

fn a_command_line_to_bind() -> Result {
    let input = Input {
        image: b"good\nbad\0",
        cmdline: b"old",
        ..Input::default()
    };
    let script = Script::load()?;
    for (offset, len) in [(0, 5), (4, 1), (5, 4), (8, 1)] {
        let step = bind_cmdline(range(IMAGE, offset, len));
        let output = script.check(&input, &[(step, ELIBBAD)])?.output;
        equal("what was there", &output.cmdline[..], b"old")?;
    }
    let output = script
        .check(&input, &[(bind_cmdline(range(IMAGE, 0, 4)), 0)])?
        .output;
    equal("command line", &output.cmdline[..], b"good")
}

fn the_longest_command_line() -> Result {
    let image = [b'x'; CMDLINE_MAX + 1];
    let input = Input {
        image: &image,
        ..Input::default()
    };
    let script = Script::load()?;
    let bind = |len| bind_cmdline(range(IMAGE, 0, len));
    let most = CMDLINE_MAX as u64;
    let output = script.check(&input, &[(bind(most), 0)])?.output;
    equal("length", output.cmdline.len(), CMDLINE_MAX)?;
    script.check_until(&input, &[(bind(most + 1), EFBIG)], libc::EFBIG)?;
    Ok(())
}

/// What the log has is tested where a program writes to it in a load.
fn lines_of_the_log() -> Result {
    let steps = [
        (log(b""), 0),
        (log(b"a line\n\0"), 0),
        (log(&[b'x'; LINE_MAX]), 0),
        (log(&[b'x'; LINE_MAX + 1]), EINVAL),
        (carrier_null(LOG, Range::default()), 0),
    ];
    Script::load()?.check(&tens(), &steps)?;
    Ok(())
}
