// SPDX-License-Identifier: GPL-2.0

//! The program for UKIs, with what the caller passes besides the image: profiles, addons,
//! credentials and extensions.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};

use libbpf_rs::{MapCore, MapFlags, MapType};

use support::embedded::map;
use support::harness::{equal, Context, Result};
use support::load::{self, enforced, file, Load, Loaded};
use support::object::{Input, Object, Output};
use support::pe;
use support::private_data::{
    self, private_data, Item, ADDON as AN_ADDON, CONFEXT, CREDENTIAL, GLOBAL_ADDON, GLOBAL_CONFEXT,
    GLOBAL_CREDENTIAL, GLOBAL_SYSEXT, ITEMS_MAX, SYSEXT,
};
use support::uapi::{ENFORCED, SIGNED};

use super::{parts, run, uki, ADDON, PRIVATE_DATA, PROFILE};

tests! {
    BELOW_CONFIDENTIALITY;
    sections_in_the_initrd,
    profiles,
    files_in_the_initrd,
    most_files,
    addons,
    addons_that_are_none,
    addons_have_to_be_signed,
    addons_of_a_load,
    private_data_of_others,
}

const KERNEL: (&str, &[u8]) = (".linux", b"a kernel");

/// Runs the program with private data.
fn run_with(object: &Object, image: &[u8], flags: u32, data: &[u8]) -> Result<Output> {
    object.set("private", 0, data)?;
    let input = Input {
        image,
        flags,
        ..Input::default()
    };
    Ok(run(object, &input))
}

/// Files, and the private data that pass them.
fn pass(profile: u32, files: &[(u32, &str, &File)]) -> Vec<u8> {
    let items: Vec<_> = files
        .iter()
        .map(|&(kind, name, file)| Item {
            kind,
            fd: file.as_raw_fd(),
            name: name.as_bytes(),
        })
        .collect();
    private_data(profile, &items).expect("it is within the limits")
}

/// The files of all archives of an initrd: mode, path and content, in their order.
fn unpack(mut initrd: &[u8]) -> Vec<(u32, String, Vec<u8>)> {
    let mut entries = Vec::new();
    while initrd.starts_with(b"070701") {
        let field = |at: usize| {
            let digits = String::from_utf8_lossy(&initrd[6 + 8 * at..14 + 8 * at]);
            u32::from_str_radix(&digits, 16).expect("the kernel wrote it")
        };
        let (mode, len, name_len) = (field(1), field(6) as usize, field(11) as usize);
        let name = String::from_utf8_lossy(&initrd[110..109 + name_len]).into_owned();
        let at = (110 + name_len).next_multiple_of(4);
        let content = initrd[at..at + len].to_vec();
        initrd = &initrd[(at + len).next_multiple_of(4)..];
        if name != "TRAILER!!!" {
            entries.push((mode, name, content));
        }
    }
    entries
}

fn entry(mode: u32, path: &str, content: &[u8]) -> (u32, String, Vec<u8>) {
    (mode, path.into(), content.to_vec())
}

fn sections_in_the_initrd() -> Result {
    let image = pe::image(&[
        KERNEL,
        (".osrel", b"ID=test"),
        (".pcrpkey", b"a key"),
        (".pcrsig", b"a signature"),
        (".profile", b"ID=main"),
    ]);
    let output = run_with(&uki()?, &image, SIGNED | ENFORCED, &pass(0, &[]))?;
    let mut want = Vec::new();
    for (name, content) in [
        ("tpm2-pcr-signature.json", &b"a signature"[..]),
        ("tpm2-pcr-public-key.pem", b"a key"),
        ("os-release", b"ID=test"),
        ("profile", b"ID=main"),
    ] {
        want.push(entry(0o040_555, ".extra", b""));
        want.push(entry(0o100_444, &format!(".extra/{name}"), content));
    }
    equal("initrd", unpack(&output.initrd), want)
}

fn profiles() -> Result {
    let object = uki()?;
    let image = pe::image(&[
        KERNEL,
        (".cmdline", b"base"),
        (".profile", b"ID=0"),
        (".cmdline", b"zero"),
        (".profile", b"ID=1"),
        (".linux", b"a kernel of one"),
    ]);
    for (profile, kernel, cmdline) in [
        (0, &b"a kernel"[..], &b"zero"[..]),
        (1, b"a kernel of one", b"base"),
    ] {
        let output = run_with(&object, &image, SIGNED | ENFORCED, &pass(profile, &[]))?;
        let initrd = output.initrd.clone();
        parts(&output, kernel, &initrd, cmdline)?;
        let want = format!("ID={profile}");
        let files = unpack(&initrd);
        equal(".extra/profile", &files[1].2[..], want.as_bytes())?;
    }
    for profile in [2, 255, 256, u32::MAX] {
        let output = run_with(&object, &image, 0, &pass(profile, &[]))?;
        equal(profile, output.returned, PROFILE)?;
    }
    Ok(())
}

fn files_in_the_initrd() -> Result {
    let object = uki()?;
    let image = pe::image(&[KERNEL]);
    for (kind, directory, directory_mode, mode) in [
        (CREDENTIAL, "credentials", 0o500, 0o400),
        (GLOBAL_CREDENTIAL, "global_credentials", 0o500, 0o400),
        (SYSEXT, "sysext", 0o555, 0o444),
        (GLOBAL_SYSEXT, "global_sysext", 0o555, 0o444),
        (CONFEXT, "confext", 0o555, 0o444),
        (GLOBAL_CONFEXT, "global_confext", 0o555, 0o444),
    ] {
        let long = "L".repeat(200);
        let (first, second) = (file(b"content")?, file(b"")?);
        let data = pass(0, &[(kind, "A b", &first), (kind, &long, &second)]);
        // They need no signature: those who read them decide what to trust.
        let output = run_with(&object, &image, SIGNED | ENFORCED, &data)?;
        equal(directory, (output.errno, output.returned), (0, 0))?;
        let directory = format!(".extra/{directory}");
        let mut want = Vec::new();
        for (name, content) in [("A b", &b"content"[..]), (&long, b"")] {
            want.push(entry(0o040_555, ".extra", b""));
            want.push(entry(0o040_000 | directory_mode, &directory, b""));
            want.push(entry(
                0o100_000 | mode,
                &format!("{directory}/{name}"),
                content,
            ));
        }
        equal("initrd", unpack(&output.initrd), want)?;
    }
    Ok(())
}

fn most_files() -> Result {
    let files = (0..ITEMS_MAX)
        .map(|i| file(&[i as u8]))
        .collect::<Result<Vec<_>>>()?;
    let names: Vec<_> = (0..ITEMS_MAX).map(|i| format!("{i}.cred")).collect();
    let items: Vec<_> = names
        .iter()
        .zip(&files)
        .map(|(name, file)| (CREDENTIAL, name.as_str(), file))
        .collect();
    let image = pe::image(&[KERNEL, (".osrel", b"ID=test"), (".initrd", b"own")]);
    let output = run_with(&uki()?, &image, SIGNED | ENFORCED, &pass(0, &items))?;
    equal("outcome", (output.errno, output.returned), (0, 0))?;
    let entries = unpack(&output.initrd[8..]);
    equal("entries", entries.len(), 3 * ITEMS_MAX + 2)
}

fn addons() -> Result {
    let object = uki()?;
    let image = pe::image(&[
        KERNEL,
        (".cmdline", b"own"),
        (".initrd", b"own."),
        (".ucode", b"ucode..."),
        (".uname", b"7.3"),
    ]);
    let global = file(&pe::image(&[
        (".cmdline", b" global "),
        (".initrd", b"initrd 1"),
        (".ucode", b"ucode  1"),
    ]))?;
    let local = file(&pe::image(&[
        (".uname", b"7.3"),
        (".cmdline", b"local"),
        (".ucode", b"ucode  2"),
    ]))?;
    let other = file(&pe::image(&[(".uname", b"7.30"), (".cmdline", b"other")]))?;
    let prefix = file(&pe::image(&[(".uname", b"7"), (".cmdline", b"prefix")]))?;
    let data = pass(
        0,
        &[
            (GLOBAL_ADDON, "g", &global),
            (AN_ADDON, "a", &local),
            (AN_ADDON, "b", &other),
            (AN_ADDON, "c", &prefix),
        ],
    );
    let output = run_with(&object, &image, 0, &data)?;
    parts(
        &output,
        b"a kernel",
        b"ucode  2\0\0\0\0ucode  1\0\0\0\0ucode...\0\0\0\0own.\0\0\0\0initrd 1",
        b"own global local",
    )
}

fn addons_that_are_none() -> Result {
    let object = uki()?;
    let image = pe::image(&[KERNEL]);
    for (what, addon, want) in [
        ("a UKI", pe::image(&[KERNEL, (".cmdline", b"a")]), ADDON),
        ("nothing to add", pe::image(&[(".uname", b"7.3")]), ADDON),
        (
            "only in a profile",
            pe::image(&[(".profile", b"ID=a"), (".cmdline", b"a")]),
            ADDON,
        ),
        ("not a PE file", b"text".to_vec(), -libc::ERANGE),
        ("an empty file", Vec::new(), -libc::ERANGE),
    ] {
        let addon = file(&addon)?;
        let data = pass(0, &[(AN_ADDON, "a", &addon)]);
        let output = run_with(&object, &image, 0, &data)?;
        equal(what, output.returned, want)?;
    }
    Ok(())
}

fn addons_have_to_be_signed() -> Result {
    let object = uki()?;
    let image = pe::image(&[KERNEL]);
    let unsigned = pe::image(&[(".cmdline", b"addon")]);
    let addon = file(&unsigned)?;
    let data = pass(0, &[(AN_ADDON, "a", &addon)]);
    let output = run_with(&object, &image, SIGNED | ENFORCED, &data)?;
    equal("unsigned", output.returned, -libc::EKEYREJECTED)?;

    let addon = file(&load::image("addon")?)?;
    let data = pass(0, &[(AN_ADDON, "a", &addon)]);
    let output = run_with(&object, &image, SIGNED | ENFORCED, &data)?;
    parts(&output, b"a kernel", b"", b"from=addon")?;

    // One bit of it is another.
    let mut changed = load::image("addon")?;
    let sections = pe::sections(&changed);
    let cmdline = sections.iter().find(|section| section.name == ".cmdline");
    changed[cmdline.ok_or("it has a command line")?.at] ^= 1;
    let addon = file(&changed)?;
    let data = pass(0, &[(AN_ADDON, "a", &addon)]);
    let output = run_with(&object, &image, SIGNED | ENFORCED, &data)?;
    equal("changed", output.returned, -libc::EKEYREJECTED)
}

/// A dry run of small.efi with private data.
fn load_with(data: &[u8]) -> Result<Loaded> {
    let map = map(MapType::Array, 4, private_data::LEN as u32, 1, 0)?;
    map.update(&0u32.to_ne_bytes(), data, MapFlags::ANY)?;
    let image = file(&load::image("small")?)?;
    let load = Load {
        map: map.as_fd().as_raw_fd(),
        ..Load::dry(&image)
    };
    Ok(load.run())
}

fn addons_of_a_load() -> Result {
    let (addon, credential) = (file(&load::image("addon")?)?, file(b"secret")?);
    let loaded = load_with(&pass(
        0,
        &[
            (AN_ADDON, "my\n.addon.efi", &addon),
            (CREDENTIAL, "my.cred", &credential),
        ],
    ))?;
    let log = loaded.log.join("\n");
    equal("errno", loaded.errno, 0).context(&log)?;
    // Its signature counts where the image's does.
    for (part, is_there) in [
        ("program says: addon my?.addon.efi", true),
        ("program: file: signed by", enforced()),
        ("command line: 'panic=-1 from=image from=addon'", true),
    ] {
        equal(part, log.contains(part), is_there).context(&log)?;
    }

    let addon = file(&load::image("unsigned")?)?;
    let loaded = load_with(&pass(0, &[(AN_ADDON, "a", &addon)]))?;
    let why = match enforced() {
        true => -libc::EKEYREJECTED,
        false => ADDON,
    };
    loaded.refused(libc::ECANCELED, &format!("program returned {why}"))
}

fn private_data_of_others() -> Result {
    let object = uki()?;
    let image = pe::image(&[KERNEL]);
    let good = pass(0, &[]);
    equal("good", run_with(&object, &image, 0, &good)?.returned, 0)?;
    for (at, value) in [(0, 2), (8, ITEMS_MAX as u32 + 1), (12, 1), (8, u32::MAX)] {
        let mut data = good.clone();
        data[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        let output = run_with(&object, &image, 0, &data)?;
        equal(format!("{value} at {at}"), output.returned, PRIVATE_DATA)?;
    }
    let file = file(b"x")?;
    for (kind, name) in [
        (0, "a"),
        (9, "a"),
        (u32::MAX, "a"),
        (SYSEXT, ""),
        (SYSEXT, ".a"),
        (SYSEXT, "a/b"),
        (SYSEXT, ".."),
    ] {
        let output = run_with(&object, &image, 0, &pass(0, &[(kind, name, &file)]))?;
        equal(format!("{kind} {name}"), output.returned, PRIVATE_DATA)?;
    }
    let output = run_with(&object, &image, 0, &pass(0, &[(SYSEXT, "a\n", &file)]))?;
    equal("not printable", output.returned, -libc::ELIBBAD)
}
