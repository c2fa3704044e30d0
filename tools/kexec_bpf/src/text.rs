// SPDX-License-Identifier: GPL-2.0

//! Text that comes from files, such that a terminal takes nothing in it for a command.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde::Serialize;

/// The text with all that does not print escaped, as Rust escapes it: `\n`, `\u{1b}`, `\xff`.
pub fn printable(text: impl AsRef<OsStr>) -> String {
    let mut printable = String::new();
    for chunk in text.as_ref().as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\'' | '"' => printable.push(character),
                _ => printable.extend(character.escape_debug()),
            }
        }
        let invalid = chunk.invalid().iter();
        printable.extend(invalid.map(|byte| format!("\\x{byte:02x}")));
    }
    printable
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| {
        digits + &format!("{byte:02x}")
    })
}

/// The value as JSON in ASCII.
pub fn json(value: &impl Serialize) -> String {
    let json = serde_json::to_string_pretty(value).expect("keys are strings");
    let mut ascii = String::new();
    // Only strings can have other characters, and a string can have each of them escaped.
    for character in json.chars() {
        match character {
            '\n' | ' '..='~' => ascii.push(character),
            _ => {
                let mut units = [0; 2];
                let units = character.encode_utf16(&mut units).iter();
                ascii.extend(units.map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    ascii.push('\n');
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_print_is_escaped() {
        let printable = |text: &[u8]| printable(OsStr::from_bytes(text));
        assert_eq!(printable(b""), "");
        assert_eq!(printable(b"it's \"a b\""), "it's \"a b\"");
        assert_eq!(printable("größer".as_bytes()), "größer");
        assert_eq!(printable(b"a\n\x1b[2J\x7f\0"), "a\\n\\u{1b}[2J\\u{7f}\\0");
        assert_eq!(printable("\u{9b}\u{202e}".as_bytes()), "\\u{9b}\\u{202e}");
        assert_eq!(printable(b"a\xff\xc3"), "a\\xff\\xc3");
        // What is escaped can be told from what looks like it.
        assert_eq!(printable(b"\\x1b"), "\\\\x1b");
    }

    #[test]
    fn hexadecimal() {
        assert_eq!(hex(&[]), "");
        assert_eq!(hex(&[0x00, 0x0a, 0xff]), "000aff");
    }

    #[test]
    fn json_is_printable_ascii() {
        let text = "ä\u{1f600}\x1b\x7f\u{9b}\"\\\n~";
        let written = json(&[text]);
        assert_eq!(
            written,
            "[\n  \"\\u00e4\\ud83d\\ude00\\u001b\\u007f\\u009b\\\"\\\\\\n~\"\n]\n"
        );
        let read: Vec<String> = serde_json::from_str(&written).unwrap();
        assert_eq!(read, [text]);
    }
}
