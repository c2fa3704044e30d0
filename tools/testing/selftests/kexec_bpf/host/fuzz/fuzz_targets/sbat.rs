// SPDX-License-Identifier: GPL-2.0

//! SBAT: a level and a section, which a NUL separates.

#![no_main]

use kexec_bpf_host::sbat::{
    check,
    Wrong, //
};
use libfuzzer_sys::fuzz_target;

/// The first two values of each line. `None` if a line has fewer than `count`.
fn values(text: &[u8], count: usize) -> Option<Vec<(&[u8], u32)>> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let lines = text.split(|byte| b"\r\n".contains(byte));
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let values: Vec<_> = line.split(|&byte| byte == b',').collect();
            if values.len() < count || values[..count].contains(&&b""[..]) {
                return None;
            }
            let number = values[1].iter().skip_while(|&&byte| byte == b' ');
            let digits: Vec<_> = number.copied().take_while(u8::is_ascii_digit).collect();
            let digits = String::from_utf8(digits).expect("digits");
            let generation = match digits.as_str() {
                "" => 0,
                // Only one that is too large is not a number.
                digits => digits.parse().unwrap_or(u32::MAX),
            };
            Some((values[0], generation))
        })
        .collect()
}

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |&byte| byte == 0);
    let level = parts.next().unwrap_or_default();
    let section = parts.next().unwrap_or_default();
    let verdict = check(level, section);

    let Some(lowest) = values(level, 2) else {
        return assert!(matches!(verdict, Err(Wrong::Level(_))));
    };
    if lowest.is_empty() {
        return assert_eq!(verdict, Ok(()));
    }
    let below = |&(component, generation): &(&[u8], u32)| {
        let of_level = lowest.iter().find(|(name, _)| *name == component);
        of_level.is_some_and(|&(_, lowest)| generation < lowest)
    };
    match verdict {
        Ok(()) => assert!(values(section, 6).is_some_and(|values| !values.iter().any(below))),
        Err(Wrong::Revoked {
            generation, lowest, ..
        }) => assert!(generation < lowest),
        Err(Wrong::Section(_)) => assert_eq!(values(section, 6), None),
        Err(Wrong::Level(_)) => unreachable!("each line of it has two values"),
    }
});
