// SPDX-License-Identifier: GPL-2.0

//! What differs between architectures.

use liblzma::stream::Filters;

/// A filter for machine code, which changes it before xz compresses it.
type Filter = fn(&mut Filters) -> &mut Filters;

#[cfg(target_arch = "x86_64")]
mod target {
    pub const MACHINE: u16 = 0x8664;
    pub const XZ_FILTER: super::Filter = super::Filters::x86;
}

#[cfg(target_arch = "aarch64")]
mod target {
    pub const MACHINE: u16 = 0xaa64;
    pub const XZ_FILTER: super::Filter = super::Filters::arm64;
}

#[cfg(target_arch = "riscv64")]
mod target {
    pub const MACHINE: u16 = 0x5064;
    pub const XZ_FILTER: super::Filter = super::Filters::riscv;
}

/// `IMAGE_FILE_MACHINE_*` of this machine.
pub const MACHINE: u16 = target::MACHINE;
/// The filter that the kernel has for this architecture.
pub const XZ_FILTER: Filter = target::XZ_FILTER;
