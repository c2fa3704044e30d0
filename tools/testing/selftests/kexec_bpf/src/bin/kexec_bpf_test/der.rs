// SPDX-License-Identifier: GPL-2.0

//! The DER parser and encoder of the tests.

use support::der::{context, Element, Length, INTEGER, OCTET_STRING, SEQUENCE};
use support::harness::{equal, Context, Result};

tests! {
    ON_X86_64;
    lengths,
    unchanged,
    not_parsed,
    changed,
    malformed,
}

/// Fails unless the element is parsed from these bytes and encoded to them.
fn round_trip(bytes: &[u8], element: &Element) -> Result {
    let parsed = Element::parse(bytes).ok_or("it is not parsed")?;
    equal("parsed", parsed, (element.clone(), &[][..]))?;
    equal("encoded", element.encode(), bytes.to_vec())
}

fn lengths() -> Result {
    for (len, header) in [
        (0, &[4, 0][..]),
        (1, &[4, 1]),
        (127, &[4, 127]),
        (128, &[4, 0x81, 128]),
        (255, &[4, 0x81, 255]),
        (256, &[4, 0x82, 1, 0]),
        (0xffff, &[4, 0x82, 0xff, 0xff]),
        (0x10000, &[4, 0x83, 1, 0, 0]),
    ] {
        let contents = vec![7; len];
        let bytes = [header, &contents].concat();
        round_trip(&bytes, &Element::primitive(OCTET_STRING, &contents)).context(len)?;
    }
    Ok(())
}

fn unchanged() -> Result {
    let integer = Element::primitive(INTEGER, &[1]);
    let mut element = Element::constructed(SEQUENCE, vec![integer.clone(), integer]);
    round_trip(&[0x30, 6, 2, 1, 1, 2, 1, 1], &element)?;
    element.length = Length::Long(1);
    round_trip(&[0x30, 0x81, 6, 2, 1, 1, 2, 1, 1], &element)?;
    element.length = Length::Long(10);
    let header = [0x30, 0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6];
    round_trip(&[&header[..], &[2, 1, 1, 2, 1, 1]].concat(), &element)?;
    element.length = Length::Indefinite;
    round_trip(&[0x30, 0x80, 2, 1, 1, 2, 1, 1, 0, 0], &element)?;
    let outer = Element {
        length: Length::Indefinite,
        ..Element::constructed(context(0), vec![element.clone(), element])
    };
    let inner = [0x30, 0x80, 2, 1, 1, 2, 1, 1, 0, 0];
    round_trip(
        &[&[0xa0, 0x80], &inner[..], &inner, &[0, 0]].concat(),
        &outer,
    )?;
    let (_, rest) = Element::parse(&[4, 1, 2, 3]).ok_or("it is not parsed")?;
    equal("what follows", rest, &[3])
}

fn not_parsed() -> Result {
    let endless = [0x30, 0x80].repeat(100_000);
    for bytes in [
        &[][..],
        &[4],
        &[4, 1],
        &[4, 0x81],
        &[4, 0x82, 0],
        &[4, 0x80, 0, 0],
        &[4, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x30, 0x80, 2, 1, 1],
        &[0x30, 0x80, 2, 1, 1, 0],
        &[0x1f, 1, 0],
        &endless,
    ] {
        let start = &bytes[..bytes.len().min(16)];
        equal(format!("{start:02x?}"), Element::parse(bytes), None)?;
    }
    // Malformed inside, or too deep.
    let deep = (0..100).fold(vec![], |inside, _| {
        Element::primitive(SEQUENCE, &inside).encode()
    });
    for bytes in [&[0x30, 3, 2, 2, 1][..], &[0x30, 1, 0], &deep] {
        let (element, _) = Element::parse(bytes).ok_or("it is not parsed")?;
        equal("encoded", element.encode(), bytes.to_vec())?;
    }
    Ok(())
}

fn changed() -> Result {
    let bytes = [0x30, 8, 2, 1, 1, 0x31, 3, 4, 1, 5];
    let (mut element, _) = Element::parse(&bytes).ok_or("it is not parsed")?;
    let paths = vec![vec![], vec![0], vec![1], vec![1, 0]];
    equal("paths", element.paths(), paths)?;
    equal("no such element", element.at(&[1, 1]), None)?;
    let string = element.at_mut(&[1, 0]).and_then(Element::bytes_mut);
    string.ok_or("there is no string")?.resize(200, 5);
    let header = [0x30, 0x81, 206 + 3, 2, 1, 1, 0x31, 0x81, 203, 4, 0x81, 200];
    let encoded = [&header[..], &[5; 200]].concat();
    equal("encoded", element.encode(), encoded)
}

fn malformed() -> Result {
    let mut element = Element::primitive(OCTET_STRING, &[1, 2]);
    for (length, header) in [
        (Length::Bytes(vec![]), &[4][..]),
        (
            Length::Bytes(vec![0x84, 0xff, 0xff]),
            &[4, 0x84, 0xff, 0xff],
        ),
        (Length::Long(2), &[4, 0x82, 0, 2]),
    ] {
        element.length = length;
        equal("encoded", element.encode(), [header, &[1, 2]].concat())?;
    }
    element.length = Length::Indefinite;
    equal("encoded", element.encode(), vec![4, 0x80, 1, 2, 0, 0])
}
