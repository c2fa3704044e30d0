// SPDX-License-Identifier: GPL-2.0

//! Calls of `kexec_bpf_load(2)`, and the files and system state around them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::OnceLock;
use std::thread;

use rustix::thread::{capabilities, set_capabilities, CapabilitySet};

use crate::harness::{equal, skip, Context, Result};
use crate::uapi::{Args, ARGS_SIZE_VER0, DRY_RUN, SYS_KEXEC_BPF_LOAD, SYS_KEXEC_FILE_LOAD};

static IMAGES: OnceLock<PathBuf> = OnceLock::new();

/// Sets the directory of the images.
pub fn set_images(path: PathBuf) {
    IMAGES.get_or_init(|| path);
}

static SECURE_BOOT: AtomicBool = AtomicBool::new(false);

/// Notes that the machine was started by secure boot.
pub fn set_secure_boot() {
    SECURE_BOOT.store(true, Ordering::Relaxed);
}

/// Whether the machine was started by secure boot.
pub fn secure_boot() -> bool {
    SECURE_BOOT.load(Ordering::Relaxed)
}

/// Whether the kernel lacks the system call.
pub fn is_unknown() -> bool {
    syscall(std::ptr::null::<Args>(), 0) == libc::ENOSYS
}

/// The path of a file in the directory of the images.
pub fn path(name: &str) -> PathBuf {
    IMAGES.get().expect("it was said").join(name)
}

/// The bytes of an image.
pub fn image(name: &str) -> Result<Vec<u8>> {
    stored(&format!("{name}.efi"))
}

/// An image of scripts/images/policy-images.
pub fn policy_image(name: &str) -> Result<Vec<u8>> {
    image(&format!("policy/{name}"))
}

/// The bytes of a file in the directory of the images.
pub fn stored(name: &str) -> Result<Vec<u8>> {
    let path = path(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            skip(format!("there is no {}", path.display()))
        }
        Err(error) => Err(error).context(path.display()),
    }
}

/// A file with these bytes, open for reading.
pub fn file(bytes: &[u8]) -> Result<File> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("kexec_bpf_test.{number}"));
    fs::write(&path, bytes).context(path.display())?;
    let file = File::open(&path).context(path.display())?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// A file of zeroes that takes no memory.
pub fn sparse(len: u64) -> Result<File> {
    let path = std::env::temp_dir().join("kexec_bpf_test.sparse");
    File::create(&path)?.set_len(len)?;
    let file = File::open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}

/// A file that is open only for writing.
pub fn write_only() -> Result<File> {
    let path = std::env::temp_dir().join("kexec_bpf_test.write");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}

/// The lockdown level.
pub fn lockdown() -> String {
    let levels = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    let level = levels.split(['[', ']']).nth(1);
    level.unwrap_or("none").into()
}

/// Whether images have to be signed.
pub fn enforced() -> bool {
    lockdown() != "none" || secure_boot()
}

/// Whether a kernel is loaded.
pub fn loaded() -> Result<bool> {
    Ok(fs::read_to_string("/sys/kernel/kexec_loaded")?.trim() == "1")
}

/// Drops the kernel that is loaded.
pub fn unload() -> Result {
    unload_by(0)
}

/// Drops the crash kernel that is loaded.
pub fn unload_crash() -> Result {
    const KEXEC_FILE_ON_CRASH: libc::c_ulong = 2;
    unload_by(KEXEC_FILE_ON_CRASH)
}

fn unload_by(flags: libc::c_ulong) -> Result {
    const KEXEC_FILE_UNLOAD: libc::c_ulong = 1;
    let flags = flags | KEXEC_FILE_UNLOAD;
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: With this flag the kernel looks at no other argument.
    match unsafe { libc::syscall(SYS_KEXEC_FILE_LOAD, -1, -1, 0, none, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().into()),
    }
}

/// Arguments of a load.
#[derive(Clone)]
pub struct Load<'a> {
    pub flags: u32,
    pub image: RawFd,
    pub initrd: RawFd,
    pub map: RawFd,
    pub cmdline: &'a [u8],
    /// Room for the log.
    pub log_size: usize,
}

impl Default for Load<'_> {
    fn default() -> Self {
        Self {
            flags: DRY_RUN,
            image: -1,
            initrd: -1,
            map: -1,
            cmdline: b"",
            log_size: 1 << 16,
        }
    }
}

/// The result of a load.
pub struct Loaded {
    /// The errno, or 0.
    pub errno: i32,
    /// The lines of the log.
    pub log: Vec<String>,
}

impl Load<'_> {
    /// A dry run of one file, without an initrd or a command line.
    pub fn dry(image: &File) -> Self {
        Self {
            image: image.as_raw_fd(),
            ..Self::default()
        }
    }

    /// Makes the system call.
    pub fn run(&self) -> Loaded {
        let mut log = vec![0; self.log_size];
        let errno = self.run_with(&mut log);
        let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
        let log = String::from_utf8_lossy(&log[..end]);
        Loaded {
            errno,
            log: log.split_terminator('\n').map(Into::into).collect(),
        }
    }

    /// Makes the system call with this buffer for the log. Returns the errno, or 0.
    pub fn run_with(&self, log: &mut [u8]) -> i32 {
        let args = self.args((log.as_mut_ptr() as u64, log.len() as u64));
        syscall(&args, ARGS_SIZE_VER0)
    }

    /// The structure, with the address and size of a buffer for the log.
    pub fn args(&self, (log_buf, log_size): (u64, u64)) -> Args {
        Args {
            flags: self.flags,
            image_fd: self.image,
            initrd_fd: self.initrd,
            map_fd: self.map,
            cmdline: self.cmdline.as_ptr() as u64,
            cmdline_len: self.cmdline.len() as u64,
            log_buf,
            log_size,
        }
    }
}

/// Makes the system call. Returns the errno, or 0. The kernel checks the address of the arguments.
#[allow(clippy::not_unsafe_ptr_arg_deref)]
pub fn syscall<T>(args: *const T, size: usize) -> i32 {
    // SAFETY: The kernel checks addresses; what it writes to is a log that the caller owns.
    match unsafe { libc::syscall(SYS_KEXEC_BPF_LOAD, args, size) } {
        0 => 0,
        _ => io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or_default(),
    }
}

/// A dry run of an image.
pub fn dry_run(image: &[u8]) -> Result<Loaded> {
    Ok(Load::dry(&file(image)?).run())
}

/// Fails unless the next good image is accepted.
pub fn next_is_accepted() -> Result {
    let next = dry_run(&image("tiny")?)?;
    equal("errno of the next load", next.errno, 0).context(next.log.join("\n"))
}

impl Loaded {
    /// Fails unless the errno is this one and the log has just these lines. A `*` at the end of a
    /// line stands for any text.
    pub fn check(&self, errno: i32, lines: &[&str]) -> Result {
        let fits = |line: &str, pattern: &str| match pattern.strip_suffix('*') {
            Some(start) => line.starts_with(start),
            None => line == pattern,
        };
        let same = self.log.len() == lines.len()
            && self
                .log
                .iter()
                .zip(lines)
                .all(|(line, pattern)| fits(line, pattern));
        if same && self.errno == errno {
            return Ok(());
        }
        let Self { errno: got, log } = self;
        Err(format!(
            "errno {got}, log:\n  {}\ninstead of {errno}, log:\n  {}",
            log.join("\n  "),
            lines.join("\n  ")
        )
        .into())
    }

    /// Fails unless the load was refused with this errno, and its log ends with the reason.
    pub fn ends(&self, errno: i32, why: &str) -> Result {
        let end = self.log.len().saturating_sub(2);
        let is_verdict = |line: &&String| {
            let verdicts = ["accepted", "refused:", "not loaded:"];
            verdicts.iter().any(|verdict| line.starts_with(verdict))
        };
        let is_strange = |line: &&String| line.bytes().any(|byte| !matches!(byte, b' '..=b'~'));
        let verdict = self.log[..end].iter().find(is_verdict);
        equal("a verdict before the end", verdict, None)?;
        let strange = self.log.iter().find(is_strange);
        equal("a line that is not printable ASCII", strange, None)?;
        Self {
            errno: self.errno,
            log: self.log[end..].to_vec(),
        }
        .check(
            errno,
            &[&format!("refused: {why}"), &format!("not loaded: -{errno}")],
        )
    }

    /// The same. Also fails if a kernel is loaded, or if the next good image is not accepted.
    pub fn refused(&self, errno: i32, why: &str) -> Result {
        self.ends(errno, why)?;
        equal("a kernel is loaded", loaded()?, false)?;
        next_is_accepted()
    }
}

/// Bit of the capability to load kernels.
pub const CAP_SYS_BOOT: u64 = 1 << 22;
/// Bit of the capability to load programs.
pub const CAP_BPF: u64 = 1 << 39;

/// Runs `body` in a thread that has at most these capabilities.
pub fn with_capabilities<T: Send>(keep: u64, body: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let keep = CapabilitySet::from_bits_retain(keep);
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut sets = capabilities(None)?;
            sets.effective &= keep;
            set_capabilities(None, sets)?;
            body()
        });
        thread.join().expect("it does not panic")
    })
}

/// The IDs of all BPF programs, maps and BTF objects.
pub fn bpf_ids() -> [Vec<u32>; 3] {
    type Next = unsafe extern "C" fn(u32, *mut u32) -> i32;
    let kinds: [Next; 3] = [
        libbpf_sys::bpf_prog_get_next_id,
        libbpf_sys::bpf_map_get_next_id,
        libbpf_sys::bpf_btf_get_next_id,
    ];
    kinds.map(|next| {
        let (mut ids, mut id) = (Vec::new(), 0);
        // SAFETY: `id` is there for the call to write to.
        while unsafe { next(id, &mut id) } == 0 {
            ids.push(id);
        }
        ids
    })
}
