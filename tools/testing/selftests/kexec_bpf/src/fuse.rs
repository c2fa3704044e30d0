// SPDX-License-Identifier: GPL-2.0

//! A FUSE file system with one file, whose reads a test answers when and how it likes.
//!
//! This is not built on the crate fuser, because that always requests FUSE_ASYNC_READ: without that
//! flag the kernel waits for reads of the page cache in a way that cannot be killed.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::mount::UnmountFlags;

use crate::harness::{Context, Result};
use crate::mount::{mount, unmount};

/// The kernel asks for a read long before that.
const HANG: Duration = Duration::from_secs(60);

const ROOT: u64 = 1;
const FILE: u64 = 2;

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

/// Lengths of `struct fuse_in_header` and of what follows it for READ.
const HEADER: usize = 40;
const READ_OFFSET: usize = HEADER + 8;
const READ_SIZE: usize = HEADER + 16;

/// A READ that waits for its answer.
pub struct Asked {
    unique: u64,
    /// The offset in the file.
    pub offset: usize,
    /// The most bytes that the answer can have.
    pub len: usize,
}

/// How the kernel reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Through the page cache, where a fatal signal ends the wait.
    Cached,
    /// Through the page cache, one request at a time. If the server has taken a request, the reader
    /// waits for the answer even when it is killed.
    Sync,
    /// Past the page cache. Here too, a reader that is killed waits for the answer to a request
    /// that the server has taken.
    Direct,
}

/// The file system.
pub struct Fuse {
    mountpoint: PathBuf,
    /// The file, open for reading. `None` once it is closed.
    file: Option<File>,
    asked: Receiver<Asked>,
    device: File,
    server: Option<JoinHandle<()>>,
}

impl Fuse {
    /// Mounts it. Its file claims to have `len` bytes.
    pub fn mount(len: usize, mode: Mode) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mountpoint = std::env::temp_dir().join(format!("kexec_bpf_test.fuse.{number}"));
        fs::create_dir(&mountpoint)?;
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/fuse")?;
        let fd = device.as_raw_fd();
        let options = format!("fd={fd},rootmode=40000,user_id=0,group_id=0");
        mount("fuse", &mountpoint, &options)?;
        let (tell, asked) = channel();
        let server = Server {
            device: device.try_clone()?,
            len,
            mode,
            tell,
        };
        let server = thread::spawn(move || server.run());
        let file = File::open(mountpoint.join("file"))?;
        Ok(Self {
            mountpoint,
            file: Some(file),
            asked,
            device,
            server: Some(server),
        })
    }

    /// The file.
    pub fn file(&self) -> &File {
        self.file.as_ref().expect("it is not closed yet")
    }

    /// Waits until someone reads.
    pub fn asked(&self) -> Result<Asked> {
        self.asked
            .recv_timeout(HANG)
            .context("wait for the read of a FUSE file")
    }

    /// Waits until someone reads, for at most this many milliseconds.
    pub fn asked_within(&self, ms: u64) -> Option<Asked> {
        self.asked.recv_timeout(Duration::from_millis(ms)).ok()
    }

    /// Answers a read.
    pub fn answer(&self, asked: &Asked, bytes: &[u8]) {
        reply(&self.device, asked.unique, 0, bytes);
    }

    /// Answers a read with an error.
    pub fn fail(&self, asked: &Asked) {
        reply(&self.device, asked.unique, libc::EIO, b"");
    }

    /// Answers all reads out of these bytes, each with at most `most` bytes.
    pub fn serve(&self, bytes: &[u8], most: usize) -> Result {
        self.serve_from(0, bytes, most)
    }

    /// The same, if the bytes before `done` have been read.
    pub fn serve_from(&self, mut done: usize, bytes: &[u8], most: usize) -> Result {
        while done < bytes.len() {
            let asked = self.asked()?;
            done = self.answer_out_of(&asked, bytes, most);
        }
        Ok(())
    }

    /// Answers a read out of these bytes, with at most `most` bytes. Returns where its answer ends.
    pub fn answer_out_of(&self, asked: &Asked, bytes: &[u8], most: usize) -> usize {
        let rest = bytes.get(asked.offset..).unwrap_or_default();
        let part = &rest[..rest.len().min(asked.len).min(most)];
        self.answer(asked, part);
        asked.offset + part.len()
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        // Readers that still wait for an answer get an error.
        unmount(&self.mountpoint, UnmountFlags::FORCE);
        self.file = None;
        unmount(&self.mountpoint, UnmountFlags::DETACH);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
        let _ = fs::remove_dir(&self.mountpoint);
    }
}

struct Server {
    device: File,
    len: usize,
    mode: Mode,
    tell: Sender<Asked>,
}

impl Server {
    /// Answers requests until the file system is unmounted.
    fn run(mut self) {
        let mut request = vec![0; 1 << 16];
        while let Ok(len) = self.device.read(&mut request) {
            let request = &request[..len];
            let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap());
            let long = |at: usize| u64::from_ne_bytes(request[at..at + 8].try_into().unwrap());
            let (unique, node) = (long(8), long(16));
            let answer = match word(4) {
                INIT => Ok(self.init()),
                LOOKUP if &request[HEADER..] == b"file\0" => Ok(self.entry()),
                LOOKUP => Err(libc::ENOENT),
                GETATTR => Ok([vec![0; 16], self.attributes(node)].concat()),
                OPEN => Ok(self.open()),
                READ => {
                    // The test answers it. If the test is over, nobody waits for an answer.
                    let _ = self.tell.send(Asked {
                        unique,
                        offset: long(READ_OFFSET) as usize,
                        len: word(READ_SIZE) as usize,
                    });
                    continue;
                }
                RELEASE | FLUSH => Ok(Vec::new()),
                FORGET | BATCH_FORGET | INTERRUPT => continue,
                _ => Err(libc::ENOSYS),
            };
            match answer {
                Ok(bytes) => reply(&self.device, unique, 0, &bytes),
                Err(errno) => reply(&self.device, unique, errno, b""),
            }
        }
    }

    /// `struct fuse_entry_out`, which stays valid.
    fn entry(&self) -> Vec<u8> {
        let valid = u64::from(u32::MAX);
        let longs = [FILE, 0, valid, valid, 0].map(u64::to_ne_bytes);
        [longs.concat(), self.attributes(FILE)].concat()
    }

    /// `struct fuse_attr`
    fn attributes(&self, node: u64) -> Vec<u8> {
        let (mode, size) = match node {
            ROOT => (libc::S_IFDIR | 0o755, 0),
            _ => (libc::S_IFREG | 0o444, self.len as u64),
        };
        let longs = [node, size, size.div_ceil(512), 0, 0, 0].map(u64::to_ne_bytes);
        let words = [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0].map(u32::to_ne_bytes);
        [longs.concat(), words.concat()].concat()
    }

    /// `struct fuse_open_out`
    fn open(&self) -> Vec<u8> {
        const DIRECT_IO: u32 = 1;
        let flags = match self.mode {
            Mode::Cached | Mode::Sync => 0,
            Mode::Direct => DIRECT_IO,
        };
        [0, 0, flags, 0].map(u32::to_ne_bytes).concat()
    }

    /// `struct fuse_init_out` of version 7.31.
    fn init(&self) -> Vec<u8> {
        const ASYNC_READ: u32 = 1;
        let flags = match self.mode {
            Mode::Sync => 0,
            Mode::Cached | Mode::Direct => ASYNC_READ,
        };
        let words = [7, 31, 1 << 20, flags, 0, 4096, 1, 0];
        let mut out = words.map(u32::to_ne_bytes).concat();
        out.resize(64, 0);
        out
    }
}

/// Answers a request. This fails if the process that asked has ended.
fn reply(mut device: &File, unique: u64, errno: i32, bytes: &[u8]) {
    let len = (16 + bytes.len()) as u32;
    let mut out = [len, -errno as u32].map(u32::to_ne_bytes).concat();
    out.extend(unique.to_ne_bytes());
    out.extend(bytes);
    let _ = device.write(&out);
}
