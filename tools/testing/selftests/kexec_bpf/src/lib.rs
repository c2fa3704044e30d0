// SPDX-License-Identifier: GPL-2.0

//! What the tests and the benchmark share.

#[macro_use]
pub mod harness;
pub mod machines;

// The system calls, the programs, and who makes and runs them.
pub mod arch;
pub mod child;
pub mod embedded;
pub mod fail_nth;
pub mod kexec_file;
pub mod load;
pub mod object;
#[path = "../../../../kexec_bpf/src/private_data.rs"]
pub mod private_data;
pub mod script;
#[path = "../../../../kexec_bpf/src/uapi.rs"]
pub mod uapi;

// The machine around them.
pub mod cgroup;
pub mod fuse;
pub mod kernel_log;
pub mod keyring;
pub mod meminfo;
pub mod mount;

// What is loaded: images, signatures, objects, compressed data.
pub mod bombs;
pub mod compress;
pub mod der;
pub mod hostile_objects;
pub mod pe;
pub mod pe_image;
pub mod pkcs7;
pub mod tiny_image;
