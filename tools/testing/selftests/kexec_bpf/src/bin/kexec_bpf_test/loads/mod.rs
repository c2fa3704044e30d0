// SPDX-License-Identifier: GPL-2.0

//! `kexec_bpf_load(2)`: what it accepts, what it refuses, what it leaves behind.

pub mod accepted;
pub mod audit;
pub mod crash;
pub mod kexec_file;
pub mod private_data;
pub mod refused;
