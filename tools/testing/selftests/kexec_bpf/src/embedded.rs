// SPDX-License-Identifier: GPL-2.0

//! The protocols of two programs in progs/embedded: returns_flags.bpf.c, and obey.bpf.c, which does
//! what the caller's private data ask for.

use std::mem::size_of;

use libbpf_rs::libbpf_sys::bpf_map_create_opts;
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};

use crate::harness::{equal, Context, Result};
use crate::load::Loaded;

/// The end of the line of the log that reports what returns_flags.bpf.c returned for these flags.
pub fn returned_flags(flags: u32) -> String {
    format!("program returned {}", 256 + flags)
}

// As in progs/embedded/obey.h.
pub const ENTRIES: u32 = 3;
pub const VALUE_SIZE: u32 = 24;
pub const RETURN: u64 = 1;
pub const READ_FD: u64 = 2;
pub const PUT: u64 = 3;
pub const PIECES: u64 = 4;
pub const CMDLINE: u64 = 5;
pub const CHANGED: u64 = 6;
pub const DECOMPRESS: u64 = 7;
pub const TWICE: u64 = 8;

/// A map for private data.
pub fn map(kind: MapType, key: u32, value: u32, entries: u32, flags: u32) -> Result<MapHandle> {
    let options = bpf_map_create_opts {
        sz: size_of::<bpf_map_create_opts>() as _,
        map_flags: flags,
        ..Default::default()
    };
    Ok(MapHandle::create(
        kind,
        Some("data"),
        key,
        value,
        entries,
        &options,
    )?)
}

/// Private data that ask obey.bpf.c for an operation.
pub fn ask(op: u64, a: i64, b: u64) -> Result<MapHandle> {
    let map = map(MapType::Array, 4, VALUE_SIZE, ENTRIES, 0)?;
    let value = [op.to_ne_bytes(), a.to_ne_bytes(), b.to_ne_bytes()].concat();
    map.update(&(ENTRIES - 1).to_ne_bytes(), &value, MapFlags::ANY)?;
    Ok(map)
}

/// Fails unless the private data were copied.
pub fn copied(loaded: &Loaded) -> Result {
    let copied = loaded.log.iter().any(|line| line == "private data: copied");
    equal("data were copied", copied, true).context(loaded.log.join("\n"))
}

/// Fails unless the program got the private data and then returned this.
pub fn returns(loaded: &Loaded, want: i64) -> Result {
    copied(loaded)?;
    loaded.refused(libc::ECANCELED, &format!("program returned {want}"))
}
