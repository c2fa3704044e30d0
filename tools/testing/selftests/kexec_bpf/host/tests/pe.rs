// SPDX-License-Identifier: GPL-2.0

//! PE images, good ones and those that break one rule.

use kexec_bpf_host::error::{Error, Kind};
use kexec_bpf_host::pe::{Pe, IMAGE_MAX};

const PE: usize = 0x40;
const OPTIONAL: usize = PE + 24;
const HEADERS: usize = 0x400;

/// Makes images field by field.
struct Image(Vec<u8>);

impl Image {
    /// Headers for PE32+ and up to 10 sections, without any section yet.
    fn new() -> Self {
        let mut image = Self(vec![0; HEADERS]);
        image.put(0, b"MZ");
        image.put32(0x3c, PE as u32);
        image.put(PE, b"PE\0\0");
        image.put16(PE + 4, 0x8664);
        image.put16(PE + 20, 112 + 16 * 8);
        image.put16(OPTIONAL, 0x20b);
        image.put32(OPTIONAL + 60, HEADERS as u32);
        image.put32(OPTIONAL + 108, 16);
        image
    }

    /// Two sections, a tail and certificates.
    fn signed() -> Self {
        let mut image = Self::new();
        image.section(b".text", 0x123, 0x200);
        image.section(b".bpf", 0x88, 0x200);
        image.0.extend([0x55; 0x38]);
        image.certificates(0x18);
        image
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn put16(&mut self, at: usize, value: u16) {
        self.put(at, &value.to_le_bytes());
    }

    fn put32(&mut self, at: usize, value: u32) {
        self.put(at, &value.to_le_bytes());
    }

    fn header(index: usize) -> usize {
        OPTIONAL + 240 + 40 * index
    }

    fn count(&self) -> usize {
        self.0[PE + 6].into()
    }

    /// Adds a section at the end of the file.
    fn section(&mut self, name: &[u8], virtual_size: u32, raw_size: u32) {
        let header = Self::header(self.count());
        self.put(header, name);
        self.put32(header + 8, virtual_size);
        self.put32(header + 16, raw_size);
        self.put32(header + 20, self.0.len() as u32);
        self.put16(PE + 6, self.count() as u16 + 1);
        self.0.resize(self.0.len() + raw_size as usize, 0xaa);
    }

    /// Adds a certificate table at the end of the file.
    fn certificates(&mut self, len: u32) {
        self.put32(OPTIONAL + 112 + 32, self.0.len() as u32);
        self.put32(OPTIONAL + 112 + 36, len);
        self.0.resize(self.0.len() + len as usize, 0xcc);
    }

    fn error(&self) -> Error {
        Pe::parse(&self.0).unwrap_err()
    }
}

/// Each of the changes to a good image is refused, as malformed, at this byte.
fn refused(at: u64, changes: &[&dyn Fn(&mut Image)]) {
    for (index, change) in changes.iter().enumerate() {
        let mut image = Image::signed();
        change(&mut image);
        let error = image.error();
        assert_eq!(
            (error.kind, error.at),
            (Kind::Malformed, Some(at)),
            "change {index}: {error}"
        );
    }
}

#[test]
fn signed_image() {
    let image = Image::signed();
    let pe = Pe::parse(&image.0).unwrap();
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
    let mut image = Image::new();
    image.section(b".text", 1, 1);
    let pe = Pe::parse(&image.0).unwrap();
    assert_eq!(pe.certificates(), None);
    assert_eq!(pe.covered()[2].end, image.0.len());
}

#[test]
fn pe32() {
    let mut image = Image::new();
    image.put16(OPTIONAL, 0x10b);
    image.put16(PE + 20, 96 + 16 * 8);
    image.put32(OPTIONAL + 92, 16);
    // The first section header is where the last two directories of a PE32+ image are.
    image.put32(OPTIONAL + 96 + 128 + 8, 7);
    image.put16(PE + 6, 1);
    assert_eq!(Pe::parse(&image.0).unwrap().sections().count(), 1);
    assert_eq!(
        Pe::parse(&image.0).unwrap().covered()[1].end,
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
        (u32::MAX, 0x200, 0x200),
        (0x200, 0, 0),
    ] {
        let mut image = Image::new();
        image.section(b".bpf", virtual_size, raw_size);
        let section = Pe::parse(&image.0)
            .unwrap()
            .section(b".bpf")
            .unwrap()
            .unwrap();
        assert_eq!(section.range.len(), len);
        assert!(image.0.get(section.range).is_some());
    }
}

#[test]
fn pointer_of_an_empty_section_means_nothing() {
    let mut image = Image::signed();
    image.section(b".bss", 0x1000, 0);
    image.put32(Image::header(2) + 20, u32::MAX);
    let section = Pe::parse(&image.0)
        .unwrap()
        .section(b".bss")
        .unwrap()
        .unwrap();
    assert_eq!(section.range, 0..0);
}

#[test]
fn sections_may_be_in_any_order() {
    let mut image = Image::signed();
    let (first, second) = (Image::header(0), Image::header(1));
    let table = image.0[first..second + 40].to_vec();
    image.put(first, &table[40..]);
    image.put(second, &table[..40]);
    let pe = Pe::parse(&image.0).unwrap();
    assert_eq!(pe.section(b".bpf").unwrap().unwrap().range.start, 0x600);
}

#[test]
fn truncated_anywhere() {
    let image = Image::signed();
    for len in 0..image.0.len() {
        let error = Pe::parse(&image.0[..len]).unwrap_err();
        let ours = len >= PE + 4;
        assert_eq!(error.kind == Kind::Malformed, ours, "{len}: {error}");
        assert_eq!(error.kind == Kind::NotOurs, !ours, "{len}: {error}");
    }
    // Without certificates the sections have to be there, the tail need not.
    let mut image = Image::signed();
    image.put(OPTIONAL + 112 + 32, &[0; 8]);
    for len in PE + 4..image.0.len() {
        assert_eq!(Pe::parse(&image.0[..len]).is_ok(), len >= 0x800);
    }
}

#[test]
fn too_big() {
    let mut image = Image::new();
    image.section(b".text", 1, 1);
    let mut file = vec![0; IMAGE_MAX as usize + 1];
    file[..image.0.len()].copy_from_slice(&image.0);
    assert_eq!(Pe::parse(&file).unwrap_err().kind, Kind::TooBig);
    file.pop();
    assert!(Pe::parse(&file).is_ok());
}

#[test]
fn not_ours() {
    let changes: [fn(&mut Image); 7] = [
        |image| image.put(0, b"ZM"),
        |image| image.put(PE, b"NE\0\0"),
        |image| image.put32(0x3c, PE as u32 + 1),
        |image| image.put32(0x3c, u32::MAX),
        |image| image.put32(0x3c, image.0.len() as u32 - 3),
        |image| image.0.truncate(0x3f),
        |image| image.0.clear(),
    ];
    for change in changes {
        let mut image = Image::signed();
        change(&mut image);
        assert_eq!(image.error().kind, Kind::NotOurs);
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
    refused(
        PE as u64 + 6,
        &[
            &|image| image.put16(PE + 6, 0),
            &|image| image.put16(PE + 6, 97),
            &|image| image.put16(PE + 6, u16::MAX),
        ],
    );
    refused(
        PE as u64 + 20,
        &[
            &|image| image.put16(PE + 20, 0),
            &|image| image.put16(PE + 20, 239),
            &|image| image.put16(PE + 20, 241),
            &|image| image.put16(PE + 20, u16::MAX),
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
            &|image| image.put32(OPTIONAL + 60, Image::header(2) as u32 - 1),
            &|image| image.put32(OPTIONAL + 60, image.0.len() as u32 + 1),
            &|image| image.put32(OPTIONAL + 60, u32::MAX),
            &|image| image.put16(PE + 6, 96),
        ],
    );
    refused(
        OPTIONAL as u64 + 108,
        &[
            &|image| image.put32(OPTIONAL + 108, 0),
            &|image| image.put32(OPTIONAL + 108, 4),
            &|image| image.put32(OPTIONAL + 108, 17),
            &|image| image.put32(OPTIONAL + 108, u32::MAX),
        ],
    );
}

#[test]
fn directories_from_5_to_16() {
    for count in 5..=16 {
        let mut image = Image::new();
        image.put32(OPTIONAL + 108, count);
        image.put16(PE + 20, 112 + 8 * count as u16);
        image.put16(PE + 6, 1);
        assert!(Pe::parse(&image.0).is_ok());
    }
}

#[test]
fn sections_from_1_to_96() {
    let mut image = Image::new();
    image.0.resize(0x2000, 0);
    image.put32(OPTIONAL + 60, 0x2000);
    for (count, ok) in [(0, false), (1, true), (96, true), (97, false)] {
        image.put16(PE + 6, count);
        assert_eq!(Pe::parse(&image.0).is_ok(), ok);
    }
}

#[test]
fn gaps_and_overlaps() {
    // The first section begins late or early, or there is no end to the headers that fits.
    refused(
        0x400,
        &[
            &|image| image.put32(Image::header(0) + 20, 0x401),
            &|image| image.put32(Image::header(0) + 20, 0x3ff),
            &|image| image.put32(Image::header(0) + 20, 0),
            &|image| image.put32(Image::header(0) + 16, 0),
        ],
    );
    refused(0x3ff, &[&|image| image.put32(OPTIONAL + 60, 0x3ff)]);
    refused(0x401, &[&|image| image.put32(OPTIONAL + 60, 0x401)]);
    // The first section is longer or shorter.
    refused(0x601, &[&|image| image.put32(Image::header(0) + 16, 0x201)]);
    refused(0x5ff, &[&|image| image.put32(Image::header(0) + 16, 0x1ff)]);
    // The second one begins late or early, or is the same as the first one.
    refused(
        0x600,
        &[
            &|image| image.put32(Image::header(1) + 20, 0x601),
            &|image| image.put32(Image::header(1) + 20, 0x5ff),
            &|image| image.put32(Image::header(1) + 20, 0x400),
            &|image| image.put32(Image::header(1) + 20, u32::MAX),
        ],
    );
    // The second one ends in the certificate table, or past the file.
    let last = Image::header(1) + 16;
    refused(0x839, &[&|image| image.put32(last, 0x239)]);
    refused(0x851, &[&|image| image.put32(last, 0x251)]);
    refused(
        0x600 + u64::from(u32::MAX),
        &[&|image| image.put32(last, u32::MAX)],
    );
    let mut image = Image::signed();
    image.put32(last, 0x238);
    assert!(Pe::parse(&image.0).is_ok());
}

#[test]
fn certificate_table() {
    let entry = OPTIONAL + 112 + 32;
    refused(
        entry as u64,
        &[
            // Not last, empty, or without an address.
            &|image| image.put32(entry + 4, 0x17),
            &|image| image.0.push(0),
            &|image| image.put32(entry + 4, 0),
            &|image| {
                image.put32(entry, image.0.len() as u32);
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
            image.put32(entry + 4, u32::MAX)
        }],
    );
    refused(0x840, &[&|image| image.put32(entry, 0x840)]);
    refused(u32::MAX.into(), &[&|image| image.put32(entry, u32::MAX)]);
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
    let mut image = Image::signed();
    image.put32(entry, 0x800);
    image.put32(entry + 4, 0x50);
    assert_eq!(
        Pe::parse(&image.0).unwrap().certificates(),
        Some(0x800..0x850)
    );
}

#[test]
fn two_sections_of_a_name() {
    let mut image = Image::signed();
    image.section(b".bpf", 0, 0);
    let pe = Pe::parse(&image.0).unwrap();
    let error = pe.section(b".bpf").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "'.bpf': two sections of this name (byte {:#x})",
            Image::header(2)
        )
    );
    assert!(pe.section(b".text").unwrap().is_some());
}

#[test]
fn any_byte_may_change() {
    let image = Image::signed();
    let header_len = Image::header(2);
    for at in 0..header_len {
        for value in 0..=u8::MAX {
            let mut image = image.0.clone();
            image[at] = value;
            let Ok(pe) = Pe::parse(&image) else { continue };
            // What the digest covers and what it leaves out are all of the file.
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
