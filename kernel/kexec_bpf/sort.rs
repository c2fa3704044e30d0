// SPDX-License-Identifier: GPL-2.0

//! A sort for the kernel's stack.
//!
//! That of `core` calls itself, and who orders its input decides how deep.

/// Sorts in place. This is heapsort: the stack that it takes does not depend on the items, and its
/// time is bounded by O(n log n) in any order.
pub fn sort<T: Ord>(items: &mut [T]) {
    // In a heap no item is less than the two below it.
    for at in (0..items.len() / 2).rev() {
        sink(items, at);
    }
    // The first is the greatest, and its place is behind the others.
    for last in (1..items.len()).rev() {
        items.swap(0, last);
        if let Some(heap) = items.get_mut(..last) {
            sink(heap, 0);
        }
    }
}

/// Lets the item at `at` change places with the greater one below it until there is none.
fn sink<T: Ord>(heap: &mut [T], mut at: usize) {
    loop {
        let left = at.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        let below = match (heap.get(left), heap.get(right)) {
            (None, _) => return,
            (Some(one), Some(other)) if one < other => right,
            _ => left,
        };
        if heap.get(at) >= heap.get(below) {
            return;
        }
        heap.swap(at, below);
        at = below;
    }
}
