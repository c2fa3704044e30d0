// SPDX-License-Identifier: GPL-2.0

//! `bpf_kexec_cmdline_append()`

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use support::harness::{equal, Context, Result};
use support::object::{test_run, Input};
use support::script::{bind_cmdline, cmdline_append, get, Script};
use support::uapi::{range, CMDLINE, CMDLINE_MAX, IMAGE};

tests! {
    BELOW_CONFIDENTIALITY;
    spaces,
    after_the_callers,
    after_a_bound_one,
    the_limit,
    beyond_the_limit,
    refused_bytes,
    while_another_thread_writes,
    reserved,
    the_callers_own,
}

const EINVAL: i64 = -libc::EINVAL as i64;
const ELIBBAD: i64 = -libc::ELIBBAD as i64;
const EFBIG: i64 = -libc::EFBIG as i64;

fn spaces() -> Result {
    let script = Script::load()?;
    for (texts, want) in [
        (&["a"][..], "a"),
        (&["a", "b"], "a b"),
        (&["", "a", "", "b", ""], "a b"),
        (&[""], ""),
        (&[" ", "a "], "  a "),
        (&["tab\there", "\u{e4}\x7f"], "tab\there \u{e4}\x7f"),
    ] {
        let steps: Vec<_> = texts
            .iter()
            .map(|text| (cmdline_append(text.as_bytes(), 0), 0))
            .collect();
        let output = script.check(&Input::default(), &steps)?.output;
        equal(format!("{texts:?}"), &output.cmdline[..], want.as_bytes())?;
    }
    Ok(())
}

fn after_the_callers() -> Result {
    let input = Input {
        cmdline: b"caller's",
        ..Input::default()
    };
    let steps = [
        (cmdline_append(b"program's", 0), 0),
        (get(range(CMDLINE, 0, 18)), 18),
    ];
    let run = Script::load()?.check(&input, &steps)?;
    equal(
        "command line",
        &run.output.cmdline[..],
        b"caller's program's",
    )?;
    equal(
        "as GET gives it",
        &run.done[1].buffer[..],
        b"caller's program's",
    )
}

fn after_a_bound_one() -> Result {
    let input = Input {
        image: b"image's",
        cmdline: b"caller's",
        ..Input::default()
    };
    let bind = bind_cmdline(range(IMAGE, 0, 7));
    let steps = [(bind, 0), (cmdline_append(b"more", 0), 0)];
    let run = Script::load()?.check(&input, &steps)?;
    equal("command line", &run.output.cmdline[..], b"image's more")
}

fn the_limit() -> Result {
    let script = Script::load()?;
    let whole = [b'x'; CMDLINE_MAX];
    let most = &[(cmdline_append(&whole, 0), 0), (cmdline_append(b"", 0), 0)];
    let output = script.check(&Input::default(), most)?.output;
    equal("length", output.cmdline.len(), CMDLINE_MAX)?;

    let in_two = &[
        (cmdline_append(&whole[..CMDLINE_MAX - 2], 0), 0),
        (cmdline_append(b"y", 0), 0),
    ];
    let output = script.check(&Input::default(), in_two)?.output;
    equal("length", output.cmdline.len(), CMDLINE_MAX)
}

fn beyond_the_limit() -> Result {
    let script = Script::load()?;
    let whole = [b'x'; CMDLINE_MAX + 1];
    script.check_until(
        &Input::default(),
        &[(cmdline_append(&whole, 0), EFBIG)],
        libc::EFBIG,
    )?;
    // The space between both counts too.
    let in_two = &[
        (cmdline_append(&whole[..CMDLINE_MAX - 1], 0), 0),
        (cmdline_append(b"y", 0), EFBIG),
    ];
    script.check_until(&Input::default(), in_two, libc::EFBIG)?;
    Ok(())
}

fn refused_bytes() -> Result {
    let texts = [&b"\0"[..], b"\n", b"a\0", b"a\nb", b"\na"];
    let mut steps = vec![(cmdline_append(b"before", 0), 0)];
    steps.extend(texts.map(|text| (cmdline_append(text, 0), ELIBBAD)));
    let output = Script::load()?.check(&Input::default(), &steps)?.output;
    equal("command line", &output.cmdline[..], b"before")
}

/// The kernel takes the bytes that it checked, even if user space changes the text meanwhile.
fn while_another_thread_writes() -> Result {
    let script = Script::load()?;
    // The kernel checks the first byte long before the last one.
    let step = cmdline_append(&[b'x'; 1900], 0);
    script.run(&Input::default(), &[step])?;
    let text = script.object().mapped("buffer")?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // It is dropped when the test ends, even by a failure.
        let _end = Ends(&done);
        let byte = text.byte(0);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                byte.store(b'\n', Ordering::Relaxed);
                byte.store(b'x', Ordering::Relaxed);
            }
        });
        let input = Input {
            room: Some(CMDLINE_MAX),
            ..Input::default()
        };
        for _ in 0..2000 {
            let output = test_run(script.object().program(), &input);
            equal("errno", output.errno, 0)?;
            let newline = output.cmdline.contains(&b'\n');
            equal("a newline was taken", newline, false)?;
        }
        Ok(())
    })
}

/// Tells a thread to end when it is dropped.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn reserved() -> Result {
    let steps = [1, 1 << 63].map(|flags| (cmdline_append(b"text", flags), EINVAL));
    Script::load()?.check(&Input::default(), &steps)?;
    Ok(())
}

/// The caller's command line has to keep the same rules.
fn the_callers_own() -> Result {
    let script = Script::load()?;
    let long = [b'x'; CMDLINE_MAX + 1];
    for (cmdline, errno) in [
        (&long[..CMDLINE_MAX], 0),
        (&long, libc::EFBIG),
        (b"a\0", libc::ELIBBAD),
        (b"\n", libc::ELIBBAD),
    ] {
        let input = Input {
            cmdline,
            ..Input::default()
        };
        let output = test_run(script.object().program(), &input);
        equal("errno", output.errno, errno).context(format!("{} bytes", cmdline.len()))?;
    }
    Ok(())
}
