//! When components and their instances are freed.

use serde_json::json;

use crate::component::{echo, with_source};

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
