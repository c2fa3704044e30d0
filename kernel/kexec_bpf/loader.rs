// SPDX-License-Identifier: GPL-2.0

//! Loads the program of an object. The program has neither a descriptor nor an ID.

use core::ffi::CStr;

use kernel::prelude::*;

use crate::{
    ffi::{
        self,
        Btf,
        Program, //
    },
    log::Log,
    object::{
        link,
        linked::Linked,
        map::{
            Content,
            MapSpec, //
        },
        Object, //
    },
    printable::Printable,
    refusal::{
        Context,
        Refusal, //
    },
    resource::Resource, //
};

/// The name of the map that takes the caller's private data.
pub(crate) const PRIVATE: &CStr = c"private";

/// The running kernel.
struct Running;

impl link::Kernel for Running {
    fn kfunc_id(&self, name: &CStr) -> Option<u32> {
        ffi::kfunc_id(name)
    }
}

/// Copies the caller's private data, as it is now.
pub(crate) fn private_data(fd: i32) -> Result<Option<ffi::Map>, Refusal> {
    if fd == -1 {
        return Ok(None);
    }
    let data = ffi::Map::snapshot(fd).map_err(|error| {
        let (errno, why) = match error {
            EBADF => (EBADF, "the descriptor is not that of a readable map"),
            EFBIG => (EFBIG, "the map is larger than 1 MiB"),
            ELIBBAD => (
                ELIBBAD,
                "the map is not an array, is offloaded to a device, or has special fields",
            ),
            ENOMEM => (ENOMEM, "out of memory"),
            EINTR => (EINTR, "killed by a signal"),
            _ => (ELIBBAD, "the kernel cannot create a copy of it"),
        };
        Refusal::new(errno, fmt!("private data: {why}"))
    })?;
    Ok(Some(data))
}

/// Loads the program of an object.
// Not inlined: its locals would be in the frame of `run()` while the program runs.
#[inline(never)]
pub(crate) fn load(
    object: &Resource,
    private_data: Option<&ffi::Map>,
    log: &mut Log,
) -> Result<Program, Refusal> {
    let linked = Object::parse(object.bytes())
        .and_then(|object| Linked::new(object, &Running))
        .context(fmt!("object"))?;
    let mut maps = KVec::new();
    let mut private = None;
    for (index, map) in linked.maps.iter().enumerate() {
        maps.push(create(map)?, GFP_KERNEL_ACCOUNT)?;
        if is_private(map) {
            private = Some(index);
        }
    }
    let btf = match linked.btf.is_empty() {
        true => None,
        false => Some(Btf::parse(&linked.btf).map_err(|error| {
            Refusal::new(
                malformed(error),
                fmt!("object: the kernel rejected its BTF"),
            )
        })?),
    };
    let program = verify(&linked, &maps, btf.as_ref(), log)?;
    // After verification, so that no value of the user is folded into the program.
    if let Some(data) = private_data {
        match private.and_then(|index| maps.get(index)) {
            Some(map) => {
                map.copy_from(data).map_err(|error| {
                    let why = "value size or entry count differs from the declaration";
                    Refusal::new(error, fmt!("private data: {why}"))
                })?;
                log.line(fmt!("private data: copied"));
            }
            None => log.line(fmt!("private data: the program declares no map for it")),
        }
    }
    Ok(program)
}

/// Verifies a program. If it is refused, the verifier's log is appended to `log`.
fn verify(
    linked: &Linked<'_>,
    maps: &[ffi::Map],
    btf: Option<&Btf>,
    log: &mut Log,
) -> Result<Program, Refusal> {
    let load = |log: &mut [u8]| Program::load(linked, maps, btf, log);
    load(&mut []).or_else(|error| {
        let (errno, why) = match error {
            ENOMEM => (ENOMEM, "out of memory while verifying it"),
            EINTR | EAGAIN => (EINTR, "interrupted by a signal while verifying it"),
            _ => (ELIBEXEC, "the verifier rejected it"),
        };
        if errno == ELIBEXEC {
            // Verify it once more, with a log.
            if let Some(Ok(program)) = log.fill(load) {
                return Ok(program);
            }
        }
        let error = error.to_errno();
        Err(Refusal::new(errno, fmt!("program: {why}: {error}")))
    })
}

fn is_private(map: &MapSpec<'_>) -> bool {
    map.name == PRIVATE && matches!(map.content, Content::Declared)
}

fn create(map: &MapSpec<'_>) -> Result<ffi::Map, Refusal> {
    let flags = match is_private(map) {
        true => map.flags | kernel::bindings::BPF_F_RDONLY_PROG,
        false => map.flags,
    };
    let filled = |created: ffi::Map| {
        match map.content {
            Content::Declared | Content::Bss => (),
            Content::Rodata(data) => created.fill(data, true)?,
            Content::Data(data) => created.fill(data, false)?,
        }
        Ok(created)
    };
    ffi::Map::create(map, flags)
        .and_then(filled)
        .map_err(|error| {
            let name = Printable(map.name.to_bytes());
            Refusal::new(malformed(error), fmt!("object: cannot create map '{name}'"))
        })
}

/// The errno of an object that the kernel rejects: it is malformed, unless the kernel lacked memory
/// or time.
fn malformed(error: Error) -> Error {
    match error {
        ENOMEM | EINTR => error,
        _ => ELIBBAD,
    }
}
