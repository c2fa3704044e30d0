// SPDX-License-Identifier: GPL-2.0

//! Descriptors of every kind as image, as initrd and as a file of the program. The kernel accepts
//! each one or refuses it for the documented reason, without delay, and accepts the next load.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::ptr;

use rustix::event::{epoll, eventfd, EventfdFlags};
use rustix::fs::{fcntl_add_seals, memfd_create, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::mount::{fsopen, FsOpenFlags, UnmountFlags};
use rustix::net::{self, socketpair, AddressFamily, SocketFlags, SocketType};
use rustix::pipe::{pipe_with, PipeFlags};
use rustix::process::{getpid, pidfd_open, PidfdFlags};
use rustix::time::{timerfd_create, TimerfdClockId, TimerfdFlags};

use support::child::{Child, End};
use support::embedded::{ask, READ_FD, RETURN};
use support::harness::{equal, Context, Failure, Result};
use support::load::{file, image, next_is_accepted, Load, Loaded};
use support::mount::{mount, unmount};
use support::script::Script;

use super::all;

tests! {
    WHEN_NAMED;
    kinds,
    pseudo_files,
}

/// The kinds of descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A signed image.
    Image,
    /// A file that is not an image.
    Bytes,
    /// A file without bytes.
    Empty,
    /// A file that cannot be read.
    Unreadable,
    /// A file with fewer bytes than its size.
    Shorter,
    /// A file over the limit.
    Large,
    /// A file that someone may write to.
    Written,
    /// Anything but a regular file that is open for reading.
    NoFile,
    /// A number that is not an open descriptor.
    NotOpen,
}
use Kind::*;

impl Kind {
    /// The errno of a load with it as image, and how the reason ends.
    fn as_image(self) -> (i32, &'static str) {
        match self {
            Image => (0, ""),
            Bytes => (libc::ENOEXEC, "(byte 0x0)"),
            Empty => (libc::ENOEXEC, "the file is empty"),
            other => other.as_file(),
        }
    }

    /// The same in another role, where any bytes will do.
    fn as_file(self) -> (i32, &'static str) {
        match self {
            Image | Bytes | Empty => (0, ""),
            Unreadable => (libc::EIO, "the file cannot be read: -22"),
            Shorter => (libc::EIO, "the file cannot be read: -5"),
            Large => (libc::EFBIG, "the file is larger than 1 GiB"),
            Written => (libc::EBUSY, "the file is open for writing: -26"),
            NoFile => (libc::EBADF, "not a regular file that is open for reading"),
            NotOpen => (libc::EBADF, "is not an open descriptor"),
        }
    }
}

/// A descriptor that a system call returned.
fn owned(fd: libc::c_long) -> Result<OwnedFd> {
    match fd {
        // SAFETY: It is new.
        0.. => Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) }),
        _ => Err(io::Error::last_os_error().into()),
    }
}

/// A name for a temporary file.
fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("kexec_bpf_test.files.{name}"))
}

/// Opens with these flags. By default they open for reading.
fn open(path: impl AsRef<Path>, flags: i32) -> Result<OwnedFd> {
    let path = path.as_ref();
    let flags = OFlags::from_bits_retain(flags as u32) | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).context(path.display())
}

/// Opens the file of a descriptor again, only for reading.
fn for_reading(fd: &impl AsRawFd) -> Result<OwnedFd> {
    open(format!("/proc/self/fd/{}", fd.as_raw_fd()), libc::O_RDONLY)
}

fn memory(flags: MemfdFlags) -> Result<File> {
    Ok(memfd_create("image", flags)?.into())
}

/// A file of huge pages that begins with these bytes.
fn huge(bytes: &[u8]) -> Result<OwnedFd> {
    const PAGES: &str = "/proc/sys/vm/nr_hugepages";
    const LEN: usize = 2 << 20;
    let pages = fs::read_to_string(PAGES)?;
    fs::write(PAGES, "1")?;
    let file = memory(MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB)?;
    file.set_len(LEN as u64)?;
    // SAFETY: Nothing else is at an address that the kernel chooses; the copy is shorter.
    unsafe {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let fd = file.as_raw_fd();
        let start = libc::mmap(ptr::null_mut(), LEN, access, libc::MAP_SHARED, fd, 0);
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error()).context("huge pages");
        }
        ptr::copy_nonoverlapping(bytes.as_ptr(), start.cast(), bytes.len().min(LEN));
        libc::munmap(start, LEN);
    }
    fs::write(PAGES, pages)?;
    Ok(file.into())
}

/// A file system for one test.
struct Mount(PathBuf);

impl Mount {
    fn new(kind: &str, at: PathBuf, options: &str) -> Result<Self> {
        fs::create_dir_all(&at)?;
        mount(kind, &at, options)?;
        Ok(Self(at))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        unmount(&self.0, UnmountFlags::DETACH);
        let _ = fs::remove_dir(&self.0);
    }
}

/// An overlay with two equal files: one in the lower layer, and one that was copied up.
struct Overlay {
    merged: Mount,
    _layers: Mount,
}

impl Overlay {
    fn new(bytes: &[u8]) -> Result<Self> {
        let layers = Mount::new("tmpfs", temporary("layers"), "")?;
        let [lower, upper, work] = ["lower", "upper", "work"].map(|name| layers.0.join(name));
        for directory in [&lower, &upper, &work] {
            fs::create_dir(directory)?;
        }
        fs::write(lower.join("lower"), bytes)?;
        fs::write(lower.join("copied"), &bytes[..bytes.len() - 1])?;
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower.display(),
            upper.display(),
            work.display()
        );
        let merged = Mount::new("overlay", temporary("merged"), &options)?;
        let mut copied = OpenOptions::new()
            .append(true)
            .open(merged.0.join("copied"))?;
        copied.write_all(&bytes[bytes.len() - 1..])?;
        Ok(Self {
            merged,
            _layers: layers,
        })
    }
}

type Row = (&'static str, Kind, OwnedFd);

/// Files of various file systems, opened in various ways.
fn files(good: &[u8], overlay: &Overlay) -> Result<Vec<Row>> {
    let (path, written) = (temporary("plain"), temporary("written"));
    fs::write(&path, good)?;
    fs::write(&written, good)?;
    let shared = memory(MemfdFlags::ALLOW_SEALING)?;
    shared.write_all_at(good, 0)?;
    let sealed = shared.try_clone()?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    fcntl_add_seals(&sealed, seals)?;
    let unnamed = open(std::env::temp_dir(), libc::O_TMPFILE | libc::O_RDWR)?;
    File::from(unnamed.try_clone()?).write_all(good)?;
    let sparse = |len| -> Result<OwnedFd> {
        let file = memory(MemfdFlags::empty())?;
        file.set_len(len)?;
        for_reading(&file)
    };
    // SAFETY: There are no requirements.
    let secret = File::from(owned(unsafe { libc::syscall(libc::SYS_memfd_secret, 0) })?);
    secret.set_len(4096)?;
    let process = pidfd_open(getpid(), PidfdFlags::empty())?;
    let rows = vec![
        ("file", Image, open(&path, libc::O_RDONLY)?),
        ("O_DIRECT", Image, open(&path, libc::O_DIRECT)?),
        ("O_APPEND", Image, open(&path, libc::O_APPEND)?),
        ("O_NONBLOCK", Image, open(&path, libc::O_NONBLOCK)?),
        ("O_WRONLY", NoFile, open(&written, libc::O_WRONLY)?),
        ("O_RDWR", Written, open(&written, libc::O_RDWR)?),
        ("O_PATH", NotOpen, open(&path, libc::O_PATH)?),
        ("memfd", Image, for_reading(&shared)?),
        ("sealed memfd", Image, sealed.into()),
        ("memfd_secret", Unreadable, secret.into()),
        ("memfd of huge pages", Bytes, huge(b"text")?),
        ("O_TMPFILE, to be written", Written, unnamed),
        (
            "overlay, lower",
            Image,
            open(overlay.merged.0.join("lower"), 0)?,
        ),
        (
            "overlay, copied up",
            Image,
            open(overlay.merged.0.join("copied"), 0)?,
        ),
        ("empty", Empty, sparse(0)?),
        ("holes", Bytes, sparse(1 << 16)?),
        ("over 1 GiB", Large, sparse((1 << 30) + 1)?),
        ("2^62 bytes", Large, sparse(1 << 62)?),
        ("/proc/version", Empty, open("/proc/version", 0)?),
        ("/proc/self/mem", Empty, open("/proc/self/mem", 0)?),
        ("/proc/self/exe", Bytes, open("/proc/self/exe", 0)?),
        ("namespace", Empty, open("/proc/self/ns/mnt", 0)?),
        ("/sys/kernel/notes", Bytes, open("/sys/kernel/notes", 0)?),
        (
            "/sys/kernel/btf",
            Bytes,
            open("/sys/kernel/btf/vmlinux", 0)?,
        ),
        ("attribute", Shorter, open("/sys/kernel/kexec_loaded", 0)?),
        ("process", Empty, process),
        (
            "securityfs",
            Empty,
            open("/sys/kernel/security/lockdown", 0)?,
        ),
        ("cgroup", Empty, open("/sys/fs/cgroup/cgroup.procs", 0)?),
    ];
    fs::remove_file(path)?;
    fs::remove_file(written)?;
    Ok(rows)
}

/// Descriptors of objects that are not files.
fn no_files() -> Result<Vec<Row>> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let flags = SocketFlags::empty();
    let (socket, _other) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let data = ask(RETURN, 0, 0)?;
    let script = Script::load()?;
    // The size of `struct io_uring_params`, all zero.
    let mut ring = [0u64; 15];
    let mut signals = 0u64;
    // SAFETY: The structures are as long as they have to be.
    let calls = unsafe {
        [
            (
                "signals",
                libc::syscall(libc::SYS_signalfd4, -1, &mut signals, 8, 0),
            ),
            ("userfaultfd", libc::syscall(libc::SYS_userfaultfd, 0)),
            (
                "io_uring",
                libc::syscall(libc::SYS_io_uring_setup, 1, ring.as_mut_ptr()),
            ),
        ]
    };
    let mut rows = vec![
        ("directory", NoFile, open("/", libc::O_DIRECTORY)?),
        ("/proc", NoFile, open("/proc/self", libc::O_DIRECTORY)?),
        ("pipe, to be read", NoFile, read),
        ("pipe, to be written", NoFile, write),
        ("socket", NoFile, socket),
        (
            "netlink",
            NoFile,
            net::socket(AddressFamily::NETLINK, SocketType::RAW, None)?,
        ),
        ("epoll", NoFile, epoll::create(epoll::CreateFlags::empty())?),
        ("event", NoFile, eventfd(1, EventfdFlags::empty())?),
        (
            "timer",
            NoFile,
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::empty())?,
        ),
        (
            "file system to be configured",
            NoFile,
            fsopen("tmpfs", FsOpenFlags::empty())?,
        ),
        ("BPF map", NoFile, data.as_fd().try_clone_to_owned()?),
        (
            "BPF program",
            NoFile,
            script.object().program().try_clone_to_owned()?,
        ),
        ("/dev/null", NoFile, open("/dev/null", 0)?),
        ("/dev/zero", NoFile, open("/dev/zero", 0)?),
        ("/dev/fuse", NoFile, open("/dev/fuse", 0)?),
        ("/dev/kmsg", NoFile, open("/dev/kmsg", 0)?),
        ("/dev/random", NoFile, open("/dev/random", 0)?),
        (
            "/dev/console",
            NoFile,
            open("/dev/console", libc::O_NOCTTY)?,
        ),
        ("O_PATH of a directory", NotOpen, open("/", libc::O_PATH)?),
    ];
    for (name, fd) in calls {
        rows.push((name, NoFile, owned(fd).context(name)?));
    }
    Ok(rows)
}

/// The time in which each load has to end, in milliseconds.
const SOON: i32 = 30_000;

/// Loads in a process of its own, so that a load that never ends is a failed test.
fn load(load: &Load<'_>) -> Result<Loaded> {
    let child = Child::start(load)?;
    equal("it ended", child.ends_within(SOON), true)?;
    let (end, loaded) = child.wait()?;
    equal("it returned", matches!(end, End::Returned(_)), true)?;
    Ok(loaded)
}

/// Fails unless the load had this errno and reason.
fn check(role: &str, loaded: &Loaded, (errno, why): (i32, &str)) -> Result {
    let last = loaded.log.len().saturating_sub(2);
    let reason = loaded.log.get(last).map_or("", String::as_str);
    let fits = reason.starts_with(&format!("refused: {role}: ")) && reason.ends_with(why);
    equal(role, (loaded.errno, errno == 0 || fits), (errno, true)).context(loaded.log.join("\n"))
}

/// Fails unless a file has the right result in each role.
fn in_each_role(kind: Kind, fd: &OwnedFd) -> Result {
    let fd = fd.as_raw_fd();
    let image_in = Load {
        image: fd,
        ..Load::default()
    };
    check("image", &load(&image_in)?, kind.as_image())?;

    let plain = file(&image("plain")?)?;
    let initrd = Load {
        initrd: fd,
        ..Load::dry(&plain)
    };
    check("initrd", &load(&initrd)?, kind.as_file())?;

    let private = file(&image("obey")?)?;
    let data = ask(READ_FD, fd.into(), 0)?;
    let loaded = load(&Load {
        map: data.as_fd().as_raw_fd(),
        ..Load::dry(&private)
    })?;
    // The program returns its first handle, or the errno. If a limit is exceeded, the load is
    // refused whatever the program returns.
    match kind.as_file() {
        (libc::EFBIG, why) => loaded.refused(libc::EFBIG, &format!("program: file: {why}")),
        (0, _) => loaded.refused(libc::ECANCELED, "program returned 4"),
        (errno, _) => loaded.refused(libc::ECANCELED, &format!("program returned -{errno}")),
    }
}

fn kinds() -> Result {
    let good = image("tiny")?;
    let overlay = Overlay::new(&good)?;
    let mut wrong = String::new();
    for (name, kind, fd) in [files(&good, &overlay)?, no_files()?].into_iter().flatten() {
        match in_each_role(kind, &fd) {
            Ok(()) => (),
            Err(Failure::Failed(why)) => wrong += &format!("{name}: {why}\n"),
            skipped => return skipped,
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.into()),
    }
}

/// Finds the regular files below a directory, except those of processes.
fn below(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    let mut entries: Vec<_> = entries.filter_map(io::Result::ok).collect();
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let path = entry.path();
        let is_process = entry.file_name().as_encoded_bytes()[0].is_ascii_digit()
            && directory == Path::new("/proc");
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !is_process => below(&path, found),
            Ok(kind) if kind.is_file() => found.push(path),
            _ => (),
        }
    }
}

/// The files of /proc and /sys, or a sample of them.
fn pseudo_files() -> Result {
    const SAMPLE: usize = 40;
    const DOCUMENTED: [i32; 6] = [
        libc::ENOEXEC,
        libc::EBADF,
        libc::EFBIG,
        libc::EIO,
        libc::EKEYREJECTED,
        libc::EBUSY,
    ];
    let mut found = vec![];
    for directory in ["/proc", "/sys"] {
        below(Path::new(directory), &mut found);
    }
    let step = if all() { 1 } else { found.len() / SAMPLE };
    let mut loads = 0;
    for path in found.iter().step_by(step.max(1)) {
        // Some cannot be opened, or only for writing.
        let Ok(file) = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
        else {
            continue;
        };
        let loaded = load(&Load::dry(&file)).context(path.display())?;
        equal(
            "the errno is documented",
            DOCUMENTED.contains(&loaded.errno),
            true,
        )
        .context(loaded.log.join("\n"))
        .context(path.display())?;
        loads += 1;
    }
    equal("there were loads", loads > SAMPLE / 4, true)?;
    next_is_accepted()
}
