// SPDX-License-Identifier: GPL-2.0

//! `bpf_kexec_decompress()` by `BPF_PROG_TEST_RUN`, compared with the decoder inside it.

use std::os::unix::fs::FileExt;

use support::harness::{equal, Result};
use support::object::Input;
use support::script::{bind_kernel, decompress, Script};
use support::uapi::{range, BY_MAGIC, HANDLE, IMAGE};

use crate::image::{payload, Image};
use crate::trace::Trace;
use crate::Row;

/// A test run copies its input, and lengths have 32 bits.
const LEN_MAX: u64 = 32 << 20;
/// How often each round runs the program.
const REPEAT: u32 = 4;

pub fn run(rounds: u32, images: &[Image]) -> Result {
    let trace = Trace::new()?;
    let script = Script::load()?;
    for image in images {
        let file = image.open()?;
        let Some((_, piece)) = payload(&file)? else {
            continue;
        };
        if image.size > LEN_MAX {
            continue;
        }
        let mut bytes = vec![0; (piece.end - piece.start) as usize];
        file.read_exact_at(&mut bytes, piece.start)?;
        let input = Input {
            image: &bytes,
            repeat: REPEAT,
            room: Some(0),
            ..Input::default()
        };
        let all = range(IMAGE, 0, bytes.len() as u64);
        let steps = [
            decompress(all, BY_MAGIC, 0, 0),
            bind_kernel(range(HANDLE, 0, image.size)),
        ];
        for round in 0..=rounds {
            let (run, events) = trace.of(|| script.run(&input, &steps))?;
            equal("handle", run.done[0].returned, i64::from(HANDLE))?;
            equal("bound", run.done[1].returned, 0)?;
            let row = Row {
                what: "kfunc",
                case: &image.kind,
                size: image.size,
                round,
            };
            if round > 0 {
                row.put("kfunc", events.within("decompress") / u64::from(REPEAT));
                row.put("raw", events.within("raw") / u64::from(REPEAT));
            }
        }
    }
    Ok(())
}
