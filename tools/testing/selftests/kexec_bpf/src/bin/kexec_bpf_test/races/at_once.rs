// SPDX-License-Identifier: GPL-2.0

//! Several loads at once.

use std::thread;

use support::child::{Child, Plan};
use support::harness::{equal, Context, Result};
use support::load::{file, image, loaded, unload, Load};

tests! {
    BELOW_CONFIDENTIALITY;
    dry_runs,
    loads_and_unloads,
}

fn dry_runs() -> Result {
    const PROCESSES: usize = 4;
    let images = ["small", "nested-2"].map(image);
    for image in images {
        let image = file(&image?)?;
        let alone = Load::dry(&image).run();
        let plan = Plan {
            times: 4,
            ..Plan::default()
        };
        let children: Vec<_> = (0..PROCESSES)
            .map(|_| Child::with_plan(&Load::dry(&image), &plan))
            .collect::<Result<_>>()?;
        for child in children {
            let (_, loaded) = child.wait()?;
            equal("errno", loaded.errno, 0).context(loaded.log.join("\n"))?;
            equal("log", loaded.log, alone.log.clone())?;
        }
    }
    Ok(())
}

/// A load fails with `EBUSY` while the kernel copies the segments of another, as with
/// `kexec_file_load(2)`.
fn loads_and_unloads() -> Result {
    let image = file(&image("bare")?)?;
    let load = Load {
        flags: 0,
        ..Load::dry(&image)
    };
    let (mut accepted, mut busy) = (0, 0);
    thread::scope(|scope| -> Result {
        let loads = scope.spawn(|| (0..8).map(|_| load.run()).collect::<Vec<_>>());
        while !loads.is_finished() {
            // This fails while a load copies its segments.
            let _ = unload();
        }
        for loaded in loads.join().expect("it does not panic") {
            let log = loaded.log.join("\n");
            match loaded.errno {
                0 => {
                    equal("last line", log.ends_with("accepted, installed"), true).context(log)?;
                    accepted += 1;
                }
                _ => {
                    let why = format!(
                        "refused: another load is under way: try again\nnot loaded: -{}",
                        libc::EBUSY
                    );
                    equal("errno", loaded.errno, libc::EBUSY).context(&log)?;
                    equal("last lines", log.ends_with(&why), true).context(log)?;
                    busy += 1;
                }
            }
        }
        Ok(())
    })?;
    equal(format!("of {accepted} and {busy} some"), accepted + busy, 8)?;
    unload()?;
    equal("a kernel is loaded", loaded()?, false)?;
    equal("errno of the next load", load.run().errno, 0)?;
    unload()
}
