// SPDX-License-Identifier: GPL-2.0

//! The program for zboot images, and that for UKIs whose kernel is a zboot image.

use std::io::Write;
use std::os::fd::AsRawFd;

use flate2::write::GzEncoder;
use flate2::Compression;

use support::arch;
use support::compress::{lz4, lzo, xz};
use support::harness::{equal, Context, Result};
use support::load::{self, file, Load};
use support::object::{Input, Object};
use support::pe::{self, put};
use support::tiny_image::well_formed_but;
use support::uapi::{ENFORCED, SIGNED};

use super::{parts, returned, run, uki, ALGORITHM, MACHINE, MALFORMED};

tests! {
    BELOW_CONFIDENTIALITY;
    from_each_compression,
    where_the_length_is,
    other_compressions,
    takes_the_callers,
    damaged,
    unsigned,
    debian,
    in_uki,
    in_uki_with_program,
    in_uki_damaged,
    loads,
    loads_in_uki,
    refuses_lzma,
    refuses_more_than_lzo_can_make,
}

const ELIBBAD: i32 = -libc::ELIBBAD;

fn zboot() -> Result<Object> {
    Object::new(include_bytes!(concat!(env!("OUT_DIR"), "/zboot.o")))
}

/// A zboot image: a PE file whose first section has the payload, with `tail` behind it.
fn zboot_image(payload: &[u8], compression: &[u8], tail: &[u8], more: &[(&str, &[u8])]) -> Vec<u8> {
    let text = [payload, tail].concat();
    let mut image = pe::image(&[&[(".text", &text[..])], more].concat());
    let at = pe::sections(&image)[0].at;
    put(&mut image, 0, *b"MZ\0\0zimg");
    put(&mut image, 8, (at as u32).to_le_bytes());
    put(&mut image, 12, (payload.len() as u32).to_le_bytes());
    image[24..24 + compression.len()].copy_from_slice(compression);
    if more.is_empty() {
        image.truncate(at + text.len());
    }
    image
}

const KERNEL: &[u8] = b"a kernel a kernel a kernel a kernel";

/// The length of the kernel, which follows payloads other than gzip's.
const LEN: [u8; 4] = (KERNEL.len() as u32).to_le_bytes();

fn gzip() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(KERNEL).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn zstd() -> Vec<u8> {
    let mut payload = Vec::with_capacity(1000);
    zstd_safe::compress(&mut payload, KERNEL, 19).expect("there is room");
    payload
}

fn gzip_image() -> Vec<u8> {
    zboot_image(&gzip(), b"gzip", b"", &[])
}

fn zstd_image() -> Vec<u8> {
    zboot_image(&zstd(), b"zstd22", &LEN, &[])
}

/// One of each compression that is supported.
fn images() -> [(&'static str, Vec<u8>); 5] {
    let image = |name: &'static str, payload: Vec<u8>| {
        (name, zboot_image(&payload, name.as_bytes(), &LEN, &[]))
    };
    [
        ("gzip", gzip_image()),
        ("zstd22", zstd_image()),
        image("lz4", lz4(KERNEL)),
        image("lzo", lzo(KERNEL)),
        image("xzkern", xz(KERNEL)),
    ]
}

fn from_each_compression() -> Result {
    let object = zboot()?;
    for (name, image) in images() {
        let input = Input {
            image: &image,
            flags: SIGNED | ENFORCED,
            ..Input::default()
        };
        parts(&run(&object, &input), KERNEL, b"", b"").context(name)?;
    }
    Ok(())
}

fn takes_the_callers() -> Result {
    let image = gzip_image();
    let input = Input {
        image: &image,
        initrd: b"an initrd",
        cmdline: b"a command line",
        flags: SIGNED | ENFORCED,
        ..Input::default()
    };
    parts(
        &run(&zboot()?, &input),
        KERNEL,
        b"an initrd",
        b"a command line",
    )
}

fn damaged() -> Result {
    let object = zboot()?;
    for (name, image) in images() {
        for len in 0..image.len() {
            returned(&object, &image[..len], MALFORMED).context(format!("{name}, {len} bytes"))?;
        }
        // The length of the kernel, which is last.
        for change in [1, 0xff] {
            let mut image = image.clone();
            let at = image.len() - 4;
            image[at] ^= change;
            returned(&object, &image, ELIBBAD).context(name)?;
        }
    }
    returned(&object, &zboot_image(b"123", b"gzip", b"", &[]), MALFORMED)
}

fn unsigned() -> Result {
    let image = gzip_image();
    let input = Input {
        image: &image,
        flags: ENFORCED,
        ..Input::default()
    };
    equal("errno", run(&zboot()?, &input).errno, libc::EACCES)
}

/// For gzip, the last word of the payload is the length; for others, the word behind the payload.
fn where_the_length_is() -> Result {
    let object = zboot()?;
    for tail in [[0; 4], [0xff; 4]] {
        let image = zboot_image(&gzip(), b"gzip", &tail, &[]);
        let input = Input {
            image: &image,
            ..Input::default()
        };
        parts(&run(&object, &input), KERNEL, b"", b"")?;
    }
    let counted = [zstd(), LEN.to_vec()].concat();
    returned(
        &object,
        &zboot_image(&counted, b"zstd", b"", &[]),
        MALFORMED,
    )?;
    returned(&object, &zboot_image(&counted, b"zstd", &LEN, &[]), ELIBBAD)
}

/// Including those that older versions of Linux made.
fn other_compressions() -> Result {
    let object = zboot()?;
    for name in ["LZ4", "lzma", "lzop", "xz", "GZIP", "bzip2", ""] {
        let image = zboot_image(&gzip(), name.as_bytes(), &LEN, &[]);
        returned(&object, &image, ALGORITHM).context(name)?;
        let image = pe::image(&[(".linux", &image)]);
        returned(&uki()?, &image, ALGORITHM).context(name)?;
    }
    Ok(())
}

/// Debian's image for loong64, alone and as the kernel of a UKI. Its zstd frame has no length and a
/// window of 128 MiB. The result has to be that of libzstd.
fn debian() -> Result {
    let mut image = load::image("loong64")?;
    let field = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| image[at + i])) as usize;
    let (start, end) = (field(8), field(8) + field(12));
    let len = field(end);
    let frame = &image[start..end];
    equal(
        "magic number and frame header",
        &frame[..6],
        b"\x28\xb5\x2f\xfd\x04\x88",
    )?;
    let mut kernel = Vec::with_capacity(len);
    zstd_safe::decompress(&mut kernel, frame)
        .map_err(|code| format!("libzstd: {}", zstd_safe::get_error_name(code)))?;
    equal("its length", kernel.len(), len)?;

    let machine = pe::header(&image) + 4;
    let check = |object: Object, image: &[u8]| {
        let input = Input {
            image,
            flags: SIGNED | ENFORCED,
            room: Some(len),
            ..Input::default()
        };
        let output = run(&object, &input);
        equal("errno", output.errno, 0)?;
        equal("what the program returns", output.returned, 0)?;
        equal("length of the kernel", output.kernel.len(), len)?;
        equal("the same kernel", output.kernel == kernel, true)
    };
    check(zboot()?, &image)?;
    returned(&uki()?, &pe::image(&[(".linux", &image)]), MACHINE)?;
    put(&mut image, machine, arch::MACHINE.to_le_bytes());
    check(uki()?, &pe::image(&[(".linux", &image)])).context("in a UKI")
}

fn in_uki() -> Result {
    let object = uki()?;
    for (name, kernel) in images() {
        let image = pe::image(&[
            (".cmdline", b"quiet"),
            (".initrd", b"an initrd"),
            (".linux", &kernel),
        ]);
        let input = Input {
            image: &image,
            flags: SIGNED | ENFORCED,
            repeat: 2,
            ..Input::default()
        };
        parts(&run(&object, &input), KERNEL, b"an initrd", b"quiet").context(name)?;
    }
    Ok(())
}

/// The program of the zboot image is to run next, so that of the UKI does not unpack the kernel.
fn in_uki_with_program() -> Result {
    let object = uki()?;
    for sections in [
        &[(".bpf", &b"an object"[..])][..],
        &[(".data", b""), (".bpf", b"")],
    ] {
        let kernel = zboot_image(&zstd(), b"zstd", &LEN, sections);
        let image = pe::image(&[(".linux", &kernel)]);
        let input = Input {
            image: &image,
            ..Input::default()
        };
        parts(&run(&object, &input), &kernel, b"", b"")?;
    }
    // Another name that begins with ".bpf".
    let kernel = zboot_image(&zstd(), b"zstd", &LEN, &[(".bpf1", b"")]);
    let image = pe::image(&[(".linux", &kernel)]);
    let input = Input {
        image: &image,
        ..Input::default()
    };
    parts(&run(&object, &input), KERNEL, b"", b"")
}

fn in_uki_damaged() -> Result {
    let object = uki()?;
    let kernel = zstd_image();
    // It ends in the magic number, so it is not a zboot image.
    let image = pe::image(&[(".linux", &kernel[..7])]);
    let input = Input {
        image: &image,
        ..Input::default()
    };
    parts(&run(&object, &input), &kernel[..7], b"", b"")?;
    let header = pe::header(&kernel);
    for (at, want) in [(header, MALFORMED), (header + 4, MACHINE)] {
        let mut kernel = kernel.clone();
        kernel[at] ^= 1;
        returned(&object, &pe::image(&[(".linux", &kernel)]), want)?;
    }
    for len in [kernel.len() - 1, 0x200] {
        let image = pe::image(&[(".linux", &kernel[..len])]);
        returned(&object, &image, MALFORMED).context(format!("{len} bytes"))?;
    }
    let mut far = kernel;
    put(&mut far, 0x3c, [0xff; 4]);
    returned(&object, &pe::image(&[(".linux", &far)]), -libc::ERANGE)
}

/// Fails unless a dry run of an image is accepted, with `lines` in the log between that of the
/// signature and those at the end.
fn dry(name: &str, initrd: &[u8], cmdline: &[u8], lines: &[&str]) -> Result {
    let (image, caller) = (file(&load::image(name)?)?, file(initrd)?);
    let load = Load {
        initrd: if initrd.is_empty() {
            -1
        } else {
            caller.as_raw_fd()
        },
        cmdline,
        ..Load::dry(&image)
    };
    let text = format!("caller's command line: {} bytes", cmdline.len());
    let start = [text.as_str(), "image: signed by '*"];
    let start = &start[usize::from(cmdline.is_empty())..];
    let end = ["kernel: 65536 bytes*", "accepted, not installed: dry run"];
    load.run()
        .check(0, &[start, lines, &end[..]].concat())
        .context(name)
}

const DECOMPRESSED: &str = "program: decompressed *";
const BOUND: &str = "program: kernel of 65536 bytes";

fn loads() -> Result {
    for name in ["zboot-gzip", "zboot-xzkern", "zboot-zstd"] {
        dry(name, b"", b"", &["level 0: key *", DECOMPRESSED, BOUND])?;
        dry(
            name,
            b"an initrd",
            b"quiet",
            &[
                "level 0: key *",
                "caller's initrd: 9 bytes",
                DECOMPRESSED,
                BOUND,
            ],
        )?;
    }
    Ok(())
}

/// The program of the UKI unpacks the kernel, or that of the zboot image does so as the next level.
fn loads_in_uki() -> Result {
    let rest = [
        "program: 19 bytes appended to the command line",
        "program: 12 bytes appended to the initrd",
    ];
    let lines = [&["level 0: key *", DECOMPRESSED, BOUND], &rest[..]].concat();
    dry("uki-zboot-nobpf", b"", b"", &lines)?;
    let outer = ["level 0: key *", "program: kernel of *"];
    let inner = ["level 1: key *", DECOMPRESSED, BOUND];
    let lines = [&outer[..], &rest, &inner].concat();
    dry("uki-zboot", b"", b"", &lines)?;

    // Each level has its own program and key, and the UKI's policy holds.
    let log = Load::dry(&file(&load::image("uki-zboot")?)?).run().log;
    let keys: Vec<_> = log
        .iter()
        .filter_map(|line| line.split_once(": key "))
        .collect();
    equal("two levels", keys.len(), 2)?;
    equal("the same key", keys[0].1 == keys[1].1, false)?;
    if !load::enforced() {
        return Ok(());
    }
    for name in ["uki-zboot", "uki-zboot-nobpf"] {
        let image = file(&load::image(name)?)?;
        let load = Load {
            cmdline: b"quiet",
            ..Load::dry(&image)
        };
        load.run()
            .refused(libc::ECANCELED, "program returned 5")
            .context(name)?;
    }
    Ok(())
}

/// Older versions of Linux made such images. The kernel has no decoder for them.
fn refuses_lzma() -> Result {
    let image = file(&load::image("zboot-lzma")?)?;
    Load::dry(&image)
        .run()
        .refused(libc::ECANCELED, "program returned 7")
}

/// Some kilobytes that claim to decompress to a gigabyte.
fn refuses_more_than_lzo_can_make() -> Result {
    const BLOCKS: u32 = 4095;
    const BLOCK_LEN: u32 = 256 << 10;
    let block = [BLOCK_LEN, 1, 0].map(u32::to_be_bytes).concat();
    let mut payload = lzo(b"");
    let end = payload.len() - 4;
    payload.splice(
        end..end,
        [&block[..], b"x"].concat().repeat(BLOCKS as usize),
    );
    let len = (BLOCKS * BLOCK_LEN).to_le_bytes();
    let program = include_bytes!(concat!(env!("OUT_DIR"), "/zboot.o"));
    let image = zboot_image(&payload, b"lzo", &len, &[(".bpf", program)]);
    let log = Load::dry(&file(&image)?).run().log.join("\n");
    let why = "decompress: the output is longer than LZO can make it";
    let said = load::enforced() || log.contains(why);
    equal("the log says why", said, true).context(log)?;
    well_formed_but(libc::ECANCELED, "program returned -80", &image)
}
