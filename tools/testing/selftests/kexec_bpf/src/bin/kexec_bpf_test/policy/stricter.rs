// SPDX-License-Identifier: GPL-2.0

//! Loads that begin before the policy gets stricter, and go on after that. They wait for a file
//! until the policy has changed.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::thread;

use support::fuse::{Asked, Fuse, Mode};
use support::harness::{equal, skip, Context, Result};
use support::kexec_file::{changed_kernel, load_files, ON_CRASH as FILE_ON_CRASH};
use support::load::{enforced, file, image, loaded, unload, Load};
use support::uapi::{DRY_RUN, ON_CRASH};

tests! {
    ON_X86_64.in_turn(Turn::StricterPolicy);
    beside_kexec_load,
    locked_down,
    only_loads_count,
    disabled,
}

pub const PAGE: usize = 4096;
const INITRD: &[u8] = b"any bytes will do";

/// A load in a thread of its own, while it waits for its file.
pub struct Held<'scope, 'a> {
    fuse: &'a Fuse,
    asked: Asked,
    load: thread::ScopedJoinHandle<'scope, i32>,
}

impl<'scope, 'a: 'scope> Held<'scope, 'a> {
    pub fn new(
        scope: &'scope thread::Scope<'scope, '_>,
        fuse: &'a Fuse,
        load: impl FnOnce(&File) -> i32 + Send + 'scope,
    ) -> Result<Self> {
        let file = fuse.file();
        let load = scope.spawn(move || load(file));
        let asked = fuse.asked()?;
        Ok(Self { fuse, asked, load })
    }

    /// Lets it go on with these bytes. Returns its errno, or 0.
    pub fn goes_on(self, bytes: &[u8]) -> Result<i32> {
        let done = self.fuse.answer_out_of(&self.asked, bytes, usize::MAX);
        self.fuse.serve_from(done, bytes, usize::MAX)?;
        Ok(self.load.join().expect("it does not panic"))
    }
}

/// Loads a page of a file with `kexec_load(2)`, as a segment at this address. Returns 0 or an
/// errno.
pub fn load_segment(file: &File, mem: usize) -> i32 {
    with_page(file, |page| {
        // `struct kexec_segment`
        let segment = [page as usize, PAGE, mem, PAGE];
        kexec_load(mem, segment.as_ptr().cast(), 0)
    })
}

/// Loads a crash kernel with `kexec_load(2)`, whose list of one segment is in a page of a file.
/// Returns 0 or an errno.
pub fn load_crash_segments(file: &File) -> i32 {
    const KEXEC_ON_CRASH: usize = 1;
    with_page(file, |page| kexec_load(0, page, KEXEC_ON_CRASH))
}

/// Calls `kexec_load(2)` with one segment. Returns 0 or an errno.
fn kexec_load(entry: usize, segment: *const libc::c_void, flags: usize) -> i32 {
    // SAFETY: The kernel checks what it reads.
    match unsafe { libc::syscall(libc::SYS_kexec_load, entry, 1, segment, flags) } {
        0 => 0,
        _ => io::Error::last_os_error().raw_os_error().unwrap_or(0),
    }
}

/// Calls `load` with the address of the first page of a file, and returns what it returns, or an
/// errno.
fn with_page(file: &File, load: impl FnOnce(*const libc::c_void) -> i32) -> i32 {
    // SAFETY: It is a new mapping.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            PAGE,
            libc::PROT_READ,
            libc::MAP_PRIVATE,
            file.as_raw_fd(),
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return io::Error::last_os_error().raw_os_error().unwrap_or(0);
    }
    let errno = load(page);
    // SAFETY: It is mapped, and nothing refers to it.
    unsafe { libc::munmap(page, PAGE) };
    errno
}

/// An address 64 MiB behind the beginning of memory.
pub fn some_memory() -> Result<usize> {
    let map = fs::read_to_string("/proc/iomem")?;
    let starts = map.lines().filter(|line| line.ends_with(" : System RAM"));
    let starts = starts.filter_map(|line| usize::from_str_radix(line.split_once('-')?.0, 16).ok());
    Ok(starts.min().ok_or("/proc/iomem has no System RAM")? + (64 << 20))
}

/// Loads an image, with an initrd if there is one. Returns 0 or an errno.
pub fn load_image(image: &File, initrd: Option<&File>, flags: u32) -> i32 {
    let load = Load {
        flags,
        initrd: initrd.map_or(-1, AsRawFd::as_raw_fd),
        ..Load::dry(image)
    };
    load.run().errno
}

/// `kexec_load(2)` has the lock while it copies the segments. Others are refused, and do not wait.
fn beside_kexec_load() -> Result {
    if enforced() {
        return skip("kexec_load(2) is refused");
    }
    let good = file(&image("good")?)?;
    let mem = some_memory()?;
    let page = Fuse::mount(PAGE, Mode::Cached)?;
    thread::scope(|scope| {
        let held = Held::new(scope, &page, |file| load_segment(file, mem))?;
        let load = Load {
            flags: 0,
            ..Load::dry(&good)
        };
        load.run()
            .refused(libc::EBUSY, "another load is under way: try again")?;
        equal("a dry run", load_image(&good, None, DRY_RUN), 0)?;
        equal("errno", held.goes_on(&[0; PAGE])?, 0)?;
        equal("a kernel is loaded", loaded()?, true)
    })?;
    unload()
}

const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

fn locked_down() -> Result {
    if enforced() {
        return skip("signatures are enforced already");
    }
    let (signed, unsigned) = (image("linux")?, changed_kernel()?);
    let (signed_file, unsigned_file) = (file(&signed)?, file(&unsigned)?);
    let bare = file(&image("bare")?)?;
    let mut other = image("bare")?;
    // Its certificate table is at the end.
    *other.last_mut().ok_or("it is empty")? ^= 1;
    let mem = some_memory()?;

    let initrd = || Fuse::mount(INITRD.len(), Mode::Direct);
    let fuses = [initrd()?, initrd()?, initrd()?];
    let kernel = Fuse::mount(unsigned.len(), Mode::Direct)?;
    let page = Fuse::mount(PAGE, Mode::Cached)?;
    let envelope = Fuse::mount(other.len(), Mode::Direct)?;
    thread::scope(|scope| {
        let hold =
            |fuse, kernel| Held::new(scope, fuse, move |file| load_files(kernel, Some(file), 0));
        let held_signed = hold(&fuses[0], &signed_file)?;
        let held_unsigned = hold(&fuses[1], &unsigned_file)?;
        let held_kernel = Held::new(scope, &kernel, |file| load_files(file, None, 0))?;
        let held_image = Held::new(scope, &fuses[2], |file| load_image(&bare, Some(file), 0))?;
        let held_envelope = Held::new(scope, &envelope, |file| load_image(file, None, 0))?;
        // This is the last one, because it holds the lock.
        let held_page = Held::new(scope, &page, |file| load_segment(file, mem))?;

        fs::write(LOCKDOWN, "integrity").context(LOCKDOWN)?;

        let refused = |what: &str, held: Held<'_, '_>, bytes: &[u8], errnos: &[i32]| -> Result {
            let errno = held.goes_on(bytes)?;
            equal(
                format!("{what}: errno {errno} is one of {errnos:?}"),
                errnos.contains(&errno),
                true,
            )?;
            equal(format!("{what}: a kernel is loaded"), loaded()?, false)
        };
        let rejected = [libc::EKEYREJECTED];
        refused("kexec_load", held_page, &[0; PAGE], &[libc::EPERM])?;
        refused(
            "initrd of an unsigned kernel",
            held_unsigned,
            INITRD,
            &rejected,
        )?;
        refused("unsigned kernel", held_kernel, &unsigned, &[libc::EPERM])?;
        // Its program took the caller's command line and initrd without enforcement.
        refused(
            "initrd of a signed image",
            held_image,
            INITRD,
            &[libc::EBUSY],
        )?;
        refused("image", held_envelope, &other, &[libc::EBUSY])?;

        equal("errno of a signed kernel", held_signed.goes_on(INITRD)?, 0)?;
        equal("a kernel is loaded", loaded()?, true)
    })?;
    unload()
}

const LIMIT: &str = "/proc/sys/kernel/kexec_load_limit_reboot";

fn only_loads_count() -> Result {
    let Ok(limit) = fs::read_to_string(LIMIT) else {
        return skip(format!("there is no {LIMIT}"));
    };
    let (good, refused) = (file(&image("good")?)?, file(&image("returns_seven")?)?);
    let (kernel, bare) = (file(&image("linux")?)?, file(&image("bare")?)?);
    let errno = |image, flags| load_image(image, None, flags);
    let left = || -> Result<String> { Ok(fs::read_to_string(LIMIT)?.trim().to_owned()) };
    // It can only be lowered.
    equal("limit", limit.trim(), "-1")?;

    let (first, second) = (
        Fuse::mount(INITRD.len(), Mode::Direct)?,
        Fuse::mount(INITRD.len(), Mode::Direct)?,
    );
    thread::scope(|scope| {
        let held_first = Held::new(scope, &first, |file| load_files(&kernel, Some(file), 0))?;
        let held_second = Held::new(scope, &second, |file| load_image(&bare, Some(file), 0))?;

        fs::write(LIMIT, "2")?;
        equal("a dry run", errno(&good, DRY_RUN), 0)?;
        equal("a refused load", errno(&refused, 0), libc::ECANCELED)?;
        equal("limit", left()?.as_str(), "2")?;
        equal("a load", errno(&good, 0), 0)?;
        equal("limit", left()?.as_str(), "1")?;
        unload()?;
        equal("limit", left()?.as_str(), "1")?;
        equal("a load that began before", held_first.goes_on(INITRD)?, 0)?;
        equal("limit", left()?.as_str(), "0")?;
        let errno = held_second.goes_on(INITRD)?;
        equal("another that began before", errno, libc::EPERM)
    })?;
    equal("another load", errno(&good, 0), libc::EPERM)?;
    equal("another dry run", errno(&good, DRY_RUN), libc::EPERM)
}

const DISABLED: &str = "/proc/sys/kernel/kexec_load_disabled";

/// Whether a crash kernel is loaded.
fn crash_loaded() -> Result<bool> {
    Ok(fs::read_to_string("/sys/kernel/kexec_crash_loaded")?.trim() == "1")
}

/// This loads crash kernels, because other loads have reached their limit. The one before stays.
fn disabled() -> Result {
    if !fs::exists(DISABLED)? {
        return skip(format!("there is no {DISABLED}"));
    }
    let (kernel, bare) = (file(&image("linux")?)?, file(&image("bare")?)?);
    let (first, second) = (
        Fuse::mount(INITRD.len(), Mode::Direct)?,
        Fuse::mount(INITRD.len(), Mode::Direct)?,
    );
    // Without crashkernel=, there is none.
    let before = load_image(&bare, None, ON_CRASH) == 0;
    thread::scope(|scope| {
        let held_first = Held::new(scope, &first, |file| {
            load_files(&kernel, Some(file), FILE_ON_CRASH)
        })?;
        let held_second = Held::new(scope, &second, |file| {
            load_image(&bare, Some(file), ON_CRASH)
        })?;
        // This cannot be undone.
        fs::write(DISABLED, "1")?;
        equal(
            "a load that began before",
            held_first.goes_on(INITRD)?,
            libc::EPERM,
        )?;
        let errno = held_second.goes_on(INITRD)?;
        equal("another that began before", errno, libc::EPERM)
    })?;
    equal("the crash kernel is loaded", crash_loaded()?, before)?;
    for flags in [ON_CRASH | DRY_RUN, ON_CRASH] {
        let load = Load {
            flags,
            ..Load::dry(&bare)
        };
        load.run().check(libc::EPERM, &[])?;
    }
    equal(
        "a load",
        load_files(&kernel, None, FILE_ON_CRASH),
        libc::EPERM,
    )
}
