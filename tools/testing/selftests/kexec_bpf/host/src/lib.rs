// SPDX-License-Identifier: GPL-2.0

//! The parsers and the decompression of `kernel/kexec_bpf`: the very same files, as the kernel sees
//! them, but for `klib`, which has decoders of user space.

#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

#[path = "../../../../../../kernel/kexec_bpf/buffer.rs"]
pub mod buffer;
#[path = "../../../../../../kernel/kexec_bpf/bytes.rs"]
pub mod bytes;
#[path = "../../../../../../kernel/kexec_bpf/initrd/cpio.rs"]
pub mod cpio;
#[path = "../../../../../../kernel/kexec_bpf/decompress/mod.rs"]
pub mod decompress;
#[path = "../../../../../../kernel/kexec_bpf/error.rs"]
pub mod error;
pub mod klib;
#[path = "../../../../../../kernel/kexec_bpf/object/mod.rs"]
pub mod object;
#[path = "../../../../../../kernel/kexec_bpf/pe.rs"]
pub mod pe;
#[path = "../../../../../../kernel/kexec_bpf/printable.rs"]
pub mod printable;
#[path = "../../../../../../kernel/kexec_bpf/sbat.rs"]
pub mod sbat;
#[path = "../../../../../../kernel/kexec_bpf/sort.rs"]
pub mod sort;
