// SPDX-License-Identifier: GPL-2.0

//! The stack that the parsers take in the kernel: it must not depend on the bytes that they read.

// The objects are not for these tests alone.
#[allow(dead_code)]
#[path = "../../src/hostile_objects/mod.rs"]
mod cases;

use std::cell::Cell;
use std::cmp::Ordering;
use std::ffi::CStr;
use std::fs;
use std::hint::black_box;
use std::sync::mpsc;
use std::thread;

use kexec_bpf_host::object::link::Kernel;
use kexec_bpf_host::object::linked::Linked;
use kexec_bpf_host::object::Object;
use kexec_bpf_host::sort::sort;

thread_local! {
    /// The lowest address of the stack from which items were compared.
    static LOWEST: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// An address on the stack.
#[inline(never)]
fn here() -> usize {
    let local = 0_u8;
    &raw const *black_box(&local) as usize
}

/// An item that notes where the stack is when it is compared.
#[derive(PartialEq, Eq)]
struct Item(u32);

impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        LOWEST.set(LOWEST.get().min(here()));
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The bytes of stack between this function and the deepest comparison.
#[inline(never)]
fn depth(order: &[u32], sort: fn(&mut [Item])) -> usize {
    let mut items: Vec<_> = order.iter().map(|&key| Item(key)).collect();
    LOWEST.set(usize::MAX);
    sort(&mut items);
    assert!(items.is_sorted_by_key(|item| item.0));
    here() - LOWEST.get()
}

#[test]
fn of_the_sort_is_the_same_in_any_order() {
    let least = depth(&[1, 0], sort);
    for len in [2, 3, 20, 21, 50, 300, 2000, 40_000] {
        for (what, order) in cases::order::orders(len) {
            assert_eq!(depth(&order, sort), least, "{len} items, {what}");
        }
    }
}

/// With the standard library's sort, the same orders take more of the stack the longer they are.
#[test]
fn of_the_standard_librarys_sort_is_not() {
    let deepest = |len| {
        let orders = cases::order::orders(len).into_iter();
        let depths = orders.map(|(_, order)| depth(&order, |items| items.sort_unstable()));
        depths.max().unwrap()
    };
    assert!(deepest(300) > 4 * deepest(2));
    assert!(deepest(2000) > deepest(300));
}

struct Nothing;

impl Kernel for Nothing {
    fn kfunc_id(&self, _: &CStr) -> Option<u32> {
        None
    }
}

/// How much of the mapping that holds this address was ever touched, in KiB.
fn touched(address: usize) -> usize {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let is_ours = |line: &&str| {
        let mut fields = line.split([' ', '-']);
        let mut number = || usize::from_str_radix(fields.next()?, 16).ok();
        matches!((number(), number()), (Some(start), Some(end)) if (start..end).contains(&address))
    };
    let mut lines = maps.lines().skip_while(|line| !is_ours(line));
    let rss = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap();
    rss.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The stack of a thread that reads and links an object, in KiB.
fn stack_for(object: Vec<u8>) -> usize {
    let (linked, is_linked) = mpsc::sync_channel(1);
    let (measured, is_measured) = mpsc::sync_channel(1);
    // Not so large that it could be one huge page.
    let thread = thread::Builder::new().stack_size(256 << 10);
    let body = move || {
        let result = Object::parse(&object).and_then(|object| Linked::new(object, &Nothing));
        linked.send((here(), result.err())).unwrap();
        is_measured.recv().unwrap()
    };
    let thread = thread.spawn(body).unwrap();
    let (address, error) = is_linked.recv().unwrap();
    let len = touched(address);
    measured.send(()).unwrap();
    thread.join().unwrap();
    assert_eq!(error, None);
    len
}

#[test]
fn of_whole_objects_is_the_same_in_any_order() {
    // The allocator may reach into the next page or not.
    const PAGE: usize = 4;

    let most = stack_for(cases::Parts::full().write()) + PAGE;
    for case in cases::order::cases() {
        let len = stack_for(case.object);
        assert!(len <= most, "{}: {len} KiB, over {most}", case.what);
    }
}
