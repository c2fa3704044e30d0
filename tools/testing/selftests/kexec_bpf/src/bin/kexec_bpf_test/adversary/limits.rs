// SPDX-License-Identifier: GPL-2.0

//! Limits of the process, of its cgroup and of the machine that change while a load waits for its
//! image. The verdict stays the same, or the load fails because of the limit.

use std::fs;

use rustix::process::{prlimit, Pid, Resource, Rlimit};

use support::cgroup::Cgroup;
use support::child::{Child, End, Plan};
use support::fuse::{Fuse, Mode};
use support::harness::{equal, Context, Result};
use support::load::{bpf_ids, enforced, image, next_is_accepted, Load, Loaded};

tests! {
    WHEN_NAMED;
    of_the_process,
    of_the_cgroup,
    of_the_machine,
}

/// Starts a load of these bytes, calls `change` while it waits for them, and lets it go on.
fn while_it_waits(
    bytes: &[u8],
    plan: &Plan<'_>,
    change: impl FnOnce(&Child) -> Result,
) -> Result<(End, Loaded)> {
    let fuse = Fuse::mount(bytes.len(), Mode::Cached)?;
    let child = Child::with_plan(&Load::dry(fuse.file()), plan)?;
    let asked = fuse.asked().context(child.log())?;
    change(&child)?;
    let mut next = Some(asked);
    // Whether the load reads the whole file depends on the limit.
    while let Some(asked) = next {
        fuse.answer_out_of(&asked, bytes, usize::MAX);
        next = loop {
            match fuse.asked_within(20) {
                None if child.ends_within(0) => break None,
                None => (),
                asked => break asked,
            }
        };
    }
    child.wait()
}

/// These limits do not hold for the kernel's own allocations.
fn of_the_process() -> Result {
    let good = image("tiny")?;
    for resource in [
        Resource::As,
        Resource::Data,
        Resource::Stack,
        Resource::Rss,
        Resource::Nofile,
        Resource::Fsize,
        Resource::Memlock,
        Resource::Nproc,
        Resource::Sigpending,
        Resource::Core,
    ] {
        let (end, loaded) = while_it_waits(&good, &Plan::default(), |child| {
            let none = Rlimit {
                current: Some(0),
                maximum: Some(0),
            };
            prlimit(Pid::from_raw(child.pid()), resource, none)?;
            Ok(())
        })?;
        let what = format!("limit {resource:?}: {}", loaded.log.join("\n"));
        equal(what, end, End::Returned(0))?;
    }
    Ok(())
}

/// A limit below the memory that the load has kills the process. The load fails if the process must
/// not be killed.
fn of_the_cgroup() -> Result {
    let (good, ids) = (image("small")?, bpf_ids());
    for (adjust, ends) in [
        (
            "0",
            &[End::Killed(libc::SIGKILL), End::Returned(libc::ENOMEM)][..],
        ),
        ("-1000", &[End::Returned(libc::ENOMEM)]),
    ] {
        let cgroup = Cgroup::new()?;
        let plan = Plan {
            times: 1,
            joins: Some(cgroup.procs()),
        };
        fs::write("/proc/self/oom_score_adj", adjust)?;
        let result = while_it_waits(&good, &plan, |_| cgroup.limit(4096));
        fs::write("/proc/self/oom_score_adj", "0")?;
        let (end, loaded) = result?;
        let what = format!("{end:?} is one of {ends:?}");
        equal(what, ends.contains(&end), true).context(loaded.log.join("\n"))?;
        cgroup.all_given_back()?;
        next_is_accepted()?;
    }
    equal("numbers of programs, maps and BTF", bpf_ids(), ids)
}

/// Settings, and unusual values for them.
const SETTINGS: [(&str, &str); 12] = [
    ("net/core/bpf_jit_enable", "0"),
    ("net/core/bpf_jit_harden", "2"),
    ("net/core/bpf_jit_kallsyms", "1"),
    ("net/core/bpf_jit_limit", "1"),
    ("kernel/bpf_stats_enabled", "1"),
    ("kernel/kptr_restrict", "2"),
    ("kernel/dmesg_restrict", "1"),
    ("kernel/randomize_va_space", "0"),
    ("vm/overcommit_memory", "2"),
    ("vm/max_map_count", "0"),
    ("fs/file-max", "0"),
    ("user/max_user_namespaces", "0"),
];

fn of_the_machine() -> Result {
    let (good, unsigned) = (image("tiny")?, image("unsigned")?);
    let mut changed = 0;
    for (name, value) in SETTINGS {
        let path = format!("/proc/sys/{name}");
        let Ok(before) = fs::read_to_string(&path) else {
            continue;
        };
        for (bytes, is_signed) in [(&good, true), (&unsigned, false)] {
            let result = while_it_waits(bytes, &Plan::default(), |_| Ok(fs::write(&path, value)?));
            fs::write(&path, before.trim()).context(&path)?;
            let (end, loaded) = result.context(&path)?;
            let wants = match (is_signed, enforced()) {
                (false, true) => &[libc::EKEYREJECTED][..],
                // The setting limits the memory for compiled programs.
                _ if name == "net/core/bpf_jit_limit" => &[0, libc::ENOMEM],
                _ => &[0],
            };
            let fits = wants.iter().any(|&errno| end == End::Returned(errno));
            equal(format!("{path}: {end:?} is one of {wants:?}"), fits, true)
                .context(loaded.log.join("\n"))?;
        }
        next_is_accepted().context(path)?;
        changed += 1;
    }
    equal(
        "there are such settings",
        changed > SETTINGS.len() / 2,
        true,
    )
}
