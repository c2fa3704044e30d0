// SPDX-License-Identifier: GPL-2.0

//! The companion files of an image, as systemd-stub(7) calls them: addons, credentials and
//! extensions. When firmware boots the image, systemd-stub finds them beside the image and on its
//! partition. They are found here by the same rules, and in the same order.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::private_data::{
    self, Item, ADDON, CONFEXT, CREDENTIAL, GLOBAL_ADDON, GLOBAL_CONFEXT, GLOBAL_CREDENTIAL,
    GLOBAL_SYSEXT, ITEMS_MAX, SYSEXT,
};
use crate::text::printable;
use crate::{failed, sys, Result};

/// A file that belongs to an image.
#[derive(Debug)]
pub struct Companion {
    kind: &'static Kind,
    pub path: PathBuf,
}

/// What such a file is, and where it is found.
#[derive(Debug)]
struct Kind {
    /// `enum kexec_private_kind`
    number: u32,
    name: &'static str,
    /// Where on the partition; `None` is the directory of the image alone.
    directory: Option<&'static str>,
    suffix: &'static str,
}

const ADDON_SUFFIX: &str = ".addon.efi";
const CREDENTIAL_SUFFIX: &str = ".cred";
const SYSEXT_SUFFIX: &str = ".raw";
const CONFEXT_SUFFIX: &str = ".confext.raw";

const ADDONS: Option<&str> = Some("loader/addons");
const CREDENTIALS: Option<&str> = Some("loader/credentials");
const EXTENSIONS: Option<&str> = Some("loader/extensions");

/// All kinds, in the order of their numbers.
static KINDS: [Kind; 8] = [
    kind(GLOBAL_ADDON, "global addon", ADDONS, ADDON_SUFFIX),
    kind(ADDON, "addon", None, ADDON_SUFFIX),
    kind(CREDENTIAL, "credential", None, CREDENTIAL_SUFFIX),
    kind(
        GLOBAL_CREDENTIAL,
        "global credential",
        CREDENTIALS,
        CREDENTIAL_SUFFIX,
    ),
    kind(SYSEXT, "sysext", None, SYSEXT_SUFFIX),
    kind(GLOBAL_SYSEXT, "global sysext", EXTENSIONS, SYSEXT_SUFFIX),
    kind(CONFEXT, "confext", None, CONFEXT_SUFFIX),
    kind(GLOBAL_CONFEXT, "global confext", EXTENSIONS, CONFEXT_SUFFIX),
];

const fn kind(
    number: u32,
    name: &'static str,
    directory: Option<&'static str>,
    suffix: &'static str,
) -> Kind {
    Kind {
        number,
        name,
        directory,
        suffix,
    }
}

impl Kind {
    /// Whether a file of this name is of this kind, in a directory where it is looked for.
    fn has(&self, name: &OsStr) -> bool {
        ends_with(name, self.suffix)
            && (self.suffix == CONFEXT_SUFFIX || !ends_with(name, CONFEXT_SUFFIX))
    }
}

impl Companion {
    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        self.kind.name
    }

    fn name(&self) -> &[u8] {
        self.path.file_name().unwrap_or_default().as_bytes()
    }
}

/// Finds the companion files of an image.
pub fn find(image: &Path) -> Result<Vec<Companion>> {
    let places = || {
        // Firmware knows no symbolic links.
        let image = fs::canonicalize(image)?;
        Ok((extra_directory(&image), partition(&image)?))
    };
    let (extra, partition) =
        places().map_err(|error| failed(format!("cannot open {}", printable(image)), error))?;
    find_in(&extra, partition.as_deref())
}

/// Finds them in the directory of the image alone, and on its partition.
fn find_in(extra: &Path, partition: Option<&Path>) -> Result<Vec<Companion>> {
    let mut companions = Vec::new();
    for kind in &KINDS {
        let directory = match (kind.directory, partition) {
            (None, _) => extra.into(),
            (Some(directory), Some(partition)) => partition.join(directory),
            (Some(_), None) => continue,
        };
        let names = names(&directory)
            .map_err(|error| failed(format!("cannot read {}", printable(&directory)), error))?;
        let names = names.iter().filter(|name| kind.has(name));
        companions.extend(names.map(|name| Companion {
            kind,
            path: directory.join(name),
        }));
    }
    Ok(companions)
}

/// The directory for the companions of this image alone. The name of the image is without a boot
/// count there: that of `a+3-1.efi` is `a.efi.extra.d`.
fn extra_directory(image: &Path) -> PathBuf {
    let mut name = image.file_name().unwrap_or_default().as_bytes().to_vec();
    if let Some((start, end)) = boot_count(&name) {
        name.drain(start..end);
    }
    name.extend(b".extra.d");
    image.with_file_name(OsString::from_vec(name))
}

/// Where in a name the boot count is: the first `+`, a number, and perhaps `-` and another number,
/// up to a dot or the end.
fn boot_count(name: &[u8]) -> Option<(usize, usize)> {
    let digits = |at: usize| {
        let digits = name[at..].iter().take_while(|byte| byte.is_ascii_digit());
        let end = at + digits.count();
        let number = std::str::from_utf8(&name[at..end]).ok()?;
        number.parse::<u64>().is_ok().then_some(end)
    };
    let start = name.iter().position(|&byte| byte == b'+')?;
    let mut end = digits(start + 1)?;
    if name.get(end) == Some(&b'-') {
        end = digits(end + 1)?;
    }
    matches!(name.get(end), None | Some(b'.')).then_some((start, end))
}

/// The partition that the image is on, if firmware can read it: an EFI system partition, or an
/// extended boot loader partition.
fn partition(image: &Path) -> io::Result<Option<PathBuf>> {
    match sys::is_on_fat(&File::open(image)?)? {
        true => Ok(Some(file_system_root(image)?)),
        false => Ok(None),
    }
}

/// Where the file system is mounted that a file is on.
fn file_system_root(file: &Path) -> io::Result<PathBuf> {
    let device = fs::metadata(file)?.dev();
    let is_inside =
        |directory: &&Path| fs::metadata(directory).is_ok_and(|meta| meta.dev() == device);
    let root = file.ancestors().take_while(is_inside).last();
    Ok(root.unwrap_or(file).to_path_buf())
}

/// The names of the files in a directory that systemd-stub does not pass over, sorted as it does. A
/// directory that is not there has none.
fn names(directory: &Path) -> io::Result<Vec<OsString>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        if is_taken(&name) && fs::metadata(directory.join(&name))?.is_file() {
            names.push(name);
        }
    }
    // The stub sorts by UTF-16 code units. Those of ASCII are the bytes.
    names.sort();
    Ok(names)
}

/// Whether systemd-stub takes files of this name, and does not pass them over.
fn is_taken(name: &OsStr) -> bool {
    !name.as_bytes().starts_with(b".") && name.is_ascii() && name.len() <= 255
}

/// Whether the name ends so, in upper or in lower case.
fn ends_with(name: &OsStr, suffix: &str) -> bool {
    let at = name.len().checked_sub(suffix.len());
    at.is_some_and(|at| name.as_bytes()[at..].eq_ignore_ascii_case(suffix.as_bytes()))
}

/// Adds files that the user names, behind those of their kind that were found.
pub fn add(companions: &mut Vec<Companion>, paths: &[PathBuf]) -> Result<()> {
    for path in paths {
        let name = path.file_name().unwrap_or_default();
        if !is_taken(name) {
            return Err(format!(
                "{}: its name begins with a dot, is not ASCII, or has more than 255 characters",
                printable(path)
            ));
        }
        let kinds = KINDS.iter().filter(|kind| kind.directory.is_none());
        let Some(kind) = kinds.into_iter().find(|kind| kind.has(name)) else {
            return Err(format!(
                "{}: its name does not end in .addon.efi, .cred or .raw",
                printable(path)
            ));
        };
        companions.push(Companion {
            kind,
            path: path.clone(),
        });
    }
    // Those of one kind stay in their order.
    companions.sort_by_key(|companion| companion.kind.number);
    Ok(())
}

/// Opens the companions. Returns the private data that pass on their descriptors and the profile,
/// and the files, which have to stay open.
pub fn open(companions: &[Companion], profile: u32) -> Result<(Vec<u8>, Vec<File>)> {
    if companions.len() > ITEMS_MAX {
        return Err(format!(
            "{} addons, credentials and extensions, which is more than {ITEMS_MAX}",
            companions.len()
        ));
    }
    let mut files = Vec::new();
    for companion in companions {
        files.push(crate::open(&companion.path)?);
    }
    let items = companions.iter().zip(&files).map(|(companion, file)| Item {
        kind: companion.kind.number,
        fd: file.as_raw_fd(),
        name: companion.name(),
    });
    let items: Vec<Item> = items.collect();
    let data = private_data::private_data(profile, &items).expect("no name is too long");
    Ok((data, files))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn found(extra: &Path, partition: Option<&Path>) -> Vec<(u32, String)> {
        let companions = find_in(extra, partition).unwrap();
        let facts = companions.iter().map(|companion| {
            let name = String::from_utf8(companion.name().to_vec()).unwrap();
            (companion.kind.number, name)
        });
        facts.collect()
    }

    #[test]
    fn extra_directories() {
        for (image, directory) in [
            ("/efi/a.efi", "/efi/a.efi.extra.d"),
            ("/efi/a+3.efi", "/efi/a.efi.extra.d"),
            ("/efi/a+3-1.efi", "/efi/a.efi.extra.d"),
            ("/efi/a+0-12.efi", "/efi/a.efi.extra.d"),
            ("/efi/a+3", "/efi/a.extra.d"),
            ("/efi/a+3.b.efi", "/efi/a.b.efi.extra.d"),
            ("/efi+3.d/a.efi", "/efi+3.d/a.efi.extra.d"),
            // Not a boot count.
            ("/efi/a+.efi", "/efi/a+.efi.extra.d"),
            ("/efi/a+x.efi", "/efi/a+x.efi.extra.d"),
            ("/efi/a+3x.efi", "/efi/a+3x.efi.extra.d"),
            ("/efi/a+3-.efi", "/efi/a+3-.efi.extra.d"),
            ("/efi/a+3-1-1.efi", "/efi/a+3-1-1.efi.extra.d"),
            ("/efi/a-3-1.efi", "/efi/a-3-1.efi.extra.d"),
            // Only the first one is looked at.
            ("/efi/7.3+deb14+3-1.efi", "/efi/7.3+deb14+3-1.efi.extra.d"),
            // 2^64 - 1, and one more.
            ("/efi/a+18446744073709551615.efi", "/efi/a.efi.extra.d"),
            (
                "/efi/a+18446744073709551616.efi",
                "/efi/a+18446744073709551616.efi.extra.d",
            ),
        ] {
            assert_eq!(extra_directory(Path::new(image)), Path::new(directory));
        }
        let odd = OsString::from_vec(b"/efi/\xff+3.efi".to_vec());
        let directory = extra_directory(Path::new(&odd));
        assert_eq!(directory.as_os_str().as_bytes(), b"/efi/\xff.efi.extra.d");
    }

    #[test]
    fn roots_of_file_systems() {
        for (file, root) in [
            ("/proc/self/net/dev", "/proc"),
            ("/proc", "/proc"),
            ("/", "/"),
        ] {
            let file = fs::canonicalize(file).unwrap();
            assert_eq!(file_system_root(&file).unwrap(), Path::new(root));
        }
        // That is not a partition of the firmware's.
        assert_eq!(partition(Path::new("/proc/version")).unwrap(), None);
    }

    #[test]
    fn kinds_and_their_order() {
        let root = Scratch::new();
        let (extra, partition) = (root.join("a.efi.extra.d"), root.join("esp"));
        assert_eq!(found(&extra, Some(&partition)), []);

        for name in ["b.raw", "a.confext.raw", "z.cred", "y.addon.efi", "a.efi"] {
            root.file(extra.join(name));
            for directory in ["addons", "credentials", "extensions"] {
                root.file(partition.join("loader").join(directory).join(name));
            }
        }
        let names = |names: &[(u32, &str)]| -> Vec<(u32, String)> {
            let names = names.iter();
            names.map(|&(kind, name)| (kind, name.into())).collect()
        };
        assert_eq!(
            found(&extra, Some(&partition)),
            names(&[
                (GLOBAL_ADDON, "y.addon.efi"),
                (ADDON, "y.addon.efi"),
                (CREDENTIAL, "z.cred"),
                (GLOBAL_CREDENTIAL, "z.cred"),
                (SYSEXT, "b.raw"),
                (GLOBAL_SYSEXT, "b.raw"),
                (CONFEXT, "a.confext.raw"),
                (GLOBAL_CONFEXT, "a.confext.raw"),
            ])
        );
        assert_eq!(
            found(&extra, None),
            names(&[
                (ADDON, "y.addon.efi"),
                (CREDENTIAL, "z.cred"),
                (SYSEXT, "b.raw"),
                (CONFEXT, "a.confext.raw"),
            ])
        );
    }

    #[test]
    fn names_are_sorted_and_some_passed_over() {
        let root = Scratch::new();
        let longest = "x".repeat(250) + ".cred";
        for name in [
            "b.cred",
            "a.cred",
            "B.cred",
            "a b.CRED",
            "a-b.Cred",
            "_.cred",
            ".cred",
            ".a.cred",
            "\u{e4}.cred",
            "a.cred2",
            "acred",
            &longest,
        ] {
            root.file(root.join(name));
        }
        root.file(root.join("directory.cred/file"));
        root.link("b.cred", "link.cred");
        let names: Vec<_> = found(&root, None)
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        assert_eq!(
            names,
            [
                "B.cred",
                "_.cred",
                "a b.CRED",
                "a-b.Cred",
                "a.cred",
                "b.cred",
                "link.cred",
                &longest
            ]
        );
    }

    #[test]
    fn an_image_is_looked_for() {
        let root = Scratch::new();
        root.file(root.join("a+2.efi"));
        root.file(root.join("a.efi.extra.d/b.cred"));
        root.link("a+2.efi", "link.efi");
        for name in ["a+2.efi", "link.efi"] {
            let companions = find(&root.join(name)).unwrap();
            assert_eq!(companions[0].path, root.join("a.efi.extra.d/b.cred"));
            assert_eq!(companions.len(), 1);
        }
        let error = find(&root.join("none.efi")).unwrap_err();
        assert!(
            error.ends_with("none.efi: No such file or directory (os error 2)"),
            "{error}"
        );
        // What cannot be read is not taken for empty.
        root.file(root.join("b.efi"));
        root.file(root.join("b.efi.extra.d"));
        let error = find(&root.join("b.efi")).unwrap_err();
        assert!(error.starts_with("cannot read "), "{error}");
    }

    #[test]
    fn named_files_follow_those_that_were_found() {
        let root = Scratch::new();
        root.file(root.join("b.addon.efi"));
        root.file(root.join("b.raw"));
        let mut companions = find_in(&root, None).unwrap();
        let named = [
            "/d/z.confext.raw",
            "/d/z.addon.efi",
            "/d/a.addon.efi",
            "/d/a.cred",
        ];
        add(&mut companions, &named.map(PathBuf::from)).unwrap();
        let kinds: Vec<_> = companions
            .iter()
            .map(|file| (file.kind(), file.name()))
            .collect();
        assert_eq!(
            kinds,
            [
                ("addon", &b"b.addon.efi"[..]),
                ("addon", b"z.addon.efi"),
                ("addon", b"a.addon.efi"),
                ("credential", b"a.cred"),
                ("sysext", b"b.raw"),
                ("confext", b"z.confext.raw"),
            ]
        );
        for name in ["a.efi", "a", "", "cred", "a.cred/"] {
            let added = add(&mut Vec::new(), &[name.into()]);
            assert_eq!(added.is_ok(), name == "a.cred/", "{name}");
        }
        let long = |len: usize| format!("{}.cred", "a".repeat(len - 5));
        assert!(add(&mut Vec::new(), &[long(255).into()]).is_ok());
        for name in [".a.cred".into(), "\u{e4}.cred".into(), long(256)] {
            let why = "begins with a dot, is not ASCII, or has more than 255 characters";
            let error = add(&mut Vec::new(), &[name.into()]).unwrap_err();
            assert!(error.ends_with(why), "{error}");
        }
        assert_eq!(
            add(&mut Vec::new(), &["/d/a\u{1b}.efi".into()]).unwrap_err(),
            "/d/a\\u{1b}.efi: its name does not end in .addon.efi, .cred or .raw"
        );
    }

    #[test]
    fn descriptors_are_passed_on() {
        let root = Scratch::new();
        for number in 0..=ITEMS_MAX {
            root.file(root.join(format!("{number}.cred")));
        }
        let companions = find_in(&root, None).unwrap();
        assert_eq!(
            open(&companions, 0).unwrap_err(),
            "257 addons, credentials and extensions, which is more than 256"
        );
        let (data, files) = open(&companions[..ITEMS_MAX], 7).unwrap();
        assert_eq!(data.len(), private_data::LEN);
        assert_eq!(data[4..12], [7, 0, 0, 0, 0, 1, 0, 0]);
        for (item, file) in data[16..].chunks(private_data::ITEM_LEN).zip(&files) {
            assert_eq!(item[..4], CREDENTIAL.to_ne_bytes());
            assert_eq!(item[4..8], file.as_raw_fd().to_ne_bytes());
        }
        fs::remove_file(&companions[3].path).unwrap();
        let error = open(&companions[..4], 0).unwrap_err();
        assert!(error.starts_with("cannot open "), "{error}");
    }
}
