// SPDX-License-Identifier: GPL-2.0

//! Why a load was refused, in words.

use std::{fmt, fs, io};

use serde::Serialize;

/// What an errno of `kexec_bpf_load(2)` means.
fn meaning(errno: i32) -> Option<&'static str> {
    Some(match errno {
        libc::ENOEXEC => "ENOEXEC: not a PE image, or one without a .bpf section",
        libc::ELIBBAD => "ELIBBAD: the image, or the BPF object in it, is malformed",
        libc::EKEYREJECTED => "EKEYREJECTED: a trusted key has to sign the image, and none did",
        libc::EKEYREVOKED => "EKEYREVOKED: the image, or who signed it, was revoked",
        libc::EBADF => "EBADF: not a regular file that can be read, or given twice",
        libc::EACCES => "EACCES: no signature covers all bytes of the kernel to load",
        libc::EFBIG => "EFBIG: over a limit",
        libc::ENOPKG => "ENOPKG: an algorithm, or a part of the BPF object, is not supported",
        libc::ELIBEXEC => "ELIBEXEC: the verifier does not accept the image's program",
        libc::ECANCELED => "ECANCELED: the image's program refused, or bound no kernel",
        libc::ELOOP => "ELOOP: images are nested too deeply, or one in itself",
        libc::EPERM => "EPERM: CAP_SYS_BOOT is missing, or loading kernels is disabled",
        libc::EADDRNOTAVAIL => "EADDRNOTAVAIL: no room for the kernel, see crashkernel=",
        libc::EINTR => "EINTR: interrupted by a signal",
        libc::ENOMEM => "ENOMEM: not enough memory",
        libc::EBUSY => "EBUSY: another load is under way",
        libc::EFAULT => "EFAULT: an argument is not readable memory",
        libc::EINVAL => "EINVAL: the kernel does not accept an argument",
        libc::E2BIG => "E2BIG: the kernel is older than this command, and lacks an option of it",
        libc::ENOSYS => "ENOSYS: the running kernel has no kexec_bpf_load(2)",
        _ => return None,
    })
}

/// The list of what the programs of this directory return, which they include too.
const REFUSALS: &str = include_str!("../refusals.h");

/// The name and the words of what a program returned, if it is in the list.
fn named(returned: u32) -> Option<(&'static str, &'static str)> {
    let lines = REFUSALS.lines();
    let mut refusals = lines.filter_map(|line| line.strip_prefix("KEXEC_REFUSAL("));
    refusals.find_map(|refusal| {
        let (name, rest) = refusal.split_once(", \"")?;
        let (words, value) = rest.split_once("\") = ")?;
        (value.strip_suffix(',')?.parse() == Ok(returned)).then_some((name, words))
    })
}

/// Why a load was refused.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub errno: i32,
    /// The kernel's reason, if it gave one; what the errno means otherwise.
    pub reason: String,
    /// What the errno means.
    pub meaning: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Refusal {
    /// Takes the reason from the kernel's log. The errno is that of the system call.
    pub fn new(error: &io::Error, log: &str) -> Self {
        let errno = error.raw_os_error().unwrap_or_default();
        let meaning = meaning(errno).map_or_else(|| error.to_string(), str::to_owned);
        let reason = log
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("refused: "));
        let mut reason = reason.map_or_else(|| meaning.clone(), str::to_owned);
        let returned = returned(&reason).filter(|_| errno == libc::ECANCELED);
        let hint = match returned {
            Some((name, _words)) => program_hint(name).map(str::to_owned),
            None => hint(errno, &reason),
        };
        if let Some((_name, words)) = returned {
            reason = format!("{reason}: {words}");
        }
        Self {
            hint,
            errno,
            reason,
            meaning,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.reason)?;
        if self.reason != self.meaning {
            write!(f, "\n  {}", self.meaning)?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// What to do about a refusal, where that is known.
fn hint(errno: i32, reason: &str) -> Option<String> {
    let has = |words: &str| reason.contains(words);
    let hint = match errno {
        libc::EPERM => return Some(permission()),
        libc::ENOEXEC if has(".bpf") => {
            "give it a program by 'kexec-bpf attach IMAGE /usr/lib/kexec_bpf/uki.bpf.o OUTPUT', \
             and sign it"
        }
        libc::ELIBBAD if has("gap or overlap") => {
            "objcopy leaves a gap before a section that it adds: add the section .bpf by \
             'kexec-bpf attach' instead"
        }
        libc::ELIBBAD if has("private data") => {
            "the program expects other private data than this command passes: see --no-extras"
        }
        libc::EKEYREJECTED if has("not signed") => {
            "sign it with a key that 'keyctl list %:.secondary_trusted_keys' or 'keyctl list \
             %:.platform' shows"
        }
        libc::EKEYREJECTED => {
            "'kexec-bpf inspect' shows who signed it, 'keyctl list %:.secondary_trusted_keys' and \
             'keyctl list %:.platform' which keys are trusted"
        }
        libc::EADDRNOTAVAIL => {
            "reserve memory by crashkernel=256M on the command line of the \
                                running kernel, and reboot"
        }
        libc::ENOSYS => "the running kernel needs CONFIG_KEXEC_BPF",
        _ => return None,
    };
    Some(hint.into())
}

/// Which of the rules for loading kernels stands against it.
fn permission() -> String {
    let sysctl = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok();
    permission_by(|name| sysctl(name)?.trim().parse().ok())
}

fn permission_by(sysctl: impl Fn(&str) -> Option<i64>) -> String {
    if sysctl("kexec_load_disabled") == Some(1) {
        return "the sysctl kernel.kexec_load_disabled is 1, and stays so until the next boot"
            .into();
    }
    for name in ["kexec_load_limit_reboot", "kexec_load_limit_panic"] {
        if sysctl(name) == Some(0) {
            return format!("the sysctl kernel.{name} is 0: no more loads until the next boot");
        }
    }
    "run the command as root".into()
}

/// What to do about a refusal of a program, by its name.
fn program_hint(name: &str) -> Option<&'static str> {
    Some(match name {
        "INITRD" => "leave out --initrd",
        "CMDLINE" => "leave out --command-line",
        "PRIVATE_DATA" => "this command is of another version than the image's program",
        "PROFILE" => "'kexec-bpf inspect' lists the profiles",
        _ => return None,
    })
}

/// What [`named`] has for "returned NUMBER".
fn returned(reason: &str) -> Option<(&'static str, &'static str)> {
    let (_, rest) = reason.rsplit_once("returned ")?;
    let end = rest.find(|c: char| !c.is_ascii_digit());
    named(rest[..end.unwrap_or(rest.len())].parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(errno: i32, log: &str) -> Refusal {
        Refusal::new(&io::Error::from_raw_os_error(errno), log)
    }

    #[test]
    fn the_kernel_s_reason_comes_first() {
        let log = "image: 7 bytes\nrefused: at 0x40: no PE signature\nnot loaded: -8\n";
        let refusal = refusal(libc::ENOEXEC, log);
        assert_eq!(
            refusal.to_string(),
            "refused: at 0x40: no PE signature\n  \
             ENOEXEC: not a PE image, or one without a .bpf section"
        );
        assert_eq!(refusal.errno, 8);
    }

    #[test]
    fn errnos_without_a_reason() {
        for (errno, message) in [
            (
                libc::ENOSYS,
                "refused: ENOSYS: the running kernel has no kexec_bpf_load(2)\n  \
                 hint: the running kernel needs CONFIG_KEXEC_BPF",
            ),
            (libc::ENOMEM, "refused: ENOMEM: not enough memory"),
            (libc::EIO, "refused: Input/output error (os error 5)"),
        ] {
            assert_eq!(refusal(errno, "").to_string(), message);
        }
    }

    #[test]
    fn hints() {
        for (errno, reason, hint) in [
            (
                libc::ENOEXEC,
                "the image has no section .bpf",
                "kexec-bpf attach IMAGE",
            ),
            (
                libc::ELIBBAD,
                "gap or overlap: no section begins here",
                "'kexec-bpf attach'",
            ),
            (libc::ELIBBAD, "private data: another size", "--no-extras"),
            (
                libc::EKEYREJECTED,
                "image: it is not signed",
                "sign it with",
            ),
            (
                libc::EKEYREJECTED,
                "no trusted key signed it",
                "kexec-bpf inspect",
            ),
            (libc::EADDRNOTAVAIL, "no room", "crashkernel="),
            (libc::ECANCELED, "program returned 4", "leave out --initrd"),
            (
                libc::ECANCELED,
                "program returned 5",
                "leave out --command-line",
            ),
        ] {
            let refusal = refusal(errno, &format!("refused: {reason}\n"));
            let given = refusal.hint.as_deref().unwrap_or_default();
            assert!(given.contains(hint), "{refusal}");
        }
        for (errno, reason) in [
            (libc::ENOEXEC, "no MZ signature"),
            (libc::ELIBBAD, "no section table"),
            (libc::ECANCELED, "program returned 3"),
        ] {
            assert_eq!(refusal(errno, &format!("refused: {reason}\n")).hint, None);
        }
    }

    #[test]
    fn what_stands_against_loading() {
        for (name, value, hint) in [
            (
                "kexec_load_disabled",
                1,
                "the sysctl kernel.kexec_load_disabled is 1",
            ),
            ("kexec_load_disabled", 0, "run the command as root"),
            (
                "kexec_load_limit_reboot",
                0,
                "the sysctl kernel.kexec_load_limit_reboot is 0",
            ),
            (
                "kexec_load_limit_panic",
                0,
                "the sysctl kernel.kexec_load_limit_panic is 0",
            ),
            ("kexec_load_limit_reboot", -1, "run the command as root"),
        ] {
            let given = permission_by(|asked| (asked == name).then_some(value));
            assert!(given.starts_with(hint), "{given}");
        }
    }

    #[test]
    fn each_refusal_has_words() {
        let count = REFUSALS.matches("KEXEC_REFUSAL(").count() as u32;
        assert!(count > 0);
        assert!((1..=count).all(|value| named(value).is_some_and(|(_, words)| !words.is_empty())));
        assert_eq!(named(0), None);
        assert_eq!(named(count + 1), None);
    }

    #[test]
    fn reason_of_a_program() {
        let words = |returned| named(returned).map(|(_, words)| words);
        for (log, reason) in [
            ("refused: program returned 3", words(3)),
            (
                "program returned 1\nrefused: program returned 7\nnot loaded: -125",
                words(7),
            ),
            ("refused: program returned 0", None),
            ("refused: program returned 999", None),
            ("refused: program returned -22", None),
            ("refused: program returned 99999999999999999999999", None),
            ("refused: program returned ", None),
            ("refused: program bound no kernel", None),
        ] {
            let (_, line) = log.rsplit_once("refused: ").unwrap();
            let line = line.lines().next().unwrap();
            let expected = reason.map_or(line.into(), |words| format!("{line}: {words}"));
            assert_eq!(refusal(libc::ECANCELED, log).reason, expected, "{log}");
        }
        let other = refusal(libc::EACCES, "refused: program returned 3");
        assert_eq!(other.reason, "program returned 3");
    }
}
