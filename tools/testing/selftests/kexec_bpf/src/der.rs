// SPDX-License-Identifier: GPL-2.0

//! DER and BER as a tree that tests can change. Encoding an unchanged tree gives the bytes that
//! were parsed, even if their lengths are longer than necessary. A changed tree may be malformed.

const CONSTRUCTED: u8 = 0x20;
/// A tag with this number has its real number in further bytes. The formats here have no such tag.
const HIGH_NUMBER: u8 = 0x1f;
const LONG: u8 = 0x80;
const INDEFINITE: u8 = 0x80;
const END_OF_CONTENTS: [u8; 2] = [0, 0];
/// PKCS #7 messages have fewer levels. Deeper elements are kept as bytes.
const DEPTH_MAX: usize = 64;

/// Tags: class, form, and number.
pub const INTEGER: u8 = 0x02;
pub const OCTET_STRING: u8 = 0x04;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;

/// The constructed, context-specific tag `[number]`.
pub const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// An element: tag, length, contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The tag, with class and form.
    pub tag: u8,
    pub length: Length,
    pub contents: Contents,
}

/// How the length is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Length {
    /// As short as possible, as DER requires.
    Shortest,
    /// In the long form with this number of bytes, 1 to 126. A longer length loses its upper bytes.
    Long(u8),
    /// None: two zeroes end the contents.
    Indefinite,
    /// These bytes, whatever the length is.
    Bytes(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Of a primitive element, or of a constructed one that is malformed.
    Bytes(Vec<u8>),
    Elements(Vec<Element>),
}

impl Element {
    /// A primitive element.
    pub fn primitive(tag: u8, bytes: &[u8]) -> Self {
        Self {
            tag,
            length: Length::Shortest,
            contents: Contents::Bytes(bytes.to_vec()),
        }
    }

    /// A constructed element.
    pub fn constructed(tag: u8, elements: Vec<Self>) -> Self {
        Self {
            tag,
            length: Length::Shortest,
            contents: Contents::Elements(elements),
        }
    }

    /// The element that these bytes begin with, and the bytes behind it. `None` if its tag or
    /// length is malformed, or if it reaches beyond the bytes. If that is so of an element inside,
    /// the contents of its parent are kept as bytes.
    pub fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        parse(bytes, 0)
    }

    /// The bytes of the element.
    pub fn encode(&self) -> Vec<u8> {
        let contents = match &self.contents {
            Contents::Bytes(bytes) => bytes.clone(),
            Contents::Elements(elements) => elements.iter().flat_map(Self::encode).collect(),
        };
        let mut bytes = vec![self.tag];
        let len = contents.len().to_be_bytes();
        let significant = &len[len.iter().take_while(|&&byte| byte == 0).count()..];
        match &self.length {
            Length::Shortest if contents.len() < LONG.into() => bytes.push(contents.len() as u8),
            Length::Shortest => {
                bytes.push(LONG | significant.len() as u8);
                bytes.extend(significant);
            }
            Length::Long(count) => {
                let count = usize::from(*count);
                bytes.push(LONG | count as u8);
                bytes.resize(2 + count.saturating_sub(len.len()), 0);
                bytes.extend(&len[len.len().saturating_sub(count)..]);
            }
            Length::Indefinite => bytes.push(INDEFINITE),
            Length::Bytes(length) => bytes.extend(length),
        }
        bytes.extend(contents);
        if self.length == Length::Indefinite {
            bytes.extend(END_OF_CONTENTS);
        }
        bytes
    }

    /// The elements inside; none if there are just bytes.
    pub fn elements(&self) -> &[Self] {
        match &self.contents {
            Contents::Elements(elements) => elements,
            Contents::Bytes(_) => &[],
        }
    }

    /// The elements inside, to be changed. `None` if there are just bytes.
    pub fn elements_mut(&mut self) -> Option<&mut Vec<Self>> {
        match &mut self.contents {
            Contents::Elements(elements) => Some(elements),
            Contents::Bytes(_) => None,
        }
    }

    /// The bytes of the contents; `None` if these are elements.
    pub fn bytes_mut(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.contents {
            Contents::Bytes(bytes) => Some(bytes),
            Contents::Elements(_) => None,
        }
    }

    /// The element at this path: an index for each level.
    pub fn at(&self, path: &[usize]) -> Option<&Self> {
        path.iter()
            .try_fold(self, |element, &index| element.elements().get(index))
    }

    /// The element at this path, to be changed.
    pub fn at_mut(&mut self, path: &[usize]) -> Option<&mut Self> {
        path.iter().try_fold(self, |element, &index| {
            element.elements_mut()?.get_mut(index)
        })
    }

    /// The paths of all elements, the element itself first, parents before what is inside.
    pub fn paths(&self) -> Vec<Vec<usize>> {
        let mut paths = vec![vec![]];
        for (index, element) in self.elements().iter().enumerate() {
            let inside = element.paths().into_iter();
            paths.extend(inside.map(|path| [vec![index], path].concat()));
        }
        paths
    }
}

fn parse(bytes: &[u8], depth: usize) -> Option<(Element, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    if tag & HIGH_NUMBER == HIGH_NUMBER {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    if first == INDEFINITE {
        return indefinite(tag, rest, depth);
    }
    let (length, len, rest) = match first.checked_sub(LONG) {
        None => (Length::Shortest, first.into(), rest),
        Some(count) => {
            let (number, rest) = rest.split_at_checked(count.into())?;
            let len = number.iter().try_fold(0usize, |len, &byte| {
                Some(len.checked_mul(256)? + usize::from(byte))
            })?;
            let is_shortest = len >= LONG.into() && number[0] != 0;
            let length = match is_shortest {
                true => Length::Shortest,
                false => Length::Long(count),
            };
            (length, len, rest)
        }
    };
    let (inside, rest) = rest.split_at_checked(len)?;
    let elements = match tag & CONSTRUCTED {
        0 => None,
        _ => all(inside, depth + 1),
    };
    let contents = elements.map_or_else(|| Contents::Bytes(inside.to_vec()), Contents::Elements);
    let element = Element {
        tag,
        length,
        contents,
    };
    Some((element, rest))
}

/// The elements that these bytes are made of.
fn all(mut bytes: &[u8], depth: usize) -> Option<Vec<Element>> {
    let mut elements = vec![];
    while !bytes.is_empty() {
        if depth > DEPTH_MAX {
            return None;
        }
        let (element, rest) = parse(bytes, depth)?;
        elements.push(element);
        bytes = rest;
    }
    Some(elements)
}

/// An element of indefinite length. `bytes` begins with its contents.
fn indefinite(tag: u8, mut bytes: &[u8], depth: usize) -> Option<(Element, &[u8])> {
    if tag & CONSTRUCTED == 0 || depth >= DEPTH_MAX {
        return None;
    }
    let mut elements = vec![];
    loop {
        if let Some(rest) = bytes.strip_prefix(&END_OF_CONTENTS) {
            let element = Element {
                tag,
                length: Length::Indefinite,
                contents: Contents::Elements(elements),
            };
            return Some((element, rest));
        }
        let (element, rest) = parse(bytes, depth + 1)?;
        elements.push(element);
        bytes = rest;
    }
}
