// SPDX-License-Identifier: GPL-2.0

//! Properties of each image that the PE parser accepts.

use kexec_bpf_host::pe::Pe;
use object::pe::{
    ImageNtHeaders32,
    ImageNtHeaders64,
    ImageSectionHeader,
    IMAGE_DIRECTORY_ENTRY_SECURITY,
    IMAGE_NT_OPTIONAL_HDR64_MAGIC, //
};
use object::read::pe::{
    optional_header_magic,
    ImageNtHeaders,
    ImageOptionalHeader,
    PeFile, //
};
use object::LittleEndian as LE;

/// Checks the parsed `file`.
pub fn check(pe: &Pe<'_>, file: &[u8]) {
    check_ranges(pe, file);
    match optional_header_magic(file) {
        Ok(IMAGE_NT_OPTIONAL_HDR64_MAGIC) => compare::<ImageNtHeaders64>(pe, file),
        _ => compare::<ImageNtHeaders32>(pe, file),
    }
}

/// The digest covers all bytes but those that it is known to leave out.
fn check_ranges(pe: &Pe<'_>, file: &[u8]) {
    let [a, b, c] = pe.covered();
    let certificates = pe.certificates().unwrap_or(file.len()..file.len());
    assert_eq!(certificates.end, file.len());
    assert_eq!((a.start, c.end), (0, certificates.start));
    assert_eq!((b.start - a.end, c.start - b.end), (4, 8));
}

/// Another parser sees the same sections and certificate table, and that headers and
/// sections follow each other up to the tail.
fn compare<Nt: ImageNtHeaders>(pe: &Pe<'_>, file: &[u8]) {
    let other = PeFile::<Nt>::parse(file).expect("refused by the other parser");
    let headers = other.nt_headers();

    let theirs = other.section_table();
    assert_eq!(pe.sections().count(), theirs.len());
    for (ours, theirs) in pe.sections().zip(theirs.iter()) {
        let (at, len) = theirs.pe_file_range();
        assert_eq!(ours.name, theirs.name);
        assert_eq!(ours.range.len(), len as usize);
        if len > 0 {
            assert_eq!(ours.range.start, at as usize);
        }
    }

    let raw = |section: &ImageSectionHeader| {
        let at = section.pointer_to_raw_data.get(LE);
        (at, section.size_of_raw_data.get(LE))
    };
    let mut filled: Vec<_> = theirs.iter().map(raw).filter(|raw| raw.1 > 0).collect();
    filled.sort_unstable();
    let mut end = headers.optional_header().size_of_headers();
    for (at, len) in filled {
        assert_eq!(at, end);
        end += len;
    }
    assert!(end as usize <= pe.covered()[2].end);

    let directory = other.data_directory(IMAGE_DIRECTORY_ENTRY_SECURITY);
    let theirs = directory.map(|directory| {
        let at = directory.virtual_address.get(LE) as usize;
        at..at + directory.size.get(LE) as usize
    });
    assert_eq!(pe.certificates().unwrap_or(0..0), theirs.unwrap_or(0..0));
}
