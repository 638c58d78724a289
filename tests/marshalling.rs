//! Every value passes unchanged between JavaScript and a guest, or is converted or refused as the table of values says.

mod conversions;
mod signatures;

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::support::js::Js;

/// A runner with a fixed seed. `PROPTEST_CASES` sets the number of cases.
pub fn runner() -> TestRunner {
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// `fromBits[type](bits)` makes a value from its bits, and `toBits[type](value)` returns the bits of a value. Bits
/// are bigints.
const BITS: &str = r#"
    const view = new DataView(new ArrayBuffer(16));
    const fromBits = {
        i32: (bits) => Number(BigInt.asIntN(32, bits)),
        i64: (bits) => BigInt.asIntN(64, bits),
        f32: (bits) => (view.setUint32(0, Number(bits)), view.getFloat32(0)),
        f64: (bits) => (view.setBigUint64(0, bits), view.getFloat64(0)),
        v128: (bits) => {
            view.setBigUint64(0, BigInt.asUintN(64, bits), true);
            view.setBigUint64(8, bits >> 64n, true);
            return new Uint8Array(view.buffer.slice(0));
        },
    };
    const toBits = {
        i32: (value) => BigInt.asUintN(32, BigInt(value)),
        i64: (value) => BigInt.asUintN(64, value),
        f32: (value) => (view.setFloat32(0, value), BigInt(view.getUint32(0))),
        f64: (value) => (view.setFloat64(0, value), view.getBigUint64(0)),
        v128: (value) => {
            const view = new DataView(value.buffer);
            return view.getBigUint64(0, true) | view.getBigUint64(8, true) << 64n;
        },
    };
"#;

/// A runtime with a function `through(type, bits)`: it passes the value with these bits to the identity function of
/// the fixture, and returns whether the result is the same value, and its bits. Bits are integers in text.
fn identity() -> RefCell<Js> {
    let mut js = Js::new();
    js.run(&format!(
        "{BITS}\n{}",
        r#"
        const instance = await fixture("identity");
        globalThis.through = (type, bits) => {
            const value = fromBits[type](BigInt(bits));
            const back = instance.call(type, [value]);
            const same = Object.is(value, back);
            return JSON.stringify({ same, bits: String(toBits[type](back)) });
        };
        "#
    ));
    RefCell::new(js)
}

fn through(js: &RefCell<Js>, ty: &str, bits: impl ToString) -> Value {
    let bits = bits.to_string();
    js.borrow_mut().eval(&format!("through('{ty}', '{bits}')"))
}

/// Random bits. All zeros, all ones and single bits are more frequent than by chance.
fn bits() -> impl Strategy<Value = u128> {
    prop_oneof![
        8 => any::<u128>(),
        1 => Just(0),
        1 => Just(u128::MAX),
        1 => (0..128u32).prop_map(|shift| 1 << shift),
    ]
}

#[test]
fn integers_and_vectors_come_back_bit_for_bit() {
    let js = identity();
    let run = |bits: u128| {
        let (small, large) = (bits as u32, bits as u64);
        let back = through(&js, "i32", small);
        prop_assert_eq!(back, json!({ "same": true, "bits": small.to_string() }));
        let back = through(&js, "i64", large);
        prop_assert_eq!(back, json!({ "same": true, "bits": large.to_string() }));
        let back = through(&js, "v128", bits);
        // Vectors are copies.
        prop_assert_eq!(back, json!({ "same": false, "bits": bits.to_string() }));
        Ok(())
    };
    runner().run(&bits(), run).unwrap();
}

#[test]
fn floats_come_back_as_the_same_number() {
    let js = identity();
    let run = |bits: u128| {
        let (small, large) = (bits as u32, bits as u64);
        let back = through(&js, "f32", small);
        prop_assert_eq!(&back["same"], true);
        // JavaScript does not say which NaN a NaN is.
        if !f32::from_bits(small).is_nan() {
            prop_assert_eq!(&back["bits"], &small.to_string());
        }
        let back = through(&js, "f64", large);
        prop_assert_eq!(&back["same"], true);
        if !f64::from_bits(large).is_nan() {
            prop_assert_eq!(&back["bits"], &large.to_string());
        }
        Ok(())
    };
    runner().run(&bits(), run).unwrap();
}

#[test]
fn an_f64_for_an_f32_is_rounded_as_math_fround_does() {
    let js = identity();
    js.borrow_mut().run(
        r#"
        const { f32 } = (await fixture("identity")).namespace;
        globalThis.rounds = (bits) => {
            const view = new DataView(new ArrayBuffer(8));
            view.setBigUint64(0, BigInt(bits));
            const value = view.getFloat64(0);
            return String(Object.is(f32(value), Math.fround(value)));
        };
        "#,
    );
    let run = |bits: u64| {
        let same = js.borrow_mut().eval(&format!("rounds('{bits}')"));
        prop_assert_eq!(same, true);
        Ok(())
    };
    runner().run(&any::<u64>(), run).unwrap();
}

/// The rule of the table of values for a number as an `i32`. The test states the rule itself, independent of the code.
#[test]
fn numbers_that_fit_an_i32_are_accepted_and_others_refused() {
    let js = identity();
    js.borrow_mut().run(
        r#"
        const { i32 } = (await fixture("identity")).namespace;
        globalThis.asI32 = (value) => {
            try {
                return JSON.stringify(i32(value));
            } catch (error) {
                return JSON.stringify(`${error.code}`);
            }
        };
        "#,
    );
    let values = prop_oneof![
        any::<i32>().prop_map(f64::from),
        any::<u32>().prop_map(f64::from),
        any::<f64>(),
        (-5_000_000_000i64..5_000_000_000).prop_map(|value| value as f64),
        (-5_000_000_000i64..5_000_000_000).prop_map(|value| value as f64 + 0.5),
    ];
    let run = |value: f64| {
        let literal = if value.is_nan() {
            "NaN".to_owned()
        } else if value.is_infinite() {
            format!("{}Infinity", if value < 0.0 { "-" } else { "" })
        } else {
            format!("{value:?}")
        };
        let result = js.borrow_mut().eval(&format!("asI32({literal})"));
        let fits = value.fract() == 0.0 && (-2147483648.0..=4294967295.0).contains(&value);
        let expected = if fits {
            json!(value as i64 as i32)
        } else {
            json!("5005")
        };
        prop_assert_eq!(result, expected, "{}", literal);
        Ok(())
    };
    runner().run(&values, run).unwrap();
}

#[test]
fn every_kind_of_value_is_converted_or_refused_for_every_type() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("identity");
        const reference = (await fixture("gc")).call("i31", [1]);
        const values = {
            undefined, null: null, true: true, string: "1", symbol: Symbol("s"), zero: 0,
            minusZero: -0, minusOne: -1, fraction: 0.5, nan: NaN, infinity: Infinity,
            max32: 2 ** 32 - 1, over32: 2 ** 32, minSafe: Number.MIN_SAFE_INTEGER, unsafe: 2 ** 53,
            bigOne: 1n, bigMax: 2n ** 64n - 1n, bigOver: 2n ** 64n, bigMin: -(2n ** 63n),
            bigUnder: -(2n ** 63n) - 1n, object: {}, array: [], wrapped: new Number(1),
            bytes16: new Uint8Array(16), bytes15: new Uint8Array(15), words: new Uint16Array(8),
            clamped: new Uint8ClampedArray(16), func: () => 1, own: instance.func("i32"),
            foreign: (await fixture("add")).func("add"), foreignReference: reference,
        };
        const table = {};
        for (const type of ["i32", "i64", "f32", "f64", "v128", "externref", "funcref", "anyref",
            "exnref"]) {
            const row = table[type] = [];
            for (const [name, value] of Object.entries(values)) {
                try {
                    const back = instance.call(type, [value]);
                    row.push(Object.is(back, value) ? name : `${name} → ${typeof back}`);
                } catch (error) {
                    if (error.code !== 5005) throw error;
                }
            }
        }
        return table;
        "#,
    );
    let everything = "undefined null true string symbol zero minusZero minusOne fraction nan \
        infinity max32 over32 minSafe unsafe bigOne bigMax bigOver bigMin bigUnder object array \
        wrapped bytes16 bytes15 words clamped func own foreign foreignReference";
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let floats = "zero minusZero minusOne fraction nan infinity max32 over32 minSafe unsafe";
    assert_eq!(
        result,
        json!({
            "i32": ["zero", "minusZero → number", "minusOne", "max32 → number"],
            "i64": [
                "zero → bigint", "minusZero → bigint", "minusOne → bigint", "max32 → bigint",
                "over32 → bigint", "minSafe → bigint", "bigOne", "bigMax → bigint", "bigMin"
            ],
            "f32": [
                "zero", "minusZero", "minusOne", "fraction", "nan", "infinity",
                "max32 → number", "over32", "minSafe → number", "unsafe"
            ],
            "f64": words(floats),
            "v128": ["bytes16 → object"],
            "externref": words(everything),
            "funcref": ["null", "own"],
            "anyref": ["null"],
            "exnref": ["null"],
        })
    );
}

#[test]
fn a_function_may_have_as_many_parameters_and_results_as_wasm_allows() {
    let result = Js::new().run(
        r#"
        const many = (n) => Array.from({ length: n }, (_, i) => i);
        const results = [];
        for (const n of [0, 1, 2, 100, 1000]) {
            const i32s = many(n).map(() => "i32").join(" ");
            const gets = many(n).map((i) => `local.get ${i}`).join(" ");
            const twice = (...args) => n === 0 ? undefined
                : n === 1 ? 2 * args[0] : args.map((x) => 2 * x);
            const instance = await load(
                `(module (import "env" "twice" (func (param ${i32s}) (result ${i32s})))
                    (func (export "f") (param ${i32s}) (result ${i32s}) ${gets} call 0))`,
                { env: { twice } });
            const back = instance.call("f", many(n));
            const expected = n === 0 ? undefined : n === 1 ? 0 : many(n).map((x) => 2 * x);
            results.push(JSON.stringify(back) === JSON.stringify(expected));
        }
        results.push(await codeOf(() => load(
            `(module (func (param ${many(1001).map(() => "i32").join(" ")})))`)));
        return results;
        "#,
    );
    assert_eq!(result, json!([true, true, true, true, true, 5000]));
}

#[test]
fn the_bits_of_results_can_be_looked_up() {
    let mut js = Js::new();
    js.run(
        r#"
        globalThis.nans = await load(`(module (func (export "f") (result f32 f64 v128 i32)
            (f32.const -nan:0x12345) (f64.const nan:0x4321)
            (v128.const i64x2 1 2) (i32.const -1)))`);
        "#,
    );
    js.eval("String(nans.call('f').length)");
    // The bits of a slot beyond its value are undefined.
    let bits = js.frame_bits(4);
    assert_eq!(
        (bits[0] as u32, bits[1] as u64),
        (0xff81_2345, 0x7ff0_0000_0000_4321)
    );
    assert_eq!((bits[2], bits[3] as u32), ((2 << 64) | 1, u32::MAX));
}
