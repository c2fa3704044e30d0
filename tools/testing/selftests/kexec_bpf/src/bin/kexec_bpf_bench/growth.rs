// SPDX-License-Identifier: GPL-2.0

//! The growth of a load with sections, levels of nesting and addons, by dry runs of unsigned
//! images. Image and addons have 8 MiB together.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};

use libbpf_rs::libbpf_sys::bpf_map_create_opts;
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};

use support::harness::{equal, Context, Result};
use support::load::{file, Load};
use support::pe;

use crate::trace::Trace;
use crate::Row;

const SIZE: usize = 8 << 20;
/// The kernel refuses more sections, and so does the program.
const SECTIONS: [usize; 4] = [2, 8, 32, 96];
const LEVELS: [usize; 4] = [1, 2, 3, 4];
const ADDONS: [usize; 4] = [1, 4, 16, 64];
/// `ADDONS_MAX` and the first element.
const ENTRIES: u32 = 65;

pub fn run(rounds: u32) -> Result {
    let trace = Trace::new()?;
    let object = fs::read("/files/uki.bpf.o")?;
    let mut kernel = fs::read("/files/kernel")?;
    kernel.resize(SIZE, 0);

    for count in SECTIONS {
        let rest = vec![0; SIZE / 2 / count];
        let mut sections = vec![(".linux", &kernel[..SIZE / 2]), (".bpf", &object[..])];
        sections.resize(count, (".other", &rest[..]));
        measure(
            &trace,
            "sections",
            count,
            rounds,
            &pe::image(&sections),
            None,
        )?;
    }
    let addons = include_bytes!(concat!(env!("OUT_DIR"), "/addons.o"));
    let with_addons = pe::image(&[(".linux", &kernel[..SIZE / 2]), (".bpf", addons)]);
    for count in ADDONS {
        let len = SIZE / 2 / count / 4 * 4;
        let files: Vec<_> = (0..count)
            .map(|_| file(&kernel[..len]))
            .collect::<Result<_>>()?;
        let map = private_data(&with_addons, len, &files)?;
        measure(
            &trace,
            "addons",
            count,
            rounds,
            &with_addons,
            Some((&map, len * count)),
        )?;
    }
    let mut image = kernel;
    for depth in LEVELS {
        image = pe::image(&[(".linux", &image), (".bpf", &object)]);
        measure(&trace, "levels", depth, rounds, &image, None)?;
    }
    Ok(())
}

/// The private data of `addons.bpf.c`.
fn private_data(image: &[u8], len: usize, addons: &[File]) -> Result<MapHandle> {
    let options = bpf_map_create_opts {
        sz: size_of::<bpf_map_create_opts>() as _,
        ..Default::default()
    };
    let map = MapHandle::create(MapType::Array, Some("private"), 4, 24, ENTRIES, &options)?;
    let kernel = &pe::sections(image)[0];
    let values = [(kernel.at, kernel.len, addons.len() as i64)]
        .into_iter()
        .chain(addons.iter().map(|file| (0, len, file.as_raw_fd().into())));
    for (key, (offset, len, fd)) in (0u32..).zip(values) {
        let value = [
            (offset as u64).to_ne_bytes(),
            (len as u64).to_ne_bytes(),
            fd.to_ne_bytes(),
        ];
        map.update(&key.to_ne_bytes(), &value.concat(), MapFlags::ANY)?;
    }
    Ok(map)
}

fn measure(
    trace: &Trace,
    case: &str,
    count: usize,
    rounds: u32,
    image: &[u8],
    addons: Option<(&MapHandle, usize)>,
) -> Result {
    let must = image.len() + addons.map_or(0, |(_, len)| len);
    let image = file(image)?;
    let load = Load {
        map: addons.map_or(-1, |(map, _)| map.as_fd().as_raw_fd()),
        ..Load::dry(&image)
    };
    for round in 0..=rounds {
        let (loaded, events) = trace.of(|| Ok(load.run()))?;
        equal("errno", loaded.errno, 0).context(loaded.log.join("\n"))?;
        let row = Row {
            what: "growth",
            case,
            size: count as u64,
            round,
        };
        if round > 0 {
            row.put("nsecs", events.nsecs);
            row.put("peak", events.peak());
            row.put("must", must as u64);
        }
    }
    Ok(())
}
