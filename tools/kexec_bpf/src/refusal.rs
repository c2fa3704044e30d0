// SPDX-License-Identifier: GPL-2.0

//! Why a load was refused, in words.

use std::io;

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

/// The words for what a program returned, if it is in the list.
fn words(returned: u32) -> Option<&'static str> {
    let lines = REFUSALS.lines();
    let mut refusals = lines.filter_map(|line| line.strip_prefix("KEXEC_REFUSAL("));
    refusals.find_map(|refusal| {
        let (_name, rest) = refusal.split_once(", \"")?;
        let (words, value) = rest.split_once("\") = ")?;
        (value.strip_suffix(',')?.parse() == Ok(returned)).then_some(words)
    })
}

/// Says why: the errno and its meaning and, where a program refused, what it returned.
pub fn explain(error: &io::Error, log: &str) -> String {
    let errno = error.raw_os_error().unwrap_or_default();
    let Some(meaning) = meaning(errno) else {
        return error.to_string();
    };
    match returned(log).filter(|_| errno == libc::ECANCELED) {
        Some(reason) => format!("{meaning} ({reason})"),
        None => meaning.into(),
    }
}

/// The words for the last "returned NUMBER" of the log, if NUMBER is one of [`REFUSALS`].
fn returned(log: &str) -> Option<&'static str> {
    let (_, rest) = log.rsplit_once("returned ")?;
    let end = rest.find(|c: char| !c.is_ascii_digit());
    words(rest[..end.unwrap_or(rest.len())].parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explain_errno(errno: i32, log: &str) -> String {
        explain(&io::Error::from_raw_os_error(errno), log)
    }

    #[test]
    fn errnos() {
        assert!(explain_errno(libc::ENOEXEC, "").starts_with("ENOEXEC: not a PE image"));
        assert!(explain_errno(libc::ENOSYS, "").starts_with("ENOSYS: "));
        assert!(explain_errno(libc::EADDRNOTAVAIL, "").ends_with("see crashkernel="));
        assert!(explain_errno(libc::EIO, "").contains("os error 5"));
    }

    #[test]
    fn each_refusal_has_words() {
        let count = REFUSALS.matches("KEXEC_REFUSAL(").count() as u32;
        assert!(count > 0);
        assert!((1..=count).all(|value| words(value).is_some_and(|words| !words.is_empty())));
        assert_eq!(words(0), None);
        assert_eq!(words(count + 1), None);
    }

    #[test]
    fn reason_of_a_program() {
        let refused = meaning(libc::ECANCELED).unwrap();
        for (log, reason) in [
            ("program returned 3", words(3)),
            ("program returned 1\nprogram returned 7\n", words(7)),
            ("program returned 0", None),
            ("program returned 999", None),
            ("program returned -22", None),
            ("program returned 99999999999999999999999", None),
            ("program returned ", None),
            ("program bound no kernel", None),
            ("", None),
        ] {
            let expected = reason.map_or(refused.into(), |why| format!("{refused} ({why})"));
            assert_eq!(explain_errno(libc::ECANCELED, log), expected, "{log}");
        }
        assert!(!explain_errno(libc::EACCES, "program returned 3").contains(words(3).unwrap()));
    }
}
