// SPDX-License-Identifier: GPL-2.0

//! Descriptors of all kinds, and descriptors that change during a load.

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use libbpf_rs::{MapCore, MapFlags};
use rustix::event::{epoll, eventfd, EventfdFlags};
use rustix::fs::{memfd_create, MemfdFlags};
use rustix::net::{socket, AddressFamily, SocketType};
use rustix::pipe::pipe;

use support::embedded::{ask, CHANGED, RETURN};
use support::fuse::{Fuse, Mode};
use support::harness::{equal, Context, Result};
use support::load::{file, image, Load, Loaded};

tests! {
    ON_X86_64;
    other_kinds,
    replaced_while_it_is_read,
    replaced_again_and_again,
    written_to_while_it_is_read,
    written_to_again_and_again,
    private_data_written_to_while_the_program_runs,
}

fn other_kinds() -> Result {
    let good = image("plain")?;
    let (pipe, _write) = pipe()?;
    let socket = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    let epoll = epoll::create(epoll::CreateFlags::empty())?;
    let event = eventfd(1, EventfdFlags::empty())?;
    let map = ask(RETURN, 0, 0)?;
    let path = std::env::temp_dir().join("kexec_bpf_test.path");
    fs::write(&path, &good)?;
    let only_path = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(&path)?;
    fs::remove_file(path)?;

    let not_a_file = "not a regular file that is open for reading";
    let kinds: [(&str, OwnedFd, i32, &str); 9] = [
        (
            "directory",
            File::open("/")?.into(),
            libc::EBADF,
            not_a_file,
        ),
        ("pipe", pipe, libc::EBADF, not_a_file),
        ("socket", socket, libc::EBADF, not_a_file),
        ("epoll", epoll, libc::EBADF, not_a_file),
        ("event", event, libc::EBADF, not_a_file),
        (
            "BPF map",
            map.as_fd().try_clone_to_owned()?,
            libc::EBADF,
            not_a_file,
        ),
        (
            "device",
            File::open("/dev/zero")?.into(),
            libc::EBADF,
            not_a_file,
        ),
        (
            "path",
            only_path.into(),
            libc::EBADF,
            "{} is not an open descriptor",
        ),
        (
            "/proc",
            File::open("/proc/version")?.into(),
            libc::ENOEXEC,
            "the file is empty",
        ),
    ];
    for (what, fd, errno, why) in kinds {
        let fd = fd.as_raw_fd();
        let load = Load {
            image: fd,
            ..Load::default()
        };
        let why = why.replace("{}", &fd.to_string());
        load.run()
            .refused(errno, &format!("image: {why}"))
            .context(what)?;
    }

    // A file without a name is accepted.
    equal("errno", Load::dry(&memory(&good)?).run().errno, 0)
}

/// A file without a name. It is open for writing, but the kernel does not count that for such a
/// file.
fn memory(bytes: &[u8]) -> Result<File> {
    let file = File::from(memfd_create("image", MemfdFlags::empty())?);
    file.write_all_at(bytes, 0)?;
    Ok(file)
}

/// Makes `to` a descriptor of the same file as `from`.
fn replace(from: &impl AsRawFd, to: RawFd) {
    // SAFETY: Both are descriptors of tests, and all that use them expect it.
    unsafe { libc::dup2(from.as_raw_fd(), to) };
}

/// The load reads the file that the descriptor had when the load began.
fn replaced_while_it_is_read() -> Result {
    let good = image("plain")?;
    let want = Load::dry(&file(&good)?).run();
    let unsigned = file(&image("unsigned")?)?;
    let fuse = Fuse::mount(good.len(), Mode::Direct)?;
    let number = fuse.file().try_clone()?;
    let loaded = thread::scope(|scope| -> Result<Loaded> {
        let load = scope.spawn(|| Load::dry(&number).run());
        let asked = fuse.asked()?;
        replace(&unsigned, number.as_raw_fd());
        if fuse.answer_out_of(&asked, &good, usize::MAX) < good.len() {
            fuse.serve(&good, usize::MAX)?;
        }
        Ok(load.join().expect("it does not panic"))
    })?;
    same(&loaded, &want)
}

/// Fails unless two loads had the same result.
fn same(got: &Loaded, want: &Loaded) -> Result {
    equal("log", &got.log, &want.log)?;
    equal("errno", got.errno, want.errno)
}

/// Calls `disturb` in another thread again and again while `body` runs.
fn disturbed<T>(disturb: impl Fn() + Sync, body: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                disturb();
            }
        });
        let result = body();
        done.store(true, Ordering::Relaxed);
        result
    })
}

/// Loads again and again while `disturb` changes the image from one file to the other and back.
/// Each load has to have the result of one of them, because the kernel loads the bytes that it
/// verified. Ends when both results occurred often enough.
fn one_or_the_other(image: &File, files: [&File; 2], disturb: impl Fn() + Sync) -> Result {
    let outcomes = files.map(|file| Load::dry(file).run());
    let mut counts = [0; 2];
    disturbed(disturb, || {
        for _ in 0..300 {
            if counts.iter().all(|&count| count >= 25) {
                break;
            }
            let loaded = Load::dry(image).run();
            let found = outcomes
                .iter()
                .position(|outcome| same(&loaded, outcome).is_ok());
            let log = loaded.log.join("\n");
            counts[found.ok_or_else(|| format!("of neither file:\n{log}"))?] += 1;
        }
        Ok(())
    })?;
    let met = !counts.contains(&0);
    equal(format!("{counts:?}: each was met"), met, true)
}

fn replaced_again_and_again() -> Result {
    let files = [&file(&image("plain")?)?, &file(&image("unsigned")?)?];
    let place = files[0].try_clone()?;
    let number = place.as_raw_fd();
    one_or_the_other(&place, files, || {
        for file in files {
            replace(file, number);
        }
    })
}

fn written_to_while_it_is_read() -> Result {
    let good = image("plain")?;
    let middle = good.len() / 2;
    let mut bad = good.clone();
    bad[middle] ^= 1;
    let image = memory(&good)?;
    one_or_the_other(&image, [&file(&good)?, &file(&bad)?], || {
        for bytes in [&bad, &good] {
            let _ = image.write_all_at(&bytes[middle..=middle], middle as u64);
        }
    })
}

/// While a load reads a file nobody can write to it. So each load sees the file before or after.
fn written_to_again_and_again() -> Result {
    let good = image("plain")?;
    let want = Load::dry(&file(&good)?).run();
    let path = std::env::temp_dir().join("kexec_bpf_test.written");
    fs::write(&path, &good)?;
    let image = File::open(&path)?;
    let middle = good.len() / 2;
    let mut counts = [0; 2];
    let turn = AtomicU32::new(0);
    let disturb = || {
        // Only every other load is disturbed, so that some read the unchanged file.
        if turn.load(Ordering::Relaxed) % 2 == 0 {
            return thread::yield_now();
        }
        // This fails while the load reads the file.
        let Ok(file) = OpenOptions::new().write(true).open(&path) else {
            return;
        };
        for byte in [!good[middle], good[middle]] {
            let _ = file.write_all_at(&[byte], middle as u64);
        }
        let _ = file.set_len(good.len() as u64 / 2);
        let _ = file.set_len(good.len() as u64 + 1);
        let _ = file.set_len(good.len() as u64);
        let _ = file.write_all_at(&good[middle..], middle as u64);
    };
    disturbed(disturb, || {
        for _ in 0..300 {
            let loaded = Load::dry(&image).run();
            turn.fetch_add(1, Ordering::Relaxed);
            let log = loaded.log.join("\n");
            match loaded.errno {
                0 => {
                    same(&loaded, &want)?;
                    counts[0] += 1;
                }
                libc::EBUSY | libc::EIO => counts[1] += 1,
                errno => return Err(format!("errno {errno}: {log}").into()),
            }
        }
        Ok(())
    })?;
    fs::remove_file(&path)?;
    equal(
        format!("{counts:?}: each was met"),
        counts.contains(&0),
        false,
    )
}

fn private_data_written_to_while_the_program_runs() -> Result {
    let private = file(&image("obey")?)?;
    let fuse = Fuse::mount(4, Mode::Direct)?;
    let data = ask(CHANGED, fuse.file().as_raw_fd().into(), 0)?;
    let loaded = thread::scope(|scope| -> Result<Loaded> {
        let load = scope.spawn(|| {
            Load {
                map: data.as_fd().as_raw_fd(),
                ..Load::dry(&private)
            }
            .run()
        });
        let asked = fuse.asked()?;
        data.update(&0u32.to_ne_bytes(), &[7; 24], MapFlags::ANY)?;
        fuse.answer(&asked, b"text");
        Ok(load.join().expect("it does not panic"))
    })?;
    // The program returns 1 if its private data change.
    loaded.refused(libc::ECANCELED, "the program bound no kernel")
}
