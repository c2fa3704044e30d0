// SPDX-License-Identifier: GPL-2.0

//! `bpf_kexec_initrd_append()`

use support::harness::{equal, Context, Result};
use support::object::Input;
use support::script::{bind_initrd, get, initrd_append, initrd_wrap, prepend_initrd, stat, Script};
use support::uapi::{
    range, Range, CMDLINE, DIR_MODE_SHIFT, HANDLE, IMAGE, INITRD, PATH_MAX, PIECES_MAX,
};

tests! {
    BELOW_CONFIDENTIALITY;
    zeroes_are_between_pieces,
    wrapped_files,
    wrapped_after_a_piece,
    prepended_pieces,
    get_across_pieces,
    paths,
    modes,
    modes_of_directories,
    most_pieces,
    one_piece_too_many,
    ranges,
    reserved,
}

const EINVAL: i64 = -libc::EINVAL as i64;
const ELIBBAD: i64 = -libc::ELIBBAD as i64;
const EFBIG: i64 = -libc::EFBIG as i64;
const ERANGE: i64 = -libc::ERANGE as i64;
const ENOENT: i64 = -libc::ENOENT as i64;

fn image(image: &[u8]) -> Input<'_> {
    Input {
        image,
        ..Input::default()
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// An entry of a cpio archive.
fn entry(archive: &mut Vec<u8>, inode: u32, mode: u32, name: &str, data: &[u8]) {
    let sizes = (data.len(), name.len() + 1);
    archive.extend(b"070701");
    for field in [
        inode,
        mode,
        0,
        0,
        1,
        0,
        sizes.0 as u32,
        0,
        0,
        0,
        0,
        sizes.1 as u32,
        0,
    ] {
        archive.extend(format!("{field:08X}").bytes());
    }
    archive.extend(name.bytes());
    archive.push(0);
    pad(archive);
    archive.extend(data);
    pad(archive);
}

/// A cpio archive of one file, in a directory of this mode.
fn cpio_in(dir_mode: u32, path: &str, mode: u32, data: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut inode = 0;
    for (at, _) in path.match_indices('/') {
        inode += 1;
        let is_last = path.rfind('/') == Some(at);
        let mode = 0o040_000 | if is_last { dir_mode } else { 0o555 };
        entry(&mut archive, inode, mode, &path[..at], b"");
    }
    entry(&mut archive, inode + 1, 0o100_000 | mode, path, data);
    entry(&mut archive, 0, 0, "TRAILER!!!", b"");
    archive
}

/// A cpio archive of one file.
fn cpio(path: &str, mode: u32, data: &[u8]) -> Vec<u8> {
    cpio_in(0o555, path, mode, data)
}

fn same_but_for_case(what: impl std::fmt::Display, got: &[u8], want: &[u8]) -> Result {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_lowercase();
    equal(what, text(got), text(want))
}

/// The zeroes after an archive that may be compressed: at least four.
fn end(bytes: &mut Vec<u8>) {
    if !bytes.is_empty() {
        bytes.extend([0; 4]);
        pad(bytes);
    }
}

fn zeroes_are_between_pieces() -> Result {
    let script = Script::load()?;
    let bytes = b"0123456789";
    for lens in [
        [1, 1, 1],
        [4, 4, 4],
        [3, 0, 2],
        [5, 10, 7],
        [0, 0, 1],
        [0, 0, 0],
    ] {
        let steps = lens.map(|len| (initrd_append(range(IMAGE, 0, len), 0), 0));
        let mut want = Vec::new();
        for len in lens.into_iter().filter(|&len| len > 0) {
            end(&mut want);
            want.extend(&bytes[..len as usize]);
        }
        let output = script.check(&image(bytes), &steps)?.output;
        equal(format!("{lens:?}"), output.initrd, want)?;
    }

    // The caller's initrd is a piece too, and so is one that was bound.
    let steps = [(initrd_append(range(IMAGE, 0, 2), 0), 0)];
    let input = Input {
        initrd: b"given",
        ..image(bytes)
    };
    let output = script.check(&input, &steps)?.output;
    let want = b"given\0\0\0\0\0\0\x0001";
    equal("after the caller's", &output.initrd[..], want)?;
    let steps = [
        (bind_initrd(range(IMAGE, 5, 3)), 0),
        (initrd_append(range(IMAGE, 0, 2), 0), 0),
    ];
    let output = script.check(&input, &steps)?.output;
    equal(
        "after a bound one",
        &output.initrd[..],
        b"567\0\0\0\0\x0001",
    )
}

fn wrapped_files() -> Result {
    let script = Script::load()?;
    for path in ["init", "a/b", ".extra/credentials/name.cred", "etc/a b"] {
        for data in [&b""[..], b"x", b"four", b"seven67"] {
            let file = range(IMAGE, 0, data.len() as u64);
            let step = initrd_wrap(file, path.as_bytes(), 0o640);
            let output = script.check(&image(data), &[(step, 0)])?.output;
            let want = cpio(path, 0o640, data);
            same_but_for_case(format!("{path}: {data:?}"), &output.initrd, &want)?;
        }
    }
    Ok(())
}

fn wrapped_after_a_piece() -> Result {
    let steps = [
        (initrd_append(range(IMAGE, 0, 5), 0), 0),
        (initrd_wrap(range(IMAGE, 5, 5), b"one", 0o444), 0),
        (initrd_wrap(range(IMAGE, 0, 1), b"two", 0o755), 0),
    ];
    let output = Script::load()?.check(&image(b"0123456789"), &steps)?.output;
    let mut want = b"01234\0\0\0\0\0\0\0".to_vec();
    want.extend(cpio("one", 0o444, b"56789"));
    want.extend(cpio("two", 0o755, b"0"));
    same_but_for_case("initrd", &output.initrd, &want)
}

fn prepended_pieces() -> Result {
    let script = Script::load()?;
    let bytes = b"0123456789";
    let steps = [
        (prepend_initrd(range(IMAGE, 0, 5)), 0),
        (prepend_initrd(range(IMAGE, 9, 0)), 0),
        (initrd_append(range(IMAGE, 5, 1), 0), 0),
        (prepend_initrd(range(IMAGE, 6, 4)), 0),
    ];
    for (initrd, want) in [
        (&b""[..], &b"6789\0\0\0\x0001234\0\0\0\0\0\0\x005"[..]),
        (
            b"given",
            b"6789\0\0\0\x0001234\0\0\0\0\0\0\0given\0\0\0\0\0\0\x005",
        ),
    ] {
        let input = Input {
            initrd,
            ..image(bytes)
        };
        let output = script.check(&input, &steps)?.output;
        equal("initrd", &output.initrd[..], want)?;
    }
    Ok(())
}

fn get_across_pieces() -> Result {
    let bytes = b"0123456789";
    let whole = b"0123456\0\0\0\0\0\x30\x31\0\0\0\0\0\0\x39";
    let mut steps = vec![
        (initrd_append(range(IMAGE, 0, 7), 0), 0),
        (initrd_append(range(IMAGE, 0, 2), 0), 0),
        (initrd_append(range(IMAGE, 9, 1), 0), 0),
        (stat(INITRD), 0),
    ];
    let first = steps.len();
    let mut wanted = Vec::new();
    for from in 0..=whole.len() {
        for to in from..=whole.len() {
            let len = (to - from) as u64;
            steps.push((get(range(INITRD, from as u64, len)), len as i64));
            wanted.push(&whole[from..to]);
        }
    }
    steps.push((get(range(INITRD, 0, 22)), ERANGE));
    steps.push((get(range(INITRD, 22, 0)), ERANGE));
    let run = Script::load()?.check(&image(bytes), &steps)?;
    equal("length", run.done[first - 1].range.len, 21)?;
    for (done, want) in run.done[first..].iter().zip(wanted) {
        equal(format!("{:?}", done.range), &done.buffer[..], want)?;
    }
    Ok(())
}

fn paths() -> Result {
    let script = Script::load()?;
    let file = range(IMAGE, 0, 4);
    for path in [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "./a",
        "a\n",
        "a\0",
        "a\0b",
        "\u{e4}",
        "\x7f",
        "TRAILER!!!",
        "TRAILER!!!/a",
    ] {
        let step = initrd_wrap(file, path.as_bytes(), 0o444);
        let output = script.check(&image(b"data"), &[(step, ELIBBAD)])?.output;
        equal(format!("{path:?}"), output.initrd.len(), 0)?;
    }
    let long = "p".repeat(PATH_MAX + 1);
    let step = initrd_wrap(file, long[..PATH_MAX].as_bytes(), 0o444);
    script.check(&image(b"data"), &[(step, 0)])?;
    let step = initrd_wrap(file, long.as_bytes(), 0o444);
    script.check_until(&image(b"data"), &[(step, EFBIG)], libc::EFBIG)?;
    Ok(())
}

fn modes() -> Result {
    let script = Script::load()?;
    let steps = [
        (0, 0),
        (0o7777, 0),
        (0o10000, ELIBBAD),
        (0o100_644, ELIBBAD),
        (u32::MAX.into(), ELIBBAD),
        (1 << 32, ELIBBAD),
        (u64::MAX, ELIBBAD),
    ]
    .map(|(mode, returned)| (initrd_wrap(range(IMAGE, 0, 4), b"a", mode), returned));
    script.check(&image(b"data"), &steps)?;
    Ok(())
}

fn modes_of_directories() -> Result {
    let script = Script::load()?;
    let in_directory = |dir_mode: u64| 0o400 | (dir_mode << DIR_MODE_SHIFT);
    let wrap = |path: &str, mode| initrd_wrap(range(IMAGE, 0, 4), path.as_bytes(), mode);
    for path in ["a/b", ".extra/credentials/name.cred"] {
        for (dir_mode, want) in [(0, 0o555), (0o500, 0o500), (1, 1), (0o7777, 0o7777)] {
            let step = wrap(path, in_directory(dir_mode));
            let output = script.check(&image(b"data"), &[(step, 0)])?.output;
            let want = cpio_in(want, path, 0o400, b"data");
            same_but_for_case(format!("{path}: {dir_mode:o}"), &output.initrd, &want)?;
        }
    }
    let refused = [
        ("a/b", in_directory(0o10000)),
        ("a/b", in_directory(0o40_500)),
        ("a/b", in_directory(0o500) | (1 << 32)),
        ("a", in_directory(0o500)),
    ]
    .map(|(path, mode)| (wrap(path, mode), ELIBBAD));
    script.check(&image(b"data"), &refused)?;
    Ok(())
}

fn most_pieces() -> Result {
    let steps = vec![(initrd_append(range(IMAGE, 0, 4), 0), 0); PIECES_MAX];
    let output = Script::load()?.check(&image(b"data"), &steps)?.output;
    let mut want = b"data\0\0\0\0".repeat(PIECES_MAX);
    want.truncate(want.len() - 4);
    equal("initrd", output.initrd, want)
}

fn one_piece_too_many() -> Result {
    let script = Script::load()?;
    let mut steps = vec![(initrd_append(range(IMAGE, 0, 4), 0), 0); PIECES_MAX];
    steps.push((initrd_append(range(IMAGE, 0, 4), 0), EFBIG));
    script.check_until(&image(b"data"), &steps, libc::EFBIG)?;
    steps.pop();
    steps.push((prepend_initrd(range(IMAGE, 0, 4)), EFBIG));
    script.check_until(&image(b"data"), &steps, libc::EFBIG)?;
    // An empty piece does not count.
    steps.pop();
    steps.push((initrd_append(range(IMAGE, 0, 0), 0), 0));
    script.check(&image(b"data"), &steps)?;
    Ok(())
}

fn ranges() -> Result {
    let steps = [
        (range(IMAGE, 0, 5), ERANGE),
        (range(IMAGE, 4, 1), ERANGE),
        (range(IMAGE, 5, 0), ERANGE),
        (range(IMAGE, u64::MAX, 1), ERANGE),
        (range(IMAGE, 1, u64::MAX), ERANGE),
        (range(HANDLE, 0, 1), ENOENT),
        (range(INITRD, 0, 0), ENOENT),
        (range(CMDLINE, 0, 0), ENOENT),
        (range(u32::MAX, 0, 0), ENOENT),
    ];
    let script = Script::load()?;
    let append = steps.map(|(range, returned)| (initrd_append(range, 0), returned));
    script.check(&image(b"data"), &append).context("append")?;
    let wrap = steps.map(|(range, returned)| (initrd_wrap(range, b"a", 0), returned));
    script.check(&image(b"data"), &wrap).context("wrap")?;
    Ok(())
}

fn reserved() -> Result {
    let flagged = Range {
        flags: 1,
        ..range(IMAGE, 0, 4)
    };
    let steps = [
        (initrd_append(flagged, 0), EINVAL),
        (initrd_wrap(flagged, b"a", 0), EINVAL),
        // A mode without a path.
        (initrd_append(range(IMAGE, 0, 4), 0o644), EINVAL),
    ];
    Script::load()?.check(&image(b"data"), &steps)?;
    Ok(())
}
