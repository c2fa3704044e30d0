// SPDX-License-Identifier: GPL-2.0

//! Stands in for the kernel's crate of the same name, over the standard library: as much as the
//! parsers and decompression use of it, under the same names.

pub mod alloc;
pub mod error;

/// The constants of `include/uapi/linux/kexec_bpf.h`, as the kernel's bindings have them.
#[allow(non_upper_case_globals, non_camel_case_types)]
pub mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

/// The names that modules of the kernel import as a whole.
pub mod prelude {
    pub use crate::alloc::flags::*;
    pub use crate::alloc::{KVVec, KVec, VVec};
    pub use crate::error::code::*;
    pub use crate::error::{Error, Result};
    pub use macros::kunit_tests;
    pub use zerocopy::{FromBytes, IntoBytes};
    pub use zerocopy_derive::{FromBytes, IntoBytes};
}
