// SPDX-License-Identifier: GPL-2.0

//! A program that makes a list of kfunc calls.

use std::fmt::{self, Display, Formatter};

use crate::harness::{equal, Context, Result};
use crate::object::{test_run, Input, Object, Output};
use crate::uapi::{self, Range};

const STEPS_MAX: usize = 2048;
/// Small buffers are before this offset. All large ones share the memory at it.
const LARGE_AT: usize = 0x10000;
const BUFFER_LEN_MAX: usize = uapi::GET_MAX + 1;

const CARRIER: u32 = 0;
const CARRIER_NULL: u32 = 1;
const DECOMPRESS: u32 = 2;
const INITRD_APPEND: u32 = 3;
const INITRD_WRAP: u32 = 4;
const CMDLINE_APPEND: u32 = 5;
const READ_FD: u32 = 6;
const READ_FD_SHA256: u32 = 7;

/// One call of a kfunc.
#[derive(Clone)]
pub struct Step {
    kfunc: u32,
    place: u32,
    range: Range,
    args: [u64; 3],
    buffer: Vec<u8>,
}

impl Step {
    fn new(kfunc: u32, range: Range, args: [u64; 3], buffer: &[u8]) -> Self {
        Self {
            kfunc,
            place: 0,
            range,
            args,
            buffer: buffer.to_vec(),
        }
    }

    /// The same call with its range at one of [`PLACES`].
    pub fn at(self, place: u32) -> Self {
        Self { place, ..self }
    }
}

/// Where the range of a call can be: aligned on the stack (0), at an odd address there (1), and at
/// each of the first bytes of the value of a map (8 and more).
pub const PLACES: [u32; 10] = [0, 1, 8, 9, 10, 11, 12, 13, 14, 15];

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            kfunc,
            place,
            range,
            args,
            buffer,
        } = self;
        let len = buffer.len();
        write!(
            f,
            "kfunc {kfunc}, {range:?} at place {place}, {args:?}, buffer of {len} bytes"
        )
    }
}

/// `bpf_kexec_carrier()`
pub fn carrier(op: u64, range: Range, buffer: &[u8]) -> Step {
    Step::new(CARRIER, range, [op, 0, 0], buffer)
}

/// `bpf_kexec_carrier()` without a buffer.
pub fn carrier_null(op: u64, range: Range) -> Step {
    Step::new(CARRIER_NULL, range, [op, 0, 0], &[])
}

/// GET, with a buffer that is just large enough.
pub fn get(range: Range) -> Step {
    carrier(uapi::GET, range, &vec![0; range.len as usize])
}

/// PUT
pub fn put(bytes: &[u8]) -> Step {
    carrier(uapi::PUT, Range::default(), bytes)
}

/// STAT
pub fn stat(resource: u32) -> Step {
    carrier_null(uapi::STAT, uapi::range(resource, 0, 0))
}

/// BIND_KERNEL
pub fn bind_kernel(range: Range) -> Step {
    carrier_null(uapi::BIND_KERNEL, range)
}

/// BIND_INITRD
pub fn bind_initrd(range: Range) -> Step {
    carrier_null(uapi::BIND_INITRD, range)
}

/// BIND_CMDLINE
pub fn bind_cmdline(range: Range) -> Step {
    carrier_null(uapi::BIND_CMDLINE, range)
}

/// PREPEND_INITRD
pub fn prepend_initrd(range: Range) -> Step {
    carrier_null(uapi::PREPEND_INITRD, range)
}

/// LOG
pub fn log(text: &[u8]) -> Step {
    carrier(uapi::LOG, Range::default(), text)
}

/// `bpf_kexec_decompress()`
pub fn decompress(range: Range, algo: u64, len: u64, flags: u64) -> Step {
    Step::new(DECOMPRESS, range, [algo, len, flags], &[])
}

/// `bpf_kexec_initrd_append()` of an archive.
pub fn initrd_append(range: Range, mode: u64) -> Step {
    Step::new(INITRD_APPEND, range, [mode, 0, 0], &[])
}

/// `bpf_kexec_initrd_append()` of a file.
pub fn initrd_wrap(range: Range, path: &[u8], mode: u64) -> Step {
    Step::new(INITRD_WRAP, range, [mode, 0, 0], path)
}

/// `bpf_kexec_cmdline_append()`
pub fn cmdline_append(text: &[u8], flags: u64) -> Step {
    Step::new(CMDLINE_APPEND, Range::default(), [flags, 0, 0], text)
}

/// `bpf_kexec_read_fd()`
pub fn read_fd(fd: i64, flags: u64) -> Step {
    Step::new(READ_FD, Range::default(), [fd as u64, flags, 0], &[])
}

/// `bpf_kexec_read_fd()` with a digest.
pub fn read_fd_sha256(fd: i64, flags: u64, digest: Range) -> Step {
    Step::new(READ_FD_SHA256, digest, [fd as u64, flags, 0], &[])
}

/// The result of a step.
#[derive(Clone, Debug)]
pub struct Done {
    pub returned: i64,
    /// The range after the call.
    pub range: Range,
    /// The buffer after the call.
    pub buffer: Vec<u8>,
}

/// The results of all steps.
#[derive(Debug)]
pub struct Run {
    pub output: Output,
    pub done: Vec<Done>,
}

/// The program.
pub struct Script(Object);

impl Script {
    /// Loads the program.
    pub fn load() -> Result<Self> {
        Ok(Self(Object::new(include_bytes!(concat!(
            env!("OUT_DIR"),
            "/script.o"
        )))?))
    }

    /// The program.
    pub fn object(&self) -> &Object {
        &self.0
    }

    /// Runs the steps. The program then returns `returned`.
    pub fn run_and_return(&self, input: &Input<'_>, steps: &[Step], returned: i32) -> Result<Run> {
        assert!(steps.len() <= STEPS_MAX);
        let mut memory = vec![0; LARGE_AT + BUFFER_LEN_MAX];
        let mut small_at = 0;
        let mut at = Vec::new();
        for (index, step) in (0..).zip(steps) {
            let len = step.buffer.len();
            let here = if small_at + len > LARGE_AT {
                LARGE_AT
            } else {
                small_at
            };
            if here != LARGE_AT {
                small_at += len;
            }
            memory[here..here + len].copy_from_slice(&step.buffer);
            at.push(here);

            let mut bytes = Vec::new();
            for word in [step.kfunc, step.place, here as u32, len as u32] {
                bytes.extend(word.to_ne_bytes());
            }
            bytes.extend(encode(&step.range));
            bytes.extend(step.args.iter().flat_map(|arg| arg.to_ne_bytes()));
            self.0.set("steps", index, &bytes)?;
            self.0.set("results", index, &[0xff; 32])?;
        }
        self.0.set("buffer", 0, &memory)?;
        let script = [steps.len() as u32, returned as u32];
        self.0
            .set("script", 0, &script.map(u32::to_ne_bytes).concat())?;

        let output = test_run(self.0.program(), input);
        let memory = self.0.get("buffer", 0)?;
        let mut done = Vec::new();
        for (index, (step, at)) in (0..).zip(steps.iter().zip(at)) {
            let result = self.0.get("results", index)?;
            let (returned, range) = result.split_at(8);
            done.push(Done {
                returned: number(returned) as i64,
                range: decode(range),
                buffer: memory[at..at + step.buffer.len()].to_vec(),
            });
        }
        Ok(Run { output, done })
    }

    /// Runs the steps.
    pub fn run(&self, input: &Input<'_>, steps: &[Step]) -> Result<Run> {
        self.run_and_return(input, steps, 0)
    }

    /// Runs steps. Fails unless each one returns the value beside it, and the run succeeds.
    pub fn check(&self, input: &Input<'_>, steps: &[(Step, i64)]) -> Result<Run> {
        self.check_until(input, steps, 0)
    }

    /// As `check()`, but the run has to end with this errno.
    pub fn check_until(&self, input: &Input<'_>, steps: &[(Step, i64)], errno: i32) -> Result<Run> {
        let (steps, wanted): (Vec<_>, Vec<_>) = steps.iter().cloned().unzip();
        let run = self.run(input, &steps)?;
        for (index, want) in wanted.iter().enumerate() {
            let step = &steps[index];
            let what = format!("step {index}, {step}");
            equal(what, run.done[index].returned, *want)?;
        }
        equal("errno of the run", run.output.errno, errno).context("after all steps")?;
        Ok(run)
    }
}

fn encode(range: &Range) -> Vec<u8> {
    let words = [range.resource, range.flags].map(u32::to_ne_bytes).concat();
    let rest = [range.offset, range.len].map(u64::to_ne_bytes).concat();
    [words, rest].concat()
}

fn decode(bytes: &[u8]) -> Range {
    Range {
        resource: number(&bytes[..4]) as u32,
        flags: number(&bytes[4..8]) as u32,
        offset: number(&bytes[8..16]),
        len: number(&bytes[16..]),
    }
}

/// A little-endian number.
fn number(bytes: &[u8]) -> u64 {
    let digits = bytes.iter().rev();
    digits.fold(0, |number, &byte| (number << 8) | u64::from(byte))
}
