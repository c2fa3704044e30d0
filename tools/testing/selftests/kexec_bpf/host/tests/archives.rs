// SPDX-License-Identifier: GPL-2.0

//! The archives, unpacked by cpio(1).

use kexec_bpf_host::cpio::Archive;
use std::convert::Infallible;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{
    MetadataExt,
    PermissionsExt, //
};
use std::path::Path;
use std::process::{
    Command,
    Stdio, //
};

#[test]
fn unpacked() {
    let deep = ["d"; 128].join("/");
    for (index, (path, mode, len)) in [
        ("file", 0o444, 0),
        (".extra/os-release", 0o444, 1),
        (".extra/credentials/with space", 0o400, 2),
        ("a/b/c/d", 0o7777, 3),
        ("a/b/c", (0o500 << 16) | 0o400, 3),
        ("a/TRAILER!!!", 0, 4),
        (&deep, 0o644, 100_000),
    ]
    .into_iter()
    .enumerate()
    {
        let data = vec![b'x'; len];
        let archive = Archive::new(path.as_bytes(), mode, len as u64).unwrap();
        let mut bytes = Vec::new();
        let Ok(()) = archive.head(|piece| {
            bytes.extend(piece);
            Ok::<_, Infallible>(())
        });
        bytes.extend(&data);
        bytes.extend(archive.tail());

        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("archive-{index}"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).unwrap();
        let mut cpio = Command::new("cpio")
            .args(["--quiet", "--extract", "--preserve-modification-time"])
            .current_dir(&dir)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        cpio.stdin.take().unwrap().write_all(&bytes).unwrap();
        assert!(cpio.wait().unwrap().success());

        let file = dir.join(path);
        let metadata = fs::metadata(&file).unwrap();
        let (dir_mode, file_mode) = (mode as u32 >> 16, mode as u32 & 0o7777);
        assert_eq!(metadata.permissions().mode(), 0o100_000 | file_mode);
        assert_eq!(metadata.mtime(), 0);
        let mut want = if dir_mode == 0 { 0o555 } else { dir_mode };
        for parent in file.ancestors().skip(1).take_while(|parent| *parent != dir) {
            let mode = fs::metadata(parent).unwrap().permissions().mode();
            assert_eq!(mode, 0o040_000 | want);
            want = 0o555;
        }
        assert_eq!(fs::read(&file).unwrap(), data);
    }
}
