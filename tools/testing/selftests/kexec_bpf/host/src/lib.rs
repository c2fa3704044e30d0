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

extern crate alloc;

#[path = "../../../../../../kernel/kexec_bpf/btf.rs"]
pub mod btf;
#[path = "../../../../../../kernel/kexec_bpf/btf_ext.rs"]
pub mod btf_ext;
#[path = "../../../../../../kernel/kexec_bpf/btf_fixup.rs"]
pub mod btf_fixup;
#[path = "../../../../../../kernel/kexec_bpf/bytes.rs"]
pub mod bytes;
#[path = "../../../../../../kernel/kexec_bpf/cpio.rs"]
pub mod cpio;
#[path = "../../../../../../kernel/kexec_bpf/elf.rs"]
pub mod elf;
#[path = "../../../../../../kernel/kexec_bpf/error.rs"]
pub mod error;
#[path = "../../../../../../kernel/kexec_bpf/gzip.rs"]
pub mod gzip;
#[path = "../../../../../../kernel/kexec_bpf/link.rs"]
pub mod link;
#[path = "../../../../../../kernel/kexec_bpf/lz4.rs"]
pub mod lz4;
#[path = "../../../../../../kernel/kexec_bpf/lzo.rs"]
pub mod lzo;
#[path = "../../../../../../kernel/kexec_bpf/map.rs"]
pub mod map;
#[path = "../../../../../../kernel/kexec_bpf/object.rs"]
pub mod object;
#[path = "../../../../../../kernel/kexec_bpf/part.rs"]
pub mod part;
#[path = "../../../../../../kernel/kexec_bpf/pe.rs"]
pub mod pe;
#[path = "../../../../../../kernel/kexec_bpf/program.rs"]
pub mod program;
#[path = "../../../../../../kernel/kexec_bpf/sort.rs"]
pub mod sort;
pub mod vec;
#[path = "../../../../../../kernel/kexec_bpf/xz.rs"]
pub mod xz;
#[path = "../../../../../../kernel/kexec_bpf/zstd.rs"]
pub mod zstd;
