// SPDX-License-Identifier: GPL-2.0

//! Loads while the adversary interferes: images and kernels that the kernel has to refuse, and good
//! ones, whose programs use the kfuncs.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use libbpf_rs::MapHandle;

use support::embedded::{ask, READ_FD};
use support::harness::{equal, skip, Context, Result};
use support::kexec_file::{changed_kernel, load_files};
use support::load::{enforced, file, image, loaded, stored, unload, Load};
use support::uapi::VERIFY_PE;

use super::functions::{functions, Function};
use super::programs::{attach, probe, Act, Kind, Target, SLOTS};

/// The errnos of Documentation/bpf/kexec.rst.
const ERRNOS: [i32; 20] = [
    libc::EINVAL,
    libc::E2BIG,
    libc::EFAULT,
    libc::EPERM,
    libc::EBADF,
    libc::ENOEXEC,
    libc::ELIBBAD,
    libc::EKEYREJECTED,
    libc::EKEYREVOKED,
    libc::EACCES,
    libc::ENOPKG,
    libc::EFBIG,
    libc::ELIBEXEC,
    libc::ECANCELED,
    libc::ELOOP,
    libc::EBUSY,
    libc::EINTR,
    libc::EIO,
    libc::ENOMEM,
    libc::EADDRNOTAVAIL,
];

/// A file to load, and whether by `kexec_bpf_load(2)`.
struct Attempt {
    name: &'static str,
    file: File,
    ours: bool,
}

impl Attempt {
    fn new(name: &'static str, bytes: &[u8], ours: bool) -> Result<Self> {
        let file = file(bytes)?;
        Ok(Self { name, file, ours })
    }

    /// Loads it. Returns 0 or an errno, and the log.
    fn run(&self, target: &Target) -> (i32, String) {
        if !self.ours {
            return (
                target.during(|| load_files(&self.file, None, 0)),
                String::new(),
            );
        }
        let mut log = vec![0; 1 << 14];
        let load = Load {
            flags: 0,
            ..Load::dry(&self.file)
        };
        let errno = target.during(|| load.run_with(&mut log));
        let end = log.iter().position(|&byte| byte == 0).unwrap_or(0);
        (errno, String::from_utf8_lossy(&log[..end]).into_owned())
    }
}

/// The loads while programs interfere.
pub struct Scene {
    pub target: Target,
    /// The loads that have to be refused.
    bad: Vec<Attempt>,
    /// An image whose program reads `text`.
    private: File,
    data: Vec<MapHandle>,
    _text: [File; 2],
    initrd: File,
    plain: File,
    linux: Attempt,
}

impl Scene {
    pub fn new() -> Result<Self> {
        if !enforced() {
            return skip("signatures are not enforced");
        }
        let text = [file(b"text")?, file(&image("plain")?)?];
        Ok(Self {
            target: Target::new()?,
            bad: vec![
                Attempt::new("unsigned image", &image("unsigned")?, true)?,
                Attempt::new("revoked image", &stored("policy/revoked.efi")?, true)?,
                Attempt::new("changed kernel", &changed_kernel()?, false)?,
            ],
            private: file(&image("obey")?)?,
            data: vec![
                ask(READ_FD, text[0].as_raw_fd().into(), 0)?,
                ask(READ_FD, text[1].as_raw_fd().into(), VERIFY_PE)?,
            ],
            _text: text,
            initrd: file(b"an initrd")?,
            plain: file(&image("plain")?)?,
            linux: Attempt::new("signed kernel", &image("linux")?, false)?,
        })
    }

    /// Makes the good loads. Returns their errnos, or 0.
    fn good(&self) -> Vec<i32> {
        let mut log = vec![0; 1 << 14];
        let mut run = |load: Load<'_>| self.target.during(|| load.run_with(&mut log));
        let private = |data: &MapHandle| Load {
            map: data.as_fd().as_raw_fd(),
            ..Load::dry(&self.private)
        };
        let mut errnos: Vec<_> = self.data.iter().map(private).map(&mut run).collect();
        errnos.push(run(Load {
            initrd: self.initrd.as_raw_fd(),
            cmdline: b"quiet",
            ..Load::dry(&self.plain)
        }));
        errnos
    }

    /// Makes all loads. The functions that are noted meanwhile are on the path of a load.
    fn everything(&self) -> Result {
        self.good();
        for attempt in &self.bad {
            attempt.run(&self.target);
        }
        if self.linux.run(&self.target).0 == 0 {
            unload()?;
        }
        let installed = Load {
            flags: 0,
            ..Load::dry(&self.plain)
        };
        let mut log = vec![0; 1 << 14];
        match self.target.during(|| installed.run_with(&mut log)) {
            0 => unload(),
            errno => equal("errno of the good image", errno, 0),
        }
    }

    /// Skips the test where the architecture lets no program be attached to functions.
    pub fn can_attach(&self) -> Result {
        const ENOTSUPP: i32 = 524;

        let known = functions(|name| name == "security_locked_down")?;
        let function = known.first().ok_or("no security_locked_down()")?;
        let program = self.target.load(Kind::Entry(function.id), Act::Return(0))?;
        match attach(&program) {
            Err(error) if error.raw_os_error() == Some(ENOTSUPP) => {
                skip("no program can be attached to functions")
            }
            _ => Ok(()),
        }
    }

    /// The functions on the path of a load, of those that a program of this kind can be attached
    /// to.
    pub fn on_the_path(
        &self,
        candidates: Vec<Function>,
        kind: impl Fn(u32) -> Kind,
    ) -> Result<Vec<Function>> {
        self.can_attach()?;
        let path = self.reached(candidates, |function, slot| {
            let program = self.target.load(kind(function.id), Act::Note(slot)).ok()?;
            // Some functions cannot be attached to, for instance because nothing calls them.
            attach(&program).ok()
        })?;
        let names: Vec<_> = path.iter().map(|function| function.name.as_str()).collect();
        println!("# on the path: {}", names.join(" "));
        Ok(path)
    }

    /// The functions on the path of a load, of those that can be probed.
    pub fn probed_on_the_path(&self, candidates: Vec<String>) -> Result<Vec<String>> {
        self.reached(candidates, |name, slot| {
            let program = self.target.load(Kind::Kprobe, Act::Note(slot)).ok()?;
            probe(&program, name).ok()
        })
    }

    /// Those of which the program makes its note during all loads. `attach` attaches a program that
    /// uses this slot for its note.
    fn reached<T>(
        &self,
        candidates: Vec<T>,
        attach: impl Fn(&T, u32) -> Option<OwnedFd>,
    ) -> Result<Vec<T>> {
        let mut attached = Vec::new();
        for candidate in candidates {
            let slot = attached.len() as u32;
            if slot == SLOTS {
                return Err("too many functions".into());
            }
            if let Some(link) = attach(&candidate, slot) {
                attached.push((candidate, link));
            }
        }
        self.everything()?;
        let count = attached.len();
        let reached: Vec<_> = (0..)
            .zip(attached)
            .filter(|(slot, _)| self.target.noted(*slot))
            .map(|(_, (candidate, _))| candidate)
            .collect();
        println!("# {} of {count} functions are on the path", reached.len());
        Ok(reached)
    }

    /// The results of all loads, bad and good.
    pub fn verdicts(&self) -> Vec<String> {
        let bad = self.bad.iter().map(|attempt| {
            let (errno, log) = attempt.run(&self.target);
            format!("{}: {errno}\n{log}", attempt.name)
        });
        let good = self.good().into_iter().map(|errno| errno.to_string());
        bad.chain(good).collect()
    }

    /// Fails if a bad load is accepted. Fails also if it is refused with an undocumented errno,
    /// where `documented` says that the errno is the kernel's own.
    pub fn refuses(&self, what: &str, documented: bool) -> Result {
        for attempt in &self.bad {
            let (errno, log) = attempt.run(&self.target);
            let what = format!("{what}: {}: errno {errno}\n{log}", attempt.name);
            if loaded()? {
                unload()?;
                return Err(format!("{what}accepted").into());
            }
            if errno == 0 {
                return Err(format!("{what}no error").into());
            }
            if documented && attempt.ours && !ERRNOS.contains(&errno) {
                return Err(format!("{what}the errno is not documented").into());
            }
        }
        Ok(())
    }

    /// The same during an interference. Also, each good load is accepted or refused with a
    /// documented errno meanwhile, and is accepted afterwards.
    pub fn holds(&self, what: &str, documented: bool, interference: OwnedFd) -> Result {
        let refused = self.refuses(what, documented);
        let good = self.good();
        drop(interference);
        refused?;
        let known = |errno: &i32| *errno == 0 || ERRNOS.contains(errno);
        equal(
            format!("{what}: the errnos are documented"),
            good.iter().all(known),
            true,
        )
        .or_else(|why| if documented { Err(why) } else { Ok(()) })
        .context(format!("{good:?}"))?;
        self.good_again().context(what)
    }

    /// Fails unless the good loads are accepted.
    fn good_again(&self) -> Result {
        // The program of the first two returns a handle, which refuses the image.
        equal(
            "good ones",
            self.good(),
            vec![libc::ECANCELED, libc::ECANCELED, 0],
        )
    }
}
