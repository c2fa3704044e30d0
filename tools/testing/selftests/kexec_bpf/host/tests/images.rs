// SPDX-License-Identifier: GPL-2.0

//! The PE parser on images that others make, and beside another parser.
//!
//! The images are systemd's, UKIs that ukify makes of them, what sbsign makes of both, and those
//! in the colon-separated list KEXEC_BPF_IMAGES.

#[path = "../properties/pe.rs"]
mod properties;

use kexec_bpf_host::pe::Pe;
use sha2::{
    Digest,
    Sha256, //
};
use std::ffi::OsStr;
use std::fs;
use std::path::{
    Path,
    PathBuf, //
};
use std::process::Command;

const EFI: &str = "/usr/lib/systemd/boot/efi";

fn run<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {stderr}");
}

/// The file is accepted, and the signer's digest was of the bytes that count as covered.
fn check(path: &Path, signed: bool) {
    let what = path.display().to_string();
    let file = fs::read(path).unwrap();
    let pe = Pe::parse(&file).unwrap_or_else(|error| panic!("{what}: {error}"));
    properties::check(&pe, &file);

    assert_eq!(pe.certificates().is_some(), signed, "{what}");
    if let Some(certificates) = pe.certificates() {
        let mut sha256 = Sha256::new();
        for range in pe.covered() {
            sha256.update(&file[range]);
        }
        let digest = sha256.finalize();
        let found = file[certificates]
            .windows(32)
            .any(|bytes| bytes == &digest[..]);
        assert!(found, "{what}: signed over other bytes");
    }
}

fn systemd() -> Vec<PathBuf> {
    let images = fs::read_dir(EFI).expect("the package systemd-boot-efi");
    images.map(|entry| entry.unwrap().path()).collect()
}

fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// UKIs with a payload of each of these lengths, so that each kind of padding occurs.
fn ukis(dir: &Path) -> Vec<PathBuf> {
    let linux = Path::new(EFI).join("systemd-bootx64.efi");
    let payload = dir.join("payload");
    [1, 512, 513]
        .map(|len| {
            fs::write(&payload, vec![b'x'; len]).unwrap();
            let uki = dir.join(format!("uki-{len}.efi"));
            run(
                "ukify",
                [
                    "build",
                    &format!("--linux={}", linux.display()),
                    &format!("--initrd={}", payload.display()),
                    &format!("--section=.bpf:@{}", payload.display()),
                    "--cmdline=quiet",
                    "--uname=7.3",
                    &format!("--output={}", uki.display()),
                ],
            );
            let file = fs::read(&uki).unwrap();
            let bpf = Pe::parse(&file).unwrap().section(b".bpf").unwrap().unwrap();
            assert_eq!(file[bpf.range], vec![b'x'; len]);
            uki
        })
        .into()
}

#[test]
fn images_of_others() {
    let dir = scratch("images");
    let (key, certificate) = (dir.join("key.pem"), dir.join("certificate.pem"));
    let arguments = "req -x509 -newkey rsa:2048 -nodes -batch -subj /CN=test".split(' ');
    let (keyout, out) = (OsStr::new("-keyout"), OsStr::new("-out"));
    let files = [keyout, key.as_ref(), out, certificate.as_ref()];
    run("openssl", arguments.map(OsStr::new).chain(files));

    let sign = |from: &Path, to: &Path| {
        let [arg_key, arg_cert, arg_out] = ["--key", "--cert", "--output"].map(OsStr::new);
        run(
            "sbsign",
            [
                arg_key,
                key.as_ref(),
                arg_cert,
                certificate.as_ref(),
                arg_out,
                to.as_ref(),
                from.as_ref(),
            ],
        );
    };
    for image in systemd().into_iter().chain(ukis(&dir)) {
        check(&image, false);
        // sbsign pads what it signs, so there are lengths that are not multiples of 8.
        for tail in [0, 1] {
            let [padded, once, twice] = ["padded", "once", "twice"].map(|name| dir.join(name));
            let mut file = fs::read(&image).unwrap();
            file.resize(file.len() + tail, 0x55);
            fs::write(&padded, file).unwrap();
            sign(&padded, &once);
            sign(&once, &twice);
            check(&padded, false);
            check(&once, true);
            check(&twice, true);
        }
    }
}

#[test]
fn further_images() {
    let Some(list) = std::env::var_os("KEXEC_BPF_IMAGES") else {
        return;
    };
    for image in std::env::split_paths(&list) {
        let file = fs::read(&image).unwrap();
        let signed = Pe::parse(&file).is_ok_and(|pe| pe.certificates().is_some());
        check(&image, signed);
    }
}

#[test]
fn what_is_accepted_is_understood_alike() {
    let image = fs::read(Path::new(EFI).join("addonx64.efi.stub")).unwrap();
    let mut accepted = 0;
    for at in 0..0x400 {
        for value in 0..=u8::MAX {
            let mut file = image.clone();
            file[at] = value;
            if let Ok(pe) = Pe::parse(&file) {
                properties::check(&pe, &file);
                accepted += 1;
            }
        }
    }
    assert!(accepted > 0x8000);
}
