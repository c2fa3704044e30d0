// SPDX-License-Identifier: GPL-2.0

//! What `kernel/kexec_bpf/vec.rs` is in the kernel, over the host's allocator.

use core::ops::{
    Deref,
    DerefMut, //
};

use crate::error::{
    Error,
    Result, //
};

/// A vector that reports a failed allocation.
pub struct Vec<T>(alloc::vec::Vec<T>);

impl<T> Vec<T> {
    /// Appends `value`.
    pub fn push(&mut self, value: T) -> Result {
        self.0.try_reserve(1).map_err(|_| Error::no_memory())?;
        self.0.push(value);
        Ok(())
    }
}

impl<T> Default for Vec<T> {
    fn default() -> Self {
        Self(alloc::vec::Vec::new())
    }
}

impl<T: Clone> Vec<T> {
    /// Appends all `values`.
    pub fn extend_from_slice(&mut self, values: &[T]) -> Result {
        self.0
            .try_reserve(values.len())
            .map_err(|_| Error::no_memory())?;
        self.0.extend_from_slice(values);
        Ok(())
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
