//! JavaScript values of every kind for every type, as arguments and as results of imports, compared with the table of
//! values. The tests state the table themselves, independent of the code.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::runner;
use crate::support::js::Js;

/// A value of JavaScript.
#[derive(Clone, Debug)]
enum Given {
    Number(f64),
    BigInt(i128),
    /// A typed array of this class with this number of bytes. The bytes are 1, 2, 3 and so on.
    Bytes(&'static str, usize),
    /// Another value, given by an expression such as `null`.
    Other(&'static str),
}

/// The outcome of a conversion.
#[derive(Debug, PartialEq)]
enum Outcome {
    Bits(String),
    Itself,
    /// Another handle for the same reference.
    Handle,
    Refused,
}

const TYPES: [&str; 9] = [
    "i32",
    "i64",
    "f32",
    "f64",
    "v128",
    "externref",
    "funcref",
    "anyref",
    "exnref",
];

/// The table of values, from JavaScript.
fn table(given: &Given, ty: &str) -> Outcome {
    const SAFE: f64 = 9_007_199_254_740_991.0;
    let bits = |bits: u64| Outcome::Bits(bits.to_string());
    match (ty, given) {
        // A handle of an i31 becomes a reference again, and each reference gets a new handle.
        ("externref" | "anyref", Given::Other("i31")) => Outcome::Handle,
        ("externref", _) => Outcome::Itself,
        ("i32", Given::Number(n))
            if n.fract() == 0.0 && (-2_147_483_648.0..=4_294_967_295.0).contains(n) =>
        {
            bits(u64::from(*n as i64 as u32))
        }
        ("i64", Given::Number(n)) if n.fract() == 0.0 && n.abs() <= SAFE => bits(*n as i64 as u64),
        ("i64", Given::BigInt(n)) if (-(1 << 63)..1 << 64).contains(n) => bits(*n as u64),
        ("f32" | "f64", Given::Number(n)) if n.is_nan() => Outcome::Bits("NaN".to_owned()),
        ("f32", Given::Number(n)) => bits(u64::from((*n as f32).to_bits())),
        ("f64", Given::Number(n)) => bits(n.to_bits()),
        ("v128", Given::Bytes("Uint8Array", 16)) => {
            let bytes: [u8; 16] = std::array::from_fn(|i| i as u8 + 1);
            Outcome::Bits(u128::from_le_bytes(bytes).to_string())
        }
        ("funcref", Given::Other("null" | "own")) => Outcome::Itself,
        ("anyref" | "exnref", Given::Other("null")) => Outcome::Itself,
        _ => Outcome::Refused,
    }
}

/// Numbers near the limits of the types, and random numbers.
fn number() -> impl Strategy<Value = f64> {
    let edges = [31, 32, 53, 63, 64].map(|shift| (1u128 << shift) as f64);
    prop_oneof![
        2 => any::<f64>(),
        2 => any::<i32>().prop_map(f64::from),
        2 => any::<u64>().prop_map(f64::from_bits),
        2 => any::<i64>().prop_map(|n| n as f64),
        8 => (select(edges.to_vec()), -1..=1i32, any::<bool>()).prop_map(|(edge, near, negative)| {
            let n = edge + f64::from(near);
            if negative { -n } else { n }
        }),
        1 => select(vec![0.0, -0.0, 0.5, -1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
    ]
}

fn bigint() -> impl Strategy<Value = i128> {
    prop_oneof![
        any::<i64>().prop_map(i128::from),
        any::<i128>().prop_map(|n| n >> 62),
        (select(vec![31, 32, 53, 63, 64]), -2..=2i128, any::<bool>()).prop_map(
            |(shift, near, negative)| {
                let n = (1i128 << shift) + near;
                if negative { -n } else { n }
            }
        ),
    ]
}

/// Values that are neither numbers nor bytes. [`relay`] defines `own`, `foreign`, `i31` and `foreignI31`.
const OTHERS: [&str; 24] = [
    "undefined",
    "null",
    "true",
    "false",
    "''",
    "'1'",
    "Symbol.iterator",
    "{}",
    "[]",
    "[1]",
    "new Number(1)",
    "Object(1n)",
    "{ valueOf: () => 1 }",
    "new Date(0)",
    "Object.create(null)",
    "() => 1",
    "class {}",
    "new Proxy({}, {})",
    "Promise.resolve(1)",
    "new ArrayBuffer(16)",
    "own",
    "foreign",
    "i31",
    "foreignI31",
];

fn given() -> impl Strategy<Value = Given> {
    let arrays = vec![
        "Uint8Array",
        "Int8Array",
        "Uint8ClampedArray",
        "Uint16Array",
        "BigUint64Array",
        "Float64Array",
        "DataView",
    ];
    prop_oneof![
        4 => number().prop_map(Given::Number),
        3 => bigint().prop_map(Given::BigInt),
        1 => (select(arrays), select(vec![0, 8, 16, 24])).prop_map(|(kind, len)| Given::Bytes(kind, len)),
        1 => (Just("Uint8Array"), 15..=17usize).prop_map(|(kind, len)| Given::Bytes(kind, len)),
        3 => select(OTHERS.to_vec()).prop_map(Given::Other),
    ]
}

impl Given {
    /// A JavaScript expression for the value.
    fn source(&self) -> String {
        match self {
            Given::Number(n) if n.is_nan() => "NaN".to_owned(),
            Given::Number(n) if n.is_infinite() => {
                format!("{}Infinity", if *n < 0.0 { "-" } else { "" })
            }
            Given::Number(n) => format!("{n:?}"),
            Given::BigInt(n) => format!("{n}n"),
            Given::Bytes(kind, len) => {
                format!("new {kind}(Uint8Array.from({{ length: {len} }}, (_, i) => i + 1).buffer)")
            }
            Given::Other(source) => format!("({source})"),
        }
    }
}

/// A runtime with a function `relay(type, direction, value)`: it passes a value to a guest, as an argument or as the
/// result of an import, and returns the outcome. The guest passes the value on as the argument of an import and as
/// its own result. Both must agree.
fn relay() -> Js {
    let mut js = Js::new();
    let each = |function: fn(&str) -> String| TYPES.map(function).join("\n");
    let module = format!(
        "(module {} {})",
        each(|ty| format!(r#"(import "env" "{ty}" (func ${ty} (param {ty}) (result {ty})))"#)),
        each(|ty| format!(
            r#"(func (export "{ty}") (param {ty}) (result {ty}) (call ${ty} (local.get 0)))"#
        ))
    );
    js.run(&format!(
        r#"
        const module = await compile(text({}));
        const isHandle = (x) => x instanceof WasmReference;
        let seen, reply;
        const env = Object.fromEntries({}.map((type) => [type, (x) => (seen = x, reply === undefined ? x : reply())]));
        const guest = await instantiate(module, {{ env }});
        const gc = await fixture("gc", {{}}, {{ store: guest.store }});
        globalThis.own = guest.func("i32");
        globalThis.i31 = gc.call("i31", [1]);
        globalThis.foreign = (await fixture("add")).func("add");
        globalThis.foreignI31 = (await fixture("gc")).call("i31", [1]);
        const view = new DataView(new ArrayBuffer(16));
        const zeros = {{ i32: 0, i64: 0n, f32: 0, f64: 0, v128: new Uint8Array(16) }};
        const bits = {{
            i32: (x) => typeof x === "number" && x >= -(2 ** 31) && x < 2 ** 31 && x >>> 0,
            i64: (x) => typeof x === "bigint" && x === BigInt.asIntN(64, x) && BigInt.asUintN(64, x),
            f32: (x) => Number.isNaN(x) ? x : (view.setFloat32(0, x), Math.fround(x) === x && view.getUint32(0)),
            f64: (x) => Number.isNaN(x) ? x : (view.setFloat64(0, x), view.getBigUint64(0)),
            v128: (x) => {{
                if (!(x instanceof Uint8Array) || x.length !== 16) return false;
                const view = new DataView(x.buffer);
                return view.getBigUint64(0, true) | view.getBigUint64(8, true) << 64n;
            }},
        }};
        globalThis.relay = (type, direction, value) => {{
            reply = direction === "result" ? () => value : undefined;
            const argument = direction === "result" ? zeros[type] ?? null : value;
            let back;
            try {{
                back = guest.call(type, [argument]);
            }} catch (error) {{
                return error.code === 5005 ? "refused" : String(error);
            }}
            const describe = (x) => Object.hasOwn(bits, type) ? String(bits[type](x)) : Object.is(x, value) ? "itself"
                : isHandle(x) && isHandle(value) ? "a handle" : "another";
            if (direction === "argument" && describe(seen) !== describe(back)) return `${{describe(seen)}}, then ${{describe(back)}}`;
            return describe(back);
        }};
        "#,
        json!(module),
        json!(TYPES)
    ));
    js
}

#[test]
fn every_value_is_converted_as_the_table_says_or_refused() {
    let js = RefCell::new(relay());
    let counts = RefCell::new([0u32; 3]);
    let run = |(given, ty, direction): (Given, &str, &str)| {
        let source = given.source();
        let result = js.borrow_mut().eval(&format!(
            "JSON.stringify(relay('{ty}', '{direction}', {source}))"
        ));
        let expected = table(&given, ty);
        let (kind, expected) = match expected {
            Outcome::Bits(bits) => (0, bits),
            Outcome::Itself => (1, "itself".to_owned()),
            Outcome::Handle => (1, "a handle".to_owned()),
            Outcome::Refused => (2, "refused".to_owned()),
        };
        counts.borrow_mut()[kind] += 1;
        prop_assert_eq!(
            result,
            Value::from(expected),
            "{} as {}, {}",
            source,
            ty,
            direction
        );
        Ok(())
    };
    // Each type has its own cases, because many values fit few types.
    let directions = select(vec!["argument", "result"]);
    for ty in TYPES {
        runner()
            .run(&(given(), Just(ty), directions.clone()), run)
            .unwrap();
    }
    let counts = counts.into_inner();
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
}
