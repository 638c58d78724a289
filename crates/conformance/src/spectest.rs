//! The host module that scripts import from.

use crate::features::{Feature, Features};

/// The name that scripts import it by.
pub const NAME: &str = "spectest";

const CORE: &str = include_str!("spectest.wat");

/// What newer scripts import as well, apart from the rest: beside it, each would need one more feature (multiple
/// tables, multiple memories) that a suite with just this one may assert to be off.
const OPTIONAL: [(Feature, &str); 2] = [
    (
        Feature::Memory64,
        r#"(module (table (export "table64") i64 10 20 funcref))"#,
    ),
    (
        Feature::Threads,
        r#"(module (memory (export "shared_memory") 1 2 shared))"#,
    ),
];

/// The modules in text whose exports it is made of, so that a host needs nothing of its own for it.
pub fn modules(features: &Features) -> Vec<&'static str> {
    let optional = OPTIONAL.iter().filter(|(needed, _)| features.has(*needed));
    std::iter::once(CORE)
        .chain(optional.map(|(_, module)| *module))
        .collect()
}
