// SPDX-License-Identifier: GPL-2.0

//! What holds of each image that the PE parser accepts.

use kexec_bpf_host::pe::Pe;
use object::pe::{
    ImageNtHeaders32,
    ImageNtHeaders64,
    IMAGE_DIRECTORY_ENTRY_SECURITY,
    IMAGE_NT_OPTIONAL_HDR64_MAGIC, //
};
use object::read::pe::{
    optional_header_magic,
    ImageNtHeaders,
    PeFile, //
};
use object::LittleEndian as LE;

/// Checks what was made of `file`.
pub fn check(pe: &Pe<'_>, file: &[u8]) {
    check_ranges(pe, file);
    match optional_header_magic(file) {
        Ok(IMAGE_NT_OPTIONAL_HDR64_MAGIC) => compare::<ImageNtHeaders64>(pe, file),
        _ => compare::<ImageNtHeaders32>(pe, file),
    }
}

/// The digest is of all but what it is known to leave out, and of each byte that a section has.
fn check_ranges(pe: &Pe<'_>, file: &[u8]) {
    let [a, b, c] = pe.covered();
    let certificates = pe.certificates().unwrap_or(file.len()..file.len());
    assert_eq!(certificates.end, file.len());
    assert_eq!((a.start, c.end), (0, certificates.start));
    assert_eq!((b.start - a.end, c.start - b.end), (4, 8));

    let mut sections: Vec<_> = pe.sections().map(|section| section.range).collect();
    sections.retain(|range| !range.is_empty());
    sections.sort_by_key(|range| range.start);
    let mut end = c.start;
    for range in sections {
        assert!(end <= range.start);
        end = range.end;
    }
    assert!(end <= certificates.start);
}

/// Another parser sees the same machine, sections and certificate table.
fn compare<Nt: ImageNtHeaders>(pe: &Pe<'_>, file: &[u8]) {
    let other = PeFile::<Nt>::parse(file).expect("refused by the other parser");
    let headers = other.nt_headers();
    assert_eq!(pe.machine(), headers.file_header().machine.get(LE));

    let theirs = other.section_table();
    assert_eq!(pe.sections().count(), theirs.len());
    for (ours, theirs) in pe.sections().zip(theirs.iter()) {
        let (at, len) = theirs.pe_file_range();
        assert_eq!(ours.name, theirs.name);
        assert_eq!(ours.virtual_size, theirs.virtual_size.get(LE));
        assert_eq!(ours.range.len(), len as usize);
        if len > 0 {
            assert_eq!(ours.range.start, at as usize);
        }
    }

    let directory = other.data_directory(IMAGE_DIRECTORY_ENTRY_SECURITY);
    let theirs = directory.map(|directory| {
        let at = directory.virtual_address.get(LE) as usize;
        at..at + directory.size.get(LE) as usize
    });
    assert_eq!(pe.certificates().unwrap_or(0..0), theirs.unwrap_or(0..0));
}
