// SPDX-License-Identifier: GPL-2.0

//! `include/uapi/linux/kexec_bpf.h` in Rust, for the command and for the tests. The parsers' tests
//! compare it with the header.

use std::ffi::c_long;

pub const SYS_KEXEC_BPF_LOAD: c_long = 473;

/// The number of `kexec_file_load(2)`, which the crate libc lacks for riscv64.
#[cfg(target_arch = "x86_64")]
pub const SYS_KEXEC_FILE_LOAD: c_long = 320;
#[cfg(any(target_arch = "aarch64", target_arch = "riscv64"))]
pub const SYS_KEXEC_FILE_LOAD: c_long = 294;

pub const OBJECT_MAX: usize = 1 << 20;
pub const PRIVATE_MAX: u32 = 1 << 20;
pub const GET_MAX: usize = 1 << 20;
pub const LINE_MAX: usize = 256;
pub const PATH_MAX: usize = 255;
pub const HANDLES_MAX: u32 = 320;
pub const PIECES_MAX: usize = 1024;
pub const LEVELS_MAX: u32 = 4;

/// The longest command line: `COMMAND_LINE_SIZE` less the room for a crash kernel's.
pub const CMDLINE_MAX: usize = 2048 - 64;

pub const ON_CRASH: u32 = 1 << 0;
pub const DRY_RUN: u32 = 1 << 1;

/// `struct kexec_bpf_args`
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Args {
    pub flags: u32,
    pub image_fd: i32,
    pub initrd_fd: i32,
    pub map_fd: i32,
    pub cmdline: u64,
    pub cmdline_len: u64,
    pub log_buf: u64,
    pub log_size: u64,
}

pub const ARGS_SIZE_VER0: usize = 48;
const _: () = assert!(size_of::<Args>() == ARGS_SIZE_VER0);

pub const BPF_PROG_TYPE_KEXEC: u32 = 33;

pub const SIGNED: u32 = 1 << 0;
pub const ENFORCED: u32 = 1 << 1;
pub const CRASH: u32 = 1 << 2;
pub const TEST: u32 = 1 << 3;

/// `struct bpf_kexec_ctx`
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ctx {
    pub image_len: u64,
    pub flags: u32,
    pub level: u32,
    pub machine: u32,
    pub digest_len: u32,
    pub digest: [u8; 64],
    pub key: [u8; 32],
}

impl Default for Ctx {
    fn default() -> Self {
        Self {
            image_len: 0,
            flags: 0,
            level: 0,
            machine: 0,
            digest_len: 0,
            digest: [0; 64],
            key: [0; 32],
        }
    }
}

pub const IMAGE: u32 = 0;
pub const KERNEL: u32 = 1;
pub const INITRD: u32 = 2;
pub const CMDLINE: u32 = 3;
/// The first handle.
pub const HANDLE: u32 = 4;

pub const VERIFIED: u32 = 1 << 0;

/// `struct bpf_kexec_range`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    pub resource: u32,
    pub flags: u32,
    pub offset: u64,
    pub len: u64,
}

/// A range without flags.
pub const fn range(resource: u32, offset: u64, len: u64) -> Range {
    Range {
        resource,
        flags: 0,
        offset,
        len,
    }
}

pub const GET: u64 = 1;
pub const PUT: u64 = 2;
pub const STAT: u64 = 3;
pub const BIND_KERNEL: u64 = 4;
pub const BIND_INITRD: u64 = 5;
pub const BIND_CMDLINE: u64 = 6;
pub const PREPEND_INITRD: u64 = 7;
pub const LOG: u64 = 8;

pub const BY_MAGIC: u64 = 0;
pub const GZIP: u64 = 1;
pub const ZSTD: u64 = 2;
pub const XZ: u64 = 3;
pub const LZ4: u64 = 4;
pub const LZO: u64 = 5;

pub const DIR_MODE_SHIFT: u32 = 16;

pub const EXACT: u64 = 1 << 0;
pub const VERIFY_PE: u64 = 1 << 0;
pub const VERIFY_SHA256: u64 = 1 << 1;

/// `struct bpf_kexec_test`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Test {
    pub kernel_len: u64,
    pub initrd_len: u64,
    pub cmdline_len: u64,
    pub nsecs: u64,
    pub ctx: Ctx,
}
