// SPDX-License-Identifier: GPL-2.0

//! Signals end a load wherever it is, and others can load after that. Also: files whose server
//! answers maliciously.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};

use support::bombs;
use support::child::{Child, End};
use support::embedded::{ask, DECOMPRESS, READ_FD};
use support::fuse::{Fuse, Mode};
use support::harness::{equal, Context, Result};
use support::load::{bpf_ids, file, image, Load};
use support::object::Input;
use support::script::{put, Script};
use support::uapi::HANDLE;

tests! {
    EVERYWHERE;
    in_nested_loops,
    in_calls_of_kfuncs,
    while_it_decompresses,
    while_it_reads_the_image,
    while_it_reads_the_initrd,
    while_the_program_reads_a_file,
    others_load_while_one_waits,
    not_by_other_signals,
    a_file_that_is_read_in_small_pieces,
    a_file_that_is_shorter_than_it_says,
    a_file_that_cannot_be_read,
}

/// Kills a load. Fails unless that ends it, and the next load is accepted.
fn kill(child: Child) -> Result {
    child.signal(libc::SIGKILL);
    let (end, loaded) = child.wait()?;
    let log = loaded.log.join("\n");
    equal("end", end, End::Killed(libc::SIGKILL)).context(log)?;
    next_is_fine()
}

fn next_is_fine() -> Result {
    let next = Load::dry(&file(&image("small")?)?).run();
    equal("errno of the next load", next.errno, 0).context(next.log.join("\n"))
}

/// Kills the load of an image while its endless program runs.
fn kill_a_program(name: &str) -> Result {
    let before = bpf_ids();
    let image = file(&image(name)?)?;
    let child = Child::start(&Load::dry(&image))?;
    // The program starts long before that. If it does not, the test is still valid.
    equal("it ended by itself", child.ends_within(2000), false).context(child.log())?;
    kill(child)?;
    equal("numbers of programs, maps and BTF", bpf_ids(), before)
}

fn in_nested_loops() -> Result {
    kill_a_program("endless_loops")
}

fn in_calls_of_kfuncs() -> Result {
    kill_a_program("endless_calls")
}

/// The kernel checks for signals while it decompresses. These streams take a minute in an emulated
/// machine, and seconds in others.
fn while_it_decompresses() -> Result {
    let image = file(&image("obey")?)?;
    for (format, bomb) in [
        ("gzip", bombs::gzip(128 << 20)),
        ("xz", bombs::xz(48 << 20)),
    ] {
        let child = asking(&image, DECOMPRESS, &file(&bomb)?)?;
        // Reading the file takes a fraction of that.
        equal("it ended by itself", child.ends_within(3000), false)
            .context(child.log())
            .context(format)?;
        child.signal(libc::SIGKILL);
        equal("it ended", child.ends_within(20_000), true).context(format)?;
        kill(child)?;
    }
    Ok(())
}

fn while_it_reads_the_image() -> Result {
    let fuse = Fuse::mount(100_000, Mode::Cached)?;
    let child = Child::start(&Load::dry(fuse.file()))?;
    fuse.asked()?;
    kill(child)
}

fn while_it_reads_the_initrd() -> Result {
    let image = file(&image("plain")?)?;
    let fuse = Fuse::mount(100_000, Mode::Cached)?;
    let child = Child::start(&Load {
        initrd: fuse.file().as_raw_fd(),
        ..Load::dry(&image)
    })?;
    fuse.asked()?;
    kill(child)
}

/// A load whose program reads this file.
fn reading(image: &File, file: &File) -> Result<Child> {
    asking(image, READ_FD, file)
}

/// A load whose program does this with the file.
fn asking(image: &File, op: u64, file: &File) -> Result<Child> {
    let data = ask(op, file.as_raw_fd().into(), 0)?;
    // The child inherits the descriptor.
    Child::start(&Load {
        map: data.as_fd().as_raw_fd(),
        ..Load::dry(image)
    })
}

fn while_the_program_reads_a_file() -> Result {
    let image = file(&image("obey")?)?;
    let fuse = Fuse::mount(100_000, Mode::Cached)?;
    let child = reading(&image, fuse.file())?;
    fuse.asked().context(child.log())?;
    kill(child)
}

/// Others do not wait for a load that waits for a file.
fn others_load_while_one_waits() -> Result {
    let private = file(&image("obey")?)?;
    let plain = file(&image("plain")?)?;
    let fuse = Fuse::mount(4, Mode::Direct)?;
    let first = reading(&private, fuse.file())?;
    let asked = fuse.asked().context(first.log())?;
    for _ in 0..3 {
        let (end, loaded) = Child::start(&Load::dry(&plain))?.wait()?;
        let log = loaded.log.join("\n");
        equal("end of another", end, End::Returned(0)).context(log)?;
    }
    let script = Script::load()?;
    script.check(&Input::default(), &[(put(b"text"), HANDLE.into())])?;
    equal("the first ended", first.ends_within(0), false)?;
    fuse.answer(&asked, b"text");
    let (end, loaded) = first.wait()?;
    equal("end of the first", end, End::Returned(libc::ECANCELED))?;
    loaded.refused(libc::ECANCELED, "program returned 4")
}

/// A signal that does not kill changes nothing.
fn not_by_other_signals() -> Result {
    let image = file(&image("obey")?)?;
    let fuse = Fuse::mount(4, Mode::Cached)?;
    let child = reading(&image, fuse.file())?;
    let asked = fuse.asked().context(child.log())?;
    child.signal(libc::SIGSTOP);
    child.signal(libc::SIGCONT);
    child.signal(libc::SIGWINCH);
    fuse.answer(&asked, b"text");
    let (end, loaded) = child.wait()?;
    equal("end", end, End::Returned(libc::ECANCELED))?;
    loaded.refused(libc::ECANCELED, "program returned 4")
}

fn a_file_that_is_read_in_small_pieces() -> Result {
    let bytes = image("small")?;
    let fuse = Fuse::mount(bytes.len(), Mode::Direct)?;
    let child = Child::start(&Load::dry(fuse.file()))?;
    fuse.serve(&bytes, 1021)?;
    let (_, loaded) = child.wait()?;
    equal("errno", loaded.errno, 0).context(loaded.log.join("\n"))
}

const CANNOT_BE_READ: &str = "image: the file cannot be read: -5";

fn a_file_that_is_shorter_than_it_says() -> Result {
    let bytes = image("small")?;
    for len in [0, 1, 4096, bytes.len() - 1] {
        let fuse = Fuse::mount(bytes.len(), Mode::Direct)?;
        let child = Child::start(&Load::dry(fuse.file()))?;
        if len != 0 {
            fuse.serve(&bytes[..len], len)?;
        }
        fuse.answer(&fuse.asked()?, b"");
        let (_, loaded) = child.wait()?;
        loaded.refused(libc::EIO, CANNOT_BE_READ).context(len)?;
    }
    Ok(())
}

/// Its server answers with an error.
fn a_file_that_cannot_be_read() -> Result {
    let fuse = Fuse::mount(100_000, Mode::Direct)?;
    let child = Child::start(&Load::dry(fuse.file()))?;
    fuse.fail(&fuse.asked()?);
    let (_, loaded) = child.wait()?;
    loaded.refused(libc::EIO, CANNOT_BE_READ)
}
