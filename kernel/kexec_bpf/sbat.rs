// SPDX-License-Identifier: GPL-2.0

//! SBAT: generations of components, by which shim revokes all images that are too old.
//!
//! An image has the generations of its components in the section `.sbat`. shim keeps a level: the
//! lowest generation of each component that is not revoked. Both are lines of values, which commas
//! separate; the first two are the component and the generation. The rules are those of shim,
//! except that sections have a limit, and that generations do not lose their upper bits.

use kernel::prelude::*;

use crate::{
    error::ParseError,
    printable::Name, //
};

/// The longest section, in bytes. That of a UKI has some hundred.
pub const SECTION_MAX: usize = 1 << 16;

/// Values in each line of a section: three names, a version and an address follow.
const SECTION_VALUES: usize = 6;
/// Values in each line of a level. A date can follow in the first one.
const LEVEL_VALUES: usize = 2;

/// What is wrong with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The generation of a component is below the level.
    Revoked {
        /// The component.
        component: Name,
        /// Its generation in the image.
        generation: u32,
        /// The lowest one that is not revoked.
        lowest: u32,
    },
    /// The section cannot be read.
    Section(ParseError),
    /// The level cannot be read.
    Level(ParseError),
}

/// Checks the section of an image against a level. An empty level is that of a machine without
/// shim, and an empty section that of an image without one. These are all right.
pub fn check(level: &[u8], section: &[u8]) -> Result<(), Wrong> {
    for line in lines(level) {
        line.values(LEVEL_VALUES, "a line has fewer than two values")
            .map_err(Wrong::Level)?;
    }
    if lines(level).next().is_none() {
        return Ok(());
    }
    if section.len() > SECTION_MAX {
        let wrong = "the section is larger than 64 KiB";
        let error = ParseError::too_big(wrong, SECTION_MAX as u64);
        return Err(Wrong::Section(error));
    }
    for line in lines(section) {
        line.values(SECTION_VALUES, "a line has fewer than six values")
            .map_err(Wrong::Section)?;
        let same = lines(level).find(|of_level| of_level.component() == line.component());
        let lowest = same.map_or(0, |of_level| of_level.generation());
        if line.generation() < lowest {
            return Err(Wrong::Revoked {
                component: Name::new(line.component()),
                generation: line.generation(),
                lowest,
            });
        }
    }
    Ok(())
}

/// A line that is not empty.
struct Line<'a> {
    /// Its offset in the text.
    at: usize,
    text: &'a [u8],
}

/// The lines of a text up to its first NUL.
fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    let (start, text) = match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => (BYTE_ORDER_MARK.len(), rest),
        None => (0, text),
    };
    text.split(|&byte| matches!(byte, b'\r' | b'\n'))
        .scan(start, |next, text| {
            let at = *next;
            // One byte separates it from the next one.
            *next = at.saturating_add(text.len()).saturating_add(1);
            Some(Line { at, text })
        })
        .filter(|line| !line.text.is_empty())
}

impl<'a> Line<'a> {
    /// Fails unless the line has so many values, none of them empty.
    fn values(&self, count: usize, wrong: &'static str) -> Result<(), ParseError> {
        let values = self.text.split(|&byte| byte == b',').take(count);
        match values.filter(|value| !value.is_empty()).count() == count {
            true => Ok(()),
            false => Err(ParseError::malformed(wrong, self.at as u64)),
        }
    }

    fn value(&self, index: usize) -> &'a [u8] {
        let mut values = self.text.split(|&byte| byte == b',');
        values.nth(index).unwrap_or_default()
    }

    fn component(&self) -> &'a [u8] {
        self.value(0)
    }

    /// The number that the second value begins with. It is 0 without a number, as for shim.
    fn generation(&self) -> u32 {
        self.value(1)
            .iter()
            .skip_while(|&&byte| byte == b' ')
            .map_while(|&byte| char::from(byte).to_digit(10))
            .fold(0, |number: u32, digit| {
                number.saturating_mul(10).saturating_add(digit)
            })
    }
}

#[cfg(CONFIG_KEXEC_BPF_KUNIT_TEST)]
#[kunit_tests(kexec_bpf_sbat)]
mod tests {
    use super::*;

    const LEVEL: &[u8] = b"sbat,1,2024010900\nshim,4\ngrub,3\ngrub.debian,4\n";

    fn revoked(component: &[u8], generation: u32, lowest: u32) -> Result<(), Wrong> {
        Err(Wrong::Revoked {
            component: Name::new(component),
            generation,
            lowest,
        })
    }

    fn section(at: u64) -> Result<(), Wrong> {
        let wrong = "a line has fewer than six values";
        Err(Wrong::Section(ParseError::malformed(wrong, at)))
    }

    #[test]
    fn generations() {
        for (generation, verdict) in [
            (&b"3"[..], Ok(())),
            (b"4", Ok(())),
            (b"03", Ok(())),
            (b" 3", Ok(())),
            (b"3x", Ok(())),
            (b"65538", Ok(())),
            (b"4294967295", Ok(())),
            (b"99999999999", Ok(())),
            (b"2", revoked(b"grub", 2, 3)),
            (b"0", revoked(b"grub", 0, 3)),
            (b"x3", revoked(b"grub", 0, 3)),
            (b"-3", revoked(b"grub", 0, 3)),
            (b"2.9", revoked(b"grub", 2, 3)),
        ] {
            let mut text = [0; 64];
            let parts = [&b"sbat,1,a,b,c,d\ngrub,"[..], generation, b",a,b,c,d\n"];
            let bytes = parts.iter().copied().flatten();
            for (to, &byte) in text.iter_mut().zip(bytes) {
                *to = byte;
            }
            assert_eq!(check(LEVEL, &text), verdict);
        }
    }

    #[test]
    fn components() {
        let check = |text: &[u8]| check(LEVEL, text);
        assert_eq!(check(b"uki,0,a,b,c,d"), Ok(()));
        assert_eq!(check(b"grub2,0,a,b,c,d"), Ok(()));
        assert_eq!(check(b"gru,0,a,b,c,d"), Ok(()));
        assert_eq!(check(b"GRUB,0,a,b,c,d"), Ok(()));
        assert_eq!(
            check(b"grub,3,a,b,c,d\ngrub.debian,3,a,b,c,d"),
            revoked(b"grub.debian", 3, 4)
        );
        // Each line counts, also of a component that has several.
        assert_eq!(
            check(b"grub,3,a,b,c,d\ngrub,1,a,b,c,d"),
            revoked(b"grub", 1, 3)
        );
        assert_eq!(check(b"sbat,0,a,b,c,d"), revoked(b"sbat", 0, 1));
    }

    #[test]
    fn lines_of_a_section() {
        let check = |text: &[u8]| check(LEVEL, text);
        assert_eq!(check(b""), Ok(()));
        assert_eq!(check(b"\n\r\n\0"), Ok(()));
        assert_eq!(check(b"\0grub,1,a,b,c,d"), Ok(()));
        assert_eq!(check(b"grub,3,a,b,c,d,e,,"), Ok(()));
        assert_eq!(check(b"\xef\xbb\xbfgrub,1,a,b,c,d"), revoked(b"grub", 1, 3));
        assert_eq!(check(b"\r\n\r\ngrub,1,a,b,c,d"), revoked(b"grub", 1, 3));
        assert_eq!(
            check(b"x,1,a,b,c,d\rgrub,1,a,b,c,d"),
            revoked(b"grub", 1, 3)
        );
        assert_eq!(check(b"grub,3,a,b,c"), section(0));
        assert_eq!(check(b"grub,3,a,b,c,"), section(0));
        assert_eq!(check(b",3,a,b,c,d"), section(0));
        assert_eq!(check(b"grub,,a,b,c,d"), section(0));
        assert_eq!(check(b"grub"), section(0));
        assert_eq!(check(b"uki,1,a,b,c,d\n\nx\n"), section(15));
        assert_eq!(check(b"\xef\xbb\xbfx"), section(3));
    }

    #[test]
    fn lines_of_a_level() {
        let old = b"grub,1,a,b,c,d";
        assert_eq!(check(b"", old), Ok(()));
        assert_eq!(check(b"", b"x"), Ok(()));
        assert_eq!(check(b"\n", old), Ok(()));
        assert_eq!(check(b"\0grub,2", old), Ok(()));
        assert_eq!(check(b"grub,1", old), Ok(()));
        assert_eq!(check(b"grub,2", old), revoked(b"grub", 1, 2));
        assert_eq!(check(b"grub,2,3,4\n", old), revoked(b"grub", 1, 2));
        // The first line of a component counts.
        assert_eq!(check(b"grub,1\ngrub,2", old), Ok(()));
        assert_eq!(
            check(b"grub,4294967295", b"grub,4294967294,a,b,c,d"),
            revoked(b"grub", u32::MAX - 1, u32::MAX)
        );
        for (level, at) in [(&b"grub"[..], 0), (b"sbat,1\ngrub,", 7), (b",1", 0)] {
            let wrong = "a line has fewer than two values";
            let error = Wrong::Level(ParseError::malformed(wrong, at));
            assert_eq!(check(level, old), Err(error));
        }
    }

    #[test]
    fn length_of_a_section() -> Result {
        let mut text = KVVec::from_elem(0, SECTION_MAX, GFP_KERNEL)?;
        assert_eq!(check(LEVEL, &text), Ok(()));
        text.push(0, GFP_KERNEL)?;
        let wrong = "the section is larger than 64 KiB";
        let error = ParseError::too_big(wrong, SECTION_MAX as u64);
        assert_eq!(check(LEVEL, &text), Err(Wrong::Section(error)));
        assert_eq!(check(b"", &text), Ok(()));
        Ok(())
    }
}
