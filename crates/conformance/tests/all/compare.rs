//! Patterns for expected values: each with values that match and values that do not.

use conformance::compare::{argument, list, matches, matches_trap};
use conformance::value::{Top, Value};
use json_from_wast::{AnyRef, Const, CoreConst, ExternRef, FloatConst, FuncRef, IntString, V128};

fn is(actual: Value, expected: CoreConst) -> bool {
    matches(&actual, &Const::Core(expected))
}

fn f32(value: FloatConst<f32>) -> CoreConst {
    CoreConst::F32 { value }
}

fn f64(value: FloatConst<f64>) -> CoreConst {
    CoreConst::F64 { value }
}

#[test]
fn integers() {
    let five = || CoreConst::I32 {
        value: IntString(5),
    };
    assert!(is(Value::I32(5), five()));
    assert!(!is(Value::I32(6), five()));
    assert!(!is(Value::I64(5), five()));
}

#[test]
fn floats_compare_bit_for_bit() {
    let zero = || f32(FloatConst::Value(0.0));
    assert!(is(Value::F32(0), zero()));
    assert!(!is(Value::F32(0x8000_0000), zero()));
    let signalling = || f64(FloatConst::Value(f64::from_bits(0x7ff0_0000_0000_0001)));
    assert!(is(Value::F64(0x7ff0_0000_0000_0001), signalling()));
    assert!(!is(Value::F64(0x7ff8_0000_0000_0001), signalling()));
}

#[test]
fn canonical_nan() {
    for bits in [0x7fc0_0000, 0xffc0_0000] {
        assert!(is(Value::F32(bits), f32(FloatConst::CanonicalNan)));
    }
    for bits in [0x7fc0_0001, 0x7f80_0001, 0x7f80_0000, 0] {
        assert!(
            !is(Value::F32(bits), f32(FloatConst::CanonicalNan)),
            "{bits:#x}"
        );
    }
    assert!(is(Value::F64(0xfff8 << 48), f64(FloatConst::CanonicalNan)));
    assert!(!is(
        Value::F64((0x7ff8 << 48) + 1),
        f64(FloatConst::CanonicalNan)
    ));
    assert!(!is(Value::F32(0x7fc0_0000), f64(FloatConst::CanonicalNan)));
}

#[test]
fn arithmetic_nan() {
    for bits in [0x7fc0_0000, 0x7fc0_0001, 0xffff_ffff] {
        assert!(is(Value::F32(bits), f32(FloatConst::ArithmeticNan)));
    }
    for bits in [0x7f80_0001, 0x7f80_0000, 0x7f40_0000, 0] {
        assert!(
            !is(Value::F32(bits), f32(FloatConst::ArithmeticNan)),
            "{bits:#x}"
        );
    }
    assert!(is(
        Value::F64((0x7ff8 << 48) + 1),
        f64(FloatConst::ArithmeticNan)
    ));
    assert!(!is(
        Value::F64((0x7ff0 << 48) + 1),
        f64(FloatConst::ArithmeticNan)
    ));
}

#[test]
fn vector_lanes() {
    let lanes = |third: u32| {
        let mut bytes = [0; 16];
        bytes[0..4].copy_from_slice(&1f32.to_bits().to_le_bytes());
        bytes[8..12].copy_from_slice(&third.to_le_bytes());
        Value::V128(bytes)
    };
    let expected = || {
        CoreConst::V128(V128::F32 {
            value: [
                FloatConst::Value(1.0),
                FloatConst::Value(0.0),
                FloatConst::CanonicalNan,
                FloatConst::Value(0.0),
            ],
        })
    };
    assert!(is(lanes(0xffc0_0000), expected()));
    assert!(!is(lanes(0x7fc0_0001), expected()));

    let integers = |first| {
        CoreConst::V128(V128::I16 {
            value: [first, 2, 3, 4, 5, 6, 7, -1].map(IntString),
        })
    };
    let bytes = [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0xff, 0xff];
    assert!(is(Value::V128(bytes), integers(1)));
    assert!(!is(Value::V128(bytes), integers(256)));
}

#[test]
fn either() {
    let either = || CoreConst::Either {
        values: vec![
            CoreConst::I32 {
                value: IntString(1),
            },
            CoreConst::I32 {
                value: IntString(3),
            },
        ],
    };
    assert!(is(Value::I32(1), either()));
    assert!(is(Value::I32(3), either()));
    assert!(!is(Value::I32(2), either()));
}

#[test]
fn null_references() {
    let any = || CoreConst::AnyRef {
        value: Some(AnyRef::Null),
    };
    assert!(is(Value::Null(Some(Top::Any)), any()));
    assert!(is(Value::Null(None), any()));
    assert!(is(Value::Null(Some(Top::Func)), CoreConst::RefNull));
    assert!(!is(Value::Null(Some(Top::Func)), any()));
    assert!(!is(Value::Struct, any()));
    assert!(!is(Value::Struct, CoreConst::RefNull));
    // Without a value, the pattern is a reference that is not null.
    assert!(!is(
        Value::Null(Some(Top::Any)),
        CoreConst::AnyRef { value: None }
    ));
    assert!(!is(
        Value::Null(Some(Top::Func)),
        CoreConst::FuncRef { value: None }
    ));
}

#[test]
fn other_references() {
    let host = |n| CoreConst::ExternRef {
        value: Some(ExternRef::Host(IntString(n))),
    };
    assert!(is(Value::Extern(Some(1)), host(1)));
    assert!(!is(Value::Extern(Some(2)), host(1)));
    assert!(!is(Value::Extern(None), host(1)));
    assert!(!is(Value::Host(1), host(1)));
    assert!(is(
        Value::Extern(None),
        CoreConst::ExternRef { value: None }
    ));
    assert!(is(Value::I31, CoreConst::EqRef));
    assert!(!is(Value::Host(0), CoreConst::EqRef));
    assert!(!is(Value::Any, CoreConst::StructRef));
    assert!(!is(Value::Array, CoreConst::StructRef));
    assert!(is(
        Value::Func,
        CoreConst::FuncRef {
            value: Some(FuncRef::Index(3))
        }
    ));
    assert!(!is(
        Value::Func,
        CoreConst::FuncRef {
            value: Some(FuncRef::Null)
        }
    ));
}

#[test]
fn a_null_argument_is_never_a_reference() {
    let null_eq = argument(&Const::Core(CoreConst::EqRef));
    assert_eq!(null_eq, Some(Value::Null(Some(Top::Any))));
    assert_eq!(argument(&Const::Core(CoreConst::RefNull)), None);
}

#[test]
fn trap_messages() {
    assert!(matches_trap(
        "wasm trap: integer overflow",
        "integer overflow"
    ));
    assert!(!matches_trap(
        "wasm trap: integer overflow",
        "integer divide by zero"
    ));
    assert!(matches_trap(
        "wasm trap: uninitialized element",
        "uninitialized element 2"
    ));
    assert!(matches_trap(
        "wasm trap: null reference",
        "null structure reference"
    ));
    assert!(matches_trap(
        "wasm trap: null reference",
        "null function reference"
    ));
    assert!(!matches_trap(
        "wasm trap: cast failure",
        "null array reference"
    ));
    assert!(matches_trap(
        "wasm trap: atomic wait on non-shared memory",
        "expected shared memory"
    ));
    assert!(!matches_trap(
        "wasm trap: unaligned atomic",
        "expected shared memory"
    ));
}

#[test]
fn expected_values_read_as_scripts_write_them() {
    let expected = [
        Const::Core(f32(FloatConst::CanonicalNan)),
        Const::Core(CoreConst::I31Ref),
    ];
    assert_eq!(list(&expected), "f32 nan:canonical, ref.i31");
}
