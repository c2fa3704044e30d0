// SPDX-License-Identifier: GPL-2.0

//! Changes of DER elements, whatever they mean.

use support::der::{Contents, Element};

use crate::adversary::random::Random;

/// Contents of OIDs: digests, signatures, types of content, attributes, and some of none of these.
const OIDS: &[&[u8]] = &[
    &[0x2b, 0x0e, 3, 2, 0x1a],
    &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1],
    &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2],
    &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3],
    &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 8],
    &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2],
    &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 1, 4],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 5],
    &[0x2a, 3, 4],
    &[],
];

/// Puts another OID in the place of this one.
pub fn oid_changed(oid: &mut Element, random: &mut Random) -> Option<()> {
    *oid.bytes_mut()? = random.choose(OIDS)?.to_vec();
    Some(())
}

/// Changes a bit of an element that has bytes.
pub fn bit_changed(leaf: &mut Element, random: &mut Random) -> Option<()> {
    let bytes = leaf.bytes_mut()?;
    let index = random.index(bytes)?;
    bytes[index] ^= 1 << random.below(8);
    Some(())
}

/// Removes an element.
pub fn removed(elements: &mut Vec<Element>, random: &mut Random) -> Option<()> {
    let index = random.index(elements)?;
    elements.remove(index);
    Some(())
}

/// Adds a copy of an element.
pub fn twice(elements: &mut Vec<Element>, random: &mut Random) -> Option<()> {
    let element = random.choose(elements)?.clone();
    inserted(elements, random, element)
}

/// Swaps two elements.
pub fn swapped(elements: &mut [Element], random: &mut Random) -> Option<()> {
    let (a, b) = (random.index(elements)?, random.index(elements)?);
    elements.swap(a, b);
    (a != b).then_some(())
}

/// Adds this element.
pub fn inserted(elements: &mut Vec<Element>, random: &mut Random, element: Element) -> Option<()> {
    elements.insert(random.below(elements.len() + 1), element);
    Some(())
}

/// The paths of the elements that have bytes.
pub fn leaves(element: &Element) -> Vec<Vec<usize>> {
    let mut paths = element.paths();
    paths.retain(|path| {
        let element = element.at(path);
        element.is_some_and(|element| matches!(element.contents, Contents::Bytes(_)))
    });
    paths
}

/// Any element.
pub fn any<'a>(element: &'a mut Element, random: &mut Random) -> Option<&'a mut Element> {
    let path = random.choose(&element.paths())?.clone();
    element.at_mut(&path)
}

/// Any element that has elements.
pub fn any_constructed<'a>(
    element: &'a mut Element,
    random: &mut Random,
) -> Option<&'a mut Element> {
    let mut paths = element.paths();
    paths.retain(|path| {
        element
            .at(path)
            .is_some_and(|element| !element.elements().is_empty())
    });
    let path = random.choose(&paths)?.clone();
    element.at_mut(&path)
}
