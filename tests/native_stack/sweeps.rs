//! All kinds of actions of a script, at all depths of the stack.

use super::{SIZES, assert_reached_the_end, run};
use crate::support::child::this_test;

/// The actions, and a function that performs them at given depths.
const ACTIONS: &str = r#"
    let bottom = () => 0;
    const caller = await guest(() => bottom());
    const other = await guest((x) => x);
    const third = await guest((x) => down(other, 1, x));
    const throws = await guest(() => { throw "thrown"; });
    const fueled = await guest((x) => x, { fuel: 1_000_000_000 });
    const timed = await guest((x) => x, { timeoutMs: 60_000 });
    const wasi = await load(String.raw`(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 8) "\10\00\00\00\01\00\00\00")
        (func (export "write") (result i32)
            (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0))))`,
        {}, { wasi: {} });
    const grows = await load(`(module
        (memory (export "memory") 0 100)
        (func (export "grow") (result i32) (memory.grow (i32.const 0))))`);
    const garbage = await load(`(module
        (type $array (array i32))
        (func (export "make") (result i32)
            (array.len (array.new_default $array (i32.const 10000)))))`);
    const starts = await compile(text(`(module
        (import "e" "f" (func $f)) (start $f))`));
    const endless = () => endless() + 1;
    const proxy = new Proxy({}, { get: (_, name, self) => self[name] });
    const coerced = { valueOf: () => coerced * 1 };
    let running = [];
    const ACTIONS = {
        nothing: () => 0,
        same: () => down(caller, 2) + 0,
        other: () => down(other, 30),
        others: () => down(third, 3),
        fueled: () => down(fueled, 3),
        timed: () => down(timed, 3),
        trap: () => { try { other.call("trap"); } catch (e) { if (e.trap !== "unreachable") throw e; } return 0; },
        thrown: () => { try { down(throws, 3); } catch (e) { if (e.cause !== "thrown") throw e; } return 0; },
        refused: () => { try { other.call("down", ["x", 1]); } catch (e) { if (e.code !== 5005) throw e; } return 0; },
        missing: () => { try { other.call("missing"); } catch (e) { if (e.code !== 5004) throw e; } return 0; },
        wasi: () => wasi.call("write"),
        grow: () => grows.call("grow") + grows.memory().byteLength,
        garbage: () => garbage.call("make"),
        collect: () => { Deno.core.ops.op_wasm_collect_js(); return 0; },
        async: () => { running[running.length] = other.callAsync("down", [3, 1]); return 0; },
        started: () => { running[running.length] = instantiate(starts, { e: { f() { down(other, 3); } } }); return 0; },
        endless: () => endless(),
        proxy: () => proxy.x,
        coerced: () => coerced * 1,
        error: () => new Error("x").stack.length,
        json: () => JSON.stringify(JSON.parse("[".repeat(200) + "]".repeat(200))).length,
        pattern: () => /(a*)*b/.test("aaaaaaaa") ? 1 : 0,
    };
    // Performs every action at each of these depths. `reach` recurses to a depth and performs the action there.
    const sweep = async (reach, depths) => {
        const ended = { returned: 0, exhausted: 0 };
        for (const name in ACTIONS) {
            const action = ACTIONS[name];
            // This one recurses on its own to the end of the stack: from far away on a large one, that takes seconds.
            const isSlow = name === "same" && STACK > 2 ** 21;
            for (const depth of isSlow ? depths.slice(-depths.length * 0.3) : depths) {
                try {
                    if (attempt(() => reach(depth, action))) ended.returned++;
                    else ended.exhausted++;
                    for (const promise of running) await promise.catch((error) => {
                        if (!isExhausted(error)) throw error;
                    });
                } catch (error) {
                    throw new Error(`${name} at ${depth}: ${describe(error)}`);
                }
                running = [];
            }
            // After every action, ordinary calls still work.
            bottom = () => 0;
            if (down(caller, 5) !== 5 || down(third, 2, 1) !== 4) throw new Error(`after ${name}`);
        }
        return ended;
    };
    const range = (from, to, steps) =>
        Array.from({ length: steps }, (_, i) => Math.max(1, Math.round(from + (to - from) * i / steps)));
"#;

/// Runs a script that sweeps over depths, on each size of stack.
fn sweep(test: &str, script: &str) {
    for size in SIZES {
        let result = run(
            test,
            size,
            &format!("const STACK = {size};\n{ACTIONS}\n{script}"),
        );
        assert_reached_the_end(&result);
    }
}

#[test]
fn anything_below_a_guest() {
    sweep(
        this_test!(),
        "const reach = (frames, action) => { bottom = action; return down(caller, frames); };
         const edge = most((frames) => reach(frames, () => 0));
         return await sweep(reach, range(edge - 8000, edge + 200, 40));",
    );
}

#[test]
fn anything_below_javascript() {
    sweep(
        this_test!(),
        "const edge = most((frames) => javascript(frames, () => 0));
         // The size of a JavaScript frame changes when V8 compiles the function.
         return await sweep(javascript, range(edge * 0.4, edge + 20, 25));",
    );
}

#[test]
fn anything_below_javascript_below_a_guest() {
    sweep(
        this_test!(),
        "const frames = Math.floor(most((frames) => { bottom = () => 0; return down(caller, frames); }) * 0.9);
         const reach = (deep, action) => {
             bottom = () => javascript(deep, action);
             return down(caller, frames);
         };
         const edge = most((deep) => reach(deep, () => 0));
         return await sweep(reach, range(edge * 0.5, edge + 20, 30));",
    );
}

#[test]
fn anything_below_a_guest_below_javascript() {
    sweep(
        this_test!(),
        "const deep = Math.floor(most((deep) => javascript(deep, () => 0)) * 0.4);
         const reach = (frames, action) => {
             bottom = action;
             return javascript(deep, () => down(caller, frames));
         };
         const edge = most((frames) => reach(frames, () => 0));
         return await sweep(reach, range(edge * 0.3, edge + 200, 25));",
    );
}

#[test]
fn anything_in_an_import_of_an_asynchronous_call() {
    for size in SIZES {
        let result = run(
            this_test!(),
            size,
            &format!(
                "{ACTIONS}
                const asyncCaller = await guest((x) => bottom(x));
                const reach = async (frames, action) => {{
                    bottom = action;
                    try {{
                        await asyncCaller.callAsync('down', [frames, 0]);
                        return true;
                    }} catch (error) {{
                        if (!isExhausted(error)) throw error;
                        return false;
                    }}
                }};
                let edge = 1;
                while (await reach(2 * edge, () => 0)) edge *= 2;
                const ended = {{ returned: 0, exhausted: 0 }};
                for (const name in ACTIONS) {{
                    for (const frames of range(1, 2 * edge, 8)) {{
                        if (await reach(frames, ACTIONS[name])) ended.returned++;
                        else ended.exhausted++;
                        for (const promise of running) await promise;
                        running = [];
                    }}
                    if (!await reach(7, () => 0)) throw new Error(`after ${{name}}`);
                }}
                // The import calls its own store again and again.
                let levels = 0;
                if (await reach(10, () => down(asyncCaller, levels++ % 50))) throw new Error('returned');
                if (!await reach(7, () => 0)) throw new Error('unusable');
                return ended;"
            ),
        );
        assert_reached_the_end(&result);
    }
}
