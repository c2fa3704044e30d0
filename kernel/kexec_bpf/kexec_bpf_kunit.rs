// SPDX-License-Identifier: GPL-2.0

//! The part of kexec_bpf that needs no more of the kernel than its libraries, for KUnit in kernels
//! without KEXEC_BPF: user-mode Linux, for one.
//!
//! The modules are files of `kexec_bpf_main.rs`, which has them where there is KEXEC_BPF.

#[forbid(unsafe_code)]
pub mod buffer;
#[forbid(unsafe_code)]
pub mod bytes;
#[forbid(unsafe_code)]
#[path = "initrd/cpio.rs"]
pub mod cpio;
#[forbid(unsafe_code)]
pub mod decompress;
#[forbid(unsafe_code)]
pub mod error;
pub mod klib;
#[forbid(unsafe_code)]
pub mod object;
#[forbid(unsafe_code)]
pub mod pe;
#[forbid(unsafe_code)]
pub mod printable;
#[forbid(unsafe_code)]
pub mod sbat;
#[forbid(unsafe_code)]
pub mod sort;

#[cfg(CONFIG_KEXEC_BPF_KUNIT_BENCHMARK)]
mod benchmark;

/// The prefix of what `pr_info!` and its like print.
const __LOG_PREFIX: &[u8] = b"kexec_bpf\0";
