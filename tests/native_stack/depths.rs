//! How deep guests, imports and stores call each other.

use serde_json::json;

use super::{SIZES, assert_reached_the_end, run};
use crate::child::this_test;

/// How many levels deep guests and imports have to get on the largest stack. The environment may say
/// otherwise, for builds whose frames are larger: those with AddressSanitizer.
const LEAST_LEVELS: &str = "NATIVE_STACK_LEVELS";

/// How many levels deep a guest and its import call each other, in each of the ways to call.
const LEVELS: &str = r#"
    const recursive = await compile(text(`(module
        (import "env" "invoke" (func $invoke (param i32 i32) (result i32)))
        (table (export "table") 4 funcref)
        (elem (i32.const 1) $depth)
        (func $depth (export "depth") (param i32) (result i32)
            (if (result i32) (i32.eqz (local.get 0))
                (then (i32.const 0))
                (else (i32.add (i32.const 1)
                    (call $invoke (i32.const 1) (i32.sub (local.get 0) (i32.const 1))))))))`));
    let self, depth;
    const ways = {
        function: (_, n) => depth(n),
        table: (f, n) => self.table("table").get(f)(n),
        instance: (_, n) => self.call("depth", [n]),
    };
    const levels = {};
    for (const way in ways) {
        self = await instantiate(recursive, { env: { invoke: ways[way] } });
        depth = self.func("depth");
        levels[way] = [
            most((n) => self.call("depth", [n])),
            await mostAsync((n) => self.callAsync("depth", [n])),
        ];
        if (self.call("depth", [10]) !== 10) throw new Error("unusable");
    }
    return levels;
"#;

#[test]
fn guests_and_imports_call_each_other_a_thousand_levels_deep() {
    for size in SIZES {
        let told = run(this_test!(), size, LEVELS);
        let least = match std::env::var(LEAST_LEVELS) {
            Ok(least) => least.parse().unwrap(),
            Err(_) => 1000,
        };
        let least = if size == 8 << 20 {
            least
        } else {
            20.min(least)
        };
        for (way, levels) in told.as_object().unwrap() {
            for levels in levels.as_array().unwrap() {
                assert!(
                    levels.as_u64().unwrap() >= least,
                    "{way} on {} KiB: {told}",
                    size >> 10
                );
            }
        }
    }
}

#[test]
fn stores_share_the_stack() {
    for size in SIZES {
        let told = run(
            this_test!(),
            size,
            r#"
            let depth;
            const inner = await guest(() => 1);
            const outer = await guest(() => down(inner, depth));
            const edge = most((n) => { depth = 1; return down(outer, n); });
            let returned = 0, exhausted = 0;
            for (depth = 0; depth < 1.2 * edge; depth += Math.ceil(edge / 400)) {
                if (attempt(() => down(outer, depth))) returned++;
                else exhausted++;
            }
            depth = 3;
            return { returned, exhausted, after: down(outer, 4) };
            "#,
        );
        assert_reached_the_end(&told);
        assert_eq!(told["after"], 1 + 3 + 4);
    }
}

#[test]
fn many_stores_in_turns() {
    for size in SIZES {
        let told = run(
            this_test!(),
            size,
            r#"
            const stores = [];
            // Each of them calls the next one.
            let frames, entered;
            const next = () => entered < stores.length ? down(stores[entered++], frames) : 0;
            for (let i = 0; i < 60; i++) stores.push(await guest(next));
            const reached = [];
            for (frames = 1; frames < 20_000; frames = Math.ceil(1.3 * frames)) {
                entered = 0;
                attempt(next);
                reached.push(entered);
            }
            // The first two call each other, with no end.
            let turn = 0;
            frames = 3;
            const ping = await guest(() => down(pong, 1 + turn++ % 7));
            const pong = await guest(() => down(ping, 1 + turn++ % 5));
            const endless = attempt(() => down(ping, 1));
            [frames, entered] = [1, stores.length - 10];
            let after;
            try { after = next(); } catch (error) { throw new Error(describe(error)); }
            return { reached, endless, after };
            "#,
        );
        assert_eq!(told["endless"], false, "{told}");
        assert_eq!(told["after"], 10, "{told}");
    }
}

#[test]
fn exceptions_pass_through_all_levels() {
    for size in SIZES {
        let told = run(
            this_test!(),
            size,
            r#"
            const catches = await load(`(module
                (import "e" "f" (func $f (param i32)))
                (func (export "run") (param i32)
                    (block $caught (result exnref)
                        (try_table (catch_all_ref $caught) (call $f (local.get 0)))
                        (return))
                    (throw_ref)))`,
                { e: { f: (n) => {
                    if (n === 0) throw thrown;
                    catches.call("run", [n - 1]);
                } } });
            const thrown = new Error("from the bottom");
            const run = (n) => {
                try {
                    catches.call("run", [n]);
                } catch (error) {
                    let cause = error;
                    while (cause !== thrown && cause instanceof WasmError) cause = cause.cause;
                    if (cause === thrown) return;
                    if (isExhausted(error)) throw error;
                    throw new Error(describe(error));
                }
                throw new Error("lost");
            };
            const levels = most(run);
            const seen = [attempt(() => run(levels)), attempt(() => run(2 * levels))];
            run(3);
            return { levels, seen };
            "#,
        );
        assert_eq!(told["seen"], json!([true, false]), "{told}");
    }
}

/// A function of a host that a guest exports again is called without a guest's frame, which would look
/// at the stack.
#[test]
fn an_import_that_is_exported_calls_itself() {
    for size in SIZES {
        let told = run(
            this_test!(),
            size,
            r#"
            const again = await load(`(module
                (import "e" "f" (func $f (param i32) (result i32)))
                (export "f" (func $f)))`,
                { e: { f: (n) => n === 0 ? 0 : again.call("f", [n - 1]) + 1 } });
            const levels = most((n) => again.call("f", [n]));
            const levelsAsync = await mostAsync((n) => again.callAsync("f", [n]));
            return [levels, levelsAsync, again.call("f", [10])];
            "#,
        );
        assert_eq!(told[2], 10);
    }
}
