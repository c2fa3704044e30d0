// SPDX-License-Identifier: GPL-2.0

//! `bpf_kexec_read_fd()`

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::thread;

use rustix::pipe::pipe;

use support::fuse::{Fuse, Mode};
use support::harness::{equal, Result};
use support::load::{file, image, write_only};
use support::object::Input;
use support::script::{get, read_fd, stat, Script};
use support::uapi::{range, Range, HANDLE, VERIFIED, VERIFY_PE};

tests! {
    ON_X86_64;
    regular_files,
    not_open,
    other_kinds_of_files,
    not_open_for_reading,
    someone_writes_to_it,
    twice,
    taken_while_it_is_not_open,
    unknown_flags,
    signed_images,
    unsigned_images,
    damaged_images,
}

const EBADF: i64 = -libc::EBADF as i64;
const EINVAL: i64 = -libc::EINVAL as i64;
const EBUSY: i64 = -libc::EBUSY as i64;
const EKEYREJECTED: i64 = -libc::EKEYREJECTED as i64;
const ENOEXEC: i64 = -libc::ENOEXEC as i64;

fn fd(file: &File) -> i64 {
    file.as_raw_fd().into()
}

fn regular_files() -> Result {
    let long = vec![b'l'; 300_000];
    let files = [file(b"text")?, file(b"")?, file(&long)?];
    let mut steps: Vec<_> = files
        .iter()
        .zip(HANDLE..)
        .map(|(file, handle)| (read_fd(fd(file), 0), i64::from(handle)))
        .collect();
    steps.push((get(range(HANDLE, 0, 4)), 4));
    steps.push((stat(HANDLE), 0));
    steps.push((stat(HANDLE + 1), 0));
    steps.push((stat(HANDLE + 2), 0));
    let run = Script::load()?.check(&Input::default(), &steps)?;
    equal("bytes", &run.done[3].buffer[..], b"text")?;
    for (index, len) in [(4, 4), (5, 0), (6, 300_000)] {
        // None of it is verified.
        let want = range(HANDLE + index - 4, 0, len);
        equal("range", run.done[index as usize].range, want)?;
    }
    Ok(())
}

fn not_open() -> Result {
    let steps = [
        (-1, EBADF),
        (1000, EBADF),
        (i32::MAX.into(), EBADF),
        (i32::MIN.into(), EBADF),
        (1 << 32, EINVAL),
        (i64::MIN, EINVAL),
    ]
    .map(|(fd, returned)| (read_fd(fd, 0), returned));
    Script::load()?.check(&Input::default(), &steps)?;
    Ok(())
}

fn other_kinds_of_files() -> Result {
    let directory = File::open("/")?;
    let device = File::open("/dev/null")?;
    let (read, write) = pipe()?;
    let pipe = [read, write].map(|end| end.as_raw_fd().into());
    let steps = [fd(&directory), fd(&device), pipe[0], pipe[1]].map(|fd| (read_fd(fd, 0), EBADF));
    Script::load()?.check(&Input::default(), &steps)?;
    Ok(())
}

fn not_open_for_reading() -> Result {
    let write = write_only()?;
    Script::load()?.check(&Input::default(), &[(read_fd(fd(&write), 0), EBADF)])?;
    Ok(())
}

fn someone_writes_to_it() -> Result {
    let path = std::env::temp_dir().join("kexec_bpf_test.both");
    std::fs::write(&path, b"text")?;
    let both = OpenOptions::new().read(true).write(true).open(&path)?;
    std::fs::remove_file(path)?;
    Script::load()?.check(&Input::default(), &[(read_fd(fd(&both), 0), EBUSY)])?;
    Ok(())
}

/// A descriptor that another thread opens during the load is not read.
fn taken_while_it_is_not_open() -> Result {
    const CLOSED: i32 = 900;
    let script = Script::load()?;
    let other = file(b"text")?;
    let fuse = Fuse::mount(4, Mode::Direct)?;
    let steps = [
        (read_fd(CLOSED.into(), 0), EBADF),
        (read_fd(fd(fuse.file()), 0), HANDLE.into()),
        (read_fd(CLOSED.into(), 0), EBADF),
    ];
    thread::scope(|scope| {
        let opens = scope.spawn(move || -> Result<Fuse> {
            let asked = fuse.asked()?;
            // SAFETY: Nobody else uses the number.
            unsafe { libc::dup2(other.as_raw_fd(), CLOSED) };
            fuse.answer(&asked, b"text");
            Ok(fuse)
        });
        let run = script.check(&Input::default(), &steps);
        let fuse = opens.join().expect("it does not panic");
        // SAFETY: Nobody else uses the number.
        unsafe { libc::close(CLOSED) };
        fuse.and(run).map(drop)
    })
}

fn twice() -> Result {
    let file = file(b"text")?;
    let steps = [
        (read_fd(fd(&file), 0), HANDLE.into()),
        (read_fd(fd(&file), 0), EBADF),
        (read_fd(fd(&file), VERIFY_PE), EBADF),
    ];
    let script = Script::load()?;
    script.check(&Input::default(), &steps)?;
    // The next run can read it again.
    script.check(&Input::default(), &steps)?;
    Ok(())
}

fn unknown_flags() -> Result {
    let file = file(b"text")?;
    let steps = [
        (read_fd(fd(&file), 2), EINVAL),
        (read_fd(fd(&file), 3), EINVAL),
        (read_fd(fd(&file), 1 << 63), EINVAL),
        (read_fd(fd(&file), 0), HANDLE.into()),
    ];
    Script::load()?.check(&Input::default(), &steps)?;
    Ok(())
}

fn signed_images() -> Result {
    let file = file(&image("plain")?)?;
    let steps = [
        (read_fd(fd(&file), VERIFY_PE), HANDLE.into()),
        (stat(HANDLE), 0),
    ];
    let run = Script::load()?.check(&Input::default(), &steps)?;
    // Parts of it are not, such as the checksum.
    let Range { flags, .. } = run.done[1].range;
    equal("verified as a whole", flags & VERIFIED, 0)
}

fn unsigned_images() -> Result {
    let files = [
        file(&image("unsigned")?)?,
        file(&image("untrusted")?)?,
        file(b"text")?,
        file(b"")?,
    ];
    let steps = [
        (read_fd(fd(&files[0]), VERIFY_PE), EKEYREJECTED),
        (read_fd(fd(&files[1]), VERIFY_PE), EKEYREJECTED),
        (read_fd(fd(&files[2]), VERIFY_PE), ENOEXEC),
        (read_fd(fd(&files[3]), VERIFY_PE), ENOEXEC),
        (stat(HANDLE), -libc::ENOENT as i64),
    ];
    Script::load()?.check(&Input::default(), &steps)?;
    Ok(())
}

fn damaged_images() -> Result {
    let mut image = image("plain")?;
    for section in support::pe::sections(&image) {
        image[section.at] ^= 1;
        let file = file(&image)?;
        let steps = [(read_fd(fd(&file), VERIFY_PE), EKEYREJECTED)];
        Script::load()?.check(&Input::default(), &steps)?;
        image[section.at] ^= 1;
    }
    Ok(())
}
