// SPDX-License-Identifier: GPL-2.0

//! What the verifier takes of programs of our type, whoever loads them.

pub mod callers;
pub mod closed_lists;
pub mod programs;
