// SPDX-License-Identifier: GPL-2.0

//! The pure parsers of `kernel/kexec_bpf`: the very same files, as the kernel sees them.

#![cfg_attr(not(test), no_std)]
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

#[path = "../../../../../../kernel/kexec_bpf/bytes.rs"]
pub mod bytes;
#[path = "../../../../../../kernel/kexec_bpf/initrd/cpio.rs"]
pub mod cpio;
#[path = "../../../../../../kernel/kexec_bpf/error.rs"]
pub mod error;
#[path = "../../../../../../kernel/kexec_bpf/gzip.rs"]
pub mod gzip;
#[path = "../../../../../../kernel/kexec_bpf/lz4.rs"]
pub mod lz4;
#[path = "../../../../../../kernel/kexec_bpf/lzo.rs"]
pub mod lzo;
#[path = "../../../../../../kernel/kexec_bpf/object/mod.rs"]
pub mod object;
#[path = "../../../../../../kernel/kexec_bpf/pe.rs"]
pub mod pe;
#[path = "../../../../../../kernel/kexec_bpf/printable.rs"]
pub mod printable;
#[path = "../../../../../../kernel/kexec_bpf/xz.rs"]
pub mod xz;
#[path = "../../../../../../kernel/kexec_bpf/zstd.rs"]
pub mod zstd;
