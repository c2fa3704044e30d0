// SPDX-License-Identifier: GPL-2.0

//! BPF programs of a few instructions that act on one thread while it makes a system call.

use std::cell::Cell;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use libbpf_rs::libbpf_sys::{self, bpf_insn, bpf_map_create_opts, bpf_prog_load_opts};
use rustix::thread::gettid;

use support::harness::{Context, Failure, Result};

/// How a program is attached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To the function with this ID in the kernel's BTF, whose return value it replaces.
    ModifyReturn(u32),
    /// To the function `bpf_lsm_...` with this ID.
    Lsm(u32),
    /// To the entry of the function with this ID.
    Entry(u32),
    /// To the return of the function with this ID.
    Exit(u32),
    /// To the iterator whose function has this ID.
    Iterator(u32),
    /// By a probe.
    Kprobe,
    /// By a link of this type to probes of several functions.
    Multi(u32),
    /// To the entry and the return of the function with this ID.
    Session(u32),
    /// To a tracepoint.
    RawTracepoint,
    /// To a tracepoint that passes a buffer to write to.
    RawTracepointWritable,
    /// By a test run.
    Syscall,
}

/// The action of a program when the thread reaches it.
#[derive(Clone, Copy)]
pub enum Act {
    /// It makes a note in this slot of [`Target`], and returns 0.
    Note(u32),
    /// It returns this.
    Return(u64),
    /// It returns this, which the verifier does not know.
    ReturnUnknown(u64),
    /// It returns this when the thread reaches it for the n-th time, counted from 0.
    ReturnAt(u64, u32),
    /// It makes the function return this.
    Override(u64),
}

/// The slots for notes.
pub const SLOTS: u32 = 1 << 15;
/// No thread has this number.
const NOBODY: u32 = u32::MAX;
/// The words that programs share with the test: the thread, how often it reached one, and the
/// notes.
const THREAD: u32 = 0;
const TIMES: u32 = 1;
const NOTES: u32 = 2;
const BYTES: usize = 4 * (NOTES + SLOTS) as usize;

/// The thread that programs act on, and their notes.
pub struct Target {
    map: OwnedFd,
    start: *const AtomicU32,
    most: Cell<u32>,
}

fn checked(fd: i32) -> io::Result<OwnedFd> {
    match fd {
        // SAFETY: It is new.
        0.. => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::from_raw_os_error(-fd)),
    }
}

impl Target {
    pub fn new() -> Result<Self> {
        let options = bpf_map_create_opts {
            sz: size_of::<bpf_map_create_opts>() as _,
            map_flags: libbpf_sys::BPF_F_MMAPABLE,
            ..Default::default()
        };
        let (kind, name) = (libbpf_sys::BPF_MAP_TYPE_ARRAY, c"target".as_ptr());
        // SAFETY: The name ends with a NUL, and the options are there.
        let fd = unsafe { libbpf_sys::bpf_map_create(kind, name, 4, BYTES as u32, 1, &options) };
        let map = checked(fd).context("map")?;
        // SAFETY: The kernel says where.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error().into());
        }
        let target = Self {
            map,
            start: start.cast(),
            most: Cell::new(0),
        };
        target.word(THREAD).store(NOBODY, Ordering::SeqCst);
        Ok(target)
    }

    fn word(&self, index: u32) -> &AtomicU32 {
        assert!(index < NOTES + SLOTS);
        // SAFETY: The mapping has so many words and lives as long as `self`.
        unsafe { &*self.start.add(index as usize) }
    }

    /// Calls `body` while programs act on this thread. `body` should do as little as possible.
    pub fn during<T>(&self, body: impl FnOnce() -> T) -> T {
        let thread = gettid().as_raw_nonzero().get();
        self.word(TIMES).store(0, Ordering::SeqCst);
        self.word(THREAD).store(thread as u32, Ordering::SeqCst);
        let result = body();
        self.word(THREAD).store(NOBODY, Ordering::SeqCst);
        let times = self.word(TIMES).load(Ordering::SeqCst);
        self.most.set(self.most.get().max(times));
        result
    }

    /// The most often that the thread reached a counting program in one call of [`Self::during`]
    /// since this was last called.
    pub fn times(&self) -> u32 {
        self.most.take()
    }

    /// Whether there is a note in the slot.
    pub fn noted(&self, slot: u32) -> bool {
        self.word(NOTES + slot).load(Ordering::SeqCst) != 0
    }

    /// Loads a program. A refusal has the verifier's log.
    pub fn load(&self, kind: Kind, act: Act) -> Result<OwnedFd, String> {
        load(kind, &self.instructions(act))
    }

    fn instructions(&self, act: Act) -> Vec<u64> {
        let tail = match act {
            Act::Note(slot) => {
                let word = map_value(1, self.map.as_raw_fd(), 4 * (NOTES + slot) as i32);
                vec![word[0], word[1], store_word(1, 0, 1), mov(0, 0), EXIT]
            }
            Act::Return(value) => [constant(0, value).to_vec(), vec![EXIT]].concat(),
            Act::ReturnUnknown(value) => {
                let word = map_value(1, self.map.as_raw_fd(), 4 * NOTES as i32);
                let value = constant(0, value);
                vec![
                    word[0],
                    word[1],
                    value[0],
                    value[1],
                    store_double(1, 0),
                    load_double(0, 1, 0),
                    EXIT,
                ]
            }
            Act::ReturnAt(value, time) => {
                let word = map_value(1, self.map.as_raw_fd(), 4 * TIMES as i32);
                let value = constant(0, value);
                vec![
                    word[0],
                    word[1],
                    mov(2, 1),
                    fetch_and_add(1, 2),
                    skip_unless(2, time as i32, 3),
                    value[0],
                    value[1],
                    EXIT,
                ]
            }
            Act::Override(value) => {
                let value = constant(2, value);
                vec![
                    mov_register(1, 6),
                    value[0],
                    value[1],
                    call(58),
                    mov(0, 0),
                    EXIT,
                ]
            }
        };
        let mut all = vec![mov_register(6, 1), call(14)];
        all.extend(map_value(1, self.map.as_raw_fd(), 0));
        all.extend([
            load_word(2, 1, 0),
            skip_unless_same(0, 2, tail.len() as i16),
        ]);
        all.extend(tail);
        all.extend([mov(0, 0), EXIT]);
        all
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // SAFETY: It is mapped, and no reference to it is left.
        unsafe { libc::munmap(self.start.cast_mut().cast(), BYTES) };
    }
}

/// Fails unless something was refused with this errno, and not for another reason.
pub fn refused_with<T>(what: &str, result: Result<T, impl Into<Failure>>, errno: i32) -> Result {
    let error = io::Error::from_raw_os_error(errno).to_string();
    match result.map_err(Into::into) {
        Err(Failure::Failed(why)) if why.contains(&error) => Ok(()),
        Err(Failure::Failed(why)) => Err(format!("{what}: {why} instead of {error}").into()),
        Err(skipped) => Err(skipped),
        Ok(_) => Err(format!("{what}: not refused").into()),
    }
}

/// Loads a program of these instructions.
pub fn load(kind: Kind, instructions: &[u64]) -> Result<OwnedFd, String> {
    let flags = match kind {
        Kind::Syscall => libbpf_sys::BPF_F_SLEEPABLE,
        _ => 0,
    };
    load_with(flags, kind, instructions)
}

/// Loads a program of these instructions, with these flags.
pub fn load_with(flags: u32, kind: Kind, instructions: &[u64]) -> Result<OwnedFd, String> {
    let tracing = libbpf_sys::BPF_PROG_TYPE_TRACING;
    let (program, attach, function) = match kind {
        Kind::ModifyReturn(id) => (tracing, libbpf_sys::BPF_MODIFY_RETURN, id),
        Kind::Entry(id) => (tracing, libbpf_sys::BPF_TRACE_FENTRY, id),
        Kind::Exit(id) => (tracing, libbpf_sys::BPF_TRACE_FEXIT, id),
        Kind::Iterator(id) => (tracing, libbpf_sys::BPF_TRACE_ITER, id),
        Kind::Lsm(id) => (libbpf_sys::BPF_PROG_TYPE_LSM, libbpf_sys::BPF_LSM_MAC, id),
        Kind::Kprobe => (libbpf_sys::BPF_PROG_TYPE_KPROBE, 0, 0),
        Kind::Multi(attach) => (libbpf_sys::BPF_PROG_TYPE_KPROBE, attach, 0),
        Kind::Session(id) => (tracing, libbpf_sys::BPF_TRACE_FSESSION, id),
        Kind::RawTracepoint => (libbpf_sys::BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0),
        Kind::RawTracepointWritable => (libbpf_sys::BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, 0, 0),
        Kind::Syscall => (libbpf_sys::BPF_PROG_TYPE_SYSCALL, 0, 0),
    };
    let options = bpf_prog_load_opts {
        expected_attach_type: attach,
        attach_btf_id: function,
        prog_flags: flags,
        ..Default::default()
    };
    load_options(program, options, instructions)
}

/// Loads a program of these instructions, with these options.
pub fn load_options(
    kind: libbpf_sys::bpf_prog_type,
    options: bpf_prog_load_opts,
    instructions: &[u64],
) -> Result<OwnedFd, String> {
    let mut log = vec![0u8; 1 << 16];
    let mut options = bpf_prog_load_opts {
        sz: size_of::<bpf_prog_load_opts>() as _,
        log_level: 1,
        log_size: log.len() as u32,
        log_buf: log.as_mut_ptr().cast(),
        ..options
    };
    // SAFETY: Strings end with a NUL, an instruction has 8 bytes, and the log has its room.
    let fd = unsafe {
        libbpf_sys::bpf_prog_load(
            kind,
            c"adversary".as_ptr(),
            c"GPL".as_ptr(),
            instructions.as_ptr().cast::<bpf_insn>(),
            instructions.len() as _,
            &mut options,
        )
    };
    checked(fd).map_err(|error| {
        let end = log.iter().position(|&byte| byte == 0).unwrap_or(0);
        format!("{error}: {}", String::from_utf8_lossy(&log[..end]))
    })
}

/// Creates an array, with one element, of programs or of values of this size.
pub fn array(kind: libbpf_sys::bpf_map_type, size: u32) -> Result<OwnedFd> {
    let name = c"array".as_ptr();
    // SAFETY: The name ends with a NUL.
    let fd = unsafe { libbpf_sys::bpf_map_create(kind, name, 4, size, 1, ptr::null()) };
    checked(fd).context("map")
}

/// Loads a program for probes that asks for its cookie, a number that is given when it is attached.
pub fn asks_for_cookie(kind: Kind) -> Result<OwnedFd, String> {
    load(kind, &[call(174), mov(0, 0), EXIT])
}

/// Creates an array of programs, for others to call.
pub fn programs() -> Result<OwnedFd> {
    array(libbpf_sys::BPF_MAP_TYPE_PROG_ARRAY, 4)
}

/// Puts a program into an array. Returns 0 or an errno.
pub fn put(array: &OwnedFd, program: &OwnedFd) -> i32 {
    let (key, value) = (0u32, program.as_raw_fd());
    // SAFETY: Key and value have the sizes that the map was created with.
    -unsafe {
        libbpf_sys::bpf_map_update_elem(
            array.as_raw_fd(),
            ptr::from_ref(&key).cast(),
            ptr::from_ref(&value).cast(),
            0,
        )
    }
}

/// Attaches a program that is not a probe, until the result is dropped.
pub fn attach(program: &OwnedFd) -> io::Result<OwnedFd> {
    // SAFETY: Without a name the program itself says where.
    checked(unsafe { libbpf_sys::bpf_raw_tracepoint_open(ptr::null(), program.as_raw_fd()) })
}

/// Attaches a program to the entry of a function by a probe, until the result is dropped.
pub fn probe(program: &OwnedFd, function: &str) -> Result<OwnedFd> {
    const SET_BPF: libc::c_ulong = 0x4004_2408;
    const ENABLE: libc::c_ulong = 0x2400;
    const TYPE: &str = "/sys/bus/event_source/devices/kprobe/type";
    let name = CString::new(function)?;
    // `struct perf_event_attr`, its second version.
    let mut attributes = [0u64; 9];
    let kind: u64 = std::fs::read_to_string(TYPE)?.trim().parse()?;
    attributes[0] = kind | ((size_of_val(&attributes) as u64) << 32);
    attributes[7] = name.as_ptr() as u64;
    // SAFETY: The attributes and the name are there.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &attributes, -1, 0, -1, 8) };
    let event = match fd {
        -1 => return Err(io::Error::last_os_error()).context(function),
        _ => checked(fd as i32)?,
    };
    // SAFETY: Both are descriptors.
    let failed = unsafe {
        libc::ioctl(event.as_raw_fd(), SET_BPF, program.as_raw_fd()) != 0
            || libc::ioctl(event.as_raw_fd(), ENABLE, 0) != 0
    };
    match failed {
        true => Err(io::Error::last_os_error()).context(function),
        false => Ok(event),
    }
}

pub const EXIT: u64 = 0x95;

const fn instruction(code: u8, to: u8, from: u8, offset: i16, constant: i32) -> u64 {
    code as u64
        | ((to as u64) << 8)
        | ((from as u64) << 12)
        | ((offset as u16 as u64) << 16)
        | ((constant as u32 as u64) << 32)
}

/// Stores so many bytes.
pub fn store_zero(bytes: i16, to: u8, offset: i16) -> u64 {
    let code = match bytes {
        1 => 0x72,
        2 => 0x6a,
        4 => 0x62,
        _ => 0x7a,
    };
    instruction(code, to, 0, offset, 0)
}

pub fn mov(to: u8, value: i32) -> u64 {
    instruction(0xb7, to, 0, 0, value)
}

pub fn mov_register(to: u8, from: u8) -> u64 {
    instruction(0xbf, to, from, 0, 0)
}

pub fn call(helper: i32) -> u64 {
    instruction(0x85, 0, 0, 0, helper)
}

/// Calls a function of the program, which begins so many instructions behind the next one.
pub fn call_function(distance: i32) -> u64 {
    instruction(0x85, 0, 1, 0, distance)
}

/// Calls the function with this ID in the kernel's BTF.
pub fn call_kfunc(id: u32) -> u64 {
    instruction(0x85, 0, 2, 0, id as i32)
}

pub fn or(to: u8, from: u8) -> u64 {
    instruction(0x4f, to, from, 0, 0)
}

pub fn shift_right(to: u8, bits: i32) -> u64 {
    instruction(0x77, to, 0, 0, bits)
}

pub fn add(to: u8, value: i32) -> u64 {
    instruction(0x07, to, 0, 0, value)
}

pub fn skip_if_zero(a: u8, instructions: i16) -> u64 {
    instruction(0x15, a, 0, instructions, 0)
}

/// Continues with the program in an array, if there is one.
pub fn tail_call(context: u8, array: &OwnedFd) -> Vec<u64> {
    let fd = array.as_raw_fd();
    vec![
        mov_register(1, context),
        instruction(0x18, 2, 1, 0, fd),
        0,
        mov(3, 0),
        call(12),
    ]
}

fn constant(to: u8, value: u64) -> [u64; 2] {
    [
        instruction(0x18, to, 0, 0, value as i32),
        instruction(0, 0, 0, 0, (value >> 32) as i32),
    ]
}

pub fn map_value(to: u8, map: i32, offset: i32) -> [u64; 2] {
    [
        instruction(0x18, to, 2, 0, map),
        instruction(0, 0, 0, 0, offset),
    ]
}

fn load_word(to: u8, from: u8, offset: i16) -> u64 {
    instruction(0x61, to, from, offset, 0)
}

pub fn load_double(to: u8, from: u8, offset: i16) -> u64 {
    instruction(0x79, to, from, offset, 0)
}

pub fn store_double(to: u8, from: u8) -> u64 {
    instruction(0x7b, to, from, 0, 0)
}

pub fn store_word(to: u8, offset: i16, value: i32) -> u64 {
    instruction(0x62, to, 0, offset, value)
}

/// The register that is added gets the old value.
fn fetch_and_add(to: u8, from: u8) -> u64 {
    instruction(0xc3, to, from, 0, 1)
}

/// Compares 32 bits.
fn skip_unless(a: u8, value: i32, instructions: i16) -> u64 {
    instruction(0x56, a, 0, instructions, value)
}

/// Compares 32 bits.
fn skip_unless_same(a: u8, b: u8, instructions: i16) -> u64 {
    instruction(0x5e, a, b, instructions, 0)
}
