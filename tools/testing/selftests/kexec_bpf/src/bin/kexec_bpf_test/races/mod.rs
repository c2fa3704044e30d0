// SPDX-License-Identifier: GPL-2.0

//! Loads while something else happens: other loads, signals, and changes of their files.

pub mod at_once;
pub mod descriptors;
pub mod running_program;
pub mod signals;
