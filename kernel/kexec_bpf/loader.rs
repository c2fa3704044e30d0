// SPDX-License-Identifier: GPL-2.0

//! From the object to a program that is loaded, with neither fd nor ID.

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
    resource::Resource, //
};

/// The map that takes the caller's private data, `KEXEC_BPF_PRIVATE_MAP`.
const PRIVATE: &CStr = c"private";

/// The kernel that runs.
struct Running;

impl link::Kernel for Running {
    fn kfunc_id(&self, name: &CStr) -> Option<u32> {
        ffi::kfunc_id(name)
    }
}

/// The caller's private data, as it is now.
pub(crate) fn private_data(fd: i32, log: &mut Log) -> Result<Option<ffi::Map>> {
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
            ENOMEM => (ENOMEM, "there is no memory for it"),
            EINTR => (EINTR, "killed by a signal"),
            _ => (ELIBBAD, "the kernel makes no such map"),
        };
        log.refuse(errno, fmt!("private data: {why}"))
    })?;
    Ok(Some(data))
}

/// Loads the program of an object.
// Its frame is large, and would be part of that of its caller, which lives while the program runs.
#[inline(never)]
pub(crate) fn load(
    object: &Resource,
    private_data: Option<&ffi::Map>,
    log: &mut Log,
) -> Result<Program> {
    let linked = Object::parse(object.bytes())
        .and_then(|object| Linked::new(object, &Running))
        .map_err(|error| log.refuse(error.kind.errno(), fmt!("object: {error}")))?;
    let mut maps = KVec::new();
    let mut private = None;
    for (index, map) in linked.maps.iter().enumerate() {
        let created = create(map).map_err(|error| {
            let name = Printable(map.name.to_bytes());
            log.refuse(error, fmt!("object: map '{name}' cannot be made"))
        })?;
        maps.push(created, GFP_KERNEL_ACCOUNT)?;
        if is_private(map) {
            private = Some(index);
        }
    }
    let btf =
        match linked.btf.is_empty() {
            true => None,
            false => Some(Btf::parse(&linked.btf).map_err(|error| {
                log.refuse(bad(error), fmt!("object: the kernel refuses its BTF"))
            })?),
        };
    let program = verify(&linked, &maps, btf.as_ref(), log)?;
    // After verification, so that no user value is folded into it, and before the run.
    if let Some(data) = private_data {
        match private.and_then(|index| maps.get(index)) {
            Some(map) => {
                map.copy_from(data).map_err(|error| {
                    log.refuse(error, fmt!("private data: not of the declared shape"))
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
) -> Result<Program> {
    let load = |log: &mut [u8]| Program::load(linked, maps, btf, log);
    load(&mut []).or_else(|error| {
        let (errno, why) = match error {
            ENOMEM => (ENOMEM, "there is no memory to verify it"),
            EINTR | EAGAIN => (EINTR, "a signal came while it was verified"),
            _ => (ELIBEXEC, "the verifier refuses it"),
        };
        if errno == ELIBEXEC {
            // Once more, to say why.
            if let Some(Ok(program)) = log.fill(load) {
                return Ok(program);
            }
        }
        Err(log.refuse(errno, fmt!("program: {why}: {}", error.to_errno())))
    })
}

fn is_private(map: &MapSpec<'_>) -> bool {
    map.name == PRIVATE && matches!(map.content, Content::Declared)
}

fn create(map: &MapSpec<'_>) -> Result<ffi::Map> {
    let flags = match is_private(map) {
        true => map.flags | kernel::bindings::BPF_F_RDONLY_PROG,
        false => map.flags,
    };
    let created = ffi::Map::create(map, flags).map_err(bad)?;
    match map.content {
        Content::Declared | Content::Bss => (),
        Content::Rodata(data) => created.fill(data, true)?,
        Content::Data(data) => created.fill(data, false)?,
    }
    Ok(created)
}

/// What the kernel does not take of an object is malformed, unless there is no memory or time.
fn bad(error: Error) -> Error {
    match error {
        ENOMEM | EINTR => error,
        _ => ELIBBAD,
    }
}
