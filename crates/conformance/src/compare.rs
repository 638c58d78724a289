//! Whether a result is what a script expects.

use json_from_wast::{
    AnyRef, Const, ContRef, CoreConst, ExnRef, ExternRef, FloatConst, FuncRef, V128,
};

use crate::value::{Top, Value};

/// The value that a script passes as an argument; `None` for a form that is no argument of core WebAssembly.
pub fn argument(constant: &Const<'_>) -> Option<Value> {
    use CoreConst as C;

    let Const::Core(constant) = constant else {
        return None;
    };
    Some(match constant {
        C::I32 { value } => Value::I32(value.0),
        C::I64 { value } => Value::I64(value.0),
        C::F32 { value } => Value::F32(value.to_bits()),
        C::F64 { value } => Value::F64(value.to_bits()),
        C::V128(value) => Value::V128(value.to_u128().to_le_bytes()),
        C::ExternRef {
            value: Some(ExternRef::Host(n)),
        } => Value::Extern(Some(n.0)),
        C::AnyRef {
            value: Some(AnyRef::Host(n)),
        } => Value::Host(n.0),
        // The script parser turns the argument `(ref.null eq)` into these; `(ref.eq)` is no argument.
        C::EqRef | C::StructRef | C::ArrayRef | C::I31Ref => Value::Null(Some(Top::Any)),
        other => Value::Null(Some(null(other)?)),
    })
}

/// The hierarchy of a constant that stands for a null reference.
fn null(constant: &CoreConst) -> Option<Top> {
    use CoreConst as C;

    match constant {
        C::AnyRef {
            value: Some(AnyRef::Null),
        }
        | C::NullRef => Some(Top::Any),
        C::FuncRef {
            value: Some(FuncRef::Null),
        }
        | C::NullFuncRef => Some(Top::Func),
        C::ExternRef {
            value: Some(ExternRef::Null),
        }
        | C::NullExternRef => Some(Top::Extern),
        C::ExnRef {
            value: Some(ExnRef::Null),
        }
        | C::NullExnRef => Some(Top::Exn),
        C::ContRef {
            value: Some(ContRef::Null),
        }
        | C::NullContRef => Some(Top::Cont),
        _ => None,
    }
}

/// Whether `actual` is one of the values that `expected` stands for.
///
/// Numbers compare bit for bit. An expected form that is not known matches nothing.
pub fn matches(actual: &Value, expected: &Const<'_>) -> bool {
    match expected {
        Const::Core(expected) => matches_core(actual, expected),
        Const::Component(_) => false,
    }
}

fn matches_core(actual: &Value, expected: &CoreConst) -> bool {
    use CoreConst as C;

    match (actual, expected) {
        (_, C::Either { values }) => values.iter().any(|value| matches_core(actual, value)),
        (Value::I32(actual), C::I32 { value }) => *actual == value.0,
        (Value::I64(actual), C::I64 { value }) => *actual == value.0,
        (Value::F32(bits), C::F32 { value }) => matches_f32(*bits, value),
        (Value::F64(bits), C::F64 { value }) => matches_f64(*bits, value),
        (Value::V128(bytes), C::V128(value)) => matches_v128(bytes, value),
        (Value::Null(_), C::RefNull) => true,
        (Value::Null(top), expected) => {
            null(expected).is_some_and(|expected| top.is_none_or(|top| top == expected))
        }
        (Value::Extern(_), C::ExternRef { value: None })
        | (
            // wasmtime, which our lanes are built on, does not tell a function's index, so any function will do.
            Value::Func,
            C::FuncRef {
                value: None | Some(FuncRef::Index(_)),
            },
        )
        | (
            Value::Host(_) | Value::I31 | Value::Struct | Value::Array | Value::Any,
            C::AnyRef { value: None },
        )
        | (Value::I31 | Value::Struct | Value::Array, C::EqRef)
        | (Value::I31, C::I31Ref)
        | (Value::Struct, C::StructRef)
        | (Value::Array, C::ArrayRef)
        | (Value::Exn, C::ExnRef { value: None })
        | (Value::Cont, C::ContRef { value: None }) => true,
        (
            Value::Extern(Some(actual)),
            C::ExternRef {
                value: Some(ExternRef::Host(expected)),
            },
        )
        | (
            Value::Host(actual),
            C::AnyRef {
                value: Some(AnyRef::Host(expected)),
            },
        ) => *actual == expected.0,
        _ => false,
    }
}

/// A canonical NaN has only the top bit of its payload set; an arithmetic NaN has at least that bit.
/// The sign is free in both.
/// See the spec, [floating-point](https://webassembly.github.io/spec/core/syntax/values.html#floating-point).
fn matches_f32(actual: u32, expected: &FloatConst<f32>) -> bool {
    const QUIET: u32 = 0x7fc0_0000;
    match expected {
        FloatConst::CanonicalNan => actual & 0x7fff_ffff == QUIET,
        FloatConst::ArithmeticNan => actual & QUIET == QUIET,
        FloatConst::Value(value) => actual == value.to_bits(),
    }
}

/// As [`matches_f32`], for the wider format.
fn matches_f64(actual: u64, expected: &FloatConst<f64>) -> bool {
    const QUIET: u64 = 0x7ff8_0000_0000_0000;
    match expected {
        FloatConst::CanonicalNan => actual & 0x7fff_ffff_ffff_ffff == QUIET,
        FloatConst::ArithmeticNan => actual & QUIET == QUIET,
        FloatConst::Value(value) => actual == value.to_bits(),
    }
}

/// Integer lanes are the same 16 bytes however they are cut; floating-point lanes may each be a NaN pattern.
fn matches_v128(actual: &[u8; 16], expected: &V128) -> bool {
    let (f32s, _) = actual.as_chunks();
    let (f64s, _) = actual.as_chunks();
    match expected {
        V128::F32 { value } => f32s
            .iter()
            .zip(value)
            .all(|(lane, expected)| matches_f32(u32::from_le_bytes(*lane), expected)),
        V128::F64 { value } => f64s
            .iter()
            .zip(value)
            .all(|(lane, expected)| matches_f64(u64::from_le_bytes(*lane), expected)),
        integers => *actual == integers.to_u128().to_le_bytes(),
    }
}

/// Several expected results, as one line.
pub fn list(expected: &[Const<'_>]) -> String {
    if expected.is_empty() {
        return "no result".to_owned();
    }
    let expected: Vec<String> = expected.iter().map(describe).collect();
    expected.join(", ")
}

fn describe(expected: &Const<'_>) -> String {
    match expected {
        Const::Core(expected) => describe_core(expected),
        Const::Component(value) => format!("component value {value:?}"),
    }
}

fn describe_core(expected: &CoreConst) -> String {
    use CoreConst as C;

    match expected {
        C::I32 { value } => Value::I32(value.0).to_string(),
        C::I64 { value } => Value::I64(value.0).to_string(),
        C::F32 { value } => format!("f32 {}", describe_f32(value)),
        C::F64 { value } => format!("f64 {}", describe_f64(value)),
        C::V128(V128::F32 { value }) => format!("v128 {:?}", value.each_ref().map(describe_f32)),
        C::V128(V128::F64 { value }) => format!("v128 {:?}", value.each_ref().map(describe_f64)),
        C::V128(value) => Value::V128(value.to_u128().to_le_bytes()).to_string(),
        C::Either { values } => {
            let values: Vec<String> = values.iter().map(describe_core).collect();
            format!("either {}", values.join(" or "))
        }
        C::ExternRef {
            value: Some(ExternRef::Host(n)),
        } => Value::Extern(Some(n.0)).to_string(),
        C::AnyRef {
            value: Some(AnyRef::Host(n)),
        } => Value::Host(n.0).to_string(),
        C::ExternRef { value: None } => Value::Extern(None).to_string(),
        C::FuncRef {
            value: None | Some(FuncRef::Index(_)),
        } => Value::Func.to_string(),
        C::AnyRef { value: None } => Value::Any.to_string(),
        C::EqRef => "ref.eq".to_owned(),
        C::I31Ref => Value::I31.to_string(),
        C::StructRef => Value::Struct.to_string(),
        C::ArrayRef => Value::Array.to_string(),
        C::RefNull => Value::Null(None).to_string(),
        other => match null(other) {
            Some(top) => Value::Null(Some(top)).to_string(),
            None => format!("{other:?}"),
        },
    }
}

fn describe_f32(expected: &FloatConst<f32>) -> String {
    match expected {
        FloatConst::Value(value) => format!("{:#010x}", value.to_bits()),
        pattern => format!("{pattern:?}"),
    }
}

fn describe_f64(expected: &FloatConst<f64>) -> String {
    match expected {
        FloatConst::Value(value) => format!("{:#018x}", value.to_bits()),
        pattern => format!("{pattern:?}"),
    }
}

/// Whether a trap's message is the one a script expects.
///
/// Scripts are written against the reference interpreter; wasmtime's words differ where it tells less:
/// not *which* table element was uninitialised, not *which* kind of reference was null, and a null function in a
/// table is for it an element that is not initialised. A wait on a memory that is not shared has a name of its own.
pub fn matches_trap(actual: &str, expected: &str) -> bool {
    let null_reference = actual.contains("null reference");
    actual.contains(expected)
        || expected.starts_with("uninitialized element") && actual.contains("uninitialized element")
        || expected.contains("null function")
            && (null_reference || actual.contains("uninitialized element"))
        || expected.starts_with("null ") && expected.ends_with(" reference") && null_reference
        || expected == "expected shared memory" && actual.contains("wait on non-shared memory")
        // wasmtime does not say whether it is a stream or a future.
        || expected.contains(" after being notified")
            && actual.contains(&expected.replacen(" to stream", "", 1).replacen(" from stream", "", 1))
        || expected == "cannot write to future after previous write succeeded or readable end dropped"
            && actual.contains("cannot write after being notified that the readable end dropped")
        // The scripts of the component model have wasmtime's words.
        || expected.ends_with("wasm `unreachable` instruction executed")
            && actual.ends_with("unreachable")
}
