//! Guests that wait for promises: `promising` and `Suspending`.

use serde_json::json;

use super::{Attack, attacks};

/// `make(f)` is a function whose guest waits for the promise that `f` returns, in a store of its own.
const WAITING: &str = r#"
    const W = createWebAssembly();
    const module = new W.Module(wat(`(module (import "env" "wait" (func $wait (param i32) (result i32))) (memory 1)
        (func (export "f") (param i32) (result i32) (call $wait (local.get 0)))
        (func (export "plain") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))`));
    const instance = (f) => new W.Instance(module, { env: { wait: new W.Suspending(f) } }).exports;
    const make = (f) => W.promising(instance(f).f);
    const { op_wasm_yield_now: turn } = Deno.core.ops;
"#;

attacks! {
    fn calls_that_nothing_can_resume_are_collected() {
        Attack::new(format!(r#"{WAITING}
            for (let i = 0; i < many / 5; i++) {{
                make(() => new Promise(() => {{}}))(i);
                if (i % 20 === 0) await turn();
            }}
            // Without a turn of the event loop.
            for (let i = 0; i < 500; i++) make(() => new Promise(() => {{}}))(i);
            return await make((x) => x + 1)(1);"#)).capabilities(|caps| caps.max_running_calls = 100).threads(200)
            => json!(2)
    }

    fn suspended_calls_are_capped() {
        Attack::new(format!(r#"{WAITING}
            const kept = [], resolvers = [];
            let refused;
            const wait = () => new Promise((resolve) => resolvers.push(resolve));
            const functions = [make(wait), make(wait), make(wait)];
            for (let i = 0; i < 200; i++) {{
                const call = functions[i % 3](i);
                call.catch((error) => refused = error);
                kept.push(call);
            }}
            await turn();
            for (const resolve of resolvers) resolve(7);
            const settled = await Promise.allSettled(kept);
            return [resolvers.length, settled.filter(({{ value }}) => value === 7).length, refused.code, refused.message];"#)).capabilities(|caps| caps.max_running_calls = 100)
            => json!([100, 100, 5002, "too many calls run at the same time: the cap is 100"])
    }

    fn calls_leave_nothing_behind() {
        Attack::new(format!(r#"{WAITING}
            const returns = make((x) => Promise.resolve(x));
            const throws = make((x) => Promise.reject(new Error("mine")));
            let failed = 0;
            for (let i = 0; i < many / 4; i++) {{
                if (await returns(i) !== i) throw new Error("wrong");
                try {{ await throws(i); }} catch {{ failed++; }}
            }}
            return failed === many / 4;"#)).mebibytes(250).threads(20)
            => json!(true)
    }

    fn guests_that_wait_for_each_other_without_end_run_out_of_stack() {
        Attack::new(format!(r#"{WAITING}
            let depth = 0, deepest = 0;
            const {{ f, plain }} = instance((x) => {{
                deepest = Math.max(deepest, ++depth);
                return x === 0 ? 0 : wait(x - 1);
            }});
            const wait = W.promising(f);
            const shallow = await wait(50);
            depth = 0;
            const error = await wait(1e6).then(() => undefined, (error) => error);
            return [shallow, deepest > 50, error instanceof RangeError || error.code === 5002, plain(1), await (depth = 0, wait(5))];"#)).threads(20)
            => json!([0, true, true, 2, 0])
    }

    fn raw_ops_resume_calls_in_any_order() {
        Attack::new(format!(r#"{WAITING}
            const {{ ops }} = Deno.core;
            const statuses = new Set();
            let seed = 1;
            const random = (n) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0, (seed >>> 8) % n);
            const any = () => {{
                const call = random(12);
                try {{
                    switch (random(4)) {{
                        case 0: statuses.add(ops.op_wasm_resume_call(call, random(11), [])); break;
                        case 1: ops.op_wasm_end_call(call); break;
                        case 2: statuses.add(ops.op_wasm_start_suspendable_call(random(6), [])); break;
                        case 3: ops.op_wasm_interrupted(call).catch(() => {{}}); break;
                    }}
                }} catch (error) {{
                    statuses.add(error.message);
                }}
            }};
            for (let round = 0; round < 100; round++) {{
                const functions = [0, 1].map(() => make((x) => {{
                    for (let i = 0; i < 3; i++) any();
                    if (random(3) === 0) throw new Error("mine");
                    return random(3) === 0 ? new Promise(() => {{}}) : x;
                }}));
                for (let i = 0; i < 6; i++) {{
                    functions[i % 2](i).catch(() => {{}});
                    any();
                }}
                await turn();
                for (let i = 0; i < 12; i++) ops.op_wasm_end_call(i);
            }}
            return [statuses.size > 3, await make((x) => x)(5)];"#)).threads(1_100)
            => json!([true, 5])
    }
}
