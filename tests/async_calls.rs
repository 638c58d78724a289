//! Calls that the event loop does not wait for.

mod endings;
mod imports;
mod results;

use ext_wasm::WasmCapabilities;
use serde_json::{Value, json};

use crate::support::js::Js;

/// A guest with functions that compute, loop for ever, and call imports.
const GUEST: &str = r#"(module
    (import "env" "ask" (func $ask (param i32) (result i32)))
    (import "env" "give" (func $give (param externref) (result externref)))
    (memory (export "memory") 1)
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "swap") (param i64 externref f64) (result f64 externref i64)
        (local.get 2) (local.get 1) (local.get 0))
    (func (export "nothing"))
    (func (export "trap") unreachable)
    (func (export "mark_and_spin") (param i32)
        (i32.store (i32.const 0) (local.get 0))
        (loop $again (br $again)))
    (func (export "ask") (param i32) (result i32) (call $ask (local.get 0)))
    (func (export "give") (param externref) (result externref) (call $give (local.get 0)))
    (func (export "ask_and_mark") (param i32)
        (i32.store (i32.const 0) (call $ask (local.get 0))))
    (func (export "ask_and_spin") (param i32)
        (drop (call $ask (local.get 0)))
        (loop $again (br $again)))
    (func (export "catch") (param i32) (result i32)
        (block $caught
            (try_table (catch_all $caught) (return (call $ask (local.get 0))))
            (unreachable))
        (i32.const -1))
    (func (export "grow") (result i32) (memory.grow (i32.const 1))))"#;

/// `guest(options, ask, give)` makes an instance, `mark(instance)` reads the number that the guest wrote, `turn()`
/// lets the event loop run once, and `AbortController` stands in for the class of a host.
pub const HELPERS: &str = r#"
    const guest = (options, ask = () => 0, give = (value) => value) =>
        load(GUEST, { env: { ask, give } }, options);
    const mark = (instance) => new DataView(instance.memory().buffer).getInt32(0, true);
    const turn = () => Deno.core.ops.op_wasm_yield_now();
    const later = async (value) => { await turn(); await turn(); return value; };
    class AbortController {
        signal = {
            aborted: false, reason: undefined, listeners: new Set(),
            addEventListener(_, listener) { this.listeners.add(listener); },
            removeEventListener(_, listener) { this.listeners.delete(listener); },
        };
        abort(reason) {
            if (this.signal.aborted) return;
            Object.assign(this.signal, { aborted: true, reason });
            for (const listener of this.signal.listeners) listener();
        }
    }
"#;

fn script(body: &str) -> String {
    format!("const GUEST = {};\n{HELPERS}\n{body}", json!(GUEST))
}

fn run_with(capabilities: WasmCapabilities, body: &str) -> Value {
    Js::with(capabilities).run(&script(body))
}

fn run(body: &str) -> Value {
    run_with(WasmCapabilities::default(), body)
}

fn with_wasi() -> WasmCapabilities {
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_wasi = true;
    capabilities
}
