// SPDX-License-Identifier: GPL-2.0

//! The growable buffer of the parsers, which know nothing of allocation flags.

use core::ops::{
    Deref,
    DerefMut, //
};

use kernel::prelude::*;

use crate::error::{
    Error,
    Result, //
};

/// A vector that is charged to the caller's memory cgroup.
pub struct Vec<T>(KVVec<T>);

impl<T> Vec<T> {
    /// Appends `value`.
    pub fn push(&mut self, value: T) -> Result {
        self.0
            .push(value, GFP_KERNEL_ACCOUNT)
            .map_err(|_| Error::no_memory())
    }
}

impl<T> Default for Vec<T> {
    fn default() -> Self {
        Self(KVVec::new())
    }
}

impl<T: Clone> Vec<T> {
    /// Appends all `values`.
    pub fn extend_from_slice(&mut self, values: &[T]) -> Result {
        self.0
            .extend_from_slice(values, GFP_KERNEL_ACCOUNT)
            .map_err(|_| Error::no_memory())
    }
}

impl<T> Deref for Vec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for Vec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}
