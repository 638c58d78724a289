//! The depth to which guests, imports and stores can call each other.

use serde_json::json;

use super::{SIZES, assert_reached_the_end, run};
use crate::support::child::this_test;

/// The environment variable with the number of levels that guests and imports have to reach on the largest stack.
/// Builds with AddressSanitizer set it, because their frames are larger.
const LEAST_LEVELS: &str = "NATIVE_STACK_LEVELS";

/// Returns the number of levels that a guest and its import reach, for each kind of call.
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
    const calls = {
        function: (_, n) => depth(n),
        table: (f, n) => self.table("table").get(f)(n),
        instance: (_, n) => self.call("depth", [n]),
    };
    const levels = {};
    for (const kind in calls) {
        self = await instantiate(recursive, { env: { invoke: calls[kind] } });
        depth = self.func("depth");
        levels[kind] = [
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
        let result = run(this_test!(), size, LEVELS);
        let least = match std::env::var(LEAST_LEVELS) {
            Ok(least) => least.parse().unwrap(),
            Err(_) => 1000,
        };
        let least = if size == 8 << 20 {
            least
        } else {
            20.min(least)
        };
        for (kind, levels) in result.as_object().unwrap() {
            for levels in levels.as_array().unwrap() {
                assert!(
                    levels.as_u64().unwrap() >= least,
                    "{kind} on {} KiB: {result}",
                    size >> 10
                );
            }
        }
    }
}

#[test]
fn stores_share_the_stack() {
    for size in SIZES {
        let result = run(
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
        assert_reached_the_end(&result);
        assert_eq!(result["after"], 1 + 3 + 4);
    }
}

#[test]
fn many_stores_in_turns() {
    for size in SIZES {
        let result = run(
            this_test!(),
            size,
            r#"
            const stores = [];
            // Each store calls the next one.
            let frames, entered;
            const next = () => entered < stores.length ? down(stores[entered++], frames) : 0;
            for (let i = 0; i < 60; i++) stores.push(await guest(next));
            const reached = [];
            for (frames = 1; frames < 20_000; frames = Math.ceil(1.3 * frames)) {
                entered = 0;
                attempt(next);
                reached.push(entered);
            }
            // Two stores call each other without an end.
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
        assert_eq!(result["endless"], false, "{result}");
        assert_eq!(result["after"], 10, "{result}");
    }
}

#[test]
fn exceptions_pass_through_all_levels() {
    for size in SIZES {
        let result = run(
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
        assert_eq!(result["seen"], json!([true, false]), "{result}");
    }
}

/// A host function that a guest re-exports is called without a frame of the guest, which would check the stack.
#[test]
fn an_import_that_is_exported_calls_itself() {
    for size in SIZES {
        let result = run(
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
        assert_eq!(result[2], 10);
    }
}
