//! When components and their instances are freed.

use ext_wasm::WasmCapabilities;
use serde_json::json;

use super::{echo, with_source};
use crate::support::js::Js;

/// The modules and components, and the instances of both, that are alive.
const LIVE: &str = "[Deno.core.ops.op_wasm_live_modules(), Deno.core.ops.op_wasm_live_instances()]";

#[test]
fn components_that_nothing_refers_to_are_freed() {
    let mut js = with_source(&echo("", &[("bytes", "u8")]));
    let live = js.run(&format!(
        "const before = {LIVE};
         for (let i = 0; i < 5; i++) await wasm.compileComponent(Deno.core.encode(source));
         await collect();
         return [before, {LIVE}];"
    ));
    assert_eq!(live[0], live[1]);
    let live = js.run(&format!(
        "const before = {LIVE};
         for (let i = 0; i < 5; i++) (await component()).drop();
         await collect();
         return [before, {LIVE}];"
    ));
    assert_eq!(live[0], live[1]);
    let live = js.run(&format!(
        "const before = {LIVE};
         for (let i = 0; i < 5; i++) await component();
         await collect();
         return [before, {LIVE}];"
    ));
    assert_eq!(live[0], live[1]);
    assert_eq!(live[0], json!([0, 0]));
}

#[test]
fn what_is_dropped_cannot_be_used() {
    let mut js = with_source(&echo("", &[("bytes", "u8")]));
    let got = js.run(
        "const made = await wasm.compileComponent(Deno.core.encode(source));
         const first = await wasm.instantiateComponent(made);
         const second = await wasm.instantiateComponent(made);
         const { bytes } = first.exports;
         made[Symbol.dispose]();
         made.drop();
         const seen = [await codeOf(() => wasm.instantiateComponent(made)), [...bytes([1])], first.ended];
         first[Symbol.dispose]();
         first.drop();
         seen.push(await codeOf(() => bytes([1])), await codeOf(() => first.call('bytes', [[1]])),
             await codeOf(() => first.callAsync('bytes', [[1]])), await codeOf(() => first.fuel),
             await codeOf(() => first.setFuel(1)), first.ended, [...second.exports.bytes([2])]);
         return seen;",
    );
    assert_eq!(
        got,
        json!([5001, [1], false, 5002, 5002, 5002, 5002, 5002, true, [2]])
    );
}

#[test]
fn an_export_keeps_its_instance() {
    let mut js = with_source(&echo("", &[("bytes", "u8")]));
    let got = js.run(
        "const { bytes } = (await component()).exports;
         await collect();
         return [...bytes([1, 2])];",
    );
    assert_eq!(got, json!([1, 2]));
}

#[test]
fn components_and_their_instances_count_against_the_caps() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_modules = 3;
    capabilities.max_instances = 3;
    let mut js = Js::with(capabilities);
    let got = js.run(
        "const kept = [];
         const source = text('(component (core module $m) (core instance (instantiate $m)))');
         const components = await caught(async () => {
             for (let i = 0; i < 10; i++) kept.push(await wasm.compileComponent(source));
         });
         const made = kept.length;
         const instances = await caught(async () => {
             for (let i = 0; i < 10; i++) kept.push(await wasm.instantiateComponent(kept[0]));
         });
         return [made, components.code, kept.length - made, instances.code];",
    );
    assert_eq!(got, json!([3, 5000, 3, 5001]));
}
