//! The host module that scripts import from.

use crate::features::{Feature, Features};

/// The name that scripts import it by.
pub const NAME: &str = "spectest";

/// Definitions that cannot be there when a feature is off, by how their line ends.
const OPTIONAL: [(&str, Feature); 2] = [
    (";; needs memory64", Feature::Memory64),
    (";; needs threads", Feature::Threads),
];

/// The module in text, so that a host needs nothing of its own for it.
pub fn text(features: &Features) -> String {
    let mut text = String::new();
    for line in include_str!("spectest.wat").lines() {
        let is_off =
            |(mark, feature): &(&str, Feature)| line.ends_with(mark) && !features.has(*feature);
        if !OPTIONAL.iter().any(is_off) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}
