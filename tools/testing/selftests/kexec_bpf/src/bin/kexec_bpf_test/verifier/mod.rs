// SPDX-License-Identifier: GPL-2.0

//! The verifier's verdict on programs of our type, whoever loads them.

pub mod callers;
pub mod closed_lists;
pub mod programs;
