// SPDX-License-Identifier: GPL-2.0

//! Vectors whose methods report a failed allocation.

use std::ops::{Deref, DerefMut};
use std::vec;

/// Memory could not be allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocError;

/// Allocation flags. They make no difference on the host.
#[derive(Clone, Copy)]
pub struct Flags;

/// The flags that the files of the kernel name.
pub mod flags {
    use super::Flags;

    pub const GFP_KERNEL: Flags = Flags;
    pub const GFP_KERNEL_ACCOUNT: Flags = Flags;
}

/// In the kernel, memory of `kmalloc()`.
pub type KVec<T> = Vec<T>;
/// In the kernel, memory of `vmalloc()`.
pub type VVec<T> = Vec<T>;
/// In the kernel, memory of `kvmalloc()`.
pub type KVVec<T> = Vec<T>;

/// A vector; its methods do what those of the kernel's vectors do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vec<T>(vec::Vec<T>);

type Result<T = ()> = std::result::Result<T, AllocError>;

impl<T> Vec<T> {
    pub const fn new() -> Self {
        Self(vec::Vec::new())
    }

    pub fn with_capacity(capacity: usize, _flags: Flags) -> Result<Self> {
        let mut vec = Self::new();
        vec.0.try_reserve_exact(capacity).map_err(|_| AllocError)?;
        Ok(vec)
    }

    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    pub fn reserve(&mut self, additional: usize, _flags: Flags) -> Result {
        self.0.try_reserve(additional).map_err(|_| AllocError)
    }

    pub fn push(&mut self, value: T, flags: Flags) -> Result {
        self.reserve(1, flags)?;
        self.0.push(value);
        Ok(())
    }

    pub fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }
}

impl<T: Clone> Vec<T> {
    pub fn from_elem(value: T, n: usize, flags: Flags) -> Result<Self> {
        let mut vec = Self::new();
        vec.extend_with(n, value, flags)?;
        Ok(vec)
    }

    pub fn extend_with(&mut self, n: usize, value: T, flags: Flags) -> Result {
        self.reserve(n, flags)?;
        self.0.resize(self.0.len() + n, value);
        Ok(())
    }

    pub fn extend_from_slice(&mut self, other: &[T], flags: Flags) -> Result {
        self.reserve(other.len(), flags)?;
        self.0.extend_from_slice(other);
        Ok(())
    }
}

impl<T> Default for Vec<T> {
    fn default() -> Self {
        Self::new()
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

impl<'a, T> IntoIterator for &'a Vec<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
