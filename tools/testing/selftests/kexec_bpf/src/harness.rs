// SPDX-License-Identifier: GPL-2.0

//! Runs tests and reports the results as KTAP version 1, and by the exit status of kselftest.

use std::fmt::{Debug, Display};
use std::process::ExitCode;

use crate::machines::{Runs, Turn};

const KSFT_FAIL: u8 = 1;
const KSFT_SKIP: u8 = 4;

/// A test.
#[derive(Clone, Copy)]
pub struct Test {
    /// Its path: program, modules and function.
    pub path: &'static str,
    /// Runs it.
    pub run: fn() -> Result,
}

/// Why a test did not pass.
pub enum Failure {
    /// It failed.
    Failed(String),
    /// This machine cannot run it.
    Skipped(String),
}

/// What a test returns.
pub type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// Each error is a failure, unless it was made by [`skip`].
impl<E: Display> From<E> for Failure {
    fn from(why: E) -> Self {
        Self::Failed(why.to_string())
    }
}

/// Skips the test.
pub fn skip<T>(why: impl Into<String>) -> Result<T> {
    Err(Failure::Skipped(why.into()))
}

/// Says where a failure happened.
pub trait Context<T> {
    /// Puts `what` before the reason of a failure.
    fn context(self, what: impl Display) -> Result<T>;
}

impl<T, E: Into<Failure>> Context<T> for Result<T, E> {
    fn context(self, what: impl Display) -> Result<T> {
        self.map_err(|error| match error.into() {
            Failure::Failed(why) => Failure::Failed(format!("{what}: {why}")),
            skipped => skipped,
        })
    }
}

/// Fails unless `got` equals `want`.
pub fn equal<T: PartialEq + Debug>(what: impl Display, got: T, want: T) -> Result {
    if got == want {
        return Ok(());
    }
    Err(format!("{what}: {got:?} instead of {want:?}").into())
}

/// The tests of a module.
pub struct Module {
    /// In which machines they run, and when.
    pub runs: Runs,
    /// The tests, in their order.
    pub tests: &'static [Test],
}

/// Makes the table of the tests of a module. It begins with a value of [`crate::machines`] that
/// says in which machines they run.
#[macro_export]
macro_rules! tests {
    ($runs:expr; $($test:ident),* $(,)?) => {
        pub const TESTS: $crate::harness::Module = $crate::harness::Module {
            runs: {
                #[allow(unused_imports)]
                use $crate::machines::*;
                $runs
            },
            tests: &[
                $($crate::harness::Test {
                    path: concat!(module_path!(), "::", stringify!($test)),
                    run: $test,
                }),*
            ],
        };
    };
}

/// Reports that no test can run, and why.
pub fn skip_all(why: &str) -> ExitCode {
    println!("KTAP version 1\n1..0 # SKIP {why}");
    KSFT_SKIP.into()
}

impl Test {
    /// Its name without that of the program.
    pub fn name(&self) -> &'static str {
        self.path
            .split_once("::")
            .map_or(self.path, |(_, name)| name)
    }
}

/// The tests of `modules` that run here if no test is named, else those whose names contain one of
/// `names`; in their order.
pub fn choose(modules: &[&Module], names: &[String]) -> Vec<Test> {
    let mut modules = modules.to_vec();
    modules.sort_by_key(|module| module.runs.turn);
    let named = |test: &Test| names.iter().any(|name| test.name().contains(name));
    let mut chosen = vec![];
    for module in modules {
        let all = module.runs.turn == Turn::Always || names.is_empty() && module.runs.here();
        let tests = module.tests.iter().filter(|test| all || named(test));
        chosen.extend(tests);
    }
    chosen
}

/// Runs tests.
pub fn run(tests: &[Test]) -> ExitCode {
    let (mut failed, mut skipped) = (0, 0);
    println!("KTAP version 1\n1..{}", tests.len());
    for (number, test) in (1..).zip(tests) {
        let name = test.name();
        match (test.run)() {
            Ok(()) => println!("ok {number} {name}"),
            Err(Failure::Skipped(why)) => {
                skipped += 1;
                println!("ok {number} {name} # SKIP {why}");
            }
            Err(Failure::Failed(why)) => {
                failed += 1;
                for line in why.lines() {
                    println!("# {line}");
                }
                println!("not ok {number} {name}");
            }
        }
    }
    let passed = tests.len() - failed - skipped;
    println!("# Totals: pass:{passed} fail:{failed} xfail:0 xpass:0 skip:{skipped} error:0");
    match (failed, passed) {
        (0, 1..) => ExitCode::SUCCESS,
        (0, 0) => KSFT_SKIP.into(),
        _ => KSFT_FAIL.into(),
    }
}
