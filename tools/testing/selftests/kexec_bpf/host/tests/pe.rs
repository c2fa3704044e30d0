// SPDX-License-Identifier: GPL-2.0

//! PE images, good ones and those that break one rule.

use kexec_bpf_host::error::{Kind, ParseError};
use kexec_bpf_host::pe::{names_section, Pe, IMAGE_MAX};

#[path = "../../src/pe_image.rs"]
mod pe_image;

use pe_image::Image;

const PE: usize = 0x40;
const OPTIONAL: usize = PE + 24;
const HEADERS: usize = 0x400;
/// The largest value of a field.
const MOST: usize = u32::MAX as usize;

/// Headers for up to 10 sections, without any section yet.
fn headers() -> Image {
    Image::new(0x8664, PE, HEADERS)
}

/// The offset of the header of a section.
fn header(index: usize) -> usize {
    headers().section(index)
}

/// Two sections, a tail and certificates.
fn signed() -> Image {
    let mut image = headers();
    image.add_section(b".text", 0x123, &[0xaa; 0x200]);
    image.add_section(b".bpf", 0x88, &[0xaa; 0x200]);
    image.file.extend([0x55; 0x38]);
    image.add_certificates(0x18);
    image
}

fn error(image: &Image) -> ParseError {
    Pe::parse(&image.file).unwrap_err()
}

/// Each of the changes to a good image is refused, as malformed, at this byte.
fn refused(at: u64, changes: &[&dyn Fn(&mut Image)]) {
    for (index, change) in changes.iter().enumerate() {
        let mut image = signed();
        change(&mut image);
        let error = error(&image);
        assert_eq!(
            (error.kind, error.at),
            (Kind::Malformed, Some(at)),
            "change {index}: {error}"
        );
    }
}

#[test]
fn signed_image() {
    let image = signed();
    let pe = Pe::parse(&image.file).unwrap();
    let bpf = pe.section(b".bpf").unwrap().unwrap();
    assert_eq!(&bpf.name, b".bpf\0\0\0\0");
    assert_eq!(bpf.range, 0x600..0x688);
    assert_eq!(pe.section(b".bpf2"), Ok(None));
    assert_eq!(pe.section(b".bp"), Ok(None));
    assert_eq!(pe.section(b".bpf\0\0\0\0\0"), Ok(None));
    assert_eq!(pe.sections().count(), 2);
    assert_eq!(pe.certificates(), Some(0x838..0x850));
    assert_eq!(
        pe.covered(),
        [
            0..OPTIONAL + 64,
            OPTIONAL + 68..OPTIONAL + 112 + 32,
            OPTIONAL + 112 + 40..0x838
        ]
    );
}

#[test]
fn unsigned_image() {
    let mut image = headers();
    image.add_section(b".text", 1, &[0xaa; 1]);
    let pe = Pe::parse(&image.file).unwrap();
    assert_eq!(pe.certificates(), None);
    assert_eq!(pe.covered()[2].end, image.file.len());
}

#[test]
fn pe32() {
    let mut image = headers();
    image.put16(OPTIONAL, 0x10b);
    image.put16(PE + 20, 96 + 16 * 8);
    image.put32(OPTIONAL + 92, 16);
    // The first section header is where the last two directories of a PE32+ image are.
    image.put32(OPTIONAL + 96 + 128 + 8, 7);
    image.put16(PE + 6, 1);
    assert_eq!(Pe::parse(&image.file).unwrap().sections().count(), 1);
    assert_eq!(
        Pe::parse(&image.file).unwrap().covered()[1].end,
        OPTIONAL + 96 + 32
    );
}

#[test]
fn sizes_of_sections() {
    for (virtual_size, raw_size, len) in [
        (0, 0x200, 0),
        (1, 0x200, 1),
        (0x200, 0x200, 0x200),
        (0x201, 0x200, 0x200),
        (MOST, 0x200, 0x200),
        (0x200, 0, 0),
    ] {
        let mut image = headers();
        image.add_section(b".bpf", virtual_size, &vec![0xaa; raw_size]);
        let section = Pe::parse(&image.file)
            .unwrap()
            .section(b".bpf")
            .unwrap()
            .unwrap();
        assert_eq!(section.range.len(), len);
        assert!(image.file.get(section.range).is_some());
    }
}

#[test]
fn pointer_of_an_empty_section_means_nothing() {
    let mut image = signed();
    image.add_section(b".bss", 0x1000, &[0xaa; 0]);
    image.put32(header(2) + 20, MOST);
    let section = Pe::parse(&image.file)
        .unwrap()
        .section(b".bss")
        .unwrap()
        .unwrap();
    assert_eq!(section.range, 0..0);
}

#[test]
fn sections_may_be_in_any_order() {
    let mut image = signed();
    let (first, second) = (header(0), header(1));
    let table = image.file[first..second + 40].to_vec();
    image.put(first, &table[40..]);
    image.put(second, &table[..40]);
    let pe = Pe::parse(&image.file).unwrap();
    assert_eq!(pe.section(b".bpf").unwrap().unwrap().range.start, 0x600);
}

#[test]
fn truncated_anywhere() {
    let image = signed();
    for len in 0..image.file.len() {
        let error = Pe::parse(&image.file[..len]).unwrap_err();
        let ours = len >= PE + 4;
        assert_eq!(error.kind == Kind::Malformed, ours, "{len}: {error}");
        assert_eq!(error.kind == Kind::NotOurs, !ours, "{len}: {error}");
    }
    // Without certificates the sections have to be there, the tail need not.
    let mut image = signed();
    image.put(OPTIONAL + 112 + 32, &[0; 8]);
    for len in PE + 4..image.file.len() {
        assert_eq!(Pe::parse(&image.file[..len]).is_ok(), len >= 0x800);
    }
}

#[test]
fn too_big() {
    let mut image = headers();
    image.add_section(b".text", 1, &[0xaa; 1]);
    let mut file = vec![0; IMAGE_MAX as usize + 1];
    file[..image.file.len()].copy_from_slice(&image.file);
    assert_eq!(Pe::parse(&file).unwrap_err().kind, Kind::TooBig);
    file.pop();
    assert!(Pe::parse(&file).is_ok());
}

#[test]
fn not_ours() {
    let changes: [fn(&mut Image); 7] = [
        |image| image.put(0, b"ZM"),
        |image| image.put(PE, b"NE\0\0"),
        |image| image.put32(0x3c, PE + 1),
        |image| image.put32(0x3c, MOST),
        |image| image.put32(0x3c, image.file.len() - 3),
        |image| image.file.truncate(0x3f),
        |image| image.file.clear(),
    ];
    for change in changes {
        let mut image = signed();
        change(&mut image);
        assert_eq!(error(&image).kind, Kind::NotOurs);
    }
}

#[test]
fn lying_headers() {
    refused(
        0x3c,
        &[&|image| {
            image.put32(0x3c, 0x20);
            image.put(0x20, b"PE\0\0");
        }],
    );
    refused(PE as u64 + 6, &[&|image| image.put16(PE + 6, 0)]);
    refused(
        PE as u64 + 20,
        &[
            &|image| image.put16(PE + 20, 0),
            &|image| image.put16(PE + 20, 239),
            &|image| image.put16(PE + 20, 241),
            &|image| image.put16(PE + 20, MOST),
            &|image| image.put32(OPTIONAL + 108, 15),
            &|image| image.put32(OPTIONAL + 108, 5),
        ],
    );
    refused(
        OPTIONAL as u64,
        &[&|image| image.put16(OPTIONAL, 0), &|image| {
            image.put16(OPTIONAL, 0x107)
        }],
    );
    refused(
        OPTIONAL as u64 + 60,
        &[
            &|image| image.put32(OPTIONAL + 60, 0),
            &|image| image.put32(OPTIONAL + 60, header(2) - 1),
            &|image| image.put32(OPTIONAL + 60, image.file.len() + 1),
            &|image| image.put32(OPTIONAL + 60, MOST),
            &|image| image.put16(PE + 6, 96),
            &|image| image.put16(PE + 6, MOST),
        ],
    );
    refused(
        OPTIONAL as u64 + 108,
        &[
            &|image| image.put32(OPTIONAL + 108, 0),
            &|image| image.put32(OPTIONAL + 108, 4),
            &|image| image.put32(OPTIONAL + 108, 17),
            &|image| image.put32(OPTIONAL + 108, MOST),
        ],
    );
}

#[test]
fn directories_from_5_to_16() {
    for count in 5..=16 {
        let mut image = headers();
        image.put32(OPTIONAL + 108, count);
        image.put16(PE + 20, 112 + 8 * count);
        image.put16(PE + 6, 1);
        assert!(Pe::parse(&image.file).is_ok());
    }
}

/// An image of so many sections of 16 bytes. The table has them in the order that `place` gives.
fn many(count: usize, place: impl Fn(usize) -> usize) -> Image {
    let len = headers().section(count);
    let mut image = Image::new(0x8664, PE, len);
    image.put16(PE + 6, count);
    for index in 0..count {
        let (header, at) = (image.section(index), len + 16 * place(index));
        image.put(header, &format!(".{index:x}").into_bytes());
        for (field, value) in [(8, 10), (16, 16), (20, at)] {
            image.put32(header + field, value);
        }
    }
    image.file.resize(len + 16 * count, 0xaa);
    image
}

#[test]
fn as_many_sections_as_the_format_has() {
    for count in [1, 96, 97, 1500, 0xffff] {
        let places: [&dyn Fn(usize) -> usize; 3] = [
            &|index| index,
            &|index| count - 1 - index,
            // A permutation, as 0x1_0001 is a prime number.
            &|index| index * 0x1_0001 % count,
        ];
        for place in places {
            let mut image = many(count, place);
            let (start, last) = (header(count), count - 1);
            let pe = Pe::parse(&image.file).unwrap();
            assert_eq!(pe.sections().count(), count);
            let name = format!(".{last:x}");
            let section = pe.section(name.as_bytes()).unwrap().unwrap();
            let at = start + 16 * place(last);
            assert_eq!(section.range, at..at + 10);

            // A gap before the last one.
            image.put32(header(last) + 20, at + 1);
            let error = error(&image);
            assert_eq!((error.kind, error.at), (Kind::Malformed, Some(at as u64)));
            // The table is longer than the headers.
            image.put32(OPTIONAL + 60, start - 1);
            let error = self::error(&image);
            assert_eq!(error.at, Some(OPTIONAL as u64 + 60));
        }
    }
}

#[test]
fn gaps_and_overlaps() {
    // The first section begins late or early, or there is no end to the headers that fits.
    refused(
        0x400,
        &[
            &|image| image.put32(header(0) + 20, 0x401),
            &|image| image.put32(header(0) + 20, 0x3ff),
            &|image| image.put32(header(0) + 20, 0),
            &|image| image.put32(header(0) + 16, 0),
        ],
    );
    refused(0x3ff, &[&|image| image.put32(OPTIONAL + 60, 0x3ff)]);
    refused(0x401, &[&|image| image.put32(OPTIONAL + 60, 0x401)]);
    // The first section is longer or shorter.
    refused(0x601, &[&|image| image.put32(header(0) + 16, 0x201)]);
    refused(0x5ff, &[&|image| image.put32(header(0) + 16, 0x1ff)]);
    // The second one begins late or early, or is the same as the first one.
    refused(
        0x600,
        &[
            &|image| image.put32(header(1) + 20, 0x601),
            &|image| image.put32(header(1) + 20, 0x5ff),
            &|image| image.put32(header(1) + 20, 0x400),
            &|image| image.put32(header(1) + 20, MOST),
        ],
    );
    // The second one ends in the certificate table, or past the file.
    let last = header(1) + 16;
    refused(0x839, &[&|image| image.put32(last, 0x239)]);
    refused(0x851, &[&|image| image.put32(last, 0x251)]);
    refused(
        0x600 + u64::from(u32::MAX),
        &[&|image| image.put32(last, MOST)],
    );
    let mut image = signed();
    image.put32(last, 0x238);
    assert!(Pe::parse(&image.file).is_ok());
}

#[test]
fn certificate_table() {
    let entry = OPTIONAL + 112 + 32;
    refused(
        entry as u64,
        &[
            // Not last, empty, or without an address.
            &|image| image.put32(entry + 4, 0x17),
            &|image| image.file.push(0),
            &|image| image.put32(entry + 4, 0),
            &|image| {
                image.put32(entry, image.file.len());
                image.put32(entry + 4, 0);
            },
            &|image| image.put32(entry, 0),
            // Not aligned.
            &|image| {
                image.put32(entry, 0x839);
                image.put32(entry + 4, 0x17);
            },
            &|image| {
                image.put32(entry, 0x83c);
                image.put32(entry + 4, 0x14);
            },
        ],
    );
    // Past the file.
    refused(
        0x838,
        &[&|image| image.put32(entry + 4, 0x19), &|image| {
            image.put32(entry + 4, MOST)
        }],
    );
    refused(0x840, &[&|image| image.put32(entry, 0x840)]);
    refused(u32::MAX.into(), &[&|image| image.put32(entry, MOST)]);
    // Over the headers, or over the sections.
    refused(
        0x800,
        &[
            &|image| {
                image.put32(entry, 0);
                image.put32(entry + 4, 0x850);
            },
            &|image| {
                image.put32(entry, 0x7f8);
                image.put32(entry + 4, 0x58);
            },
        ],
    );
    // Right after the sections.
    let mut image = signed();
    image.put32(entry, 0x800);
    image.put32(entry + 4, 0x50);
    assert_eq!(
        Pe::parse(&image.file).unwrap().certificates(),
        Some(0x800..0x850)
    );
}

#[test]
fn two_sections_of_a_name() {
    let mut image = signed();
    image.add_section(b".bpf", 0, &[0xaa; 0]);
    let pe = Pe::parse(&image.file).unwrap();
    let error = pe.section(b".bpf").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("'.bpf': two sections of this name (byte {:#x})", header(2))
    );
    assert!(pe.section(b".text").unwrap().is_some());
}

/// Whatever else is wrong: a name that one of two readers finds is found.
#[test]
fn names_in_images_that_break_a_rule() {
    let names = |image: &Image| names_section(&image.file, b".bpf");
    assert!(names(&signed()));
    assert!(!names_section(&signed().file, b".bp"));
    assert!(!names_section(&signed().file, b".bpf2"));
    let kept: [&dyn Fn(&mut Image); 7] = [
        &|image| image.put16(PE + 20, 0),
        &|image| image.put32(OPTIONAL + 108, 0),
        &|image| image.put32(OPTIONAL + 108, MOST),
        &|image| image.put16(OPTIONAL, 0),
        &|image| image.put16(PE + 6, MOST),
        &|image| image.put32(OPTIONAL + 60, 0),
        &|image| image.file.truncate(header(1) + 40),
    ];
    for change in kept {
        let mut image = signed();
        change(&mut image);
        assert!(Pe::parse(&image.file).is_err() && names(&image));
    }
    let lost: [&dyn Fn(&mut Image); 7] = [
        &|image| image.put(0, b"ZM"),
        &|image| image.put(PE, b"NE\0\0"),
        &|image| image.put32(0x3c, MOST),
        &|image| image.put16(PE + 6, 1),
        &|image| image.put(header(1), b".bpx"),
        &|image| image.file.truncate(header(1) + 39),
        &|image| image.file.clear(),
    ];
    for change in lost {
        let mut image = signed();
        change(&mut image);
        assert!(!names(&image));
    }
}

#[test]
fn any_byte_may_change() {
    let image = signed();
    let header_len = header(2);
    for at in 0..header_len {
        for value in 0..=u8::MAX {
            let mut image = image.file.clone();
            image[at] = value;
            let Ok(pe) = Pe::parse(&image) else { continue };
            // The bytes that the digest covers and those that it leaves out are all of the file.
            let [a, b, c] = pe.covered();
            let certificates = pe.certificates().unwrap_or(image.len()..image.len());
            assert_eq!((a.start, c.end), (0, certificates.start));
            assert_eq!((b.start - a.end, c.start - b.end), (4, 8));
            assert_eq!(certificates.end, image.len());
            assert!(pe
                .sections()
                .all(|section| section.range.end <= certificates.start));
        }
    }
}
