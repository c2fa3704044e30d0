// SPDX-License-Identifier: GPL-2.0

//! The attributes of the kernel's tests.

use proc_macro::TokenStream;

/// Makes tests for KUnit tests for `cargo test`, which finds the functions by `#[test]` itself.
#[proc_macro_attribute]
pub fn kunit_tests(_suite: TokenStream, module: TokenStream) -> TokenStream {
    let mut tests: TokenStream = "#[cfg(test)]".parse().expect("it is an attribute");
    tests.extend(module);
    tests
}
