// SPDX-License-Identifier: GPL-2.0

//! The memory of loads: its limits, its return, and loads without enough of it.

pub mod cgroup;
pub mod failed_allocations;
pub mod limits;
