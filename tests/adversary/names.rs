//! Names and text of a guest in stack traces, messages and namespaces.

use serde_json::json;

use super::{Attack, attacks};

attacks! {
    fn a_frame_is_a_line_whatever_its_function_is_called() {
        Attack::new(r#"
            const head = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 5, 1, 3, 0, 0, 11];
            const leb = (n) => n < 128 ? [n] : [n & 127 | 128, ...leb(n >>> 7)];
            const section = (content) => [0, ...leb(5 + content.length), 4, 110, 97, 109, 101, ...content];
            const named = (bytes) => section([1, ...leb(2 + leb(bytes.length).length + bytes.length), 1, 0, ...leb(bytes.length), ...bytes]);
            const long = (text, n) => Array.from({ length: n }, (_, i) => text.charCodeAt(i % text.length));
            const sections = { none: [], good: named([104, 105]), "line feed": named([97, 10, 98]), "return": named([97, 13, 98]),
                separator: named([0xe2, 0x80, 0xa8]), escape: named([27, 91, 50, 74]), empty: named([]), nul: named([0]),
                "right to left": named([0xe2, 0x80, 0xae]), long: named(long("xy", 90_000)), garbage: section([255, 255, 255, 255, 255]),
                "not UTF-8": named([0xff, 0xfe]), "too large": section([1, 100, 1, 0, 1, 97]) };
            const wrong = [];
            for (const [kind, bytes] of Object.entries(sections)) {
                const error = await caught(async () => (await instantiate(await compile(new Uint8Array([...head, ...bytes])))).call("f"));
                const lines = error.wasmStack?.split(/[\n\r\u2028\u2029]/);
                const plain = /^[^\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]*$/.test(error.wasmStack);
                if (error.code !== 5002 || lines?.length !== 1 || !plain || error.wasmStack.length > 200) wrong.push([kind, `${error}`, error.wasmStack]);
            }
            return wrong;"#)
            => json!([])
    }

    fn messages_are_short_and_plain() {
        Attack::new(r#"
            const hostile = ["a\nb", "\u001b[31m", "\u202e", "x".repeat(90_000), "\u0000", "\u2028", "é".repeat(40_000)];
            const wrong = [];
            const check = async (kind, f) => {
                const { code, message } = await caught(f);
                const plain = /^[^\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]*$/.test(message);
                if (code === undefined || message.length > 600 || !plain || /^a$|^b"/m.test(message)) wrong.push([kind, code, message.slice(0, 700)]);
            };
            for (const name of hostile) {
                const quoted = [...text(name)].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");
                const instance = await load(`(module (func (export "${quoted}") (param i32)) (global (export "g") i32 (i32.const 0)))`);
                await check("arguments", () => instance.call(name));
                await check("argument", () => instance.call(name, ["x"]));
                await check("export", () => instance.call(`${name}!`));
                await check("kind", () => instance.global(name));
                const importing = await compile(text(`(module (import "${quoted}" "${quoted}" (func $f (result i32))) (func (export "g") (result i32) (call $f)))`));
                for (const imports of [{}, { [name]: 5 }, { [name]: {} }, { [name]: { [name]: 5 } }, { [name]: { [name]: instance.global("g") } }]) {
                    await check("import", () => instantiate(importing, imports));
                }
                await check("throws", async () => (await instantiate(importing, { [name]: { [name]: () => { throw 1; } } })).call("g"));
                await check("returns", async () => (await instantiate(importing, { [name]: { [name]: () => "x" } })).call("g"));
                await check("twice", () => compile(text(`(module (func (export "${quoted}")) (func (export "${quoted}")))`)));
                await check("text", () => compile(text(`(module ${name}`)));
                await check("file", () => compileFile(name));
                for (const wasi of [{ preopens: { [name]: 5 } }, { env: { [name]: 5 } }, { stdout: name }, { args: [name, 5] }]) {
                    await check("wasi", () => new WasmStore({ wasi }));
                }
                await check("type", () => new WasmGlobal(new WasmStore(), { value: name }, 5));
                await check("address", () => new WasmMemory(new WasmStore(), { minimum: 1, address: name }));
                await check("tag", () => new WasmTag(new WasmStore(), { params: [name] }));
            }
            await check("bigint", () => new WasmStore({ fuel: 1n << 60000n }));
            for (const length of [1e3, 2e7]) await check("zeros", () => compile(new Uint8Array(length)));
            await check("one long line", () => compile(text(`(module (func ${"i32.const 0 ".repeat(1e5)} nonsense))`)));
            return wrong;"#)
            => json!([])
    }

    fn long_names_that_were_concatenated_are_found() {
        Attack::new(r#"
            const count = 100, prefix = "n".repeat(600);
            // Not the literal text: an engine may keep a concatenated string in parts.
            const name = (i) => prefix + `${i}` + prefix;
            const each = (part) => Array.from({ length: count }, (_, i) => part(i)).join("\n");
            const module = await compile(text(`(module ${each((i) => `(import "${name(0)}" "${name(i)}" (func $i${i} (result i32)))`)}
                ${each((i) => `(func (export "${name(i)}") (result i32) (i32.add (call $i${i}) (i32.const 1)))`)}
                (memory (export "${name("m")}") 1) (global (export "${name("g")}") (mut i32) (i32.const 7)))`));
            const imports = {};
            for (let i = 0; i < count; i++) imports[name(i)] = () => i;
            const instance = await instantiate(module, { [name(0)]: imports });
            const W = createWebAssembly();
            const { exports } = new W.Instance(new W.Module(wat(`(module (func (export "${name(1)}") (result i32) (i32.const 9)))`)));
            const wrong = [];
            for (let i = 0; i < count; i++) {
                const results = [instance.call(name(i)), instance.func(name(i))(), instance.exports[i].name === name(i), instance.getExport(name(i)).kind,
                    instance.func(name(i)) === instance.func(name(i)), await instance.callAsync(name(i))];
                if (JSON.stringify(results) !== JSON.stringify([i + 1, i + 1, true, "function", true, i + 1])) wrong.push([i, ...results]);
            }
            return [wrong, instance.memory(name("m")).byteLength, instance.global(name("g")).value, exports[name(1)](),
                (await caught(() => instance.call(name("x")))).code];"#)
            => json!([[], 65536, 7, 9, 5004])
    }

    fn names_with_a_meaning_in_javascript() {
        Attack::new(r#"
            const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "", "\0", "a\0b", "\u{1F600}", "\uFEFFbom", "then",
                "length", "\u200B", "prototype", "valueOf", " ", "0", "-1", "toJSON"];
            const quoted = (name) => [...text(name)].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");
            const module = await compile(text(`(module ${names.map((n, i) => `(import "env" "${quoted(n)}" (func $i${i} (result i32)))`).join(" ")}
                ${names.map((n, i) => `(func (export "${quoted(n)}") (result i32) (i32.add (call $i${i}) (i32.const 1)))`).join(" ")})`));
            const env = {};
            names.forEach((name, i) => Object.defineProperty(env, name, { value: () => i * 10 }));
            const wrong = [];
            const check = async () => {
                const instance = await instantiate(module, { env });
                names.forEach((name, i) => {
                    const results = [instance.call(name), instance.func(name)(), instance.namespace[name](), instance.getExport(name).name === name,
                        module.exports[i].name === name, module.imports[i].name === name];
                    if (String(results) !== String([i * 10 + 1, i * 10 + 1, i * 10 + 1, true, true, true])) wrong.push([name, results]);
                });
                if (Object.keys(instance.namespace).length !== names.length) wrong.push("keys");
            };
            await check();
            const iterate = Array.prototype[Symbol.iterator];
            Array.prototype[Symbol.iterator] = function () { throw new Error("patched"); };
            Object.defineProperty(Object.prototype, "env", { value: null, configurable: true });
            try { await check(); } finally { Array.prototype[Symbol.iterator] = iterate; delete Object.prototype.env; }
            wrong.push(await codeOf(async () => (await instantiate(module, { env })).call("isPrototypeOf")));
            return wrong;"#)
            => json!([5004])
    }
}
