// SPDX-License-Identifier: GPL-2.0

//! In "What holds" of Documentation/bpf/kexec_security.rst, each claim names tests that exist.

use support::harness::{equal, Result};

tests! {
    ON_X86_64;
    each_claim_has_tests,
}

const PAGE: &str = include_str!("../../../../../../../Documentation/bpf/kexec_security.rst");

/// The claims, each with the names behind it.
fn claims() -> Vec<(String, Vec<&'static str>)> {
    let (_, section) = PAGE
        .split_once("\nWhat holds\n----------\n")
        .unwrap_or_default();
    let (section, _) = section.split_once("\n----").unwrap_or_default();
    section
        .split("\n- ")
        .skip(1)
        .map(|item| {
            let (claim, names) = item.split_once("Tests:").unwrap_or((item, ""));
            let names = names.split("``").skip(1).step_by(2);
            (claim.replace('\n', " "), names.collect())
        })
        .collect()
}

/// Whether a name is that of a test, a module or a folder.
fn exists(name: &str) -> bool {
    let mut tests = crate::MODULES.iter().flat_map(|module| module.tests);
    tests.any(|test| {
        let rest = test.name().strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

fn each_claim_has_tests() -> Result {
    let claims = claims();
    equal("there are claims", claims.len() > 10, true)?;
    for (claim, names) in claims {
        equal(format!("names below {claim}"), names.is_empty(), false)?;
        for name in names {
            equal(format!("a test {name}"), exists(name), true)?;
        }
    }
    Ok(())
}
