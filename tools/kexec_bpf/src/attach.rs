// SPDX-License-Identifier: GPL-2.0

//! Puts a BPF object into a PE image, as its section `.bpf`.
//!
//! The result keeps the rules that the kernel has for images: headers, the sections' data and a
//! tail follow each other without a gap. So the object goes between the sections and the tail.
//! Where the headers have no room for another section header they grow, and what follows moves.
//! In memory nothing moves.

use std::iter::repeat_n;
use std::ops::Range;

use object::elf::{FileHeader64, EM_BPF, ET_REL};
use object::pe::{
    ImageDataDirectory, ImageDebugDirectory, ImageNtHeaders64, ImageOptionalHeader64,
    ImageSectionHeader, IMAGE_DIRECTORY_ENTRY_DEBUG, IMAGE_DIRECTORY_ENTRY_SECURITY,
    IMAGE_SCN_CNT_INITIALIZED_DATA, IMAGE_SCN_MEM_READ,
};
use object::pod::{
    bytes_of, from_bytes_mut, slice_from_all_bytes, slice_from_all_bytes_mut, slice_from_bytes_mut,
};
use object::read::elf::FileHeader;
use object::read::pe::{DataDirectories, PeFile64, SectionTable};
use object::{LittleEndian as LE, U32};

const NAME: [u8; 8] = *b".bpf\0\0\0\0";
const DOS_HEADER_LEN: usize = 64;
const SECTION_HEADER_LEN: usize = size_of::<ImageSectionHeader>();

// The kernel's limits.
const IMAGE_MAX: usize = 1 << 30;
const OBJECT_MAX: usize = 1 << 20;
/// The format's limit.
const SECTIONS_MAX: usize = u16::MAX as usize;

const MALFORMED: &str = "its headers are malformed";

/// A refusal says what is wrong with the file.
type Result<T> = std::result::Result<T, String>;

/// Checks that an image can carry this object.
pub fn check_object(object: &[u8]) -> Result<()> {
    let is_bpf = FileHeader64::<LE>::parse(object).is_ok_and(|header| {
        header.is_little_endian() && header.e_type(LE) == ET_REL && header.e_machine(LE) == EM_BPF
    });
    if !is_bpf {
        return Err("not a BPF object (relocatable ELF, 64 bits, little-endian)".into());
    }
    if object.len() > OBJECT_MAX {
        return Err(format!("larger than {OBJECT_MAX} bytes"));
    }
    Ok(())
}

/// Returns the image, not signed, with the object as its section `.bpf`.
pub fn attach(image: &[u8], object: &[u8], strip_signature: bool) -> Result<Vec<u8>> {
    let pe = PeFile64::parse(image).map_err(|error| format!("not a PE32+ image: {error}"))?;
    let layout = Layout::read(&pe, image, object.len())?;
    if layout.end < image.len() && !strip_signature {
        return Err("its signature would not hold any longer: see --strip-signature".into());
    }
    let section = layout.new_section(&pe, object.len())?;

    let mut file = image[..layout.end].to_vec();
    layout.edit(&mut file, &section).ok_or(MALFORMED)?;
    // The last one first: the offsets of the others still hold.
    let padding = repeat_n(0, layout.inserted - object.len());
    let content = object.iter().copied().chain(padding);
    file.splice(layout.sections_end..layout.sections_end, content);
    let unused = layout.headers_end + layout.growth - layout.headers_used - SECTION_HEADER_LEN;
    file.splice(layout.headers_used..layout.headers_end, repeat_n(0, unused));
    let header = bytes_of(&section).iter().copied();
    file.splice(layout.table_end..layout.table_end, header);
    Ok(file)
}

/// Where things are in the file.
struct Layout {
    nt_headers: usize,
    table_end: usize,
    /// Zeros follow, up to `headers_end`.
    headers_used: usize,
    headers_end: usize,
    /// By how much the headers have to grow.
    growth: usize,
    sections_end: usize,
    /// How many bytes are inserted there.
    inserted: usize,
    /// Here the file ends, or its certificate table begins.
    end: usize,
    debug_directory: Range<usize>,
}

impl Layout {
    fn read(pe: &PeFile64, image: &[u8], object_len: usize) -> Result<Self> {
        let nt_headers = pe.dos_header().nt_headers_offset() as usize;
        let optional = &pe.nt_headers().optional_header;
        let directories = pe.data_directories();
        let sections = pe.section_table();

        let optional_len = pe.nt_headers().file_header.size_of_optional_header.get(LE);
        let directories_len = directories.len() * size_of::<ImageDataDirectory>();
        let table = nt_headers + size_of::<ImageNtHeaders64>() + directories_len;
        let table_end = table + sections.len() * SECTION_HEADER_LEN;
        let headers_end = optional.size_of_headers.get(LE) as usize;
        if nt_headers < DOS_HEADER_LEN
            || !(5..=16).contains(&directories.len())
            || usize::from(optional_len) != size_of::<ImageOptionalHeader64>() + directories_len
            || !optional.file_alignment.get(LE).is_power_of_two()
            || !optional.section_alignment.get(LE).is_power_of_two()
            || headers_end < table_end
        {
            return Err(MALFORMED.into());
        }
        if sections.iter().any(|section| section.name == NAME) {
            return Err("has a section .bpf already".into());
        }
        if sections.len() >= SECTIONS_MAX {
            return Err(format!("has {} sections already", sections.len()));
        }

        let end = signed_len(&directories, image.len())?;
        let sections_end = tile(&sections, headers_end)?;
        if sections_end > end {
            return Err("its sections reach past the end of the file".into());
        }
        let file_alignment = optional.file_alignment.get(LE) as usize;
        if sections_end % file_alignment != 0 {
            return Err(format!("its sections end at {sections_end:#x}, unaligned"));
        }

        let debug_directory = debug_directory(&directories, &sections)?;
        let headers_used = headers_used(image, table_end..headers_end, debug_directory.clone())?;
        let growth = (headers_used + SECTION_HEADER_LEN)
            .saturating_sub(headers_end)
            .next_multiple_of(file_alignment);
        let addresses = sections
            .iter()
            .map(|section| section.virtual_address.get(LE) as usize);
        if let Some(first) = addresses
            .min()
            .filter(|&first| headers_end + growth > first)
        {
            return Err(format!(
                "no room for a section header: the headers, up to {headers_end:#x}, cannot grow \
                 into the section at address {first:#x}"
            ));
        }
        let inserted = object_len.next_multiple_of(file_alignment);
        if end + growth + inserted > IMAGE_MAX {
            return Err(format!("would be larger than {IMAGE_MAX} bytes"));
        }
        Ok(Self {
            nt_headers,
            table_end,
            headers_used,
            headers_end,
            growth,
            sections_end,
            inserted,
            end,
            debug_directory,
        })
    }

    /// The header of the new section, which is the last one in the file and in memory.
    fn new_section(&self, pe: &PeFile64, len: usize) -> Result<ImageSectionHeader> {
        let optional = &pe.nt_headers().optional_header;
        let ends = pe.section_table().iter().map(|section| {
            let size = section
                .virtual_size
                .get(LE)
                .max(section.size_of_raw_data.get(LE));
            section.virtual_address.get(LE) as usize + size as usize
        });
        let section_alignment = optional.section_alignment.get(LE) as usize;
        let address = ends
            .fold(optional.size_of_image.get(LE) as usize, usize::max)
            .next_multiple_of(section_alignment);
        if u32::try_from((address + len).next_multiple_of(section_alignment)).is_err() {
            return Err("no address is left for another section".into());
        }
        Ok(ImageSectionHeader {
            name: NAME,
            virtual_size: le32(len),
            virtual_address: le32(address),
            size_of_raw_data: le32(self.inserted),
            pointer_to_raw_data: le32(self.sections_end + self.growth),
            pointer_to_relocations: le32(0),
            pointer_to_linenumbers: le32(0),
            number_of_relocations: 0.into(),
            number_of_linenumbers: 0.into(),
            characteristics: (IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ).into(),
        })
    }

    /// Makes the headers, still where they are, say what will be so. `None` if they are cut short.
    fn edit(&self, file: &mut [u8], new: &ImageSectionHeader) -> Option<()> {
        let debug_directory = &mut file[self.debug_directory.clone()];
        for entry in slice_from_all_bytes_mut::<ImageDebugDirectory>(debug_directory).ok()? {
            self.follow(&mut entry.pointer_to_raw_data);
            // In the headers, addresses are offsets.
            if (entry.address_of_raw_data.get(LE) as usize) < self.headers_end {
                self.follow(&mut entry.address_of_raw_data);
            }
        }
        if file[4..8] == *b"zimg" {
            let (payload_offset, _) = from_bytes_mut(&mut file[8..]).ok()?;
            self.follow(payload_offset);
        }

        let (nt, rest) = from_bytes_mut::<ImageNtHeaders64>(&mut file[self.nt_headers..]).ok()?;
        let (coff, optional) = (&mut nt.file_header, &mut nt.optional_header);
        let count = optional.number_of_rva_and_sizes.get(LE) as usize;
        let (directories, rest) = slice_from_bytes_mut::<ImageDataDirectory>(rest, count).ok()?;
        let count = coff.number_of_sections.get(LE);
        let (sections, _) = slice_from_bytes_mut::<ImageSectionHeader>(rest, count.into()).ok()?;

        let certificates = directories.get_mut(IMAGE_DIRECTORY_ENTRY_SECURITY)?;
        certificates.virtual_address.set(LE, 0);
        certificates.size.set(LE, 0);
        for section in sections {
            self.follow(&mut section.pointer_to_raw_data);
        }
        self.follow(&mut coff.pointer_to_symbol_table);
        coff.number_of_sections.set(LE, count + 1);

        let initialized = optional.size_of_initialized_data.get(LE) as usize;
        optional.size_of_initialized_data = le32(initialized + self.inserted);
        let memory_end = new.virtual_address.get(LE) + new.virtual_size.get(LE);
        let memory_end = memory_end.next_multiple_of(optional.section_alignment.get(LE));
        optional.size_of_image.set(LE, memory_end);
        optional.size_of_headers = le32(self.headers_end + self.growth);
        // Zero stands for none. The old one would be wrong.
        optional.check_sum.set(LE, 0);
        Some(())
    }

    /// Makes an offset in the file follow what it points to.
    fn follow(&self, offset: &mut U32<LE>) {
        let at = offset.get(LE) as usize;
        let by = if at < self.table_end || at >= self.end {
            0
        } else if at < self.headers_end {
            SECTION_HEADER_LEN
        } else if at < self.sections_end {
            self.growth
        } else {
            self.growth + self.inserted
        };
        *offset = le32(at + by);
    }
}

/// The length of what a signature covers, which is all of the file that is not signed.
pub fn signed_len(directories: &DataDirectories, file_len: usize) -> Result<usize> {
    // The one directory that has an offset in the file, not an address.
    let directory = directories.iter().nth(IMAGE_DIRECTORY_ENTRY_SECURITY);
    match directory.map_or((0, 0), ImageDataDirectory::address_range) {
        (0, 0) => Ok(file_len),
        (at, len) if at as usize + len as usize == file_len => Ok(at as usize),
        _ => Err("its certificate table is not at the end of the file".into()),
    }
}

/// Where the sections end that follow each other from `start`.
pub fn tile(sections: &SectionTable, start: usize) -> Result<usize> {
    let ranges = sections.iter().map(|section| {
        let at = section.pointer_to_raw_data.get(LE) as usize;
        at..at + section.size_of_raw_data.get(LE) as usize
    });
    let mut ranges: Vec<_> = ranges.filter(|range| !range.is_empty()).collect();
    ranges.sort_by_key(|range| range.start);
    ranges
        .iter()
        .try_fold(start, |end, range| match range.start == end {
            true => Ok(range.end),
            false => Err(format!("gap or overlap: no section begins at {end:#x}")),
        })
}

/// Where in the file the debug directory is.
fn debug_directory(directories: &DataDirectories, sections: &SectionTable) -> Result<Range<usize>> {
    let Some(directory) = directories.get(IMAGE_DIRECTORY_ENTRY_DEBUG) else {
        return Ok(0..0);
    };
    let (at, len) = directory
        .file_range(sections)
        .map_err(|_| "its debug directory is in no section")?;
    Ok(at as usize..at as usize + len as usize)
}

/// Where the zeros begin that end the headers. Before them, in the `rest` of the headers behind
/// the section table, are only data of the debug directory, as in zboot images.
fn headers_used(image: &[u8], rest: Range<usize>, debug_directory: Range<usize>) -> Result<usize> {
    const MALFORMED: &str = "its debug directory is malformed";
    let entries = slice_from_all_bytes::<ImageDebugDirectory>(&image[debug_directory])
        .map_err(|()| MALFORMED)?;
    let mut used = rest.start;
    let mut unknown = image[rest.clone()].to_vec();
    for entry in entries {
        let at = entry.pointer_to_raw_data.get(LE) as usize;
        let end = at + entry.size_of_data.get(LE) as usize;
        if rest.contains(&at) {
            let data = unknown.get_mut(at - rest.start..end - rest.start);
            data.ok_or(MALFORMED)?.fill(0);
            used = used.max(end);
        }
    }
    if unknown.iter().any(|&byte| byte != 0) {
        return Err("no room for a section header: unknown data follow the section table".into());
    }
    Ok(used)
}

fn le32(value: usize) -> U32<LE> {
    U32::new(LE, value as u32)
}
