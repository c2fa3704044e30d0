// SPDX-License-Identifier: GPL-2.0

//! Images, signatures and objects that break a rule of their format.

pub mod certificates;
pub mod objects;
pub mod pe;
