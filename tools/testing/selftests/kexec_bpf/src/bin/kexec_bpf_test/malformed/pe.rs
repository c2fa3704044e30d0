// SPDX-License-Identifier: GPL-2.0

//! Images whose headers or sections break a rule of PE files, one at a time: each is refused at the
//! byte that breaks it, whether signatures are enforced or not.

use support::harness::{equal, Context, Result};
use support::load::{dry_run, image, sparse, Load};
use support::meminfo::budget;
use support::pe::{self, put};
use support::tiny_image::*;

tests! {
    ON_X86_64;
    dos_header,
    optional_header,
    data_directories,
    section_table,
    section_counts,
    size_of_headers,
    gaps,
    overlaps,
    order_of_sections,
    tails,
    two_programs,
    names_of_sections,
    sizes_of_the_program,
    nested_images,
    sizes_of_files,
    cut_anywhere,
    any_byte_of_the_headers,
}

const NO_OBJECT: &str = "object: the data ends inside a field (byte 0x0)";

fn dos_header() -> Result {
    let len = Tiny::new()?.bytes.len();
    for at in [0, 0x40, PE - 1, PE + 1, len - 4, len - 3, len, MOST] {
        let why = format!("no PE signature (byte {at:#x})");
        refused(libc::ENOEXEC, &why, |image| image.put32(0x3c, at))?;
    }
    refused(libc::ENOEXEC, "no MZ signature (byte 0x0)", |image| {
        image.bytes[0] = b'm';
    })?;
    malformed("the PE header is in the DOS header", 0x3c, |image| {
        image.put32(0x3c, 0x20);
        put(&mut image.bytes, 0x20, *b"PE\0\0");
    })?;
    // The first file ends with the PE signature, and lacks the file header. The second ends with
    // the file header, and lacks the optional header.
    for (at, field) in [(len - 4, len - 4), (len - 24, len)] {
        malformed("the data ends inside a field", field, |image| {
            image.put32(0x3c, at);
            put(&mut image.bytes, at, *b"PE\0\0");
        })?;
    }
    // It may be at any byte after the DOS header, also at an odd one.
    for at in [0x40, 0x41, PE + 1] {
        let mut image = Tiny::unsigned()?;
        image.bytes.copy_within(PE..TABLE_END, at);
        image.put32(0x3c, at);
        well_formed(&image.bytes).context(format!("PE header at {at:#x}"))?;
    }
    Ok(())
}

fn optional_header() -> Result {
    for magic in [0, 0x10a, 0x107, 0x20c, 0xffff] {
        malformed("neither PE32 nor PE32+", OPTIONAL, |image| {
            image.put16(OPTIONAL, magic);
        })?;
    }
    // PE32 has them 16 bytes before.
    malformed(
        "not 5 to 16 data directories",
        DIRECTORY_COUNT - 16,
        |image| {
            image.put16(OPTIONAL, 0x10b);
        },
    )?;
    let mut image = Tiny::unsigned()?;
    image.put16(OPTIONAL, 0x10b);
    image.put16(OPTIONAL_LEN, 96 + 16 * 8);
    image
        .bytes
        .copy_within(DIRECTORY_COUNT..TABLE_END, DIRECTORY_COUNT - 16);
    well_formed(&image.bytes)
}

fn data_directories() -> Result {
    for count in [0, 1, 4, 17, 0x1_0010, MOST] {
        malformed("not 5 to 16 data directories", DIRECTORY_COUNT, |image| {
            image.put32(DIRECTORY_COUNT, count);
        })?;
    }
    for count in 5..=16 {
        let mut image = Tiny::unsigned()?;
        let table = DIRECTORIES + 8 * count;
        image.put32(DIRECTORY_COUNT, count);
        image.put16(OPTIONAL_LEN, table - OPTIONAL);
        image.bytes.copy_within(TEXT..TABLE_END, table);
        well_formed(&image.bytes).context(format!("{count} directories"))?;
    }
    Ok(())
}

/// Two fields determine its offset, and have to agree.
fn section_table() -> Result {
    let rule = "SizeOfOptionalHeader does not end with the data directories";
    let len = TEXT - OPTIONAL;
    for len in [0, 112, len - 8, len - 1, len + 1, len + 40, 0xffff] {
        malformed(rule, OPTIONAL_LEN, |image| image.put16(OPTIONAL_LEN, len))?;
    }
    for count in [5, 15] {
        malformed(rule, OPTIONAL_LEN, |image| {
            image.put32(DIRECTORY_COUNT, count);
        })?;
    }
    Ok(())
}

/// The program for UKIs, and 1 KiB of a kernel.
fn parts() -> Result<(Vec<u8>, Vec<u8>)> {
    let plain = image("plain")?;
    let (mut program, mut kernel) = (vec![], vec![]);
    for section in pe::sections(&plain) {
        let bytes = &plain[section.at..section.at + section.len];
        match section.name.as_str() {
            ".bpf" => program = bytes.into(),
            ".linux" => kernel = bytes[..1024].into(),
            _ => (),
        }
    }
    Ok((program, kernel))
}

/// As many as the format has. The program does not look at them, and returns 7.
fn section_counts() -> Result {
    malformed("no sections", SECTION_COUNT, |image| {
        image.put16(SECTION_COUNT, 0);
    })?;
    const WHY: &str = "program returned 7";
    let donor = image("returns_seven")?;
    let program = pe::sections(&donor).into_iter().find(|s| s.name == ".bpf");
    let program = program.ok_or("there is no program")?;
    let program = &donor[program.at..program.at + program.len];
    for count in [1, 96, 97, 1500, 0xffff] {
        for other in [&b"x"[..], b""] {
            let mut sections = vec![(".other", other); count - 1];
            sections.push((".bpf", program));
            well_formed_but(libc::ECANCELED, WHY, &pe::image(&sections))
                .context(format!("{count} sections"))?;
        }
    }
    for count in [1500, 0xffff] {
        let run = dry_run(&image(&format!("sections-{count}"))?)?;
        equal("signed", is_verified(&run), true)?;
        run.refused(libc::ECANCELED, WHY)
            .context(format!("{count} sections, signed"))?;
    }
    Ok(())
}

fn size_of_headers() -> Result {
    let rule = "SizeOfHeaders does not hold the section table, or is past the file";
    let len = Tiny::new()?.bytes.len();
    for size in [0, BPF, TABLE_END - 1, len + 1, MOST] {
        malformed(rule, HEADERS_LEN, |image| image.put32(HEADERS_LEN, size))?;
    }
    malformed(rule, HEADERS_LEN, |image| image.put16(SECTION_COUNT, 96))?;
    // It holds the table, but the first section begins elsewhere.
    for size in [TABLE_END, HEADERS_END - 1, HEADERS_END + 1, len] {
        malformed(GAP, size, |image| image.put32(HEADERS_LEN, size))?;
    }
    Ok(())
}

fn gaps() -> Result {
    // Before the first section, or because there is none.
    malformed(GAP, HEADERS_END, |image| {
        image.put32(TEXT + RAW_AT, HEADERS_END + 1);
    })?;
    malformed(GAP, HEADERS_END, |image| image.put32(TEXT + RAW_SIZE, 0))?;
    // Before the second one.
    for len in [1, 1023] {
        let end = HEADERS_END + len;
        malformed(GAP, end, |image| image.put32(TEXT + RAW_SIZE, len))?;
    }
    for at in [TEXT_END + 1, MOST] {
        malformed(GAP, TEXT_END, |image| image.put32(BPF + RAW_AT, at))?;
    }
    Ok(())
}

fn overlaps() -> Result {
    let end = Tiny::new()?.table;
    // With the headers.
    for at in [0, 0x20, HEADERS_END - 1] {
        malformed(GAP, HEADERS_END, |image| image.put32(TEXT + RAW_AT, at))?;
        malformed(GAP, TEXT_END, |image| image.put32(BPF + RAW_AT, at))?;
    }
    // With each other, in part or as a whole.
    for at in [HEADERS_END, TEXT_END - 1] {
        malformed(GAP, TEXT_END, |image| image.put32(BPF + RAW_AT, at))?;
    }
    for end in [TEXT_END + 1, end] {
        malformed(GAP, end, |image| {
            image.put32(TEXT + RAW_SIZE, end - HEADERS_END);
        })?;
    }
    // With the certificate table, and past the file.
    let len = end - TEXT_END;
    for len in [
        len + 1,
        len + 8,
        Tiny::new()?.bytes.len() - TEXT_END + 1,
        MOST,
    ] {
        malformed(REACH, TEXT_END + len, |image| {
            image.put32(BPF + RAW_SIZE, len);
        })?;
    }
    Ok(())
}

/// The order of sections does not matter, nor does the offset of a section without bytes.
fn order_of_sections() -> Result {
    let mut image = Tiny::unsigned()?;
    image.bytes[TEXT..TABLE_END].rotate_left(40);
    image.third_section(*b".bss\0\0\0\0");
    image.put32(TABLE_END + RAW_AT, MOST);
    well_formed(&image.bytes)
}

/// Bytes behind the sections are not a gap: the digest covers them.
fn tails() -> Result {
    let mut image = Tiny::unsigned()?;
    image.bytes.extend(b"a tail");
    well_formed(&image.bytes)?;
    for len in [1, 8] {
        unverified(MISFIT, |image| {
            image.put32(BPF + RAW_SIZE, image.table - TEXT_END - len);
        })?;
    }
    unverified(MISFIT, |image| {
        let (at, len) = (image.table, image.bytes.len() - image.table);
        image.bytes.splice(at..at, [0; 8]);
        image.certificates(at + 8, len);
    })
}

fn two_programs() -> Result {
    let why = format!("image: '.bpf': two sections of this name (byte {TABLE_END:#x})");
    dry_run(&image("twice")?)?.refused(libc::ELIBBAD, &why)?;
    let mut image = Tiny::unsigned()?;
    image.third_section(*b".bpf\0\0\0\0");
    well_formed_but(libc::ELIBBAD, &why, &image.bytes)?;
    let (program, _) = parts()?;
    let outer = pe::image(&[(".bpf", &program), (".linux", &image.bytes)]);
    well_formed_but(libc::ELIBBAD, &why, &outer).context("nested")
}

fn names_of_sections() -> Result {
    for name in [
        b".bpfx\0\0\0",
        b".bpf\0x\0\0",
        b".bpf\0\0\0x",
        b".bpf    ",
        b".bp\0\0\0\0\0",
        b".BPF\0\0\0\0",
        b"/4\0\0\0\0\0\0",
    ] {
        let mut image = Tiny::unsigned()?;
        put(&mut image.bytes, BPF, *name);
        // "/4" would refer to byte 4 behind the symbols, of which there are none.
        image.put32(PE + 12, image.bytes.len());
        image.bytes.extend(b"\x09\0\0\0.bpf\0");
        let why = "image: there is no section .bpf";
        well_formed_but(libc::ENOEXEC, why, &image.bytes).context(String::from_utf8_lossy(name))?;
    }
    Ok(())
}

fn sizes_of_the_program() -> Result {
    let raw_len = Tiny::new()?.table - TEXT_END;
    for size in [0, 1, 3] {
        let mut image = Tiny::unsigned()?;
        image.put32(BPF + VIRTUAL_SIZE, size);
        well_formed_but(libc::ELIBBAD, NO_OBJECT, &image.bytes)?;
    }
    // Bytes that only exist in memory are not a part of it.
    for size in [raw_len, raw_len + 1, MOST] {
        let mut image = Tiny::unsigned()?;
        image.put32(BPF + VIRTUAL_SIZE, size);
        well_formed(&image.bytes).context(format!("VirtualSize {size:#x}"))?;
    }
    let mut image = Tiny::unsigned()?;
    image.put32(BPF + RAW_SIZE, 0);
    well_formed_but(libc::ELIBBAD, NO_OBJECT, &image.bytes)
}

/// A change of an image.
type Change<'a> = &'a dyn Fn(&mut Tiny);

/// The kernel that a program binds is an image if it has a program. If that image breaks a rule, it
/// is refused as it would be alone; its program is not passed over.
fn nested_images() -> Result {
    let (program, kernel) = parts()?;
    let outer = |inner: &[u8]| pe::image(&[(".bpf", &program), (".linux", inner)]);
    for inner in [&kernel, &Tiny::unsigned()?.bytes, &Tiny::new()?.bytes] {
        well_formed(&outer(inner))?;
    }
    let refused = |why: &str, what: &str, inner: &[u8]| {
        well_formed_but(libc::ELIBBAD, why, &outer(inner)).context(what.to_string())
    };
    let len = Tiny::unsigned()?.bytes.len();
    let headers = "SizeOfHeaders does not hold the section table, or is past the file";
    let optional = "SizeOfOptionalHeader does not end with the data directories";
    let past = "the certificate table reaches past the file";
    let changes: [(&str, usize, Change<'_>); 10] = [
        // One reader finds the table of sections, another one does not.
        (optional, OPTIONAL_LEN, &|image| {
            image.put16(OPTIONAL_LEN, 0)
        }),
        ("neither PE32 nor PE32+", OPTIONAL, &|image| {
            image.put16(OPTIONAL, 0);
        }),
        ("not 5 to 16 data directories", DIRECTORY_COUNT, &|image| {
            image.put32(DIRECTORY_COUNT, 17);
        }),
        (optional, OPTIONAL_LEN, &|image| {
            image.put32(DIRECTORY_COUNT, 15)
        }),
        (headers, HEADERS_LEN, &|image| {
            image.put32(HEADERS_LEN, MOST)
        }),
        (headers, HEADERS_LEN, &|image| {
            image.put16(SECTION_COUNT, 0xffff)
        }),
        (GAP, TEXT_END - 1, &|image| {
            image.put32(TEXT + RAW_SIZE, 1023)
        }),
        (GAP, TEXT_END, &|image| {
            image.put32(BPF + RAW_AT, TEXT_END - 1)
        }),
        (REACH, TEXT_END + MOST, &|image| {
            image.put32(BPF + RAW_SIZE, MOST)
        }),
        (past, MOST, &|image| image.certificates(MOST, MOST)),
    ];
    for (rule, at, change) in changes {
        let mut inner = Tiny::unsigned()?;
        change(&mut inner);
        let why = format!("image: {rule} (byte {at:#x})");
        refused(&why, rule, &inner.bytes)?;
    }
    // As it is if the size of the section that holds the image counts padding.
    let mut padded = Tiny::new()?;
    padded.bytes.push(0);
    let rule = "the certificate table is empty, not aligned to 8, or not last in the file";
    let why = format!("image: {rule} (byte {CERTIFICATES:#x})");
    refused(&why, rule, &padded.bytes)?;
    // The file ends inside the headers or sections, but not before the header of the program's.
    for len in (BPF + 40..len).step_by(97) {
        let inner = &Tiny::unsigned()?.bytes[..len];
        let why = match len {
            ..HEADERS_END => format!("image: {headers} (byte {HEADERS_LEN:#x})"),
            _ => format!("image: {REACH} (byte {:#x})", Tiny::new()?.table),
        };
        refused(&why, &format!("{len} bytes"), inner)?;
    }
    let mut empty = Tiny::unsigned()?;
    empty.put32(BPF + VIRTUAL_SIZE, 0);
    refused(NO_OBJECT, "an empty program", &empty.bytes)?;

    // These have no program for any reader.
    let no_kernel = "kernel: no loader of this architecture knows its format";
    let changes: [&dyn Fn(&mut Tiny); 5] = [
        &|image| image.bytes[0] = 0,
        &|image| image.put32(0x3c, MOST),
        &|image| image.put16(SECTION_COUNT, 0),
        &|image| image.put16(SECTION_COUNT, 1),
        &|image| image.bytes[BPF] = 0,
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut inner = Tiny::unsigned()?;
        change(&mut inner);
        refused(no_kernel, &format!("change {index}"), &inner.bytes)?;
    }
    for len in (1..BPF).step_by(97) {
        let inner = &Tiny::unsigned()?.bytes[..len];
        refused(no_kernel, &format!("{len} bytes"), inner)?;
    }
    Ok(())
}

fn sizes_of_files() -> Result {
    const IMAGE_MAX: u64 = 1 << 30;
    let len = Tiny::new()?.bytes.len() as u64;
    for len in [IMAGE_MAX + 1, 1 << 32, (1 << 32) + len, i64::MAX as u64] {
        let run = Load::dry(&sparse(len)?).run();
        run.refused(libc::EFBIG, "image: the file is larger than 1 GiB")?;
    }
    let run = Load::dry(&sparse(IMAGE_MAX)?).run();
    match budget()? < IMAGE_MAX {
        true => run.refused(
            libc::EFBIG,
            "image: all loads together would take more than half of the memory",
        ),
        false => run.refused(libc::ENOEXEC, "image: no MZ signature (byte 0x0)"),
    }
}

fn cut_anywhere() -> Result {
    for image in [Tiny::new()?, Tiny::unsigned()?] {
        for len in 0..image.bytes.len() {
            let run = dry_run(&image.bytes[..len])?;
            let errno = match len < PE + 4 {
                true => libc::ENOEXEC,
                false => libc::ELIBBAD,
            };
            let log = run.log.join("\n");
            let fits = len == 0 || is_malformed(&run, errno);
            equal(format!("{len} bytes"), fits, true).context(log)?;
        }
    }
    verified(|_| ())
}

/// Only the checksum may change.
fn any_byte_of_the_headers() -> Result {
    let mut tiny = Tiny::new()?;
    for at in 0..HEADERS_END {
        let bit = 1 << (at % 8);
        tiny.bytes[at] ^= bit;
        let run = dry_run(&tiny.bytes)?;
        let fits = match (CHECKSUM..CHECKSUM + 4).contains(&at) {
            true => run.errno == 0 && is_verified(&run),
            false => {
                is_unverified(&run, MISFIT)
                    || is_malformed(&run, libc::ELIBBAD)
                    || is_malformed(&run, libc::ENOEXEC)
            }
        };
        equal(format!("byte {at:#x}"), fits, true).context(run.log.join("\n"))?;
        tiny.bytes[at] ^= bit;
    }
    verified(|_| ())
}
