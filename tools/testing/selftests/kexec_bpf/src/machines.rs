// SPDX-License-Identifier: GPL-2.0

//! The machines in which tests run, and their order.

use crate::load::{lockdown, secure_boot};

/// Where the tests of a module run if no test is named, and when.
#[derive(Clone, Copy)]
pub struct Runs {
    off_x86_64: bool,
    confidentiality: bool,
    secure_boot: bool,
    unnamed: bool,
    /// When they run.
    pub turn: Turn,
}

/// The tests of a module run before those with a later turn. What a test changes in one of the
/// later turns stays as it is until the machine ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// They leave nothing behind.
    Any,
    /// They expect the keyrings as they are at boot, and change them.
    FreshKeyrings,
    /// They change the keyrings.
    Keyrings,
    /// They make the kernel refuse what it accepted before.
    StricterPolicy,
    /// They look at what the others have done. They run even if only others are named.
    Always,
}

/// For tests that find the same on each architecture, such as how parsers refuse malformed input:
/// x86_64, with lockdown levels "none" and "integrity".
pub const ON_X86_64: Runs = Runs {
    off_x86_64: false,
    confidentiality: false,
    secure_boot: false,
    unnamed: true,
    turn: Turn::Any,
};

/// The same levels, on every architecture.
pub const BELOW_CONFIDENTIALITY: Runs = Runs {
    off_x86_64: true,
    ..ON_X86_64
};

/// Every lockdown level, on every architecture.
pub const EVERYWHERE: Runs = BELOW_CONFIDENTIALITY.and_confidentiality();

/// No machine, unless the tests are named.
pub const WHEN_NAMED: Runs = Runs {
    unnamed: false,
    ..EVERYWHERE
};

impl Runs {
    /// With lockdown level "confidentiality" as well, which closes more of what the tests use.
    pub const fn and_confidentiality(self) -> Self {
        Self {
            confidentiality: true,
            ..self
        }
    }

    /// Under secure boot as well.
    pub const fn and_secure_boot(self) -> Self {
        Self {
            secure_boot: true,
            ..self
        }
    }

    /// In this turn.
    pub const fn in_turn(self, turn: Turn) -> Self {
        Self { turn, ..self }
    }

    /// Whether the tests run in this machine if no test is named.
    pub fn here(&self) -> bool {
        self.unnamed
            && (self.off_x86_64 || cfg!(target_arch = "x86_64"))
            && (self.confidentiality || lockdown() != "confidentiality")
            && (self.secure_boot || !secure_boot())
    }
}
