// SPDX-License-Identifier: GPL-2.0

//! `bpf_kexec_decompress()`: what is particular to xz, lz4 and lzo.

use liblzma::stream::{Check, Filters};

use support::arch::XZ_FILTER;
use support::compress::{lz4, lz4_block, lzo, lzo_block, xz, xz_with, LZ4_BLOCK, LZO_BLOCK};
use support::harness::{equal, Context, Result};
use support::script::Script;
use support::uapi::{BY_MAGIC, EXACT, LZ4, LZO, XZ};

use super::decompress::{check, refused, text, EFBIG, ELIBBAD, ENOPKG};

tests! {
    BELOW_CONFIDENTIALITY;
    filters_of_xz,
    checks_of_xz,
    streams_of_xz,
    blocks_of_lz4,
    checksums_of_lzo,
    blocks_of_lzo,
    too_many_blocks,
}

/// A filter of the kernel's own architecture, and one that the kernel lacks.
fn filters_of_xz() -> Result {
    let script = Script::load()?;
    // Jumps: each filter changes some of these bytes.
    let code: Vec<u8> = (0u32..5000)
        .flat_map(|at| {
            [
                &[0xe8, 0x10, 0, 0, 0][..],
                &(0x9400_0000 | at).to_le_bytes(),
                &[0xef, 0, 0x10, 0],
            ]
            .concat()
        })
        .collect();
    let image = xz_with(&code, XZ_FILTER(&mut Filters::new()), Check::Crc32);
    equal("the filter changes it", image == xz(&code), false)?;
    check(&script, &image, (BY_MAGIC, 0, 0), &code)?;
    let image = xz_with(&code, Filters::new().delta_properties(&[0])?, Check::Crc32);
    refused(&script, &image, (XZ, 0, 0), ENOPKG)
}

/// The kernel refuses kinds of checksums that it cannot compute.
fn checks_of_xz() -> Result {
    let script = Script::load()?;
    let text = text(200);
    let with = |check| xz_with(&text, &mut Filters::new(), check);
    check(&script, &with(Check::None), (XZ, 0, 0), &text)?;
    for unknown in [Check::Crc64, Check::Sha256] {
        refused(&script, &with(unknown), (XZ, 0, 0), ENOPKG)?;
    }
    // A checksum covers each byte, or it has to be zero. But the decoder drops the first byte of
    // LZMA.
    let image = with(Check::Crc32);
    for at in (8..30).chain(31..image.len()) {
        let mut image = image.clone();
        image[at] ^= 1;
        refused(&script, &image, (XZ, 0, 0), ELIBBAD).context(format!("byte {at}"))?;
    }
    Ok(())
}

/// Only a single stream is accepted, even if the index of the last stream counts the blocks of all.
fn streams_of_xz() -> Result {
    let script = Script::load()?;
    let text = text(200);
    let (image, empty) = (xz(&text), xz(b""));
    for streams in [[&image[..], &image], [&image, &empty], [&empty, &image]] {
        refused(&script, &streams.concat(), (XZ, 0, 0), ELIBBAD)?;
    }
    // The first stream has no block, which the index of the second one does not count.
    let mut two = image.clone();
    two.splice(12..12, empty[12..].iter().copied());
    refused(&script, &two, (XZ, 0, 0), ELIBBAD)
}

/// Each block decompresses to 8 MiB at most.
fn blocks_of_lz4() -> Result {
    let script = Script::load()?;
    let text = text(LZ4_BLOCK + 1);
    let whole = lz4(&text);
    check(&script, &whole, (LZ4, 0, 0), &text)?;
    check(&script, &whole, (LZ4, text.len() as u64, EXACT), &text)?;
    let one = [b"\x02\x21\x4c\x18", &lz4_block(&text)[..]].concat();
    refused(&script, &one, (LZ4, 0, 0), ELIBBAD)?;
    refused(&script, &one, (LZ4, text.len() as u64, EXACT), ELIBBAD)?;

    // Shorter blocks are accepted, even an empty one, but not a block that has no bytes itself.
    let short = [
        b"\x02\x21\x4c\x18",
        &lz4_block(b"kexec ")[..],
        &lz4_block(b""),
        &lz4_block(b"kexec"),
    ]
    .concat();
    check(&script, &short, (LZ4, 0, 0), b"kexec kexec")?;
    let none = [&short[..], &[0; 4]].concat();
    refused(&script, &none, (LZ4, 0, 0), ELIBBAD)?;
    // Longer than a block that does not compress.
    let mut long = b"\x02\x21\x4c\x18".to_vec();
    long.extend((LZ4_BLOCK as u32 + LZ4_BLOCK as u32 / 255 + 17).to_le_bytes());
    long.resize(long.len() + 2 * LZ4_BLOCK, 0);
    refused(&script, &long, (LZ4, 0, 0), ELIBBAD)
}

/// Checksums cover header and output. Different compressed bytes can have the same output.
fn checksums_of_lzo() -> Result {
    let script = Script::load()?;
    let image = lzo(&text(200));
    // Other methods and flags are refused with another errno.
    for at in (9..15).chain(16..17).chain(21..image.len()) {
        let mut image = image.clone();
        image[at] ^= 0xff;
        refused(&script, &image, (LZO, 0, 0), ELIBBAD).context(format!("byte {at}"))?;
    }
    for (at, value) in [
        (9, 8),
        (15, 0),
        (15, 4),
        (20, 0),
        (20, 3),
        (19, 1),
        (19, 0x10),
    ] {
        let mut image = image.clone();
        image[at] = value;
        refused(&script, &image, (LZO, 0, 0), ENOPKG).context(format!("byte {at}"))?;
    }
    Ok(())
}

/// Each block decompresses to 256 KiB at most. A block that does not compress is stored.
fn blocks_of_lzo() -> Result {
    let script = Script::load()?;
    let text = text(LZO_BLOCK + 1);
    let file = |blocks: &[Vec<u8>]| {
        let mut file = lzo(b"");
        let end = file.len() - 4;
        file.splice(end..end, blocks.concat());
        file
    };
    let stored = lzo_block(b"k");
    let rest = lzo_block(&text[1..]);
    check(
        &script,
        &file(&[stored.clone(), rest.clone()]),
        (LZO, 0, 0),
        &[b"k", &text[1..]].concat(),
    )?;
    refused(&script, &file(&[lzo_block(&text)]), (LZO, 0, 0), ELIBBAD)?;
    // Blocks that decompress to more or to less than they claim, with and without another behind
    // them.
    for len in [99u32, 101] {
        let mut block = lzo_block(&[b'x'; 100]);
        block[..4].copy_from_slice(&len.to_be_bytes());
        for blocks in [vec![block.clone()], vec![block, rest.clone()]] {
            refused(&script, &file(&blocks), (LZO, 0, 0), ELIBBAD).context(len)?;
        }
    }
    Ok(())
}

/// Each block takes time, even if it decompresses to nothing.
fn too_many_blocks() -> Result {
    const BLOCKS_MAX: usize = 1 << 18;

    let script = Script::load()?;
    let mut image = [b"\x02\x21\x4c\x18", &lz4_block(b"").repeat(BLOCKS_MAX)[..]].concat();
    check(&script, &image, (LZ4, 0, 0), b"")?;
    image.extend(lz4_block(b""));
    refused(&script, &image, (LZ4, 0, 0), EFBIG)
}
