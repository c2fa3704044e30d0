// SPDX-License-Identifier: GPL-2.0

//! What is in an image.

use object::pe::{self, Machine, IMAGE_DIRECTORY_ENTRY_SECURITY};
use object::read::pe::PeFile64;
use object::LittleEndian as LE;
use serde::Serialize;

use crate::attach::{signed_len, tile};
use crate::program::Program;
use crate::signature::{self, Covered, Entry};
use crate::Result;

const PROGRAM: &str = ".bpf";
const PROFILE: &str = ".profile";

/// What is in the image.
#[derive(Serialize, Debug)]
pub struct Contents {
    pub size: usize,
    pub architecture: String,
    /// How the image breaks a rule of the kernel's, if it does: then it cannot be loaded.
    pub broken_rule: Option<String>,
    /// Its Authenticode digest by SHA-256.
    pub sha256: Option<String>,
    pub signatures: Vec<Entry>,
    pub program: Option<Program>,
    pub profiles: Vec<Profile>,
    pub sections: Vec<Section>,
}

#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct Section {
    pub name: String,
    pub offset: usize,
    /// Of its contents, without padding.
    pub size: usize,
    /// `None` in the base, which is for all profiles.
    pub profile: Option<usize>,
}

#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct Profile {
    pub number: usize,
    pub id: Option<String>,
    pub title: Option<String>,
}

impl Contents {
    pub fn read(image: &[u8]) -> Result<Self> {
        let pe = PeFile64::parse(image).map_err(|error| format!("not a PE32+ image: {error}"))?;
        let mut contents = Self {
            size: image.len(),
            architecture: architecture(pe.nt_headers().file_header.machine.get(LE)),
            broken_rule: None,
            sha256: None,
            signatures: Vec::new(),
            program: None,
            profiles: Vec::new(),
            sections: Vec::new(),
        };
        match certificates(&pe, image) {
            Ok(at) => {
                let covered = Covered::of(&pe, image, at);
                contents.sha256 = covered.as_ref().map(Covered::sha256);
                contents.signatures = signature::entries(&image[at..], covered.as_ref());
            }
            Err(why) => contents.broken_rule = Some(why),
        }
        contents.read_sections(&pe, image);
        Ok(contents)
    }

    fn read_sections(&mut self, pe: &PeFile64, image: &[u8]) {
        for section in pe.section_table().iter() {
            let name = String::from_utf8_lossy(section.raw_name()).into_owned();
            let offset = section.pointer_to_raw_data.get(LE) as usize;
            let (size, padded) = (
                section.virtual_size.get(LE),
                section.size_of_raw_data.get(LE),
            );
            let size = size.min(padded) as usize;
            let data = image.get(offset..offset + size).unwrap_or_default();
            match name.as_str() {
                PROFILE => self.profiles.push(Profile::read(self.profiles.len(), data)),
                PROGRAM if self.program.is_none() => match Program::read(data) {
                    Ok(program) => self.program = Some(program),
                    Err(why) => {
                        self.broken_rule.get_or_insert(why);
                    }
                },
                _ => {}
            }
            self.sections.push(Section {
                name,
                offset,
                size,
                profile: self.profiles.len().checked_sub(1),
            });
        }
    }
}

/// Where the certificate table begins, or which rule of the kernel's for what a signature covers
/// the image breaks.
fn certificates(pe: &PeFile64, image: &[u8]) -> Result<usize> {
    let directories = pe.data_directories();
    if directories.len() <= IMAGE_DIRECTORY_ENTRY_SECURITY {
        return Err("it has no directory for a certificate table".into());
    }
    let end = signed_len(&directories, image.len())?;
    let headers_end = pe.nt_headers().optional_header.size_of_headers.get(LE);
    if tile(&pe.section_table(), headers_end as usize)? > end {
        return Err("its sections reach past the end of the file".into());
    }
    Ok(end)
}

fn architecture(machine: Machine) -> String {
    match machine {
        pe::IMAGE_FILE_MACHINE_AMD64 => "x86_64".into(),
        pe::IMAGE_FILE_MACHINE_ARM64 => "arm64".into(),
        pe::IMAGE_FILE_MACHINE_RISCV64 => "riscv64".into(),
        _ => format!("machine {:#06x}", machine.0),
    }
}

impl Profile {
    /// Reads a section `.profile`, which has lines as os-release(5).
    fn read(number: usize, section: &[u8]) -> Self {
        let text = String::from_utf8_lossy(section);
        let value = |key: &str| {
            let mut lines = text.lines();
            let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
            Some(value.trim().trim_matches(['"', '\'']).to_owned())
        };
        Self {
            number,
            id: value("ID"),
            title: value("TITLE"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::companions;
    use crate::report::Report;
    use crate::scratch::Scratch;
    use std::fs;

    const STUB: &str = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";
    const OBJECT: &str = r#"
        #define SEC(name) __attribute__((section(name), used))
        extern long kfunc(void *) SEC(".ksyms");
        extern long weak(void *) __attribute__((weak)) SEC(".ksyms");
        struct { int (*type)[2]; } private SEC(".maps"), other SEC(".maps");
        long count;
        SEC("kexec") int program(void *ctx) { return kfunc(ctx) + weak(ctx) + count++; }
        char _license[] SEC("license") = "GPL";
    "#;

    /// A directory with a UKI of two profiles that two keys signed.
    fn images() -> Scratch {
        let root = Scratch::new();
        fs::write(root.join("object.c"), OBJECT).unwrap();
        root.run("clang -target bpf -g -O2 -c object.c -o object.o");
        fs::write(root.join("main"), "ID=main\nTITLE=\"Main\"\n").unwrap();
        fs::write(
            root.join("reset"),
            "ID='reset'\nTITLE=Factory reset\nSORT_KEY=1",
        )
        .unwrap();
        root.run(&format!(
            "ukify build --stub={STUB} --linux={STUB} --uname=7.3 --os-release=ID=test \
             --section=.bpf:@object.o --section=.profile:@main --section=.cmdline:@main \
             --section=.profile:@reset --section=.cmdline:@reset --output=image.efi"
        ));
        for key in ["one", "two"] {
            root.run(&format!(
                "openssl req -x509 -newkey rsa:2048 -noenc -days 2 -subj /CN={key} \
                          -set_serial 0x1234 -keyout {key}.key -out {key}.crt"
            ));
            root.run(&format!(
                "sbsign --key {key}.key --cert {key}.crt image.efi --output image.efi"
            ));
        }
        root
    }

    #[test]
    fn a_signed_uki_with_profiles() {
        let root = images();
        let bytes = fs::read(root.join("image.efi")).unwrap();
        let mut companions = Vec::new();
        companions::add(&mut companions, &["/d/a.cred".into()]).unwrap();
        let report = Report::new(&root.join("image.efi"), &bytes, &companions).unwrap();
        let contents = &report.contents;

        assert_eq!(contents.architecture, "x86_64");
        assert_eq!(contents.broken_rule, None);
        let program = contents.program.as_ref().unwrap();
        assert_eq!(program.license, "GPL");
        assert_eq!(program.maps, ["other", "private"]);
        assert_eq!(program.kfuncs, ["kfunc", "weak"]);
        let profile = |number, id: &str, title: &str| Profile {
            number,
            id: Some(id.into()),
            title: Some(title.into()),
        };
        assert_eq!(
            contents.profiles,
            [
                profile(0, "main", "Main"),
                profile(1, "reset", "Factory reset")
            ]
        );
        let section = |name: &'static str| contents.sections.iter().filter(move |s| s.name == name);
        let linux: Vec<_> = section(".linux").collect();
        assert_eq!(linux[0].size as u64, fs::metadata(STUB).unwrap().len());
        assert_eq!((linux.len(), linux[0].profile), (1, None));
        let of: Vec<_> = section(".cmdline").map(|s| (s.profile, s.size)).collect();
        assert_eq!(of, [(Some(0), 21), (Some(1), 41)]);

        // The digest is what sbsign computed.
        let digest = contents.sha256.clone().unwrap();
        let signers = contents.signatures.iter().map(|entry| match entry {
            Entry::Signature(signature) => {
                assert_eq!(signature.algorithm, "sha256");
                assert_eq!(signature.digest, digest);
                assert_eq!(signature.digest_matches, Some(true));
                let signer = &signature.signers[0];
                assert_eq!(signer.serial, "1234");
                assert_eq!(signer.subject.as_ref(), Some(&signer.issuer));
                signer.issuer.clone()
            }
            Entry::Other { error } => panic!("{error}"),
        });
        let signers: Vec<_> = signers.collect();
        assert_eq!(signers, ["CN=one", "CN=two"]);

        let words = report.words();
        for line in [
            "  architecture     x86_64\n".into(),
            format!("  digest           sha256:{digest}\n"),
            format!("    digest         sha256:{digest} (of this image)\n"),
            "      issuer       CN=two\n".into(),
            "    kfuncs         kfunc weak\n".into(),
            "    1 reset        Factory reset\n".into(),
            "    credential     /d/a.cred\n".into(),
        ] {
            assert!(words.contains(&line), "{line} is not in:\n{words}");
        }
        let json: serde_json::Value = serde_json::from_str(&crate::text::json(&report)).unwrap();
        assert_eq!(json["signatures"][1]["signers"][0]["issuer"], "CN=two");
        assert_eq!(json["companions"][0]["kind"], "credential");
        assert_eq!(json["sha256"], digest);

        // A byte of a section, and one of the table of certificates.
        let mut changed = bytes.clone();
        changed[linux[0].offset + 7] ^= 1;
        let changed = Contents::read(&changed).unwrap();
        assert!(changed.signatures.iter().all(|entry| matches!(
            entry,
            Entry::Signature(signature) if signature.digest_matches == Some(false)
        )));
        let pe = PeFile64::parse(&*bytes).unwrap();
        let table = certificates(&pe, &bytes).unwrap();
        for at in table..bytes.len() {
            let mut changed = bytes[table..].to_vec();
            changed[at - table] ^= 0x81;
            assert!(!signature::entries(&changed, None).is_empty());
        }
    }

    #[test]
    fn images_that_cannot_be_loaded() {
        let stub = fs::read(STUB).unwrap();
        let contents = Contents::read(&stub).unwrap();
        assert_eq!(contents.program, None);
        assert_eq!(contents.broken_rule, None);
        assert_eq!(contents.signatures, []);

        let mut longer = stub.clone();
        longer.truncate(stub.len() - 1);
        let why = Contents::read(&longer).unwrap().broken_rule.unwrap();
        assert_eq!(why, "its sections reach past the end of the file");
        assert_eq!(Contents::read(&longer).unwrap().sha256, None);

        for bytes in [&b""[..], b"MZ", &[0; 4096]] {
            let error = Contents::read(bytes).unwrap_err();
            assert!(error.starts_with("not a PE32+ image: "), "{error}");
        }
    }

    #[test]
    fn any_header_is_read_or_refused() {
        let stub = fs::read(STUB).unwrap();
        for at in 0..0x400 {
            for value in [0, 0x7f, 0xff] {
                let mut changed = stub.clone();
                changed[at] = value;
                let _ = Contents::read(&changed).map(|contents| format!("{contents:?}"));
            }
        }
    }
}
