//! WebAssembly modules as ES modules.

mod app;
mod errors;
mod fence;
mod names;
mod source_phase;

use app::App;
use serde_json::json;

#[test]
fn exports_are_bindings() {
    let shown = App::new(&[
        (
            "guest.wat",
            r#"(module
                (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
                (memory (export "memory") 1)
                (table (export "table") 1 funcref)
                (global (export "answer") i32 (i32.const 42))
                (global (export "large") i64 (i64.const 1))
                (global (export "vector") v128 (v128.const i64x2 1 2))
                (tag (export "tag") (param i32))
                (func (export "default") (result i32) (i32.const 7)))"#,
        ),
        (
            "main.js",
            r#"
                import seven, { add, memory, table, answer, large, vector, tag } from "./guest.wasm";
                import * as guest from "./guest.wasm";
                import * as again from "./other.js";
                const { Memory, Table, Tag, Global, Instance } = WebAssembly;
                const instance = WebAssembly.namespaceInstance(guest);
                show([
                    add(1, 2), seven(), answer, large,
                    [memory instanceof Memory, table instanceof Table, tag instanceof Tag, vector instanceof Global],
                    Reflect.ownKeys(guest).filter((key) => typeof key === "string"),
                    again.memory === memory && again.add === add,
                    [instance instanceof Instance, instance.exports.add === add],
                    await caught(() => WebAssembly.namespaceInstance(again)),
                    await caught(() => guest.add = 1) === "nothing was thrown",
                ]);
            "#,
        ),
        ("other.js", r#"export { add, memory } from "./guest.wasm";"#),
    ])
    .run();
    assert_eq!(
        shown,
        json!([3, 7, 42, "1n", [true, true, true, true],
            ["add", "answer", "default", "large", "memory", "table", "tag", "vector"],
            true, [true, true],
            {"name": "TypeError", "message": "expected the namespace of a WebAssembly module of this WebAssembly object"},
            false])
    );
}

#[test]
fn imports_are_bindings_of_other_modules() {
    let shown = App::new(&[
        (
            "guest.wat",
            r#"(module
                (import "./host.js" "twice" (func $twice (param i32) (result i32)))
                (import "./host.js" "default" (func $default (result i32)))
                (import "./host.js" "memory" (memory 1))
                (import "./host.js" "table" (table 1 funcref))
                (import "./host.js" "tag" (tag $tag (param i32)))
                (import "./host.js" "number" (global $number i32))
                (import "./host.js" "counter" (global $counter (mut i64)))
                (func (export "run") (result i32)
                    (i32.store (i32.const 0) (call $twice (global.get $number)))
                    (global.set $counter (i64.add (global.get $counter) (i64.const 1)))
                    (i32.add (i32.load (i32.const 0)) (call $default)))
                (func (export "throws") (throw $tag (i32.const 5))))"#,
        ),
        (
            "host.js",
            r#"
                export const twice = (x) => 2 * x;
                export default () => 1000;
                export const memory = new WebAssembly.Memory({ initial: 1 });
                export const table = new WebAssembly.Table({ initial: 1, element: "anyfunc" });
                export const tag = new WebAssembly.Tag({ parameters: ["i32"] });
                export const number = 21;
                export const counter = new WebAssembly.Global({ value: "i64", mutable: true }, 6n);
            "#,
        ),
        (
            "main.js",
            r#"
                import { run, throws } from "./guest.wasm";
                import { memory, counter, tag } from "./host.js";
                const sum = run();
                let thrown;
                try { throws(); } catch (error) { thrown = error.getArg(tag, 0); }
                show([sum, new Int32Array(memory.buffer)[0], counter.value, thrown]);
            "#,
        ),
    ])
    .run();
    assert_eq!(shown, json!([1042, 42, "7n", 5]));
}

/// Two modules, the second of which imports from the first.
const CONNECTED: [(&str, &str); 2] = [
    (
        "first.wat",
        r#"(module
            (memory (export "memory") 1)
            (global (export "constant") i32 (i32.const 9))
            (global $count (export "count") (mut i32) (i32.const 5))
            (global (export "vector") (mut v128) (v128.const i64x2 1 2))
            (func (export "increment") (global.set $count (i32.add (global.get $count) (i32.const 1)))))"#,
    ),
    (
        "second.wat",
        r#"(module
            (import "./first.wasm" "memory" (memory 1))
            (import "./first.wasm" "constant" (global i32))
            (import "./first.wasm" "count" (global $count (mut i32)))
            (import "./first.wasm" "vector" (global (mut v128)))
            (import "./first.wasm" "increment" (func $increment))
            (import "./host.js" "during" (func $during (param i32)))
            (export "sameMemory" (memory 0))
            (export "sameIncrement" (func $increment))
            (export "sameCount" (global $count))
            (func (export "reset") (global.set $count (i32.const 100)))
            (func (export "incrementAndCall")
                (call $increment)
                (call $during (i32.const 77))))"#,
    ),
];

#[test]
fn objects_of_other_modules_are_themselves_and_mutable_globals_are_live() {
    let shown = App::new(&[
        CONNECTED[0],
        CONNECTED[1],
        (
            "host.js",
            r#"
                import { count } from "./first.wasm";
                export const seen = [];
                export function during(argument) { seen.push(argument, count); }
            "#,
        ),
        (
            "main.js",
            r#"
                import { constant, count, increment, memory } from "./first.wasm";
                import { incrementAndCall, reset, sameCount, sameIncrement, sameMemory } from "./second.wasm";
                import { seen } from "./host.js";
                const counts = [[count, sameCount]];
                increment();
                counts.push([count, sameCount]);
                reset();
                counts.push([count, sameCount]);
                incrementAndCall();
                counts.push([count, sameCount]);
                show([constant, counts, seen, sameMemory === memory, sameIncrement === increment]);
            "#,
        ),
    ])
    .run();
    assert_eq!(
        shown,
        json!([
            9,
            [[5, 5], [6, 6], [100, 100], [101, 101]],
            [77, 101],
            true,
            true
        ])
    );
}

#[test]
fn a_binding_follows_a_global_that_javascript_sets() {
    let shown = App::new(&[
        (
            "guest.wat",
            r#"(module
                (import "./host.js" "global" (global $g (mut externref)))
                (export "value" (global $g))
                (func (export "clear") (global.set $g (ref.null extern))))"#,
        ),
        (
            "host.js",
            r#"export const global = new WebAssembly.Global({ value: "externref", mutable: true }, "first");"#,
        ),
        (
            "main.js",
            r#"
                import { value, clear } from "./guest.wasm";
                import { global } from "./host.js";
                const values = [value];
                global.value = "second";
                values.push(value);
                clear();
                values.push(value);
                show(values);
            "#,
        ),
    ])
    .run();
    assert_eq!(shown, json!(["first", "second", null]));
}

#[test]
fn a_binding_follows_a_global_that_a_suspended_guest_sets() {
    let shown = App::new(&[
        (
            "guest.wat",
            r#"(module
                (import "./host.js" "wait" (func $wait (result i32)))
                (global $g (export "value") (mut i32) (i32.const 0))
                (func (export "run")
                    (global.set $g (i32.const 1))
                    (global.set $g (i32.add (call $wait) (global.get $g)))))"#,
        ),
        (
            "plain.wat",
            r#"(module
                (global $g (export "value") (mut i32) (i32.const 0))
                (func (export "run") (global.set $g (i32.const 5))))"#,
        ),
        (
            "host.js",
            r#"export const wait = new WebAssembly.Suspending(() => Promise.resolve(10));"#,
        ),
        (
            "main.js",
            r#"
                import { value, run } from "./guest.wasm";
                import { value as plain, run as runPlain } from "./plain.wasm";
                const values = [value, plain];
                const running = WebAssembly.promising(run)();
                values.push(value);
                await running;
                values.push(value);
                await WebAssembly.promising(runPlain)();
                values.push(plain);
                show(values);
            "#,
        ),
    ])
    .run();
    assert_eq!(shown, json!([0, 0, 1, 11, 5]));
}

#[test]
fn a_cycle_with_javascript_has_its_functions() {
    let shown = App::new(&[
        (
            "guest.wat",
            r#"(module
                (import "./main.js" "declared" (func $declared (result i32)))
                (func (export "run") (result i32) (call $declared))
                (func (export "again") (result i32) (i32.const 3)))"#,
        ),
        (
            "main.js",
            r#"
                import { run, again } from "./guest.wasm";
                export function declared() { return 40; }
                const first = run();
                // The guest has the function that there was.
                declared = () => 50;
                show([first, run(), again(), declared()]);
            "#,
        ),
    ])
    .run();
    assert_eq!(shown, json!([40, 40, 3, 50]));
}

#[test]
fn javascript_can_import_from_a_module_that_imports_from_it() {
    let shown = App::new(&[
        (
            "guest.wat",
            r#"(module
                (import "./host.js" "f" (func $f (result i32)))
                (memory (export "memory") 1)
                (func (export "run") (result i32) (call $f)))"#,
        ),
        (
            "host.js",
            r#"
                import { memory } from "./guest.wasm";
                export let early;
                try { memory; } catch (error) { early = error.name; }
                export const f = () => memory.buffer.byteLength;
            "#,
        ),
        (
            "main.js",
            r#"
                import { run } from "./guest.wasm";
                import { early } from "./host.js";
                show([early, run()]);
            "#,
        ),
    ])
    .run();
    assert_eq!(shown, json!(["ReferenceError", 65536]));
}

#[test]
fn builtin_strings_are_there() {
    let shown = App::new(&[
        (
            "guest.wat",
            r#"(module
                (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
                (import "wasm:js/string-constants" "wasm:\"h\u{e9}llo" (global $hello (ref extern)))
                (export "hello" (global $hello))
                (func (export "run") (result i32) (call $length (global.get $hello))))"#,
        ),
        (
            "main.js",
            r#"import { hello, run } from "./guest.wasm"; show([hello, run()]);"#,
        ),
    ])
    .run();
    assert_eq!(shown, json!(["wasm:\"h\u{e9}llo", 11]));
}

#[test]
fn a_module_is_loaded_and_instantiated_once() {
    let mut app = App::new(&[
        (
            "guest.wat",
            r#"(module
                (import "./host.js" "started" (func $started))
                (start $started)
                (func (export "f")))"#,
        ),
        (
            "host.js",
            r#"export let count = 0; export const started = () => { count++; };"#,
        ),
        (
            "main.js",
            r#"
                import { f } from "./guest.wasm";
                import { count } from "./host.js";
                import "./guest.wasm";
                const again = await import("./guest.wasm");
                show([count, again.f === f]);
            "#,
        ),
    ])
    .start();
    assert_eq!(app.run(), json!([1, true]));
    assert_eq!(app.loader.loads.get(), 1);
}

#[test]
fn an_export_named_then_makes_the_module_a_thenable_as_in_javascript() {
    let shown = App::new(&[
        (
            "guest.wat",
            r#"(module
                (import "./host.js" "given" (func $given (param externref externref)))
                (func (export "then") (param externref externref)
                    (call $given (local.get 0) (local.get 1))))"#,
        ),
        (
            "host.js",
            r#"export const given = (resolve, reject) => resolve([typeof resolve, typeof reject]);"#,
        ),
        ("main.js", r#"show(await import("./guest.wasm"));"#),
    ])
    .run();
    assert_eq!(shown, json!(["function", "function"]));
}
