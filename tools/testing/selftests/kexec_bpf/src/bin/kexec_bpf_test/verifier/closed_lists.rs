// SPDX-License-Identifier: GPL-2.0

//! Of all helpers and kfuncs of the kernel, programs of our type may call only a few, and programs
//! of other types may not call our kfuncs.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::ptr;

use libbpf_rs::btf::types::{DeclTag, Func};
use libbpf_rs::btf::{Btf, ReferencesType};
use libbpf_rs::AsRawLibbpf;
use libbpf_sys::{bpf_insn, bpf_prog_load_opts};

use support::harness::{equal, Context, Result};
use support::uapi::BPF_PROG_TYPE_KEXEC;

tests! {
    BELOW_CONFIDENTIALITY;
    helpers,
    kfuncs,
    our_kfuncs_in_other_types,
    returns_cannot_be_modified,
    attaches_to_nothing,
}

const SLEEPABLE: u32 = 1 << 4;

const KFUNCS: [&str; 5] = [
    "bpf_kexec_carrier",
    "bpf_kexec_cmdline_append",
    "bpf_kexec_decompress",
    "bpf_kexec_initrd_append",
    "bpf_kexec_read_fd",
];

/// `call`, of a helper if `kind` is 0 and of a kfunc if it is 2.
fn call(kind: u8, id: i32) -> bpf_insn {
    const CALL: u8 = 0x85;
    let mut insn = bpf_insn {
        code: CALL,
        imm: id,
        ..Default::default()
    };
    insn.set_src_reg(kind);
    insn
}

const HELPER: u8 = 0;
const KFUNC: u8 = 2;

/// A program that returns 0 after these instructions.
fn then_exit(first: &[bpf_insn]) -> Vec<bpf_insn> {
    const MOV: u8 = 0xb7;
    const EXIT: u8 = 0x95;
    let end = [MOV, EXIT].map(|code| bpf_insn {
        code,
        ..Default::default()
    });
    [first, &end].concat()
}

/// How to load a program.
#[derive(Clone, Copy, Default)]
struct Kind {
    kind: u32,
    flags: u32,
    attach: u32,
    target: u32,
}

const KEXEC: Kind = Kind {
    kind: BPF_PROG_TYPE_KEXEC,
    flags: SLEEPABLE,
    attach: 0,
    target: 0,
};

/// Loads a program: its descriptor, or errno and the verifier's log.
fn load(kind: Kind, insns: &[bpf_insn]) -> Result<OwnedFd, (i32, String)> {
    let mut log = vec![0u8; 1 << 16];
    let mut options = bpf_prog_load_opts {
        sz: size_of::<bpf_prog_load_opts>() as _,
        prog_flags: kind.flags,
        expected_attach_type: kind.attach,
        attach_btf_id: kind.target,
        log_buf: log.as_mut_ptr().cast(),
        log_size: log.len() as u32,
        log_level: 1,
        ..Default::default()
    };
    // SAFETY: Strings end with a NUL; the other pointers go with the lengths beside them.
    let fd = unsafe {
        libbpf_sys::bpf_prog_load(
            kind.kind,
            c"call".as_ptr(),
            c"GPL".as_ptr(),
            insns.as_ptr(),
            insns.len() as _,
            &mut options,
        )
    };
    if fd < 0 {
        let end = log.iter().position(|&byte| byte == 0).unwrap_or(0);
        return Err((-fd, String::from_utf8_lossy(&log[..end]).into_owned()));
    }
    // SAFETY: It is new.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn helpers() -> Result {
    let mut allowed = Vec::new();
    for id in 1.. {
        let insns = then_exit(&[call(HELPER, id)]);
        let (_, log) = load(KEXEC, &insns).expect_err("a call without arguments");
        if log.contains(&format!("invalid func unknown#{id}")) {
            // The kernel has had 211 since Linux 5.18.
            equal(format!("{id} is the first without a name"), id > 211, true)?;
            break;
        }
        if !log.contains("program of this type cannot use helper bpf_") {
            allowed.push(id);
        }
    }
    // `BPF_FUNC_map_lookup_elem` and `BPF_FUNC_loop`.
    equal("helpers", allowed, vec![1, 181])
}

/// All kfuncs of the kernel, by name.
fn all_kfuncs(btf: &Btf<'_>) -> Vec<(String, i32)> {
    let tags = btf.type_by_kind::<DeclTag<'_>>();
    let kfuncs = tags.filter(|tag| tag.name().is_some_and(|name| name == "bpf_kfunc"));
    let functions = kfuncs.filter_map(|tag| {
        let id = tag.referenced_type_id();
        let name = btf.type_by_id::<Func<'_>>(id)?.name()?.to_string_lossy();
        Some((name.into_owned(), u32::from(id) as i32))
    });
    functions.collect()
}

fn kfuncs() -> Result {
    let btf = Btf::from_vmlinux()?;
    let all = all_kfuncs(&btf);
    equal(
        format!("{} kfuncs are many", all.len()),
        all.len() > 50,
        true,
    )?;
    let mut allowed = Vec::new();
    for (name, id) in all {
        let insns = then_exit(&[call(KFUNC, id)]);
        let (_, log) = load(KEXEC, &insns).expect_err("a call without arguments");
        // The kernel accepts no call of some kfuncs, because of their prototypes.
        let looked_at = !log.contains("processed 0 insns");
        if looked_at && !log.contains(&format!("calling kernel function {name} is not allowed")) {
            allowed.push(name);
        }
    }
    allowed.sort();
    equal("kfuncs", allowed, KFUNCS.map(String::from).to_vec())
}

const FUNC: u32 = 12;
const STRUCT: u32 = 4;

/// The number of a function or structure in the kernel's BTF.
fn id_of(btf: &Btf<'_>, name: &str, kind: u32) -> Result<u32> {
    let c_name = CString::new(name)?;
    let btf = btf.as_libbpf_object().as_ptr();
    // SAFETY: The BTF lives, and the name ends with a NUL.
    let id = unsafe { libbpf_sys::btf__find_by_name_kind(btf, c_name.as_ptr(), kind) };
    Ok(u32::try_from(id).map_err(|_| format!("no {name} in BTF"))?)
}

/// Types of programs that an adversary would like to call our kfuncs from.
const KPROBE: u32 = 2;
const SCHED_CLS: u32 = 3;
const XDP: u32 = 6;
const TRACING: u32 = 26;
const STRUCT_OPS: u32 = 27;
const LSM: u32 = 29;
const SYSCALL: u32 = 31;

/// Attach types.
const FENTRY: u32 = 24;
const FEXIT: u32 = 25;
const MODIFY_RETURN: u32 = 26;
const LSM_MAC: u32 = 27;

fn our_kfuncs_in_other_types() -> Result {
    let btf = Btf::from_vmlinux()?;
    let function = id_of(&btf, "vfs_read", FUNC)?;
    let hook = id_of(&btf, "bpf_lsm_file_open", FUNC)?;
    let operations = id_of(&btf, "bpf_dummy_ops", STRUCT)?;
    // Each type, and those that take a target with one.
    let plain = (1..64).map(|kind| (kind, 0, 0, 0));
    let kinds = plain.chain([
        (SYSCALL, SLEEPABLE, 0, 0),
        (TRACING, 0, FENTRY, function),
        (TRACING, 0, FEXIT, function),
        (LSM, 0, LSM_MAC, hook),
        (LSM, SLEEPABLE, LSM_MAC, hook),
        (STRUCT_OPS, 0, 0, operations),
        // `bpf_dummy_ops::test_sleepable`
        (STRUCT_OPS, SLEEPABLE, 2, operations),
    ]);
    let mut looked_at = Vec::new();
    for (kind, flags, attach, target) in kinds.filter(|&(kind, ..)| kind != BPF_PROG_TYPE_KEXEC) {
        let kind = Kind {
            kind,
            flags,
            attach,
            target,
        };
        for name in KFUNCS {
            let id = id_of(&btf, name, FUNC)? as i32;
            let Err((errno, log)) = load(kind, &then_exit(&[call(KFUNC, id)])) else {
                return Err(format!("programs of type {} call {name}", kind.kind).into());
            };
            if log.contains(&format!("calling kernel function {name} is not allowed")) {
                equal("errno", errno, libc::EACCES)?;
                looked_at.push(kind.kind);
            }
        }
    }
    for kind in [KPROBE, SCHED_CLS, XDP, TRACING, STRUCT_OPS, LSM, SYSCALL] {
        let found = looked_at.contains(&kind);
        equal(format!("the verifier looked at type {kind}"), found, true)?;
    }
    Ok(())
}

/// This reads each file of a load. Who could modify its return value would skip the read.
const READS_FILES: &str = "kernel_read_file";

fn returns_cannot_be_modified() -> Result {
    let btf = Btf::from_vmlinux()?;
    for name in KFUNCS.into_iter().chain([READS_FILES]) {
        let kind = Kind {
            kind: TRACING,
            flags: 0,
            attach: MODIFY_RETURN,
            target: id_of(&btf, name, FUNC)?,
        };
        let Err((errno, log)) = load(kind, &then_exit(&[])) else {
            return Err(format!("programs modify what {name} returns").into());
        };
        equal("errno", errno, libc::EINVAL).context(&log)?;
        let why = format!("{name}() is not modifiable");
        equal(&why, log.contains(&why), true).context(log)?;
    }
    Ok(())
}

/// A program that user space loaded cannot be attached to anything.
fn attaches_to_nothing() -> Result {
    let program = load(KEXEC, &then_exit(&[])).map_err(|(errno, log)| format!("{errno}: {log}"))?;
    let fd = program.as_raw_fd();
    for kind in 0..128 {
        // SAFETY: No options are fine.
        let got = unsafe { libbpf_sys::bpf_link_create(fd, 0, kind, ptr::null()) };
        equal(format!("link of attach type {kind}"), got, -libc::EINVAL)?;
        // SAFETY: There are no requirements.
        let got = unsafe { libbpf_sys::bpf_prog_attach(fd, 0, kind, 0) };
        equal(format!("attach type {kind}"), got, -libc::EINVAL)?;
    }
    // SAFETY: The name ends with a NUL.
    let got = unsafe { libbpf_sys::bpf_raw_tracepoint_open(c"sys_enter".as_ptr(), fd) };
    equal("raw tracepoint", got, -libc::EINVAL)?;

    let (socket, _peer) = UnixDatagram::pair()?;
    // SAFETY: The option's value is a descriptor, of this length.
    let got = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_BPF,
            (&raw const fd).cast(),
            size_of::<i32>() as u32,
        )
    };
    let errno = io::Error::last_os_error().raw_os_error();
    equal("socket", (got, errno), (-1, Some(libc::EINVAL)))
}
