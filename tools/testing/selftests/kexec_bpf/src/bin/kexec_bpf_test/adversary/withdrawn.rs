// SPDX-License-Identifier: GPL-2.0

//! The same changes of images that counted as signed before their key, or the image, was withdrawn.

use support::harness::{equal, Result};
use support::keyring::{blacklist, trust};
use support::load::{policy_image, stored};

use super::envelope::{images, keys, walk, Signed};

tests! {
    WHEN_NAMED.in_turn(Turn::Keyrings);
    of_withdrawn_images,
}

fn of_withdrawn_images() -> Result {
    let (mut keys, images) = (keys()?, images()?);
    for name in ["secondary", "withdrawn"] {
        trust(name)?;
        keys.trust(&stored(&format!("policy/{name}.der"))?)?;
    }
    equal(
        "it is proved",
        keys.signed(&policy_image("withdrawn")?),
        true,
    )?;
    blacklist("withdrawn")?;
    keys.revoke(&stored("policy/withdrawn.der")?)?;
    let of_withdrawn = |image: &Signed| image.name.contains("withdrawn");
    walk(&keys, &images, of_withdrawn)?;

    blacklist("image")?;
    keys.revoke_image(&policy_image("blacklisted-trusted")?)?;
    walk(&keys, &images, |image| !keys.signed(&image.bytes))?;
    Ok(())
}
