//! Functions of any signature: every argument and result keeps its position.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::{BITS, bits, runner};
use crate::support::js::Js;

/// The type of a parameter, and the bits of its argument.
fn parameter() -> impl Strategy<Value = (&'static str, u128)> {
    let types = vec!["i32", "i64", "f32", "f64", "v128", "externref"];
    (select(types), bits()).prop_map(|(ty, bits)| {
        let bits = match ty {
            "i32" | "externref" => u128::from(bits as u32),
            // JavaScript does not say which NaN a NaN is.
            "f32" if f32::from_bits(bits as u32).is_nan() => 0x7fc0_0000,
            "f32" => u128::from(bits as u32),
            "f64" if f64::from_bits(bits as u64).is_nan() => 0x7ff8_0000_0000_0000,
            "i64" | "f64" => u128::from(bits as u64),
            _ => bits,
        };
        (ty, bits)
    })
}

/// A module with two functions that return their arguments in reverse order: one does it by itself, the other calls
/// an import.
fn module(types: &[&str]) -> String {
    let forwards = types.join(" ");
    let backwards: Vec<&str> = types.iter().rev().copied().collect();
    let backwards = backwards.join(" ");
    let get = |i: usize| format!("(local.get {i})");
    let gets: String = (0..types.len()).map(get).collect();
    let reversed: String = (0..types.len()).rev().map(get).collect();
    format!(
        r#"(module
            (import "env" "reverse" (func $reverse (param {forwards}) (result {backwards})))
            (func (export "own") (param {forwards}) (result {backwards}) {reversed})
            (func (export "imported") (param {forwards}) (result {backwards})
                {gets} (call $reverse)))"#
    )
}

#[test]
fn every_value_keeps_its_position() {
    let mut js = Js::new();
    js.run(&format!(
        "{BITS}\n{}",
        r#"
        // A reference is an object with its bits.
        fromBits.externref = (bits) => ({ bits });
        toBits.externref = ({ bits }) => bits;
        globalThis.reversed = async (module, types, bits) => {
            const reverse = (...args) => args.length === 1 ? args[0] : args.reverse();
            const guest = await load(module, { env: { reverse } });
            const values = types.map((type, i) => fromBits[type](BigInt(bits[i])));
            const results = ["own", "imported"].map((name) => {
                const back = guest.call(name, values);
                return [values.length === 1 ? back : back.reverse()].flat()
                    .map((value, i) => String(toBits[types[i]](value)));
            });
            guest.drop();
            return results;
        };
        "#
    ));
    let js = RefCell::new(js);
    let run = |parameters: Vec<(&str, u128)>| {
        let (types, bits): (Vec<&str>, Vec<u128>) = parameters.into_iter().unzip();
        let bits: Vec<String> = bits.iter().map(u128::to_string).collect();
        let result = js.borrow_mut().wait(&format!(
            "reversed({}, {}, {})",
            json!(module(&types)),
            json!(types),
            json!(bits)
        ));
        prop_assert_eq!(result, Value::from(vec![json!(bits); 2]), "{:?}", types);
        Ok(())
    };
    let parameters = proptest::collection::vec(parameter(), 1..12);
    runner().run(&parameters, run).unwrap();
}
