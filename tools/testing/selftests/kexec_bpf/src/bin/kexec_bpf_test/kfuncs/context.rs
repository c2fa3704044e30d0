// SPDX-License-Identifier: GPL-2.0

//! The context, and `BPF_PROG_TEST_RUN` around it.

use std::os::fd::AsRawFd;
use std::ptr;

use support::arch::MACHINE;
use support::harness::{equal, Context, Result};
use support::load::{with_capabilities, CAP_SYS_BOOT};
use support::object::{open, options, test_run, test_run_raw, Input, Object};
use support::script::{bind_kernel, cmdline_append, put, stat, Script};
use support::uapi::{
    range, Ctx, Test, CRASH, ENFORCED, HANDLE, IMAGE, INITRD, LEVELS_MAX, SIGNED, TEST,
};

tests! {
    BELOW_CONFIDENTIALITY;
    fields,
    given_digest_and_key,
    what_is_for_output_alone,
    flags_and_depth_out_of_range,
    lengths_out_of_range,
    sizes_of_the_structure,
    unsupported_options,
    bad_addresses,
    room_for_the_output,
    each_repetition_begins_anew,
    a_refusal_ends_the_repetitions,
    needs_cap_sys_boot,
}

const CONTEXT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/context.o"));

fn context() -> Result<Object> {
    Object::new(CONTEXT)
}

fn seen(object: &Object) -> Result<Ctx> {
    let bytes = object.get("seen", 0)?;
    equal("size of the context", bytes.len(), size_of::<Ctx>())?;
    // SAFETY: There are as many bytes, and each value of them is a context.
    Ok(unsafe { ptr::read_unaligned(bytes.as_ptr().cast()) })
}

fn fields() -> Result {
    let object = context()?;
    for flags in 0..=(SIGNED | ENFORCED | CRASH) {
        for level in 0..LEVELS_MAX {
            let input = Input {
                image: b"image",
                flags,
                level,
                ..Input::default()
            };
            let output = test_run(object.program(), &input);
            let want = Ctx {
                image_len: 5,
                flags: flags | TEST,
                level,
                machine: MACHINE.into(),
                ..Ctx::default()
            };
            equal("errno", output.errno, 0)?;
            equal("context in the program", seen(&object)?, want)?;
            equal("ctx_out", output.test.ctx, want)?;
        }
    }
    Ok(())
}

fn given_digest_and_key() -> Result {
    let object = context()?;
    for digest_len in [0, 32, 64] {
        let mut ctx = Ctx {
            digest_len,
            key: [0xe2; 32],
            ..Ctx::default()
        };
        ctx.digest[..digest_len as usize].fill(0xd1);
        let test = Test {
            ctx,
            ..Test::default()
        };
        equal(
            "errno",
            test_run_raw(object.program(), &mut options(b"", &test)),
            0,
        )?;
        let want = Ctx {
            flags: TEST,
            machine: MACHINE.into(),
            ..ctx
        };
        equal("context in the program", seen(&object)?, want)?;
    }
    Ok(())
}

fn what_is_for_output_alone() -> Result {
    let object = context()?;
    let fields: [fn(&mut Test); 7] = [
        |_| (),
        |test| test.kernel_len = 1,
        |test| test.nsecs = 1 << 63,
        |test| test.ctx.image_len = 1,
        |test| test.ctx.machine = MACHINE.into(),
        |test| test.ctx.digest[0] = 1,
        |test| {
            test.ctx.digest_len = 63;
            test.ctx.digest[63] = 1;
        },
    ];
    for (index, set) in fields.iter().enumerate() {
        let mut test = Test::default();
        set(&mut test);
        let errno = test_run_raw(object.program(), &mut options(b"", &test));
        let want = if index == 0 { 0 } else { libc::EINVAL };
        equal(format!("field {index}"), errno, want)?;
    }
    Ok(())
}

fn flags_and_depth_out_of_range() -> Result {
    let object = context()?;
    for (flags, level, digest_len, errno) in [
        (SIGNED | ENFORCED | CRASH, LEVELS_MAX - 1, 64, 0),
        (TEST, 0, 0, libc::EINVAL),
        (1 << 4, 0, 0, libc::EINVAL),
        (1 << 31, 0, 0, libc::EINVAL),
        (0, LEVELS_MAX, 0, libc::EINVAL),
        (0, u32::MAX, 0, libc::EINVAL),
        (0, 0, 65, libc::EINVAL),
        (0, 0, u32::MAX, libc::EINVAL),
    ] {
        let mut test = Test::default();
        test.ctx.flags = flags;
        test.ctx.level = level;
        test.ctx.digest_len = digest_len;
        let what = format!("flags {flags:#x}, level {level}, digest_len {digest_len}");
        equal(
            what,
            test_run_raw(object.program(), &mut options(b"", &test)),
            errno,
        )?;
    }
    Ok(())
}

fn lengths_out_of_range() -> Result {
    let object = context()?;
    for (initrd_len, cmdline_len, errno) in [
        (0, 0, 0),
        (4, 6, 0),
        (10, 0, 0),
        (0, 10, 0),
        (0, 11, libc::EINVAL),
        (11, 0, libc::EINVAL),
        (5, 6, libc::EINVAL),
        (u64::MAX, 0, libc::EINVAL),
        (u64::MAX, 1, libc::EINVAL),
        (u64::MAX, u64::MAX, libc::EINVAL),
    ] {
        let test = Test {
            initrd_len,
            cmdline_len,
            ..Test::default()
        };
        let errno_got = test_run_raw(object.program(), &mut options(b"0123456789", &test));
        equal(
            format!("{initrd_len} and {cmdline_len} of 10"),
            errno_got,
            errno,
        )?;
        if errno == 0 {
            equal(
                "image_len",
                seen(&object)?.image_len,
                10 - initrd_len - cmdline_len,
            )?;
        }
    }
    Ok(())
}

fn sizes_of_the_structure() -> Result {
    #[repr(C)]
    struct Longer {
        test: Test,
        tail: u64,
    }

    let object = context()?;
    let mut longer = Longer {
        test: Test::default(),
        tail: 0,
    };
    longer.test.ctx.level = 1;
    for (size, tail, errno, level) in [
        (size_of::<Test>(), 1, 0, 1),
        (size_of::<Longer>(), 0, 0, 1),
        (size_of::<Longer>(), 1, libc::E2BIG, 1),
        // If it is shorter, the rest counts as zero.
        (48, 0, 0, 1),
        (44, 0, 0, 0),
        (0, 0, libc::EINVAL, 0),
    ] {
        longer.tail = tail;
        let mut options = options(b"", &longer.test);
        options.ctx_size_in = size as u32;
        let got = test_run_raw(object.program(), &mut options);
        equal(format!("ctx_size_in {size}, tail {tail}"), got, errno)?;
        if errno == 0 {
            equal("level", seen(&object)?.level, level)?;
        }
    }

    // Without the structure everything is zero, and no structure is returned.
    let mut options = options(b"", &longer.test);
    options.ctx_in = ptr::null();
    equal(
        "a size without ctx_in",
        test_run_raw(object.program(), &mut options),
        libc::EINVAL,
    )?;
    options.ctx_size_in = 0;
    equal(
        "without ctx_in",
        test_run_raw(object.program(), &mut options),
        0,
    )?;
    equal(
        "ctx_size_out",
        options.ctx_size_out as usize,
        size_of::<Test>(),
    )
}

fn unsupported_options() -> Result {
    let object = context()?;
    let test = Test::default();
    for which in 0..3 {
        let mut options = options(b"", &test);
        match which {
            0 => options.flags = 1,
            1 => options.cpu = 1,
            _ => options.batch_size = 1,
        }
        let got = test_run_raw(object.program(), &mut options);
        equal(format!("option {which}"), got, libc::EINVAL)?;
    }
    Ok(())
}

fn bad_addresses() -> Result {
    let object = context()?;
    let test = Test::default();
    for which in 0..3 {
        let mut options = options(b"data", &test);
        match which {
            0 => options.data_in = ptr::without_provenance(1),
            1 => options.ctx_in = ptr::without_provenance(1),
            _ => {
                options.ctx_out = ptr::without_provenance_mut(1);
                options.ctx_size_out = size_of::<Test>() as u32;
            }
        }
        let got = test_run_raw(object.program(), &mut options);
        equal(format!("address {which}"), got, libc::EFAULT)?;
    }
    Ok(())
}

fn room_for_the_output() -> Result {
    let script = Script::load()?;
    let steps = [bind_kernel(range(IMAGE, 0, 8))];
    let all = b"a kernelan initrd!a command line";
    for room in [all.len() + 1, all.len(), all.len() - 1, 9, 8, 7, 1] {
        let input = Input {
            image: b"a kernel and more",
            initrd: b"an initrd!",
            cmdline: b"a command line",
            room: Some(room),
            ..Input::default()
        };
        let output = script.run(&input, &steps)?.output;
        let what = format!("room for {room}");
        let errno = if room < all.len() { libc::ENOSPC } else { 0 };
        let part = &all[..room.min(all.len())];
        equal(format!("{what}: errno"), output.errno, errno)?;
        equal(format!("{what}: length"), output.len, all.len())?;
        equal(format!("{what}: kernel"), output.test.kernel_len, 8)?;
        equal(format!("{what}: initrd"), output.test.initrd_len, 10)?;
        equal(format!("{what}: cmdline"), output.test.cmdline_len, 14)?;
        let data = [output.kernel, output.initrd, output.cmdline].concat();
        equal(format!("{what}: data"), data, part.to_vec())?;
    }

    // Without a buffer, only the length is returned.
    let test = Test::default();
    let mut options = options(b"an image", &test);
    equal(
        "without data_out",
        test_run_raw(script.object().program(), &mut options),
        0,
    )?;
    equal("length", options.data_size_out, 8)
}

fn each_repetition_begins_anew() -> Result {
    let object = context()?;
    let input = Input {
        repeat: 5,
        ..Input::default()
    };
    let output = test_run(object.program(), &input);
    equal("errno", output.errno, 0)?;
    equal("what the last run returned", output.returned, 5)?;
    equal("time", output.test.nsecs > 0, true)?;

    let script = Script::load()?;
    let steps = [
        (put(b"text"), i64::from(HANDLE)),
        (cmdline_append(b"text", 0), 0),
    ];
    let run = script.check(&Input { repeat: 3, ..input }, &steps)?;
    equal("command line", run.output.cmdline, b"text".to_vec())
}

fn a_refusal_ends_the_repetitions() -> Result {
    let script = Script::load()?;
    let input = Input {
        image: b"unsigned",
        flags: ENFORCED,
        repeat: 3,
        ..Input::default()
    };
    let refused = -i64::from(libc::EACCES);
    script.check_until(
        &input,
        &[
            (bind_kernel(range(IMAGE, 0, 8)), refused),
            // All later calls are refused as well.
            (stat(INITRD), refused),
        ],
        libc::EACCES,
    )?;
    Ok(())
}

fn needs_cap_sys_boot() -> Result {
    let object = context()?;
    let fd = object.program().as_raw_fd();
    with_capabilities(!CAP_SYS_BOOT, move || -> Result {
        let output = test_run(object.program(), &Input::default());
        equal(
            format!("run of {fd} without CAP_SYS_BOOT"),
            output.errno,
            libc::EPERM,
        )?;
        match Object::load(open(CONTEXT)?) {
            Ok(_) => Err("loaded without CAP_SYS_BOOT".into()),
            Err(_) => Ok(()),
        }
    })
    .context("in a thread without the capability")
}
