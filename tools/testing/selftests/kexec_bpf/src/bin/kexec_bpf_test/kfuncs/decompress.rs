// SPDX-License-Identifier: GPL-2.0

//! `bpf_kexec_decompress()`

use std::io::Write;

use flate2::{Compression, GzBuilder};
use zstd_safe::CParameter;

use support::compress::{gzip, lz4, lzo, xz, zstd, zstd_with};
use support::harness::{equal, Context, Result};
use support::object::Input;
use support::script::{bind_kernel, decompress, stat, Script};
use support::uapi::{
    range, Range, BY_MAGIC, EXACT, GZIP, HANDLE, IMAGE, INITRD, LZ4, LZO, XZ, ZSTD,
};

tests! {
    BELOW_CONFIDENTIALITY;
    whole,
    lengths,
    a_limit_that_is_reached,
    truncated,
    trailing_bytes,
    damaged,
    unknown_algorithms,
    header_fields_of_gzip,
    checksum_of_zstd,
    sizes_that_are_not_said,
    sizes_that_are_too_large,
    bombs,
    empty,
    a_piece_of_a_resource,
    reserved,
}

const EINVAL: i64 = -libc::EINVAL as i64;
pub const ELIBBAD: i64 = -libc::ELIBBAD as i64;
pub const ENOPKG: i64 = -libc::ENOPKG as i64;
pub const EFBIG: i64 = -libc::EFBIG as i64;

/// `KEXEC_BPF_IMAGE_MAX`
const OUT_MAX: u64 = 1 << 30;

const OK: i64 = HANDLE as i64;

/// Text that is neither trivial nor incompressible.
pub fn text(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut words = || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12345);
        format!("word{} ", state >> 24)
    };
    let mut text = Vec::with_capacity(len + 16);
    while text.len() < len {
        text.extend(words().bytes());
    }
    text.truncate(len);
    text
}

/// The bytes, compressed by each algorithm.
fn compressed(bytes: &[u8]) -> [(u64, Vec<u8>); 5] {
    [
        (GZIP, gzip(bytes)),
        (ZSTD, zstd(bytes)),
        (XZ, xz(bytes)),
        (LZ4, lz4(bytes)),
        (LZO, lzo(bytes)),
    ]
}

/// Decompresses all of `image`, and compares the result with `want`.
pub fn check(script: &Script, image: &[u8], call: (u64, u64, u64), want: &[u8]) -> Result {
    let input = Input {
        image,
        room: Some(want.len()),
        ..Input::default()
    };
    let (algo, len, flags) = call;
    let steps = [
        (decompress(all(image), algo, len, flags), OK),
        (bind_kernel(range(HANDLE, 0, want.len() as u64)), 0),
        (stat(HANDLE), 0),
    ];
    let run = script.check(&input, &steps)?;
    equal(
        "length",
        run.done[2].range,
        range(HANDLE, 0, want.len() as u64),
    )?;
    equal("output", run.output.kernel == want, true)
}

/// Fails unless the decompression of all of `image` is refused.
pub fn refused(script: &Script, image: &[u8], call: (u64, u64, u64), returned: i64) -> Result {
    let input = Input {
        image,
        ..Input::default()
    };
    let (algo, len, flags) = call;
    let step = decompress(all(image), algo, len, flags);
    let errno = if returned == EFBIG { libc::EFBIG } else { 0 };
    script.check_until(&input, &[(step, returned)], errno)?;
    Ok(())
}

fn all(image: &[u8]) -> Range {
    range(IMAGE, 0, image.len() as u64)
}

fn whole() -> Result {
    let script = Script::load()?;
    for len in [1, 100, 65_536, 3_000_000] {
        let text = text(len);
        for (algo, image) in compressed(&text) {
            for algo in [algo, BY_MAGIC] {
                check(&script, &image, (algo, 0, 0), &text)
                    .context(format!("{len} bytes, algorithm {algo}"))?;
            }
        }
    }
    Ok(())
}

fn lengths() -> Result {
    let script = Script::load()?;
    let text = text(5000);
    for (algo, image) in compressed(&text) {
        for len in [5000, 5001, 1 << 20, u64::MAX] {
            check(&script, &image, (algo, len, 0), &text)
                .context(format!("at most {len}, algorithm {algo}"))?;
        }
        check(&script, &image, (algo, 5000, EXACT), &text)?;
        for (len, returned) in [
            (0, ELIBBAD),
            (1, ELIBBAD),
            (4999, ELIBBAD),
            (5001, ELIBBAD),
            (OUT_MAX, ELIBBAD),
            (OUT_MAX + 1, EFBIG),
            (u64::MAX, EFBIG),
        ] {
            refused(&script, &image, (algo, len, EXACT), returned)
                .context(format!("exactly {len}, algorithm {algo}"))?;
        }
    }
    Ok(())
}

fn a_limit_that_is_reached() -> Result {
    let script = Script::load()?;
    let zeroes = vec![0; 16 << 20];
    for (algo, image) in compressed(&zeroes) {
        for len in [1, 4096, (16 << 20) - 1] {
            refused(&script, &image, (algo, len, 0), EFBIG)
                .context(format!("at most {len}, algorithm {algo}"))?;
        }
    }
    let quiet = zstd_with(&zeroes, &[CParameter::ContentSizeFlag(false)]);
    refused(&script, &quiet, (ZSTD, (16 << 20) - 1, 0), EFBIG).context("zstd without a size")
}

fn truncated() -> Result {
    let script = Script::load()?;
    for (algo, image) in compressed(&text(200)) {
        // An lz4 frame may end before each block.
        let call = match algo {
            LZ4 => (algo, 200, EXACT),
            _ => (algo, 0, 0),
        };
        for len in 0..image.len() {
            refused(&script, &image[..len], call, ELIBBAD)
                .context(format!("the first {len} bytes, algorithm {algo}"))?;
        }
    }
    Ok(())
}

fn trailing_bytes() -> Result {
    let script = Script::load()?;
    for (algo, image) in compressed(&text(200)) {
        for tail in [&b"\0"[..], b"tail", &image] {
            let longer = [&image, tail].concat();
            refused(&script, &longer, (algo, 0, 0), ELIBBAD)
                .context(format!("{} bytes more, algorithm {algo}", tail.len()))?;
        }
    }
    Ok(())
}

fn damaged() -> Result {
    let script = Script::load()?;
    let image = gzip(&text(200));
    // The CRC and the length at the end.
    for at in image.len() - 8..image.len() {
        let mut image = image.clone();
        image[at] ^= 1;
        refused(&script, &image, (GZIP, 0, 0), ELIBBAD).context(format!("gzip, byte {at}"))?;
    }
    Ok(())
}

fn unknown_algorithms() -> Result {
    let script = Script::load()?;
    let text = text(200);
    for image in [
        &b"no magic"[..],
        b"",
        b"\x1f",
        b"\x28\xb5\x2f",
        b"\xfd7zXZ",
        b"\xfd7zXZ\x01",
        b"\x04\"M\x18",
    ] {
        refused(&script, image, (BY_MAGIC, 0, 0), ENOPKG).context(format!("{image:?}"))?;
    }
    for algo in [6, (1 << 32) | GZIP, u64::MAX] {
        refused(&script, &gzip(&text), (algo, 0, 0), ENOPKG).context(algo)?;
    }
    // The algorithm is that of another format.
    refused(&script, &gzip(&text), (ZSTD, 0, 0), ELIBBAD)?;
    refused(&script, &zstd(&text), (GZIP, 0, 0), ELIBBAD)?;
    refused(&script, &zstd(&text), (XZ, 0, 0), ELIBBAD)?;
    refused(&script, &xz(&text), (ZSTD, 0, 0), ELIBBAD)?;
    refused(&script, &xz(&text), (LZ4, 0, 0), ELIBBAD)?;
    refused(&script, &lz4(&text), (XZ, 0, 0), ELIBBAD)?;
    refused(&script, &lz4(&text), (LZO, 0, 0), ELIBBAD)?;
    refused(&script, &lzo(&text), (LZ4, 0, 0), ELIBBAD)
}

fn header_fields_of_gzip() -> Result {
    let script = Script::load()?;
    let text = text(200);
    let mut encoder = GzBuilder::new()
        .filename("vmlinux")
        .comment("a comment")
        .extra("extra")
        .mtime(1)
        .write(Vec::new(), Compression::best());
    encoder.write_all(&text)?;
    check(&script, &encoder.finish()?, (BY_MAGIC, 0, 0), &text)
}

fn checksum_of_zstd() -> Result {
    let script = Script::load()?;
    let text = text(200);
    let mut image = zstd_with(&text, &[CParameter::ChecksumFlag(true)]);
    check(&script, &image, (ZSTD, 0, 0), &text)?;
    *image.last_mut().expect("it has bytes") ^= 1;
    refused(&script, &image, (ZSTD, 0, 0), ELIBBAD)
}

fn sizes_that_are_not_said() -> Result {
    let script = Script::load()?;
    let text = text(300_000);
    let image = zstd_with(&text, &[CParameter::ContentSizeFlag(false)]);
    check(&script, &image, (ZSTD, 0, 0), &text)?;
    check(&script, &image, (ZSTD, 300_000, 0), &text)?;
    check(&script, &image, (ZSTD, 300_000, EXACT), &text)?;
    refused(&script, &image, (ZSTD, 299_999, EXACT), ELIBBAD)?;
    refused(&script, &image, (ZSTD, 300_001, EXACT), ELIBBAD)?;
    refused(&script, &image, (ZSTD, OUT_MAX, EXACT), ELIBBAD)?;
    refused(&script, &image, (ZSTD, u64::MAX, EXACT), EFBIG)?;
    refused(&script, &image, (ZSTD, 299_999, 0), EFBIG)
}

/// Streams that claim an impossible size are refused before a buffer is allocated.
fn sizes_that_are_too_large() -> Result {
    let script = Script::load()?;
    let mut image = gzip(b"short");
    let end = image.len();
    image[end - 4..].fill(0xff);
    refused(&script, &image, (GZIP, 0, 0), ELIBBAD)?;

    // A frame with a content size of eight bytes, and an empty block.
    for size in [1u64 << 20, 1 << 62, u64::MAX] {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
        frame.extend(size.to_le_bytes());
        frame.extend([1, 0, 0]);
        refused(&script, &frame, (ZSTD, 0, 0), ELIBBAD).context(size)?;
    }
    Ok(())
}

/// The output would be over the kernel's limit.
fn bombs() -> Result {
    let script = Script::load()?;
    // At least so many bytes does deflate need for the claimed size.
    let mut image = gzip(b"short");
    image.splice(10..10, vec![0; 1_100_000]);
    let end = image.len();
    image[end - 4..].copy_from_slice(&(OUT_MAX as u32 + 1).to_le_bytes());
    refused(&script, &image, (GZIP, 0, 0), EFBIG).context("gzip")?;

    // A frame of blocks that repeat one byte 128 KiB times, with and without its size.
    const BLOCK: u32 = 128 << 10;
    for head in [
        &[&[0xe0][..], &(OUT_MAX + BLOCK as u64).to_le_bytes()].concat()[..],
        &[0, 0x38], // a window of 128 KiB
    ] {
        let mut frame = [b"\x28\xb5\x2f\xfd", head].concat();
        let block = |last: u32| ((BLOCK << 3) | 2 | last).to_le_bytes();
        for _ in 0..OUT_MAX / u64::from(BLOCK) {
            frame.extend(&block(0)[..3]);
            frame.push(b'x');
        }
        frame.extend(&block(1)[..3]);
        frame.push(b'x');
        refused(&script, &frame, (ZSTD, 0, 0), EFBIG).context(format!("zstd, {head:x?}"))?;
    }
    Ok(())
}

fn empty() -> Result {
    let script = Script::load()?;
    for (algo, image) in compressed(b"") {
        let input = Input {
            image: &image,
            ..Input::default()
        };
        for (len, flags) in [(0, 0), (0, EXACT), (1, 0)] {
            script.check(&input, &[(decompress(all(&image), algo, len, flags), OK)])?;
        }
        script.check(
            &input,
            &[(decompress(all(&image), algo, 1, EXACT), ELIBBAD)],
        )?;
    }
    Ok(())
}

fn a_piece_of_a_resource() -> Result {
    let text = text(1000);
    for (algo, compressed) in compressed(&text) {
        let image = [b"before", &compressed[..], b"after"].concat();
        let input = Input {
            image: &image,
            ..Input::default()
        };
        let len = compressed.len() as u64;
        let past_the_end = image.len() as u64 - 5;
        Script::load()?.check(
            &input,
            &[
                (decompress(range(IMAGE, 6, len), algo, 0, 0), OK),
                (
                    decompress(range(IMAGE, 6, past_the_end), algo, 0, 0),
                    -libc::ERANGE as i64,
                ),
                (
                    decompress(range(IMAGE, u64::MAX, 1), algo, 0, 0),
                    -libc::ERANGE as i64,
                ),
                (
                    decompress(range(HANDLE + 1, 0, 1), algo, 0, 0),
                    -libc::ENOENT as i64,
                ),
                (
                    decompress(range(INITRD, 0, 1), algo, 0, 0),
                    -libc::ENOENT as i64,
                ),
                (bind_kernel(range(HANDLE, 0, 1000)), 0),
            ],
        )?;
    }
    Ok(())
}

fn reserved() -> Result {
    let script = Script::load()?;
    let image = gzip(b"text");
    let input = Input {
        image: &image,
        ..Input::default()
    };
    let flagged = Range {
        flags: 1,
        ..all(&image)
    };
    script.check(
        &input,
        &[
            (decompress(flagged, GZIP, 0, 0), EINVAL),
            (decompress(all(&image), GZIP, 0, 2), EINVAL),
            (decompress(all(&image), GZIP, 0, 1 << 63), EINVAL),
        ],
    )?;
    Ok(())
}
