// SPDX-License-Identifier: GPL-2.0

//! Compressed streams.

mod encoders;
mod headers;
mod whole;
