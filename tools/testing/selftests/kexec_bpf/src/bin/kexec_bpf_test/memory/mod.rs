// SPDX-License-Identifier: GPL-2.0

//! The memory that loads take: limits, what is given back, and what happens without.

pub mod cgroup;
pub mod failed_allocations;
pub mod limits;
