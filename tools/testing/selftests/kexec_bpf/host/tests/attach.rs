// SPDX-License-Identifier: GPL-2.0

//! Images that `kexec-bpf attach` makes, read by the kernel's parser.

#[path = "../../../../../kexec_bpf/src/attach.rs"]
mod attach;
#[path = "../../src/pe_image.rs"]
mod pe_image;
#[path = "../properties/pe.rs"]
mod properties;

use attach::{
    attach,
    check_object, //
};
use kexec_bpf_host::bytes::{
    le32,
    read, //
};
use kexec_bpf_host::pe::Pe;
use pe_image::Image;
use std::fs;
use std::path::Path;
use std::process::Command;

const FILE_ALIGNMENT: usize = 0x200;
const HEADERS: usize = 0x400;
/// Where in the first section a debug directory is.
const DEBUG: usize = 0x10;

/// An ELF header and some bytes more.
fn object(len: usize) -> Vec<u8> {
    let mut object = vec![0x77; len];
    object[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\xf7\0");
    object
}

/// The fields of an image that `attach` needs, and the kernel does not.
trait Attach: Sized {
    fn with_sections(pe: usize, sections: usize) -> Self;
    fn get32(&self, at: usize) -> usize;
    fn debug(&mut self, at: usize, data: &[u8]);
    fn attach(&self, object: &[u8]) -> Self;
    fn refused(&self) -> String;
}

impl Attach for Image {
    /// Headers that begin at `pe`, and sections, each of a file alignment.
    fn with_sections(pe: usize, sections: usize) -> Self {
        let mut image = Self::new(0xaa64, pe, HEADERS);
        image.put32(image.optional(32), 0x1000);
        image.put32(image.optional(36), FILE_ALIGNMENT);
        image.put32(image.optional(56), 0x1000 * (sections + 1));
        image.put32(image.optional(64), 0x12345678);
        for index in 0..sections {
            image.add_section(b".text", 0x123, &[index as u8 + 1; FILE_ALIGNMENT]);
            image.put32(image.section(index) + 12, 0x1000 * (index + 1));
        }
        image
    }

    fn get32(&self, at: usize) -> usize {
        le32(&self.file, at as u64).unwrap() as usize
    }

    /// A debug directory of one entry in the first section, for data in the headers.
    fn debug(&mut self, at: usize, data: &[u8]) {
        self.put32(self.directory(6), 0x1000 + DEBUG);
        self.put32(self.directory(6) + 4, 28);
        self.put(HEADERS + DEBUG, &[0; 28]);
        self.put32(HEADERS + DEBUG + 16, data.len());
        self.put32(HEADERS + DEBUG + 24, at);
        self.put(at, data);
    }

    /// Gives it an object. All that was there is still there, but for offsets in the headers and
    /// in the debug directory.
    fn attach(&self, object: &[u8]) -> Self {
        let file = attach(&self.file, object, true).unwrap();
        let made = Self { file, pe: self.pe };
        let mut image = self.clone();
        if self.get32(self.directory(6)) != 0 {
            let entry = made.get32(made.optional(60)) + DEBUG;
            image.put(HEADERS + DEBUG + 20, &made.file[entry + 20..entry + 28]);
        }
        check(&image.file, object, &made.file);
        made
    }

    fn refused(&self) -> String {
        attach(&self.file, &object(64), false).unwrap_err()
    }
}

fn check(image: &[u8], object: &[u8], file: &[u8]) {
    let (before, after) = (Pe::parse(image).unwrap(), Pe::parse(file).unwrap());
    properties::check(&after, file);
    assert_eq!(after.certificates(), None);
    assert_eq!(after.sections().count(), before.sections().count() + 1);
    for (old, new) in before.sections().zip(after.sections()) {
        assert_eq!(old.name, new.name);
        assert_eq!(image[old.range], file[new.range]);
    }
    let bpf = after.section(b".bpf").unwrap().unwrap();
    assert_eq!(&file[bpf.range], object);
    assert_eq!(
        attach(file, object, true).unwrap_err(),
        "has a section .bpf already"
    );
}

#[test]
fn new_section() {
    let image = Image::with_sections(0x40, 2);
    for (len, raw_size, size_of_image) in [
        (64, 0x200, 0x4000),
        (0x200, 0x200, 0x4000),
        (0x201, 0x400, 0x4000),
        (0x1000, 0x1000, 0x4000),
        (0x1001, 0x1200, 0x5000),
    ] {
        let made = image.attach(&object(len));
        let header = made.section(2);
        assert_eq!(read(&made.file, header as u64), Ok(*b".bpf\0\0\0\0"));
        let fields = [8, 12, 16, 20, 24, 28, 32, 36].map(|field| made.get32(header + field));
        assert_eq!(fields, [len, 0x3000, raw_size, 0x800, 0, 0, 0, 0x4000_0040]);
        assert_eq!(made.file.len(), 0x800 + raw_size);
        assert!(made.file[0x800 + len..].iter().all(|&byte| byte == 0));
        assert_eq!(made.get32(made.optional(8)), raw_size);
        assert_eq!(made.get32(made.optional(56)), size_of_image);
        assert_eq!(made.get32(made.optional(60)), HEADERS);
        assert_eq!(made.get32(made.optional(64)), 0);
        assert_eq!(made.file[HEADERS..0x800], image.file[HEADERS..]);
    }
}

#[test]
fn address_is_behind_all_sections() {
    for (field, value, address) in [
        (8, 0x1000, 0x3000),
        (8, 0x1001, 0x4000),
        (16, 0x200, 0x3000),
    ] {
        let mut image = Image::with_sections(0x40, 2);
        image.put32(image.optional(56), 0x1000);
        image.put32(image.section(1) + field, value);
        let made = image.attach(&object(64));
        assert_eq!(made.get32(made.section(2) + 12), address);
    }
    // The sections can be less than the image.
    let mut image = Image::with_sections(0x40, 2);
    image.put32(image.optional(56), 0x5001);
    let made = image.attach(&object(64));
    assert_eq!(made.get32(made.section(2) + 12), 0x6000);
    assert_eq!(made.get32(made.optional(56)), 0x7000);
}

#[test]
fn headers_grow_if_they_must() {
    let room = Image::with_sections(0x50, 16);
    assert_eq!(room.section(17), HEADERS);
    let made = room.attach(&object(64));
    assert_eq!(made.get32(made.optional(60)), HEADERS);
    assert_eq!(made.get32(made.section(0) + 20), HEADERS);

    let none = Image::with_sections(0x51, 16);
    let made = none.attach(&object(64));
    assert_eq!(made.get32(made.optional(60)), HEADERS + FILE_ALIGNMENT);
    for index in 0..16 {
        let header = made.section(index);
        assert_eq!(made.get32(header + 12), none.get32(header + 12));
        assert_eq!(
            made.get32(header + 20),
            none.get32(header + 20) + FILE_ALIGNMENT
        );
    }
    let rest = made.section(17)..HEADERS + FILE_ALIGNMENT;
    assert!(made.file[rest].iter().all(|&byte| byte == 0));

    // Up to the first address, in whichever section.
    for (first, refused) in [(0x600, false), (0x5ff, true)] {
        let mut image = none.clone();
        image.put32(image.section(9) + 12, first);
        if !refused {
            image.attach(&object(64));
            continue;
        }
        assert_eq!(
            image.refused(),
            "no room for a section header: the headers, up to 0x400, cannot grow into the section \
             at address 0x5ff"
        );
    }
}

#[test]
fn offsets_follow() {
    for (pe, growth) in [(0x50, 0), (0x51, FILE_ALIGNMENT)] {
        let mut image = Image::with_sections(pe, 16);
        image.file.extend(b"symbols, strings");
        let (symbols, sections_end) = (image.pe + 12, HEADERS + 16 * FILE_ALIGNMENT);
        image.put32(symbols, sections_end);
        image.put(4, b"zimg");
        image.put32(8, HEADERS + 8);
        image.debug(HEADERS + 0x100, b"debug");
        // Not filled, as .bss is: the pointer means nothing.
        image.put32(image.section(15) + 16, 0);
        image.put32(image.section(15) + 20, 0);
        image.put32(image.section(14) + 16, 2 * FILE_ALIGNMENT);

        let made = image.attach(&object(64));
        assert_eq!(made.get32(8), HEADERS + 8 + growth);
        assert_eq!(made.get32(symbols), sections_end + growth + FILE_ALIGNMENT);
        assert_eq!(made.file[made.get32(symbols)..], *b"symbols, strings");
        assert_eq!(
            made.get32(HEADERS + growth + DEBUG + 24),
            HEADERS + growth + 0x100
        );
        assert_eq!(made.get32(made.section(15) + 20), 0);
    }
}

/// As in zboot images, where they follow the section table.
#[test]
fn debug_data_in_the_headers_make_room() {
    let data = b"NB10 and a path";
    let table_end = Image::with_sections(0x40, 2).section(2);
    let last = HEADERS - 40 - data.len();
    for (at, growth) in [(table_end, 0), (last, 0), (last + 1, FILE_ALIGNMENT)] {
        let mut image = Image::with_sections(0x40, 2);
        image.debug(at, data);
        image.put32(HEADERS + DEBUG + 20, at);
        let made = image.attach(&object(64));
        assert_eq!(made.get32(made.optional(60)), HEADERS + growth);
        let entry = HEADERS + growth + DEBUG;
        assert_eq!(made.get32(entry + 20), at + 40);
        assert_eq!(made.get32(entry + 24), at + 40);
        assert_eq!(made.file[at + 40..][..data.len()], *data);
    }
}

#[test]
fn signatures_are_dropped_if_asked() {
    let mut image = Image::with_sections(0x40, 2);
    let unsigned = image.attach(&object(64));
    image.add_certificates(0x18);
    assert_eq!(
        image.refused(),
        "its signature would not hold any longer: see --strip-signature"
    );
    assert_eq!(image.attach(&object(64)).file, unsigned.file);
}

#[test]
fn refused_images() {
    let change = |change: &dyn Fn(&mut Image)| {
        let mut image = Image::with_sections(0x40, 2);
        change(&mut image);
        image.refused()
    };
    let malformed = "its headers are malformed";
    assert!(change(&|image| image.put(0, b"ZM")).starts_with("not a PE32+ image: "));
    assert!(change(&|image| image.put(0x40, b"NE")).starts_with("not a PE32+ image: "));
    assert!(change(&|image| image.put(0x58, &[0x0b, 0x01])).starts_with("not a PE32+ image: "));
    assert!(change(&|image| image.file.truncate(0x140)).starts_with("not a PE32+ image: "));
    assert!(change(&|image| image.file.clear()).starts_with("not a PE32+ image: "));
    for (at, value) in [
        (20, 113 + 16 * 8),
        (24 + 32, 0),
        (24 + 36, 0x201),
        (24 + 60, 0x48 + 240),
        (24 + 108, 15),
    ] {
        assert_eq!(
            change(&|image| image.put32(image.pe + at, value)),
            malformed,
            "{at}"
        );
    }
    assert_eq!(
        change(&|image| *image = Image::with_sections(0x30, 2)),
        malformed
    );
    assert_eq!(
        change(&|image| image.put(image.section(1), b".bpf\0")),
        "has a section .bpf already"
    );
    assert_eq!(
        change(&|image| image.put32(image.section(1) + 20, 0x604)),
        "gap or overlap: no section begins at 0x600"
    );
    assert_eq!(
        change(&|image| image.file.truncate(0x7ff)),
        "its sections reach past the end of the file"
    );
    assert_eq!(
        change(&|image| image.put32(image.section(1) + 16, 0x1ff)),
        "its sections end at 0x7ff, unaligned"
    );
    for (at, len) in [(0x700, 0x18), (0x7f0, 0x18), (0, 1), (0x808, 0)] {
        let why = change(&|image| {
            image.put32(image.directory(4), at);
            image.put32(image.directory(4) + 4, len);
        });
        assert_eq!(why, "its certificate table is not at the end of the file");
    }
    assert_eq!(
        change(&|image| image.put(image.section(2), b"code")),
        "no room for a section header: unknown data follow the section table"
    );
    assert_eq!(
        change(&|image| image.put(HEADERS - 1, &[1])),
        "no room for a section header: unknown data follow the section table"
    );
    assert_eq!(
        change(&|image| image.put32(image.optional(56), 0xffff_e001)),
        "no address is left for another section"
    );
}

#[test]
fn refused_debug_directories() {
    let change = |change: &dyn Fn(&mut Image)| {
        let mut image = Image::with_sections(0x40, 2);
        image.debug(image.section(2), b"debug");
        change(&mut image);
        image.refused()
    };
    let malformed = "its debug directory is malformed";
    assert_eq!(
        change(&|image| image.put32(image.directory(6), 0xfff)),
        "its debug directory is in no section"
    );
    assert_eq!(
        change(&|image| image.put32(image.directory(6) + 4, 27)),
        malformed
    );
    // Data that are not in the headers alone.
    let len = HEADERS - Image::with_sections(0x40, 2).section(2) + 1;
    assert_eq!(
        change(&|image| image.put32(HEADERS + DEBUG + 16, len)),
        malformed
    );
    assert_eq!(
        change(&|image| image.put32(HEADERS + DEBUG + 16, 4)),
        "no room for a section header: unknown data follow the section table"
    );
}

#[test]
fn limits() {
    // Three sections that fill the file, and empty ones.
    for (sections, refused) in [(0xfffe, false), (0xffff, true)] {
        let mut image = Image::with_sections(0x40, 3);
        let headers = 0x28_1000;
        image
            .file
            .splice(HEADERS..HEADERS, vec![0; headers - HEADERS]);
        image.put16(image.pe + 6, sections);
        image.put32(image.optional(60), headers);
        for index in 0..sections {
            image.put32(image.section(index) + 12, headers + 0x1000 * index);
            let filled = index.min(3) * FILE_ALIGNMENT;
            image.put32(image.section(index) + 20, headers + filled);
        }
        if refused {
            assert_eq!(image.refused(), "has 65535 sections already");
        } else {
            image.attach(&object(64));
        }
    }

    // The tail is zeroes, which nobody reads.
    let mut image = Image::with_sections(0x40, 2);
    let mut file = vec![0; (1 << 30) - FILE_ALIGNMENT + 1];
    file[..image.file.len()].copy_from_slice(&image.file);
    image.file = file;
    assert_eq!(image.refused(), "would be larger than 1073741824 bytes");
}

#[test]
fn objects() {
    assert_eq!(check_object(&object(64)), Ok(()));
    assert_eq!(check_object(&object(1 << 20)), Ok(()));
    assert_eq!(
        check_object(&object((1 << 20) + 1)).unwrap_err(),
        "larger than 1048576 bytes"
    );
    let refused = "not a BPF object (relocatable ELF, 64 bits, little-endian)";
    assert_eq!(check_object(&object(64)[..63]).unwrap_err(), refused);
    assert_eq!(check_object(b"").unwrap_err(), refused);
    // Magic, class, byte order, type, machine.
    for (at, value) in [(0, 0), (4, 1), (5, 2), (16, 2), (18, 0x3e)] {
        let mut object = object(64);
        object[at] = value;
        assert_eq!(check_object(&object).unwrap_err(), refused, "{at}");
    }
}

/// systemd's images, and a UKI that ukify makes.
#[test]
fn images_of_others() {
    let dir = Path::new("/usr/lib/systemd/boot/efi");
    let uki = Path::new(env!("CARGO_TARGET_TMPDIR")).join("attach.efi");
    let output = Command::new("ukify")
        .args([
            "build",
            "--linux",
            "/usr/lib/systemd/boot/efi/systemd-bootx64.efi",
        ])
        .args(["--cmdline=quiet", "--uname=7.3", "--output"])
        .arg(&uki)
        .output()
        .expect("the package systemd-ukify");
    assert!(output.status.success(), "{output:?}");

    let images = fs::read_dir(dir).expect("the package systemd-boot-efi");
    for path in images.map(|entry| entry.unwrap().path()).chain([uki]) {
        let image = fs::read(&path).unwrap();
        let object = object(0x3210);
        let made = attach(&image, &object, false).unwrap();
        check(&image, &object, &made);
    }
}

/// Whatever is made of an image, the kernel's parser accepts.
#[test]
fn what_is_made_is_accepted() {
    let stub = fs::read("/usr/lib/systemd/boot/efi/addonx64.efi.stub").unwrap();
    let mut full = Image::with_sections(0x51, 16);
    full.debug(HEADERS + 0x100, b"debug");
    full.add_certificates(0x18);
    let mut made = 0;
    for image in [stub, full.file] {
        for at in 0..HEADERS + DEBUG + 28 {
            for value in 0..=u8::MAX {
                let mut changed = image.clone();
                changed[at] = value;
                if let Ok(file) = attach(&changed, &object(64), true) {
                    let pe = Pe::parse(&file);
                    let pe = pe.unwrap_or_else(|error| panic!("{at:#x}={value:#x}: {error}"));
                    properties::check(&pe, &file);
                    assert!(pe.section(b".bpf").unwrap().is_some());
                    made += 1;
                }
            }
        }
    }
    assert!(made > 0x8000);
}
