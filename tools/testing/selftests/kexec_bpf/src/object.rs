// SPDX-License-Identifier: GPL-2.0

//! BPF objects that user space loads, and `BPF_PROG_TEST_RUN`.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::AtomicU8;
use std::sync::{Mutex, Once};

use libbpf_rs::{AsRawLibbpf, Link, MapCore, MapFlags, ObjectBuilder, OpenObject, PrintLevel};

use crate::harness::{Context, Result};
use crate::uapi::{Test, BPF_PROG_TYPE_KEXEC};

/// Whether the JIT compiles programs that user space loads. Others cannot call kfuncs.
pub const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";

const BPF_F_SLEEPABLE: u32 = 1 << 4;

/// The messages of libbpf, which include the verifier's log.
static MESSAGES: Mutex<String> = Mutex::new(String::new());

/// The messages of libbpf since the last call.
pub fn messages() -> String {
    std::mem::take(&mut *MESSAGES.lock().unwrap())
}

/// Opens an object.
pub fn open(bytes: &[u8]) -> Result<OpenObject> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        libbpf_rs::set_print(Some((PrintLevel::Warn, |_, message| {
            MESSAGES.lock().unwrap().push_str(&message)
        })));
        // The bundled libbpf does not know the type.
        // SAFETY: The name is a string that ends with a NUL, and no options are fine.
        unsafe {
            libbpf_sys::libbpf_register_prog_handler(
                c"kexec".as_ptr(),
                BPF_PROG_TYPE_KEXEC,
                0,
                ptr::null(),
            )
        };
    });
    messages();
    let mut object = ObjectBuilder::default().open_memory(bytes)?;
    for mut program in object.progs_mut() {
        if program.section() == "kexec" || program.section() == "?kexec" {
            program.set_flags(BPF_F_SLEEPABLE);
        }
    }
    Ok(object)
}

/// A loaded object.
pub struct Object(libbpf_rs::Object);

impl Object {
    /// Loads an opened object. A failure has the messages of libbpf.
    pub fn load(open: OpenObject) -> Result<Self> {
        match open.load() {
            Ok(object) => Ok(Self(object)),
            Err(error) => Err(format!("{error}\n{}", messages()).into()),
        }
    }

    /// Opens and loads.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        Self::load(open(bytes)?)
    }

    /// The descriptor of its first loaded program.
    pub fn program(&self) -> BorrowedFd<'_> {
        let program = self.0.progs_mut().find(|program| program.autoload());
        let fd = program.expect("each object has one").as_fd().as_raw_fd();
        // SAFETY: The object keeps it open.
        unsafe { BorrowedFd::borrow_raw(fd) }
    }

    /// Reads an element of an array.
    pub fn get(&self, map: &str, index: u32) -> Result<Vec<u8>> {
        let value = self.map(map)?.lookup(&index.to_ne_bytes(), MapFlags::ANY)?;
        Ok(value.ok_or("no such element")?)
    }

    /// Writes an element of an array.
    pub fn set(&self, map: &str, index: u32, value: &[u8]) -> Result {
        Ok(self
            .map(map)?
            .update(&index.to_ne_bytes(), value, MapFlags::ANY)?)
    }

    /// Maps the start of an array into our memory, for others to write to while a program runs.
    pub fn mapped(&self, map: &str) -> Result<Mapped> {
        let fd = self.map(map)?.as_fd().as_raw_fd();
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: It is a new mapping, which takes the place of none.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                Mapped::LEN,
                protection,
                libc::MAP_SHARED,
                fd,
                0,
            )
        };
        match start {
            libc::MAP_FAILED => Err(io::Error::last_os_error()).context("mmap"),
            start => Ok(Mapped(start.cast())),
        }
    }

    /// The descriptors of all its programs that are loaded.
    pub fn programs(&self) -> io::Result<Vec<OwnedFd>> {
        let loaded = self.0.progs().filter(|program| program.autoload());
        loaded
            .map(|program| program.as_fd().try_clone_to_owned())
            .collect()
    }

    /// Has its first program run in place of a function of another one, until what is returned is
    /// dropped.
    pub fn replace(&self, program: BorrowedFd<'_>, function: &str) -> io::Result<Link> {
        let mut programs = self.0.progs_mut();
        let own = programs.find(|program| program.autoload());
        let own = own.expect("each object has one").as_libbpf_object();
        let function = CString::new(function)?;
        // SAFETY: The program lives as long as the object, and the name ends with a NUL.
        let link = unsafe {
            libbpf_sys::bpf_program__attach_freplace(
                own.as_ptr(),
                program.as_raw_fd(),
                function.as_ptr(),
            )
        };
        match ptr::NonNull::new(link) {
            // SAFETY: It is a new link.
            Some(link) => Ok(unsafe { Link::from_ptr(link) }),
            None => Err(io::Error::last_os_error()),
        }
    }

    /// Adds operations to the kernel, until what is returned is dropped.
    pub fn attach_operations(&mut self, name: &str) -> Result<Link> {
        let map = self.0.maps_mut().find(|map| map.name() == name);
        let mut map = map.ok_or_else(|| format!("no map {name}"))?;
        map.attach_struct_ops()
            .map_err(|error| format!("{error}\n{}", messages()).into())
    }

    fn map(&self, name: &str) -> Result<libbpf_rs::Map<'_>> {
        let map = self.0.maps().find(|map| map.name() == name);
        Ok(map.ok_or_else(|| format!("no map {name}"))?)
    }
}

/// The first page of an array, mapped.
pub struct Mapped(*const AtomicU8);

impl Mapped {
    const LEN: usize = 4096;

    /// A byte of it. A program may use it at the same time.
    pub fn byte(&self, at: usize) -> &AtomicU8 {
        assert!(at < Self::LEN);
        // SAFETY: So many bytes are mapped, and the kernel takes what is there.
        unsafe { &*self.0.add(at) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: It is mapped, and no reference to it is left.
        unsafe { libc::munmap(self.0.cast_mut().cast(), Self::LEN) };
    }
}

/// The input of a test run.
#[derive(Clone, Default)]
pub struct Input<'a> {
    pub image: &'a [u8],
    pub initrd: &'a [u8],
    pub cmdline: &'a [u8],
    /// `SIGNED`, `ENFORCED` and `CRASH`.
    pub flags: u32,
    pub level: u32,
    /// The size of the buffer for the output; [`ROOM`] if it is `None`.
    pub room: Option<usize>,
    pub repeat: u32,
}

/// The output of a test run.
#[derive(Debug)]
pub struct Output {
    /// The errno of `bpf(2)`, or 0.
    pub errno: i32,
    /// What the program returned.
    pub returned: i32,
    /// The length of the whole output, also if the buffer is shorter.
    pub len: usize,
    pub test: Test,
    pub kernel: Vec<u8>,
    pub initrd: Vec<u8>,
    pub cmdline: Vec<u8>,
}

/// The size of the buffer for the output if a test does not set it.
const ROOM: usize = 8 << 20;

/// Runs a program.
pub fn test_run(program: BorrowedFd<'_>, input: &Input<'_>) -> Output {
    let data = [input.image, input.initrd, input.cmdline].concat();
    let mut test = Test {
        initrd_len: input.initrd.len() as u64,
        cmdline_len: input.cmdline.len() as u64,
        ..Test::default()
    };
    test.ctx.flags = input.flags;
    test.ctx.level = input.level;
    let mut out = vec![0; input.room.unwrap_or(ROOM)];
    let mut after = Test::default();
    let mut options = options(&data, &test);
    options.data_out = out.as_mut_ptr().cast();
    options.data_size_out = out.len() as u32;
    options.ctx_out = ptr::from_mut(&mut after).cast();
    options.ctx_size_out = size_of::<Test>() as u32;
    options.repeat = input.repeat as i32;
    let errno = test_run_raw(program, &mut options);
    let mut rest = out.as_slice();
    let mut take = |len: u64| {
        let (part, after) = rest.split_at(rest.len().min(len as usize));
        rest = after;
        part.to_vec()
    };
    Output {
        errno,
        returned: options.retval as i32,
        len: options.data_size_out as usize,
        kernel: take(after.kernel_len),
        initrd: take(after.initrd_len),
        cmdline: take(after.cmdline_len),
        test: after,
    }
}

/// The options of a test run, with its input.
pub fn options(data: &[u8], test: &Test) -> libbpf_sys::bpf_test_run_opts {
    libbpf_sys::bpf_test_run_opts {
        sz: size_of::<libbpf_sys::bpf_test_run_opts>() as _,
        data_in: data.as_ptr().cast(),
        data_size_in: data.len() as u32,
        ctx_in: ptr::from_ref(test).cast(),
        ctx_size_in: size_of::<Test>() as u32,
        ..Default::default()
    }
}

/// Runs a program. Returns the errno of `bpf(2)`, or 0.
pub fn test_run_raw(program: BorrowedFd<'_>, options: &mut libbpf_sys::bpf_test_run_opts) -> i32 {
    // SAFETY: The caller's options point to memory of the sizes that they say; where they do not,
    // as some tests want it, the kernel is to refuse them.
    -unsafe { libbpf_sys::bpf_prog_test_run_opts(program.as_raw_fd(), options) }
}
