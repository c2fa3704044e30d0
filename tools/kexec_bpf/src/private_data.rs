// SPDX-License-Identifier: GPL-2.0

//! `private_data.h` in Rust: what the command passes to the program of an image.

pub const VERSION: u32 = 1;
pub const ITEMS_MAX: usize = 256;
pub const NAME_SIZE: usize = 256;

/// `enum kexec_private_kind`
pub const GLOBAL_ADDON: u32 = 1;
pub const ADDON: u32 = 2;
pub const CREDENTIAL: u32 = 3;
pub const GLOBAL_CREDENTIAL: u32 = 4;
pub const SYSEXT: u32 = 5;
pub const GLOBAL_SYSEXT: u32 = 6;
pub const CONFEXT: u32 = 7;
pub const GLOBAL_CONFEXT: u32 = 8;

/// `struct kexec_private_item`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    pub kind: u32,
    pub fd: i32,
    pub name: &'a [u8],
}

pub const ITEM_LEN: usize = 8 + NAME_SIZE;
pub const HEADER_LEN: usize = 16;
/// The size of the value of the map.
pub const LEN: usize = HEADER_LEN + ITEMS_MAX * ITEM_LEN;

// As programs_test of the selftests has it of the header.
const _: () = assert!(ITEM_LEN == 264 && LEN == 67600);

/// `struct kexec_private_data`. `None` if there are too many items, or a name is too long.
pub fn private_data(profile: u32, items: &[Item<'_>]) -> Option<Vec<u8>> {
    if items.len() > ITEMS_MAX {
        return None;
    }
    let mut data = Vec::with_capacity(LEN);
    for word in [VERSION, profile, items.len() as u32, 0] {
        data.extend(word.to_ne_bytes());
    }
    for item in items {
        if item.name.len() >= NAME_SIZE {
            return None;
        }
        data.extend(item.kind.to_ne_bytes());
        data.extend(item.fd.to_ne_bytes());
        data.extend(item.name);
        data.resize(data.len() + NAME_SIZE - item.name.len(), 0);
    }
    data.resize(LEN, 0);
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = include_str!("../private_data.h");

    /// The number that the header gives a name.
    fn number(name: &str) -> Option<u32> {
        let name = format!("KEXEC_PRIVATE_{name}");
        HEADER.lines().find_map(|line| {
            let line = line.trim().trim_start_matches("#define").trim_start();
            let value = line.strip_prefix(&name)?;
            let value = value.strip_prefix(char::is_whitespace)?.trim_start();
            let value = value.trim_start_matches("= ");
            value.split([',', ' ']).next()?.parse().ok()
        })
    }

    #[test]
    fn numbers_are_those_of_the_header() {
        for (name, value) in [
            ("VERSION", VERSION),
            ("ITEMS_MAX", ITEMS_MAX as u32),
            ("NAME_SIZE", NAME_SIZE as u32),
            ("GLOBAL_ADDON", GLOBAL_ADDON),
            ("ADDON", ADDON),
            ("CREDENTIAL", CREDENTIAL),
            ("GLOBAL_CREDENTIAL", GLOBAL_CREDENTIAL),
            ("SYSEXT", SYSEXT),
            ("GLOBAL_SYSEXT", GLOBAL_SYSEXT),
            ("CONFEXT", CONFEXT),
            ("GLOBAL_CONFEXT", GLOBAL_CONFEXT),
        ] {
            assert_eq!(number(name), Some(value), "{name}");
        }
    }

    #[test]
    fn layout() {
        let longest = [b'x'; NAME_SIZE - 1];
        let items = [
            Item {
                kind: ADDON,
                fd: -2,
                name: b"a.addon.efi",
            },
            Item {
                kind: SYSEXT,
                fd: 7,
                name: &longest,
            },
        ];
        let data = private_data(3, &items).unwrap();
        assert_eq!(data.len(), LEN);
        let word = |at: usize| i32::from_ne_bytes([0, 1, 2, 3].map(|i| data[at + i]));
        assert_eq!([0, 4, 8, 12].map(word), [VERSION as i32, 3, 2, 0]);
        assert_eq!([16, 20].map(word), [ADDON as i32, -2]);
        assert_eq!(&data[24..36], b"a.addon.efi\0");
        assert_eq!([280, 284].map(word), [SYSEXT as i32, 7]);
        assert_eq!(data[288..543], longest);
        assert!(data[543..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn limits() {
        let item = |name| Item {
            kind: ADDON,
            fd: 3,
            name,
        };
        assert!(private_data(0, &[item(b"a"); ITEMS_MAX]).is_some());
        assert!(private_data(0, &[item(b"a"); ITEMS_MAX + 1]).is_none());
        assert!(private_data(0, &[item(&[b'x'; NAME_SIZE])]).is_none());
    }
}
