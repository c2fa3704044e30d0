// SPDX-License-Identifier: GPL-2.0

//! The program for UKIs.

use support::harness::{equal, Context, Result};
use support::object::Input;
use support::pe::{self, put};
use support::uapi::{CRASH, ENFORCED, SIGNED};

use super::{parts, returned, run, uki, CMDLINE, INITRD, MALFORMED, NO_KERNEL};

tests! {
    BELOW_CONFIDENTIALITY;
    uki_parts,
    uki_policy,
    uki_same_as_the_callers,
    uki_microcode,
    uki_many_sections,
    uki_without_kernel,
    uki_that_is_none,
    uki_unsigned,
}

fn uki_parts() -> Result {
    let object = uki()?;
    let image = pe::image(&[
        (".cmdline", b" root=/dev/vda\tquiet \n\0"),
        (".initrd", b"an initrd"),
        (".linux", b"a kernel of odd length"),
        (".linux", b"a second one"),
        (".ucode", b""),
    ]);
    for flags in [0, SIGNED, SIGNED | ENFORCED, SIGNED | ENFORCED | CRASH] {
        let input = Input {
            image: &image,
            flags,
            repeat: 2,
            ..Input::default()
        };
        let output = run(&object, &input);
        parts(
            &output,
            b"a kernel of odd length",
            b"an initrd",
            b"root=/dev/vda quiet",
        )?;
    }
    Ok(())
}

/// Initrd and command line, where image and caller both have one.
fn uki_policy() -> Result {
    let object = uki()?;
    let choices = [false, true];
    let of = |has: bool, what: &'static [u8]| if has { what } else { b"" };
    for case in 0..32 {
        let [enforced, initrd, cmdline, own_initrd, own_cmdline] =
            [0, 1, 2, 3, 4].map(|bit| choices[(case >> bit) & 1]);
        let mut sections = vec![(".linux", &b"a kernel"[..])];
        if own_initrd {
            sections.push((".initrd", b"image's"));
        }
        if own_cmdline {
            sections.push((".cmdline", b"image's"));
        }
        let image = pe::image(&sections);
        let input = Input {
            image: &image,
            initrd: of(initrd, b"caller's"),
            cmdline: of(cmdline, b"caller's"),
            flags: if enforced { SIGNED | ENFORCED } else { 0 },
            ..Input::default()
        };
        let output = run(&object, &input);
        let what = format!(
            "enforced {enforced}, caller's {initrd} {cmdline}, image's {own_initrd} {own_cmdline}"
        );
        let refused = |given: bool, own: bool| enforced && given && own;
        let returned = match () {
            () if refused(cmdline, own_cmdline) => CMDLINE,
            () if refused(initrd, own_initrd) => INITRD,
            () => 0,
        };
        equal(format!("{what}: returned"), output.returned, returned)?;
        if returned == 0 {
            let one = |given, own| {
                if given {
                    of(given, b"caller's")
                } else {
                    of(own, b"image's")
                }
            };
            let (initrd, cmdline) = (one(initrd, own_initrd), one(cmdline, own_cmdline));
            parts(&output, b"a kernel", initrd, cmdline).context(what)?;
        }
    }
    Ok(())
}

fn uki_microcode() -> Result {
    let object = uki()?;
    let none = &b""[..];
    for (initrd, given, want) in [
        (&b"initrd"[..], none, &b"ucode\0\0\0\0\0\0\0initrd"[..]),
        (none, none, b"ucode"),
        (none, b"caller's", b"ucode\0\0\0\0\0\0\0caller's"),
        (b"initrd", b"initrd", b"ucode\0\0\0\0\0\0\0initrd"),
    ] {
        let image = pe::image(&[
            (".linux", b"a kernel"),
            (".initrd", initrd),
            (".ucode", b"ucode"),
        ]);
        let input = Input {
            image: &image,
            initrd: given,
            flags: SIGNED | ENFORCED,
            ..Input::default()
        };
        parts(&run(&object, &input), b"a kernel", want, b"")?;
    }
    Ok(())
}

/// What equals the image's own is no other one, also if it is read in several pieces.
fn uki_same_as_the_callers() -> Result {
    let object = uki()?;
    let long: Vec<u8> = (0..200_003u32).map(|i| (i % 251) as u8).collect();
    for own in [&b"x"[..], b"an initrd", &long] {
        let image = pe::image(&[
            (".linux", b"a kernel"),
            (".initrd", own),
            (".cmdline", b" a\tb\n"),
        ]);
        let run = |initrd: &[u8], cmdline| {
            let input = Input {
                image: &image,
                initrd,
                cmdline,
                flags: SIGNED | ENFORCED,
                repeat: 2,
                ..Input::default()
            };
            run(&object, &input)
        };
        parts(&run(own, b"a b "), b"a kernel", own, b"a b")?;
        let mut other = own.to_vec();
        *other.last_mut().expect("it is not empty") ^= 1;
        equal("initrd", run(&other, b"").returned, INITRD)?;
        other.pop();
        other.extend(b"xy");
        equal("longer initrd", run(&other, b"").returned, INITRD)?;
        equal("command line", run(b"", b"a  b").returned, CMDLINE)?;
    }
    Ok(())
}

/// The program reads the section table in pieces.
fn uki_many_sections() -> Result {
    const HEADER: usize = 40;
    let object = uki()?;
    for count in [96, 97, 1024, 1025, 65535usize] {
        let mut image = pe::image(&[(".linux", b"a kernel")]);
        let table = pe::header(&image) + 24 + 112 + 16 * 8;
        let at = (table + count * HEADER).next_multiple_of(8);
        let linux = image[table..table + HEADER].to_vec();
        image.resize(at + 8, 0);
        image[table..].fill(0);
        image[at..].copy_from_slice(b"a kernel");
        let last = table + (count - 1) * HEADER;
        image[last..last + HEADER].copy_from_slice(&linux);
        put(&mut image, last + 20, (at as u32).to_le_bytes());
        let count_at = pe::header(&image) + 6;
        put(&mut image, count_at, (count as u16).to_le_bytes());
        let input = Input {
            image: &image,
            ..Input::default()
        };
        parts(&run(&object, &input), b"a kernel", b"", b"").context(count)?;
    }
    Ok(())
}

fn uki_without_kernel() -> Result {
    let object = uki()?;
    returned(&object, &pe::image(&[(".initrd", b"initrd")]), NO_KERNEL)?;
    returned(&object, &pe::image(&[(".linux", b"")]), NO_KERNEL)
}

fn uki_that_is_none() -> Result {
    let object = uki()?;
    let image = pe::image(&[(".linux", b"a kernel")]);
    // The image ends in its headers.
    for len in 0..0x80 + 24 {
        returned(&object, &image[..len], -libc::ERANGE).context(format!("{len} bytes"))?;
    }
    let mut other = image.clone();
    other[0x80] = b'p';
    returned(&object, &other, MALFORMED)?;
    let mut far = image;
    far[0x3c..0x40].fill(0xff);
    returned(&object, &far, -libc::ERANGE)
}

fn uki_unsigned() -> Result {
    let image = pe::image(&[(".linux", b"a kernel")]);
    let input = Input {
        image: &image,
        flags: ENFORCED,
        ..Input::default()
    };
    equal("errno", run(&uki()?, &input).errno, libc::EACCES)
}
