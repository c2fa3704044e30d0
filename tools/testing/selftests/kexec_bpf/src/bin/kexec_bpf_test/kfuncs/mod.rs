// SPDX-License-Identifier: GPL-2.0

//! Calls of the kfuncs, by `BPF_PROG_TEST_RUN`.

pub mod carrier;
pub mod cmdline;
pub mod compressed_formats;
pub mod context;
pub mod decompress;
pub mod initrd;
pub mod provenance;
pub mod read_fd;
