//! A module that finds out the kind of a reference, for hosts that only see opaque references.

use crate::features::{Feature, Features};
use crate::value::{Top, Value};

/// A module in the text format that looks into references. Instantiated beside a script's own.
pub const WAT: &str = include_str!("helper.wat");

/// Whether a suite with these features has references to look into.
pub fn needed(features: &Features) -> bool {
    features.has(Feature::Gc)
}

/// The kind of reference that the helper's `kind` returned.
pub fn kind(kind: i32) -> Value {
    match kind {
        1 => Value::I31,
        2 => Value::Struct,
        3 => Value::Array,
        _ => Value::Any,
    }
}

/// The hierarchy of a reference type, as `ext_wasm` names types; `None` for numbers.
pub fn hierarchy(ty: &str) -> Option<Top> {
    let heap = ty
        .trim_start_matches("(ref ")
        .trim_start_matches("null ")
        .trim_end_matches(')');
    Some(match heap {
        "i32" | "i64" | "f32" | "f64" | "v128" => return None,
        "extern" | "noextern" | "externref" | "nullexternref" => Top::Extern,
        "func" | "nofunc" | "funcref" | "nullfuncref" | "$func" => Top::Func,
        "exn" | "noexn" | "exnref" | "nullexnref" | "$exn" => Top::Exn,
        "$cont" => Top::Cont,
        _ => Top::Any,
    })
}
