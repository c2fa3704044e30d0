// SPDX-License-Identifier: GPL-2.0

//! When a kernel is installed, and when the policy is asked for the last time. The kernel comes
//! first: a policy that becomes stricter in between is either asked, or comes after the kernel.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::ptr;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use support::harness::{equal, skip, Context, Result};
use support::kexec_file::{changed_kernel, load_files};
use support::load::{enforced, file, image, loaded, unload, Load};
use support::object::{open, Mapped, Object};

use super::stricter::{load_image, load_segment, some_memory};
use crate::adversary::attach;

tests! {
    ON_X86_64;
    before_the_last_question,
    taken_out_again,
    not_verified,
}

/// Programs that are attached.
pub struct Programs {
    state: Mapped,
    _links: Vec<OwnedFd>,
}

impl Programs {
    const STOPPED: usize = 0;
    const GOES_ON: usize = 1;
    const PERMITTED: usize = 2;

    fn new(names: &[&str]) -> Result<Self> {
        const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/installed.o"));
        const ENOTSUPP: i32 = 524;

        let mut object = open(OBJECT)?;
        for mut program in object.progs_mut() {
            let wanted = names.iter().any(|&name| program.name() == name);
            program.set_autoload(wanted);
        }
        let object = Object::load(object)?;
        let programs = object.programs()?;
        let links: Result<_, _> = programs.iter().map(attach).collect();
        match links {
            Err(error) if error.raw_os_error() == Some(ENOTSUPP) => {
                skip("no program can be attached to functions")
            }
            links => Ok(Self {
                state: object.mapped("states")?,
                _links: links?,
            }),
        }
    }

    /// Has `kexec_load(2)` refused, with `EPERM`.
    pub fn that_refuse_segments() -> Result<Self> {
        Self::new(&["refuse_segments"])
    }

    /// Has each kernel that is installed be one that cannot stay, with `EPERM`.
    pub fn that_refuse() -> Result<Self> {
        Self::new(&["asks", "refuse"])
    }

    /// Permits so many times that a kernel is not verified, and then no more.
    fn that_refuse_unverified(permitted: u8) -> Result<Self> {
        let programs = Self::new(&["refuse_unverified"])?;
        let byte = programs.state.byte(Self::PERMITTED);
        byte.store(permitted, Ordering::SeqCst);
        Ok(programs)
    }

    /// Waits until a load is stopped.
    fn stopped(&self) -> Result {
        const LONG: Duration = Duration::from_secs(60);
        let start = Instant::now();
        while self.state.byte(Self::STOPPED).load(Ordering::SeqCst) == 0 {
            if start.elapsed() > LONG {
                return Err("no load comes to the last question".into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn go_on(&self) {
        self.state.byte(Self::GOES_ON).store(1, Ordering::SeqCst);
    }
}

/// The system calls that install a kernel.
#[derive(Clone, Copy, Debug)]
enum Call {
    /// `kexec_bpf_load(2)`
    Bpf,
    /// `kexec_file_load(2)`
    File,
    /// `kexec_load(2)`
    Segments,
}

impl Call {
    /// Those that the policy permits now.
    fn permitted() -> Vec<Self> {
        let mut calls = vec![Self::Bpf, Self::File];
        if !enforced() {
            calls.push(Self::Segments);
        }
        calls
    }
}

/// An image and a kernel to load.
struct Kernels {
    image: File,
    kernel: File,
    segment: File,
    mem: usize,
}

impl Kernels {
    fn new() -> Result<Self> {
        Ok(Self {
            image: file(&image("good")?)?,
            kernel: file(&image("linux")?)?,
            segment: file(&[0; 4096])?,
            mem: some_memory()?,
        })
    }

    /// Loads a kernel to reboot into. Returns 0 or an errno.
    fn load(&self, call: Call) -> i32 {
        match call {
            Call::Bpf => load_image(&self.image, None, 0),
            Call::File => load_files(&self.kernel, None, 0),
            Call::Segments => load_segment(&self.segment, self.mem),
        }
    }
}

/// Starts the kernel that is loaded. Returns an errno, if at all.
fn start() -> Option<i32> {
    const MAGIC: [u32; 2] = [0xfee1_dead, 672_274_793];
    const KEXEC: u32 = 0x4558_4543;
    let nothing = ptr::null::<u8>();
    // SAFETY: The command has no argument.
    unsafe { libc::syscall(libc::SYS_reboot, MAGIC[0], MAGIC[1], KEXEC, nothing) };
    io::Error::last_os_error().raw_os_error()
}

/// A load that was told that its kernel can stay has installed it already, but nobody can start it
/// before the load is over.
fn before_the_last_question() -> Result {
    let kernels = Kernels::new()?;
    for call in Call::permitted() {
        let programs = Programs::new(&["stop"])?;
        unload()?;
        let (seen, started, errno) = thread::scope(|scope| {
            let load = scope.spawn(|| kernels.load(call));
            let seen = programs.stopped().and_then(|()| loaded());
            let started = seen.as_ref().ok().and_then(|_| start());
            programs.go_on();
            (seen, started, load.join().expect("it does not panic"))
        });
        let seen = seen.context(format!("{call:?}"))?;
        equal(format!("{call:?}: a kernel is loaded"), seen, true)?;
        equal(format!("{call:?}: start"), started, Some(libc::EBUSY))?;
        equal(format!("{call:?}: errno"), errno, 0)?;
        equal(format!("{call:?}: a kernel stays loaded"), loaded()?, true)?;
    }
    unload()
}

/// A security module rejects a kernel that is not verified, at the first or the last question.
/// `kexec_file_load(2)` asks once more before.
fn not_verified() -> Result {
    if enforced() {
        return skip("signatures are enforced");
    }
    let good = file(&image("good")?)?;
    let changed = file(&changed_kernel()?)?;
    unload()?;
    for permitted in [0, 1] {
        let programs = Programs::that_refuse_unverified(permitted)?;
        let load = Load {
            flags: 0,
            ..Load::dry(&good)
        };
        let run = load.run();
        drop(programs);
        let why = "a security module rejected it, although signatures are not enforced";
        run.refused(libc::EKEYREJECTED, why)
            .context(format!("{permitted} times permitted"))?;
    }
    for (permitted, errno) in [
        (0, libc::EPERM),
        (1, libc::EKEYREJECTED),
        (2, libc::EKEYREJECTED),
        (3, 0),
    ] {
        let programs = Programs::that_refuse_unverified(permitted)?;
        let what = format!("{permitted} times permitted: errno");
        equal(what, load_files(&changed, None, 0), errno)?;
        drop(programs);
        equal("a kernel is loaded", loaded()?, errno == 0)?;
    }
    unload()
}

/// If the last question is answered with a refusal, the kernel that was just installed is removed,
/// and the kernel that was loaded before it is back.
fn taken_out_again() -> Result {
    let kernels = Kernels::new()?;
    for call in Call::permitted() {
        for before in [false, true] {
            unload()?;
            if before {
                equal("errno before", kernels.load(call), 0)?;
            }
            let programs = Programs::that_refuse()?;
            equal(format!("{call:?}: errno"), kernels.load(call), libc::EPERM)?;
            drop(programs);
            equal(format!("{call:?}: a kernel is loaded"), loaded()?, before)?;
        }
    }
    unload()
}
