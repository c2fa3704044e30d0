// SPDX-License-Identifier: GPL-2.0

//! The sort sorts. `stack.rs` tests how much of the stack it takes.

use kexec_bpf_host::sort::sort;

fn check(items: impl Iterator<Item = u32>) {
    let mut items: Vec<_> = items.collect();
    let mut want = items.clone();
    want.sort();
    sort(&mut items);
    assert_eq!(items, want);
}

#[test]
fn each_order_of_a_few() {
    for len in 0..7 {
        for number in 0..7_u32.pow(len) {
            check((0..len).map(|digit| number / 7_u32.pow(digit) % 7));
        }
    }
}

#[test]
fn many() {
    for len in (7..70).chain([1000, 40_000]) {
        check(0..len);
        check((0..len).rev());
        check((0..len).map(|item| item.wrapping_mul(2_654_435_761)));
        check((0..len).map(|item| item * item % 5));
    }
}
