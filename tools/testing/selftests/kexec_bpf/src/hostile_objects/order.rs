// SPDX-License-Identifier: GPL-2.0

//! Objects whose order makes a sort slow, or makes it take much stack. All are well-formed.

use super::{accepted, elf, exit, mov, Case, Parts};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for len in [300, 2000] {
        for (what, order) in orders(len) {
            cases.push(accepted(
                format!("{len} lines, {what}"),
                lines(&order).write(),
            ));
            cases.push(accepted(
                format!("{len} variables, {what}"),
                variables(&order).write(),
            ));
        }
    }
    cases
}

/// Orders of the numbers below `len`.
pub fn orders(len: u32) -> [(&'static str, Vec<u32>); 4] {
    let killer = killer(len);
    let mirrored = killer.iter().map(|number| len - 1 - number).collect();
    [
        ("each pivot the greatest", killer),
        ("each pivot the least", mirrored),
        ("ascending", (0..len).collect()),
        ("descending", (0..len).rev().collect()),
    ]
}

/// The order for which `sort_unstable()` recurses most, by M. D. McIlroy, "A Killer Adversary for
/// Quicksort" (1999): a number gets its value when that makes it the worst pivot. Here that is the
/// greatest one, because `core` recurses into the lower part.
fn killer(len: u32) -> Vec<u32> {
    // Numbers without a value are less than those with one, and equal to each other.
    const FREE: u32 = 0;

    let mut places = vec![FREE; len as usize];
    let mut items: Vec<_> = (0..places.len()).collect();
    let mut left = (1..=len).rev();
    let mut candidate = 0;
    // The third is less than the second, because the sort returns at once if all are in order.
    for place in places.iter_mut().take(2).rev() {
        *place = left.next().unwrap_or(FREE);
    }
    items.sort_unstable_by(|&one, &other| {
        if (places[one], places[other]) == (FREE, FREE) {
            let worst = if one == candidate { one } else { other };
            places[worst] = left.next().unwrap_or(FREE);
        }
        if places[one] == FREE {
            candidate = one;
        } else if places[other] == FREE {
            candidate = other;
        }
        places[one].cmp(&places[other])
    });
    for place in places.iter_mut().filter(|place| **place == FREE) {
        *place = left.next().unwrap_or(FREE);
    }
    places.iter().map(|place| place - 1).collect()
}

/// A program with a line for each instruction.
fn lines(order: &[u32]) -> Parts {
    let mut code = vec![mov(0, 0); order.len() - 1];
    code.push(exit());
    let mut parts = Parts::program(&code);
    let (file, line) = (parts.types.string("file.c"), parts.types.string("a line"));
    let kexec = parts.types.string("kexec");
    let lines = order.iter().map(|insn| [8 * insn, file, line, 1 << 10]);
    parts.info.lines = vec![(kexec, lines.collect())];
    parts
}

/// Global variables, in orders of their names and of their addresses.
fn variables(order: &[u32]) -> Parts {
    const LEN: u32 = 4;

    let mut parts = Parts::smallest();
    let zeroes = parts.elf.add(".bss", elf::NOBITS, elf::ALLOC, &[]);
    zeroes.room = order.len() as u64 * u64::from(LEN);
    let mut variables = Vec::new();
    for number in order {
        let name = format!("variable_{number:08}");
        variables.push((parts.types.variable(&name, 1, 1), LEN));
        parts.elf.symbols.push(elf::Symbol {
            name,
            info: elf::GLOBAL | elf::OBJECT,
            section: Some(".bss"),
            value: u64::from(number * LEN),
            size: LEN.into(),
            ..elf::Symbol::default()
        });
    }
    parts.types.section(".bss", &variables);
    parts
}
