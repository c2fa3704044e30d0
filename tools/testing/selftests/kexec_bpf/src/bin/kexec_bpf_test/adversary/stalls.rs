// SPDX-License-Identifier: GPL-2.0

//! Files and memory that make a load wait for as long as the adversary likes. Nobody else waits
//! with it. A signal ends the wait, except where FUSE itself does not allow that, because the
//! server has taken the request. Then the load stays until the server answers, and does no other
//! harm.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::child::{Child, End};
use support::embedded::{ask, READ_FD};
use support::fuse::{Asked, Fuse, Mode};
use support::harness::{equal, Context, Result};
use support::kexec_file;
use support::load::{file, image, syscall, unload, Load};
use support::meminfo::held;
use support::object::{options, test_run_raw, Input};
use support::script::{bind_kernel, read_fd, Script};
use support::uapi::{range, Args, Test, ARGS_SIZE_VER0, IMAGE};

use super::all;
use super::memory::{handled_by_userfaultfd, mapped, touched, LEN};

tests! {
    WHEN_NAMED;
    loads_that_can_be_killed,
    loads_that_cannot_be_killed,
}

/// How long a server is silent.
fn silence() -> Duration {
    Duration::from_secs(if all() { 60 } else { 12 })
}

/// The time in which a load that was killed has to end.
const SOON: Duration = Duration::from_secs(10);

/// The use of the memory.
#[derive(Clone, Copy, Debug)]
enum Pointer {
    Arguments,
    CommandLine,
    Log,
    TestData,
    TestContext,
    TestDataOut,
    TestContextOut,
}

const POINTERS: [Pointer; 7] = [
    Pointer::Arguments,
    Pointer::CommandLine,
    Pointer::Log,
    Pointer::TestData,
    Pointer::TestContext,
    Pointer::TestDataOut,
    Pointer::TestContextOut,
];

/// The use of the file.
#[derive(Clone, Copy, Debug)]
enum Role {
    Image,
    Initrd,
    OfTheProgram,
    OfATestRun,
}

const ROLES: [Role; 4] = [
    Role::Image,
    Role::Initrd,
    Role::OfTheProgram,
    Role::OfATestRun,
];

/// Good files and programs.
struct Good {
    plain: File,
    private: File,
    small: File,
    linux: Vec<u8>,
    script: Script,
}

impl Good {
    fn new() -> Result<Self> {
        let script = Script::load()?;
        // The program keeps these steps, which return the data of a test run.
        let input = Input {
            image: &[0; LEN],
            ..Input::default()
        };
        let bind = (bind_kernel(range(IMAGE, 0, LEN as u64)), 0);
        script.check(&input, &[bind])?;
        Ok(Self {
            plain: file(&image("plain")?)?,
            private: file(&image("obey")?)?,
            small: file(&image("small")?)?,
            linux: image("linux")?,
            script,
        })
    }

    /// Starts a load with this file in its role.
    fn load(&self, role: Role, file: &File) -> Result<Child> {
        let fd = file.as_raw_fd();
        let data = ask(READ_FD, fd.into(), 0)?;
        Child::start(&match role {
            Role::Image => Load::dry(file),
            Role::Initrd => Load {
                initrd: fd,
                ..Load::dry(&self.plain)
            },
            Role::OfTheProgram => Load {
                map: data.as_fd().as_raw_fd(),
                ..Load::dry(&self.private)
            },
            Role::OfATestRun => {
                let script = Script::load()?;
                return Child::run(|_| {
                    let run = script.run(&Input::default(), &[read_fd(fd.into(), 0)]);
                    run.map_or(-1, |run| run.output.errno)
                });
            }
        })
    }

    /// Makes the system call with this address for one of its pointers. Returns the errno, or 0.
    fn call(&self, pointer: Pointer, address: u64, log: (u64, u64)) -> i32 {
        let load = Load::dry(&self.plain);
        let mut args = load.args(log);
        match pointer {
            Pointer::Arguments => {
                let args = std::ptr::without_provenance::<Args>(address as usize);
                return syscall(args, ARGS_SIZE_VER0);
            }
            Pointer::CommandLine => (args.cmdline, args.cmdline_len) = (address, 16),
            Pointer::Log => (args.log_buf, args.log_size) = (address, LEN as u64),
            _ => return self.test(pointer, address),
        }
        syscall(&args, ARGS_SIZE_VER0)
    }

    fn test(&self, pointer: Pointer, address: u64) -> i32 {
        let (data, test) = ([0; LEN], Test::default());
        let (mut out, mut after) = ([0; LEN], Test::default());
        let mut options = options(&data, &test);
        options.data_out = out.as_mut_ptr().cast();
        options.data_size_out = LEN as u32;
        options.ctx_out = std::ptr::from_mut(&mut after).cast();
        options.ctx_size_out = size_of::<Test>() as u32;
        let address = std::ptr::without_provenance_mut(address as usize);
        match pointer {
            Pointer::TestData => options.data_in = address,
            Pointer::TestContext => options.ctx_in = address,
            Pointer::TestDataOut => options.data_out = address,
            _ => options.ctx_out = address,
        }
        test_run_raw(self.script.object().program(), &mut options)
    }
}

/// A way to make a load wait.
#[derive(Clone, Copy, Debug)]
enum Way {
    Userfaultfd(Pointer),
    MappedFile(Pointer, Mode),
    File(Role, Mode),
}

/// What it waits for.
enum Server {
    Userfaultfd,
    Fuse(Fuse, Asked),
}

/// A load that waits.
struct Stall {
    way: Way,
    // This is dropped before the child, which may not end before that.
    server: Server,
    child: Child,
}

impl Stall {
    /// Starts a load, and returns once it waits.
    fn new(good: &Good, way: Way) -> Result<Self> {
        let (server, child) = match way {
            Way::Userfaultfd(pointer) => {
                let child = Child::run(|log| match handled_by_userfaultfd() {
                    Ok(address) => good.call(pointer, address, log),
                    Err(error) => error.raw_os_error().unwrap_or(-1),
                })?;
                touched(&child)?;
                (Server::Userfaultfd, child)
            }
            Way::MappedFile(pointer, mode) => {
                let fuse = Fuse::mount(LEN, mode)?;
                let child = Child::run(|log| good.call(pointer, mapped(fuse.file()), log))?;
                let asked = fuse.asked().context(child.log())?;
                (Server::Fuse(fuse, asked), child)
            }
            Way::File(role, mode) => {
                let fuse = Fuse::mount(100_000, mode)?;
                let child = good.load(role, fuse.file())?;
                let asked = fuse.asked().context(child.log())?;
                (Server::Fuse(fuse, asked), child)
            }
        };
        Ok(Self { way, server, child })
    }

    /// Lets the server answer with an error. The kernel may then ask once more, for the first page
    /// of what it could not read ahead, so each request gets that answer until the child ends.
    fn fail(&self) {
        let Server::Fuse(fuse, asked) = &self.server else {
            return;
        };
        fuse.fail(asked);
        let start = Instant::now();
        while !self.child.ends_within(100) && start.elapsed() < SOON {
            if let Some(asked) = fuse.asked_within(0) {
                fuse.fail(&asked);
            }
        }
    }

    /// Fails unless the child ends soon, by the signal.
    fn ends(self) -> Result {
        let soon = self.child.ends_within(SOON.as_millis() as i32);
        equal(format!("{:?} ended", self.way), soon, true)?;
        let (end, _) = self.child.wait()?;
        equal(format!("{:?}", self.way), end, End::Killed(libc::SIGKILL))
    }
}

/// Runs `body` in a child. Fails unless it ends soon, and returns 0.
fn soon(what: &str, body: impl FnOnce() -> i32) -> Result {
    let child = Child::run(|_| body())?;
    if !child.ends_within(SOON.as_millis() as i32) {
        // It may end only after this test.
        child.abandon();
        return Err(format!("{what}: it does not end").into());
    }
    equal(what, child.wait()?.0, End::Returned(0))
}

/// The exit status of a child with this result.
fn errno<E>(result: Result<i32, E>) -> i32 {
    result.unwrap_or(-1)
}

/// Fails if others have to wait.
fn others_do_not_wait(good: &Good) -> Result {
    soon("a load", || Load::dry(&good.small).run().errno)?;
    soon("a test run", || {
        good.test(Pointer::TestData, [0; LEN].as_ptr() as u64)
    })?;
    soon("kexec_file_load(2)", || {
        errno(kexec_file::load(&good.linux))
    })?;
    unload()?;
    programs_are_freed()?;
    processors_go()
}

/// Sleepable programs, and with them their maps, are freed after a grace period of RCU-tasks-trace.
fn programs_are_freed() -> Result {
    const COUNT: u64 = 8;
    const SIZE: u32 = 8 << 20;

    let before = held()?;
    for _ in 0..COUNT {
        sleepable_program(SIZE)?;
    }
    let start = Instant::now();
    while held()? > before + u64::from(SIZE) {
        if start.elapsed() > SOON {
            let held = (held()? - before) >> 20;
            return Err(format!("{held} MiB of closed BPF programs are not freed").into());
        }
        sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Loads a sleepable program with an array of this size, and closes both.
fn sleepable_program(size: u32) -> Result {
    const ARRAY: u32 = 2;
    const SYSCALL: u32 = 31;
    const SLEEPABLE: u32 = 1 << 4;

    let owned = |fd: i32| match fd {
        // SAFETY: It is new.
        0.. => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(format!("bpf(2): {fd}")),
    };
    let name = c"stalls".as_ptr();
    // SAFETY: No options are fine.
    let map =
        owned(unsafe { libbpf_sys::bpf_map_create(ARRAY, name, 4, size, 1, std::ptr::null()) })?;
    let instruction = |code: u8, registers: u8, imm: i32| {
        let head = [code, registers, 0, 0];
        [head, imm.to_ne_bytes()].concat()
    };
    // r1 = the map; r0 = 0; exit
    let program = [
        instruction(0x18, 0x11, map.as_raw_fd()),
        instruction(0, 0, 0),
        instruction(0xb7, 0, 0),
        instruction(0x95, 0, 0),
    ]
    .concat();
    let mut options = libbpf_sys::bpf_prog_load_opts {
        sz: size_of::<libbpf_sys::bpf_prog_load_opts>() as _,
        prog_flags: SLEEPABLE,
        ..Default::default()
    };
    // SAFETY: A `struct bpf_insn` has 8 bytes, and there are as many as are said.
    owned(unsafe {
        libbpf_sys::bpf_prog_load(
            SYSCALL,
            name,
            c"GPL".as_ptr(),
            program.as_ptr().cast(),
            program.len() as u64 / 8,
            &mut options,
        )
    })?;
    Ok(())
}

/// A CPU can be taken offline. A process that is bound to it would prevent that.
fn processors_go() -> Result {
    const ONLINE: &str = "/sys/devices/system/cpu/cpu1/online";
    // Skipped if there is no second CPU, or if it cannot go offline.
    if !fs::exists(ONLINE)? {
        return Ok(());
    }
    soon("a CPU goes and comes", || {
        let written = fs::write(ONLINE, "0").and_then(|()| fs::write(ONLINE, "1"));
        written.map_or_else(|error| error.raw_os_error().unwrap_or(-1), |()| 0)
    })
}

/// Calls `body` with all stalls at once.
fn walk(ways: &[Way], body: impl Fn(&Good, Vec<Stall>) -> Result) -> Result {
    let good = Good::new()?;
    others_do_not_wait(&good).context("before")?;
    let mut stalls = vec![];
    for &way in ways {
        stalls.push(Stall::new(&good, way).context(format!("{way:?}"))?);
    }
    body(&good, stalls)?;
    others_do_not_wait(&good).context("after")
}

fn loads_that_can_be_killed() -> Result {
    let mut ways = vec![];
    for pointer in POINTERS {
        ways.push(Way::Userfaultfd(pointer));
        ways.push(Way::MappedFile(pointer, Mode::Cached));
    }
    ways.extend(ROLES.map(|role| Way::File(role, Mode::Cached)));
    walk(&ways, |good, stalls| {
        others_do_not_wait(good)?;
        sleep(silence());
        for stall in &stalls {
            let ended = stall.child.ends_within(0);
            equal(format!("{:?} ended", stall.way), ended, false).context(stall.child.log())?;
            stall.child.signal(libc::SIGKILL);
        }
        stalls.into_iter().try_for_each(Stall::ends)
    })
}

fn loads_that_cannot_be_killed() -> Result {
    let mut ways = vec![];
    ways.extend(POINTERS.map(|pointer| Way::MappedFile(pointer, Mode::Sync)));
    for role in ROLES {
        ways.extend([Mode::Sync, Mode::Direct].map(|mode| Way::File(role, mode)));
    }
    walk(&ways, |good, stalls| {
        others_do_not_wait(good)?;
        for stall in &stalls {
            stall.child.signal(libc::SIGKILL);
        }
        sleep(silence());
        others_do_not_wait(good).context("killed")?;
        for stall in stalls {
            stall.fail();
            stall.ends()?;
        }
        Ok(())
    })
}
