// SPDX-License-Identifier: GPL-2.0

//! The caller's private data.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use libbpf_rs::libbpf_sys::bpf_map_create_opts;
use libbpf_rs::{MapHandle, MapType};

use support::embedded::{ask, copied, map, returns, ENTRIES, READ_FD, RETURN, VALUE_SIZE};
use support::harness::{equal, skip, Context, Result};
use support::load::{file, image, Load, Loaded};
use support::uapi::{PRIVATE_MAX, VERIFY_PE};

tests! {
    BELOW_CONFIDENTIALITY;
    none,
    all_of_it,
    not_a_map,
    other_shapes,
    other_types,
    offloaded,
    limit,
    not_readable,
    an_image_without_such_a_map,
    the_image_is_taken_once,
    the_initrd_is_taken_once,
    a_file_for_the_program,
}

fn image_file() -> Result<File> {
    file(&image("obey")?)
}

fn run(image: &File, fd: i32) -> Loaded {
    Load {
        map: fd,
        ..Load::dry(image)
    }
    .run()
}

fn none() -> Result {
    run(&image_file()?, -1).refused(libc::ECANCELED, "program returned -1")
}

fn all_of_it() -> Result {
    for value in [42, -7, i64::from(i32::MAX), i64::from(i32::MIN)] {
        let data = ask(RETURN, value, 0)?;
        returns(&run(&image_file()?, data.as_fd().as_raw_fd()), value)?;
    }
    Ok(())
}

fn not_a_map() -> Result {
    let why = "private data: the descriptor is not that of a readable map";
    let other = file(b"text")?;
    for fd in [-2, 1000, other.as_raw_fd(), i32::MIN] {
        run(&image_file()?, fd)
            .refused(libc::EBADF, why)
            .context(fd)?;
    }
    Ok(())
}

fn other_shapes() -> Result {
    for (value, entries) in [
        (VALUE_SIZE - 1, ENTRIES),
        (VALUE_SIZE + 1, ENTRIES),
        (VALUE_SIZE, ENTRIES - 1),
        (VALUE_SIZE, ENTRIES + 1),
    ] {
        let data = map(MapType::Array, 4, value, entries, 0)?;
        run(&image_file()?, data.as_fd().as_raw_fd())
            .refused(
                libc::ELIBBAD,
                "private data: value size or entry count differs from the declaration",
            )
            .context(format!("{value}, {entries}"))?;
    }
    Ok(())
}

const OTHER_TYPE: &str =
    "private data: the map is not an array, is offloaded to a device, or has special fields";

fn other_types() -> Result {
    const NO_PREALLOC: u32 = 1;

    for (kind, key, value, entries, flags) in [
        (MapType::Hash, 4, VALUE_SIZE, ENTRIES, 0),
        (MapType::Hash, 8, VALUE_SIZE, ENTRIES, NO_PREALLOC),
        (MapType::PercpuArray, 4, VALUE_SIZE, ENTRIES, 0),
        (MapType::LruHash, 4, VALUE_SIZE, ENTRIES, 0),
        (MapType::RingBuf, 0, 0, 4096, 0),
    ] {
        let data = map(kind, key, value, entries, flags)?;
        run(&image_file()?, data.as_fd().as_raw_fd())
            .refused(libc::ELIBBAD, OTHER_TYPE)
            .context(format!("{kind:?}"))?;
    }
    Ok(())
}

/// The map is an array, but it is on a device, where the kernel cannot read it.
fn offloaded() -> Result {
    const BUS: &str = "/sys/bus/netdevsim";
    const DEVICE: &str = "71";

    if !Path::new(BUS).exists() {
        return skip("the kernel has no netdevsim");
    }
    fs::write(format!("{BUS}/new_device"), format!("{DEVICE} 1"))?;
    let result = offloaded_to(&format!("{BUS}/devices/netdevsim{DEVICE}/net"));
    fs::write(format!("{BUS}/del_device"), DEVICE)?;
    result
}

fn offloaded_to(devices: &str) -> Result {
    let device = fs::read_dir(devices)?.next().ok_or("no device")??.path();
    let options = bpf_map_create_opts {
        sz: size_of::<bpf_map_create_opts>() as _,
        map_ifindex: fs::read_to_string(device.join("ifindex"))?.trim().parse()?,
        ..Default::default()
    };
    let data = MapHandle::create(MapType::Array, Some("data"), 4, VALUE_SIZE, 1, &options)?;
    run(&image_file()?, data.as_fd().as_raw_fd()).refused(libc::ELIBBAD, OTHER_TYPE)
}

fn limit() -> Result {
    let image = file(&image("largest_private_data")?)?;
    let run_with = |data: &MapHandle| run(&image, data.as_fd().as_raw_fd());
    let most = run_with(&map(MapType::Array, 4, PRIVATE_MAX, 1, 0)?);
    copied(&most)?;
    most.refused(libc::ECANCELED, "the program bound no kernel")?;
    for (value, entries) in [
        (PRIVATE_MAX + 1, 1),
        (1, PRIVATE_MAX / 8 + 1),
        (1, u32::MAX >> 8),
    ] {
        let data = map(MapType::Array, 4, value, entries, 0)?;
        run_with(&data)
            .refused(libc::EFBIG, "private data: the map is larger than 1 MiB")
            .context(format!("{value}, {entries}"))?;
    }
    Ok(())
}

fn not_readable() -> Result {
    const BPF_F_WRONLY: u32 = 1 << 4;

    let data: OwnedFd = map(MapType::Array, 4, VALUE_SIZE, ENTRIES, BPF_F_WRONLY)?
        .as_fd()
        .try_clone_to_owned()?;
    let why = "private data: the descriptor is not that of a readable map";
    run(&image_file()?, data.as_raw_fd()).refused(libc::EBADF, why)
}

/// The kernel ignores the data if the program declares no map for them, and logs that.
fn an_image_without_such_a_map() -> Result {
    let data = ask(RETURN, 7, 0)?;
    let loaded = run(&file(&image("tiny")?)?, data.as_fd().as_raw_fd());
    equal("errno", loaded.errno, 0)?;
    let line = "private data: the program declares no map for it";
    equal("the line", loaded.log.iter().any(|it| it == line), true)
}

fn the_image_is_taken_once() -> Result {
    let image = image_file()?;
    for flags in [0, VERIFY_PE] {
        let fd = image.as_raw_fd();
        let data = ask(READ_FD, fd.into(), flags)?;
        let loaded = run(&image, data.as_fd().as_raw_fd());
        // The program may go on without the file, so this does not refuse the load.
        let line = format!("program: file: descriptor {fd} was already taken");
        equal("the line", loaded.log.contains(&line), true)?;
        returns(&loaded, -i64::from(libc::EBADF))?;
    }
    Ok(())
}

fn the_initrd_is_taken_once() -> Result {
    let (image, initrd) = (image_file()?, file(b"an initrd")?);
    let data = ask(READ_FD, initrd.as_raw_fd().into(), 0)?;
    let loaded = Load {
        map: data.as_fd().as_raw_fd(),
        initrd: initrd.as_raw_fd(),
        ..Load::dry(&image)
    }
    .run();
    returns(&loaded, -i64::from(libc::EBADF))
}

fn a_file_for_the_program() -> Result {
    let text = file(b"text")?;
    let signed = file(&image("plain")?)?;
    let unsigned = file(&image("unsigned")?)?;
    for (file, flags, want) in [
        (&text, 0, 4),
        (&text, VERIFY_PE, -libc::ENOEXEC),
        (&signed, VERIFY_PE, 4),
        (&unsigned, 0, 4),
        (&unsigned, VERIFY_PE, -libc::EKEYREJECTED),
    ] {
        let data = ask(READ_FD, file.as_raw_fd().into(), flags)?;
        returns(&run(&image_file()?, data.as_fd().as_raw_fd()), want.into())?;
    }
    Ok(())
}
