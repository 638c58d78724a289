//! Every bad value that an app passes is an error, and afterwards everything still works.

use serde_json::json;

use crate::support::js::Js;

#[test]
fn import_objects_of_every_kind() {
    let result = Js::new().run(
        r#"
        const module = await compile(text(fixtures.callback));
        const thrower = { get env() { throw new RangeError("mine") } };
        const inner = { env: { get twice() { throw new RangeError("mine") } } };
        const twice = (x) => 2 * x;
        const proxy = new Proxy({ env: new Proxy({ twice }, {}) }, {});
        const refusing = new Proxy({}, { getOwnPropertyDescriptor() { throw new RangeError("mine") } });
        const results = [];
        for (const imports of [null, 5, "env", [], { env: null }, { env: 5 }, { env: {} },
            { env: { twice: {} } }, { env: { twice: "x" } }]) {
            results.push(await codeOf(() => instantiate(module, imports)));
        }
        for (const imports of [thrower, inner, refusing]) {
            results.push((await caught(() => instantiate(module, imports))).message);
        }
        results.push((await instantiate(module, proxy)).call("run", [4]));
        const namespace = Object.assign(() => {}, { twice: (x) => 2 * x });
        results.push((await instantiate(module, { env: namespace })).call("run", [4]));
        return results;
        "#,
    );
    let refused = [5001; 9].map(|code| json!(code));
    let thrown = ["mine"; 3].map(|message| json!(message));
    let worked = [json!(12), json!(12)];
    assert_eq!(
        result,
        json!([&refused[..], &thrown[..], &worked[..]].concat())
    );
}

#[test]
fn arguments_that_run_code() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("add");
        const { add } = instance.namespace;
        const results = [];
        // A getter of an argument calls the same function. The outer call still gets the right arguments.
        const nested = [1, 2];
        Object.defineProperty(nested, 1, { get: () => add(10, 20) });
        results.push(instance.call("add", nested));
        results.push(instance.call("add", new Proxy([3, 4], {})));
        const endless = new Proxy([], { get: (_, key) => key === "length" ? 2 ** 32 - 1 : 0 });
        results.push(await codeOf(() => instance.call("add", endless)));
        const throwing = new Proxy([1, 2], { get() { throw new RangeError("mine") } });
        results.push((await caught(() => instance.call("add", throwing))).message);
        const spoiling = [1, 2];
        Object.defineProperty(spoiling, 0, { get() { instance.drop(); return 1 } });
        results.push(await codeOf(() => instance.call("add", spoiling)));
        results.push((await fixture("add")).call("add", [5, 6]));
        return results;
        "#,
    );
    assert_eq!(result, json!([31, 7, 5005, "mine", 5002, 11]));
}

#[test]
fn buffers_that_are_detached() {
    let result = Js::new().run(
        r#"
        const bytes = new Uint8Array(8);
        Deno.core.ops.op_host_detach(bytes.buffer);
        const instance = await fixture("memory");
        return [
            await codeOf(() => compile(bytes)),
            await codeOf(() => compile(bytes.buffer)),
            await codeOf(() => validate(bytes)),
            await codeOf(() => instance.writeMemory(0, bytes)),
            instance.call("load", [16]),
        ];
        "#,
    );
    assert_eq!(result, json!([5000, 5000, 5005, 5005, 104]));
}

#[test]
fn offsets_and_lengths_of_every_kind() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("memory");
        const codes = [];
        for (const bad of [NaN, -1, -0.5, 0.5, 2 ** 53, Infinity, "0", null, undefined, {}, [0],
            -1n, 2n ** 64n, Symbol(), true]) {
            codes.push(await codeOf(() => instance.readMemory(bad, 1)));
            codes.push(await codeOf(() => instance.readMemory(0, bad)));
            codes.push(await codeOf(() => instance.writeMemory(bad, new Uint8Array(1))));
            codes.push(await codeOf(() => instance.memory().grow(bad)));
            codes.push(await codeOf(() => instance.memory().read(bad, 1)));
        }
        return [
            codes.every((code) => code === 5003),
            instance.readMemory(16n, 1n)[0],
            instance.readMemory(-0, 0).length,
            instance.readMemory(65536, 0).length,
        ];
        "#,
    );
    assert_eq!(result, json!([true, 104, 0, 0]));
}

#[test]
fn names_of_every_kind() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("names");
        const module = await compile(text(fixtures.custom));
        const strange = instance.exports.map(({ name }) => instance.call(name));
        const codes = [];
        for (const name of [5, null, {}, Symbol("x"), undefined, 1n, ["with space"], "toString"]) {
            codes.push(await codeOf(() => instance.call(name)));
            codes.push(await codeOf(() => instance.func(name)));
            codes.push(await codeOf(() => instance.getExport(name)));
        }
        return [
            strange.length,
            Object.keys(instance.namespace).length,
            codes.every((code) => code === 5004),
            await codeOf(() => module.customSections(5)),
            await codeOf(() => compileFile({})),
        ];
        "#,
    );
    assert_eq!(result, json!([7, 7, true, 5005, 5000]));
}

#[test]
fn options_of_every_kind() {
    let result = Js::new().run(
        r#"
        const module = await compile(text("(module (memory 1))"));
        const codes = [];
        for (const options of [null, 5, "x", { fuel: -1 }, { fuel: "1" }, { fuel: NaN },
            { maxMemoryBytes: 0.5 }, { maxMemoryBytes: -1 }, { store: {} }, { store: 5 },
            { timeoutMs: -1 }, { timeoutMs: "1" }, { wasi: null }]) {
            codes.push(await codeOf(() => instantiate(module, {}, options)));
        }
        for (const make of [
            () => new WasmStore(5), () => new WasmStore({ fuel: -1 }),
            () => new WasmMemory({}, { minimum: 1 }), () => new WasmMemory(new WasmStore(), null),
            () => new WasmMemory(new WasmStore(), {}),
            () => new WasmMemory(new WasmStore(), { minimum: 2, maximum: 1 }),
            () => new WasmMemory(new WasmStore(), { minimum: 1, shared: true }),
            () => new WasmMemory(new WasmStore(), { minimum: 2 ** 17 }),
            () => new WasmMemory(new WasmStore(), { minimum: 1, address: "i16" }),
            () => new WasmTable(new WasmStore(), { element: "funcref", minimum: 2 ** 32 }),
            () => new WasmTag(new WasmStore(), { params: 5 }),
        ]) codes.push(await codeOf(make));
        const types = [
            await codeOf(() => new WasmGlobal(new WasmStore(), { value: "i16" }, 0)),
            await codeOf(() => new WasmGlobal(new WasmStore(), { value: "i32" }, "0")),
            await codeOf(() => new WasmTable(new WasmStore(), { element: "i32", minimum: 1 }, 0)),
            await codeOf(() => new WasmTag(new WasmStore(), { params: ["i16"] })),
        ];
        await instantiate(module);
        return [codes.filter((code) => code !== 5001), types];
        "#,
    );
    assert_eq!(result, json!([[], [5005, 5005, 5005, 5005]]));
}

#[test]
fn classes_that_apps_do_not_construct() {
    let result = Js::new().run(
        r#"
        const results = [];
        for (const type of [WasmModule, WasmInstance, WasmReference]) {
            results.push((await caught(() => new type())).name);
            results.push((await caught(() => Reflect.construct(type, [1, {}, 2, 3]))).name);
        }
        const { call } = WasmInstance.prototype;
        results.push((await caught(() => call.call({}, "add", []))).name);
        return results;
        "#,
    );
    assert_eq!(result, json!(vec!["TypeError"; 7]));
}

#[test]
fn patched_builtins_do_not_change_host_wasm() {
    let result = Js::new().run(
        r#"
        const { prototype } = Map;
        const { get, set } = prototype;
        const { isArray } = Array;
        const { isSafeInteger } = Number;
        prototype.get = prototype.set = Array.isArray = Number.isSafeInteger = () => {
            throw new Error("patched");
        };
        try {
            const instance = await fixture("identity");
            const iterator = Array.prototype[Symbol.iterator];
            Array.prototype[Symbol.iterator] = () => { throw new Error("patched"); };
            try {
                const { i64, externref } = instance.namespace;
                return [instance.call("i64", [5]), instance.call("externref", ["x"]), i64(5), externref("x")];
            } finally {
                Array.prototype[Symbol.iterator] = iterator;
            }
        } finally {
            Object.assign(prototype, { get, set });
            Object.assign(Array, { isArray });
            Object.assign(Number, { isSafeInteger });
        }
        "#,
    );
    assert_eq!(result, json!(["5n", "x", "5n", "x"]));
}

/// `undefined` fits an `externref`, but a missing argument is not `undefined`.
#[test]
fn arguments_are_counted() {
    let result = Js::new().run(
        r#"
        const guest = await load(`(module
            (func (export "none"))
            (func (export "extern") (param externref) (result externref) (local.get 0))
            (func (export "both") (param i32 externref) (result externref) (local.get 1))
            (func (export "numbers") (param i32 i32) (result i32) (local.get 0))
            (func (export "bigint") (param i64) (result i64) (local.get 0))
            (func (export "nothing") (param i64 i64)))`);
        const messages = (f) => {
            try {
                return f();
            } catch ({ code, message }) {
                return [code, message];
            }
        };
        const { none, both, numbers, bigint, nothing } = guest.namespace;
        const extern = guest.func("extern");
        return [
            () => none(undefined), () => extern(), () => extern(1, undefined), () => both(1),
            () => numbers(1, 2, undefined), () => numbers(1), () => bigint(), () => bigint(1n, 2n),
            () => nothing(1n, 2n, 3n, 4n), () => guest.call("nothing", [1n]),
        ].map(messages);
        "#,
    );
    assert_eq!(
        result,
        json!([
            [5005, "\"none\" takes 0 arguments, got 1"],
            [5005, "\"extern\" takes 1 arguments, got 0"],
            [5005, "\"extern\" takes 1 arguments, got 2"],
            [5005, "\"both\" takes 2 arguments, got 1"],
            [5005, "\"numbers\" takes 2 arguments, got 3"],
            [
                5005,
                "argument 1 of \"numbers\": expected i32, got undefined"
            ],
            [
                5005,
                "argument 0 of \"bigint\": expected i64, got undefined"
            ],
            [5005, "\"bigint\" takes 1 arguments, got 2"],
            [5005, "\"nothing\" takes 2 arguments, got 4"],
            [5005, "\"nothing\" takes 2 arguments, got 1"]
        ])
    );
}

/// Apps can call the ops, and functions are numbered by thread and not by runtime.
#[test]
fn a_runtime_cannot_call_guests_of_another_runtime() {
    let script = r#"
        globalThis.guest = await load(`(module
            (import "env" "f" (func $f (param i64) (result i64)))
            (func (export "run") (param i32) (result i32) (local.get 0))
            (func (export "through") (param i64) (result i64) (call $f (local.get 0))))`,
            { env: { f: (x) => x } });
        const { run, through } = guest.namespace;
        return [run(1), through(1n)];
    "#;
    let mut one = Js::new();
    assert_eq!(one.run(script), json!([1, "1n"]));
    let result = Js::new().run(
        r#"
        const { ops } = Deno.core;
        const failures = [];
        for (let func = 0; func < 4; func++) {
            for (const call of [
                () => ops.op_wasm_call(func),
                () => ops.op_wasm_call_with_imports(func, [undefined, (x) => x]),
                () => Number.isNaN(ops.op_wasm_call_doubles(func, 1, 2)) ? 7 : 0,
                () => Number.isNaN(ops.op_wasm_call_numbers(func, [], 1, 2)) ? 7 : 0,
            ]) {
                const ended = call();
                try {
                    ops.op_wasm_last_status();
                } catch ({ message }) {
                    failures.push(`${ended} ${message}`);
                }
            }
        }
        return [failures.length, [...new Set(failures)]];
        "#,
    );
    assert_eq!(result, json!([16, ["7 no such function"]]));
}
