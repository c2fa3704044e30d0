// SPDX-License-Identifier: GPL-2.0

//! `kexec_file_load(2)` keeps the same policy.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::thread;

use support::fuse::{Fuse, Mode};
use support::harness::{equal, skip, Context, Result};
use support::kexec_file::{self, load, load_files, loads_unless_enforced};
use support::load::{file, image, loaded, unload, Load};
use support::meminfo::budget;

tests! {
    EVERYWHERE;
    signed_kernel,
    no_alarm,
    changed_kernel,
    envelopes,
    memory_of_one_load,
    memory_of_all_loads,
    many_large_files,
}

fn signed_kernel() -> Result {
    equal("errno", load(&image("linux")?)?, 0)?;
    equal("a kernel is loaded", loaded()?, true)?;
    unload()
}

/// Loading a signed kernel does not log a lockdown violation.
fn no_alarm() -> Result {
    let mut log = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/kmsg")?;
    log.seek(io::SeekFrom::End(0))?;
    equal("errno", load(&image("linux")?)?, 0)?;
    unload()?;
    let run = Load::dry(&file(&image("good")?)?).run();
    equal("errno", run.errno, 0).context(run.log.join("\n"))?;
    let mut record = [0; 8192];
    let mut records = 0;
    // Each read returns one record. After the last one it fails, as it would have to wait.
    while let Ok(len) = log.read(&mut record) {
        let line = String::from_utf8_lossy(&record[..len]);
        if line.contains("Lockdown: ") {
            return Err(line.into());
        }
        records += 1;
    }
    // The dry run leaves a record.
    equal("there are records", records > 0, true)
}

fn changed_kernel() -> Result {
    loads_unless_enforced(&kexec_file::changed_kernel()?, libc::EKEYREJECTED)
}

/// No loader of any architecture accepts a UKI or a zboot image.
fn envelopes() -> Result {
    for name in ["good", "zboot-gzip", "zboot-zstd"] {
        let errno = load(&image(name)?)?;
        equal(
            format!("{name}: errno {errno} says that it is not a kernel"),
            [libc::ENOEXEC, libc::EINVAL].contains(&errno),
            true,
        )?;
    }
    Ok(())
}

/// The largest file that is read, in bytes.
const FILE_MAX: u64 = 4 << 30;

/// The most bytes that all loads hold at a time.
fn memory_max() -> Result<u64> {
    match budget()? {
        max if max >= FILE_MAX => skip("there is so much memory that no file is too large for it"),
        max => Ok(max),
    }
}

/// A sparse file of any length that is open for writing. A load counts its length, and then fails
/// with `ETXTBSY` before it allocates memory.
struct Long(File, File);

impl Long {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join("kexec_bpf_test.long");
        let writer = File::create(&path)?;
        let reader = File::open(&path)?;
        fs::remove_file(path)?;
        Ok(Self(writer, reader))
    }

    fn file(&self, len: u64) -> Result<&File> {
        self.0.set_len(len)?;
        Ok(&self.1)
    }
}

/// Fails unless a load can hold `len` bytes, and no more.
fn left(long: &Long, len: u64) -> Result {
    for (len, errno) in [
        (len, libc::ETXTBSY),
        (len + 1, libc::EFBIG),
        (1 << 40, libc::EFBIG),
    ] {
        equal(
            format!("errno of a kernel of {len} bytes"),
            load_files(long.file(len)?, None, 0),
            errno,
        )?;
    }
    Ok(())
}

fn memory_of_one_load() -> Result {
    let max = memory_max()?;
    let long = Long::new()?;
    left(&long, max)?;

    // Kernel and initrd count together.
    let bytes = image("linux")?;
    let kernel = file(&bytes)?;
    let rest = max - bytes.len() as u64;
    for (len, errno) in [(rest, libc::ETXTBSY), (rest + 1, libc::EFBIG)] {
        equal(
            format!("errno with an initrd of {len} bytes"),
            load_files(&kernel, Some(long.file(len)?), 0),
            errno,
        )?;
    }

    // A load gives back what it held, however it ends.
    let text = file(b"text")?;
    for (kernel, initrd) in [(&text, None), (&kernel, Some(&text)), (&kernel, None)] {
        load_files(kernel, initrd, 0);
    }
    unload()?;
    left(&long, max)
}

/// Both system calls share one limit.
fn memory_of_all_loads() -> Result {
    const LEN: usize = 16 << 20;
    let max = memory_max()?;
    let long = Long::new()?;
    let bytes = image("linux")?;
    let kernel = file(&bytes)?;

    let fuse = Fuse::mount(LEN, Mode::Direct)?;
    let initrd = fuse.file();
    thread::scope(|scope| {
        let load = scope.spawn(|| load_files(&kernel, Some(initrd), 0));
        let asked = fuse.asked()?;
        let result = left(&long, max - LEN as u64 - bytes.len() as u64);
        fuse.fail(&asked);
        equal("errno", load.join().expect("it does not panic"), libc::EIO)?;
        result
    })?;
    left(&long, max)?;

    let fuse = Fuse::mount(LEN, Mode::Direct)?;
    let dry = Load::dry(fuse.file());
    thread::scope(|scope| {
        let load = scope.spawn(|| dry.run().errno);
        let asked = fuse.asked()?;
        // Its log counts too.
        let errno = load_files(long.file(max - LEN as u64 + 1)?, None, 0);
        fuse.fail(&asked);
        equal("errno", load.join().expect("it does not panic"), libc::EIO)?;
        equal("errno of the other one", errno, libc::EFBIG)
    })?;
    left(&long, max)
}

/// Many loads of large files at once do not bring the machine down.
fn many_large_files() -> Result {
    let killed = || -> Result<Option<String>> {
        let text = fs::read_to_string("/proc/vmstat")?;
        let line = text.lines().find(|line| line.starts_with("oom_kill "));
        Ok(line.map(Into::into))
    };
    let before = killed()?;
    let path = std::env::temp_dir().join("kexec_bpf_test.large");
    File::create(&path)?.set_len(memory_max()? * 2 / 5)?;
    let large = File::open(&path)?;
    fs::remove_file(path)?;
    let errnos = thread::scope(|scope| {
        let loads: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| load_files(&large, None, 0)))
            .collect();
        let ends = loads.into_iter().map(|load| load.join());
        ends.map(|end| end.expect("it does not panic"))
            .collect::<Vec<_>>()
    });
    for errno in errnos {
        // Zeroes are not a kernel.
        let refusals = [libc::ENOEXEC, libc::EINVAL, libc::EFBIG, libc::ENOMEM];
        equal(
            format!("errno {errno} is that of a refusal"),
            refusals.contains(&errno),
            true,
        )?;
    }
    equal("processes killed for want of memory", killed()?, before)?;
    left(&Long::new()?, memory_max()?)
}
