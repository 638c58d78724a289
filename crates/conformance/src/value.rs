//! The values that go into and come out of WebAssembly.

use std::fmt;

/// A value, carried as bits so that every NaN pattern survives and compares exactly.
///
/// A script can only pass numbers, vectors, null references and host values; the other references appear as results.
/// See the spec, [values](https://webassembly.github.io/spec/core/exec/runtime.html#values).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    I32(i32),
    I64(i64),
    /// The bit pattern of an `f32`.
    F32(u32),
    /// The bit pattern of an `f64`.
    F64(u64),
    /// Little-endian, as in memory.
    V128([u8; 16]),
    /// A null reference. As a result it may be `None` from a host whose language has one null for all types.
    Null(Option<Top>),
    /// A function.
    Func,
    /// An `externref`: the host value that the script passed in as `(ref.extern n)`,
    /// or `None` for anything else, such as an externalised struct.
    Extern(Option<u32>),
    /// A host value in the `any` hierarchy: `(ref.host n)`.
    Host(u32),
    I31,
    Struct,
    Array,
    /// A reference in the `any` hierarchy whose kind the host does not know.
    Any,
    Exn,
    Cont,
}

/// The top type of a hierarchy of [heap types](https://webassembly.github.io/spec/core/syntax/types.html#heap-types).
/// Null references are equal within one hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Top {
    Any,
    Func,
    Extern,
    Exn,
    Cont,
}

impl fmt::Display for Top {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Top::Any => "any",
            Top::Func => "func",
            Top::Extern => "extern",
            Top::Exn => "exn",
            Top::Cont => "cont",
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::I32(value) => write!(f, "i32 {value}"),
            Value::I64(value) => write!(f, "i64 {value}"),
            Value::F32(bits) => write!(f, "f32 {bits:#010x}"),
            Value::F64(bits) => write!(f, "f64 {bits:#018x}"),
            Value::V128(bytes) => write!(f, "v128 {:#034x}", u128::from_le_bytes(*bytes)),
            Value::Null(None) => f.write_str("ref.null"),
            Value::Null(Some(top)) => write!(f, "ref.null {top}"),
            Value::Func => f.write_str("ref.func"),
            Value::Extern(None) => f.write_str("ref.extern"),
            Value::Extern(Some(n)) => write!(f, "ref.extern {n}"),
            Value::Host(n) => write!(f, "ref.host {n}"),
            Value::I31 => f.write_str("ref.i31"),
            Value::Struct => f.write_str("ref.struct"),
            Value::Array => f.write_str("ref.array"),
            Value::Any => f.write_str("ref.any"),
            Value::Exn => f.write_str("ref.exn"),
            Value::Cont => f.write_str("ref.cont"),
        }
    }
}

/// Several values, as one line.
pub fn list(values: &[Value]) -> String {
    if values.is_empty() {
        return "no result".to_owned();
    }
    let values: Vec<String> = values.iter().map(Value::to_string).collect();
    values.join(", ")
}
