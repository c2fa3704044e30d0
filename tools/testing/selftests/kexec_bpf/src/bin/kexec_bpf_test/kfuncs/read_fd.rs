// SPDX-License-Identifier: GPL-2.0

//! `bpf_kexec_read_fd()`

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::thread;

use rustix::pipe::pipe;
use sha2::{Digest, Sha256};

use support::fuse::{Fuse, Mode};
use support::harness::{equal, Result};
use support::load::{file, image, write_only};
use support::object::Input;
use support::script::{bind_kernel, get, put, read_fd, read_fd_sha256, stat, Script, Step, PLACES};
use support::uapi::{
    range, Range, ENFORCED, HANDLE, IMAGE, INITRD, SIGNED, VERIFIED, VERIFY_PE, VERIFY_SHA256,
};

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
    expected_digests,
    other_digests,
    digests_that_are_not_verified,
    digests_of_another_length,
    digests_and_flags,
    a_digest_that_is_refused_does_not_cost_the_descriptor,
}

const EACCES: i64 = -libc::EACCES as i64;
const EBADF: i64 = -libc::EBADF as i64;
const EINVAL: i64 = -libc::EINVAL as i64;
const EBUSY: i64 = -libc::EBUSY as i64;
const ELIBBAD: i64 = -libc::ELIBBAD as i64;
const ENOENT: i64 = -libc::ENOENT as i64;
const ERANGE: i64 = -libc::ERANGE as i64;
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
        (read_fd(fd(&file), 4), EINVAL),
        (read_fd(fd(&file), 5), EINVAL),
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

/// A signed image that is the SHA-256 of `bytes`, 7 bytes, and the same again.
fn signed_digest(bytes: &[u8]) -> Vec<u8> {
    let digest = Sha256::digest(bytes);
    [&digest[..], b"between", &digest[..]].concat()
}

fn input(image: &[u8], flags: u32) -> Input<'_> {
    Input {
        image,
        flags,
        ..Input::default()
    }
}

/// Reads a file that has the SHA-256 in a range.
fn by(file: &File, digest: Range) -> Step {
    read_fd_sha256(fd(file), VERIFY_SHA256, digest)
}

fn expected_digests() -> Result {
    let script = Script::load()?;
    // One byte, blocks of the hash, and more than is hashed at a time.
    for len in [1, 55, 56, 64, 65, 100_000, (16 << 20) + 1] {
        let bytes: Vec<u8> = (0..len).map(|at| (at * 7 % 251) as u8).collect();
        let image = signed_digest(&bytes);
        let whole = range(HANDLE, 0, len);
        for at in [0, 39] {
            let file = file(&bytes)?;
            let steps = [
                (by(&file, range(IMAGE, at, 32)), HANDLE.into()),
                (stat(HANDLE), 0),
                (get(range(HANDLE, len - 1, 1)), 1),
                (bind_kernel(whole), 0),
            ];
            let input = Input {
                room: Some(len as usize),
                ..input(&image, SIGNED | ENFORCED)
            };
            let run = script.check(&input, &steps)?;
            equal("verified", run.done[1].range.flags, VERIFIED)?;
            equal("length", run.done[1].range.len, len)?;
            equal("last", run.done[2].buffer[0], bytes[len as usize - 1])?;
        }
    }
    // Wherever the range is.
    for place in PLACES {
        let file = file(b"text")?;
        let image = signed_digest(b"text");
        let steps = [(by(&file, range(IMAGE, 0, 32)).at(place), HANDLE.into())];
        script.check(&input(&image, SIGNED | ENFORCED), &steps)?;
    }
    Ok(())
}

fn other_digests() -> Result {
    let script = Script::load()?;
    let bytes = b"the file";
    // Each bit counts, and so do order and length.
    for at in 0..32 {
        let mut image = signed_digest(bytes);
        image[at] ^= 1 << (at % 8);
        let file = file(bytes)?;
        let steps = [
            (by(&file, range(IMAGE, 0, 32)), EKEYREJECTED),
            (stat(HANDLE), ENOENT),
        ];
        for flags in [0, SIGNED, SIGNED | ENFORCED] {
            script.check(&input(&image, flags), &steps)?;
        }
    }
    let image = signed_digest(bytes);
    for other in [&b"the fill"[..], b"the fil", b"the file\0", b"\0"] {
        let file = file(other)?;
        let steps = [(by(&file, range(IMAGE, 0, 32)), EKEYREJECTED)];
        script.check(&input(&image, SIGNED | ENFORCED), &steps)?;
    }
    // The digest is right, but a byte further on.
    let file = file(bytes)?;
    let steps = [(by(&file, range(IMAGE, 1, 32)), EKEYREJECTED)];
    script.check(&input(&image, SIGNED | ENFORCED), &steps)?;
    Ok(())
}

/// Under enforcement they end the load; without, the file is read and not verified.
fn digests_that_are_not_verified() -> Result {
    let script = Script::load()?;
    let image = signed_digest(b"the file");
    let digest = &image[..32];
    let unsigned = [(put(b"nothing"), HANDLE.into())];
    let own = [(put(digest), HANDLE.into())];
    for (flags, before, at, number) in [
        (0, &unsigned, range(IMAGE, 0, 32), HANDLE + 1),
        (SIGNED, &own, range(HANDLE, 0, 32), HANDLE + 1),
    ] {
        let file = file(b"the file")?;
        let mut steps = before.to_vec();
        steps.push((by(&file, at), number.into()));
        steps.push((stat(number), 0));
        let run = script.check(&input(&image, flags), &steps)?;
        equal("flags", run.done[2].range.flags, 0)?;
        steps.pop();
        steps[1].1 = EACCES;
        script.check_until(&input(&image, flags | ENFORCED), &steps, libc::EACCES)?;
    }
    Ok(())
}

fn digests_of_another_length() -> Result {
    let script = Script::load()?;
    let image = signed_digest(b"the file");
    let file = file(b"the file")?;
    let mut steps: Vec<_> = [0, 1, 20, 31, 33, 48, 64, 71]
        .map(|len| (by(&file, range(IMAGE, 0, len)), ELIBBAD))
        .into();
    for (digest, errno) in [
        (range(IMAGE, 0, 72), ERANGE),
        (range(IMAGE, 40, 32), ERANGE),
        (range(IMAGE, u64::MAX, 32), ERANGE),
        (range(HANDLE, 0, 32), ENOENT),
        // It can change.
        (range(INITRD, 0, 32), ENOENT),
    ] {
        steps.push((by(&file, digest), errno));
    }
    for flags in [0, SIGNED | ENFORCED] {
        script.check(&input(&image, flags), &steps)?;
    }
    Ok(())
}

fn digests_and_flags() -> Result {
    let image = signed_digest(b"the file");
    let file = file(b"the file")?;
    let digest = range(IMAGE, 0, 32);
    let flagged = Range {
        flags: VERIFIED,
        ..digest
    };
    let steps = [
        (read_fd(fd(&file), VERIFY_SHA256), EINVAL),
        (read_fd(fd(&file), VERIFY_SHA256 | VERIFY_PE), EINVAL),
        (read_fd_sha256(fd(&file), 0, digest), EINVAL),
        (read_fd_sha256(fd(&file), VERIFY_PE, digest), EINVAL),
        (
            read_fd_sha256(fd(&file), VERIFY_SHA256 | VERIFY_PE, digest),
            EINVAL,
        ),
        (
            read_fd_sha256(fd(&file), VERIFY_SHA256 | (1 << 63), digest),
            EINVAL,
        ),
        (by(&file, flagged), EINVAL),
        (by(&file, digest), HANDLE.into()),
        // Once taken it is, also with a digest.
        (by(&file, digest), EBADF),
    ];
    Script::load()?.check(&input(&image, SIGNED | ENFORCED), &steps)?;
    Ok(())
}

fn a_digest_that_is_refused_does_not_cost_the_descriptor() -> Result {
    let image = signed_digest(b"the file");
    let file = file(b"the file")?;
    let steps = [
        (by(&file, range(IMAGE, 0, 31)), ELIBBAD),
        (by(&file, range(IMAGE, 0, 32)), HANDLE.into()),
    ];
    Script::load()?.check(&input(&image, SIGNED | ENFORCED), &steps)?;
    // An empty file is the wrong one, whatever its digest.
    let image = signed_digest(b"");
    let empty = self::file(b"")?;
    let steps = [(by(&empty, range(IMAGE, 0, 32)), ENOEXEC)];
    Script::load()?.check(&input(&image, SIGNED | ENFORCED), &steps)?;
    Ok(())
}
