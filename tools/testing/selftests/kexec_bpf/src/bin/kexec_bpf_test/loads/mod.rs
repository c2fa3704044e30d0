// SPDX-License-Identifier: GPL-2.0

//! `kexec_bpf_load(2)` accepts, refuses and records loads, beside `kexec_file_load(2)`.

pub mod accepted;
pub mod audit;
pub mod crash;
pub mod kexec_file;
pub mod private_data;
pub mod refused;
