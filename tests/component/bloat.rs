//! Memory stays flat over many instances, resources and streams, dropped in every order. Each test has a process of its own,
//! whose memory is measured.

use serde_json::json;

use super::{async_adversary, resources};
use crate::adversary::Attack;
use crate::support::child::this_test;

/// Compiles a component, as `component`.
fn with_source(source: &str, script: &str) -> String {
    let source = serde_json::to_string(source).unwrap();
    format!("const component = await compileComponent(text({source}));\n{script}")
}

#[test]
fn instances_and_their_resources_are_freed() {
    let script = "
        const { op_wasm_yield_now: turn, op_wasm_live_instances: live } = Deno.core.ops;
        let drops = 0;
        const imports = { dropped() { drops++; } };
        const orders = [
            (instance, a, b) => { a[Symbol.dispose](); b[Symbol.dispose](); instance.drop(); },
            (instance, a, b) => { b[Symbol.dispose](); instance.drop(); a[Symbol.dispose](); },
            (instance, a, b) => { instance.drop(); b[Symbol.dispose](); a[Symbol.dispose](); },
            (instance, a) => { instance.exports.take(a); instance.drop(); },
            (instance) => { instance.drop(); },
            // The collector frees the instance and its resources.
            () => {},
        ];
        for (let i = 0; i < many; i++) {
            const instance = await instantiateComponent(component, imports);
            const { Counter } = instance.exports;
            orders[i % orders.length](instance, new Counter(1), new Counter(2));
            if (i % 100 === 0) await turn();
        }
        await collect();
        await collect();
        return [live() <= 1, drops > many / 3];";
    let attack = Attack::new(with_source(resources::GUEST, script)).mebibytes(200);
    assert_eq!(attack.run(this_test!()), json!([true, true]));
}

#[test]
fn asynchronous_instances_and_their_streams_are_freed() {
    let script = "
        const { op_wasm_yield_now: turn, op_wasm_live_instances: live } = Deno.core.ops;
        const imports = { load: async (id) => id };
        const orders = [
            async (instance) => { for await (const chunk of await instance.exports.one()) chunk.length; instance.drop(); },
            async (instance) => { await (await instance.exports.one()).return(); instance.drop(); },
            async (instance) => { const stream = await instance.exports.one(); instance.drop(); await caught(() => stream.next()); },
            async (instance) => { const running = caught(() => instance.exports.run(1)); instance.drop(); await running; },
            async (instance) => { await instance.exports.ignore([[1]]); await instance.exports.one(); },
        ];
        for (let i = 0; i < many / 5; i++) {
            await orders[i % orders.length](await instantiateComponent(component, imports));
            if (i % 100 === 0) await turn();
        }
        // The threads of the instances end beside the event loop.
        while (live() > 1) await collect();
        return true;";
    let attack = Attack::new(with_source(async_adversary::GUEST, script)).mebibytes(250);
    assert_eq!(attack.run(this_test!()), json!(true));
}
