//! Every error code, provoked from TypeScript. The complete errors are in `snapshots/`.

use std::fmt::Write;

use ext_wasm::WasmCapabilities;

use crate::support::js::Js;

/// Runs the scripts, each of which must throw, and compares the errors with a snapshot.
fn snapshot(code: u16, scripts: &[(&str, &str)]) {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_instances = 50;
    snapshot_with(capabilities, &format!("error_{code}"), code, scripts);
}

/// The same in a runtime with these capabilities.
fn snapshot_with(capabilities: WasmCapabilities, name: &str, code: u16, scripts: &[(&str, &str)]) {
    let mut js = Js::with(capabilities);
    let mut errors = String::new();
    for (case, script) in scripts {
        let error = js.run(&format!(
            "return tell(await caught(async () => {{ {script} }}))"
        ));
        assert_eq!(error["code"], code, "{case}: {error:#}");
        writeln!(errors, "{case}\n{error:#}\n").unwrap();
    }
    crate::support::snapshots(|| insta::assert_snapshot!(name, errors.trim_end()));
}

#[test]
fn compile_error() {
    snapshot(
        5000,
        &[
            (
                "bytes that are not wasm",
                "await compile(new Uint8Array([1, 2, 255]))",
            ),
            ("no bytes at all", "await compile(new Uint8Array())"),
            ("malformed text", "await compile(text('(module (func'))"),
            (
                "a type error",
                "await compile(text('(module (func (result i32) (i64.const 0)))'))",
            ),
            (
                "a truncated binary",
                "await compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1]))",
            ),
            ("not a buffer", "await compile('(module)')"),
            (
                "a file that is not granted",
                "await compileFile('wat/add.wat')",
            ),
            ("a path that is not a string", "await compileFile(5)"),
        ],
    );
}

#[test]
fn files_that_are_refused() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_file_compile = true;
    capabilities.compile_paths = vec!["wat".into()];
    capabilities.module_limits.max_binary_bytes = 170;
    capabilities.module_limits.max_text_bytes = 170;
    let cases = [
        ("a file that is not granted", "await compileFile('LICENSE')"),
        (
            "a file beside the granted folder",
            "await compileFile('wat/../LICENSE')",
        ),
        (
            "a file that is missing",
            "await compileFile('wat/missing.wat')",
        ),
        ("a folder", "await compileFile('wat')"),
        (
            "a name that has to be escaped",
            "await compileFile('wat/\\u001b[2J\\n')",
        ),
        (
            "a file over its cap",
            "await compileFile('wat/exceptions.wat')",
        ),
    ];
    snapshot_with(capabilities.clone(), "refused_files", 5000, &cases);

    // The same runtime does compile a file that is granted.
    let exports =
        Js::with(capabilities).run("return (await compileFile('wat/add.wat')).exports.length");
    assert_eq!(exports, 1);
}

#[test]
fn instantiate_error() {
    snapshot(
        5001,
        &[
            ("imports that are missing", "await fixture('callback')"),
            ("imports that are null", "await fixture('callback', null)"),
            (
                "an import module that is missing",
                "await fixture('callback', {})",
            ),
            (
                "an import that is missing",
                "await fixture('callback', { env: {} })",
            ),
            (
                "an import of the wrong kind",
                "await fixture('callback', { env: { twice: 5 } })",
            ),
            (
                "a function of the wrong type",
                "const env = await fixture('env');
                 await load('(module (import \"env\" \"log\" (func (param i64))))',
                     { env: env.namespace })",
            ),
            (
                "a global that does not fit",
                "await load('(module (import \"env\" \"answer\" (global i32)))',
                     { env: { answer: 1.5 } })",
            ),
            (
                "a mutable global as a number",
                "await load('(module (import \"env\" \"answer\" (global (mut i32))))',
                     { env: { answer: 1 } })",
            ),
            (
                "imports of two stores",
                "const a = await fixture('env');
                 const b = await fixture('env');
                 await load(`(module (import \"a\" \"log\" (func (param i32)))
                     (import \"b\" \"memory\" (memory 1)))`,
                     { a: a.namespace, b: b.namespace })",
            ),
            (
                "an import of another store than the option says",
                "const a = await fixture('env');
                 await load('(module (import \"a\" \"log\" (func (param i32))))',
                     { a: a.namespace }, { store: new WasmStore() })",
            ),
            (
                "limits for a store that exists",
                "await load('(module)', {}, { store: new WasmStore(), fuel: 5 })",
            ),
            (
                "a memory over its cap",
                "await fixture('memory', {}, { maxMemoryBytes: 1000 })",
            ),
            (
                "a huge memory",
                "await load('(module (memory i64 0x100000000))')",
            ),
            (
                "a dropped module",
                "const m = await compile(text('(module)')); m.drop();
                 await instantiate(m)",
            ),
            (
                "something else than a module",
                "await instantiate({ id: 1 })",
            ),
            (
                "WASI not granted",
                "await load('(module)', {}, { wasi: {} })",
            ),
            (
                "WASI not asked for",
                "await load('(module (import \"wasi_snapshot_preview1\" \"sched_yield\" (func (result i32))))')",
            ),
            (
                "an unusable WASI config",
                "await load('(module)', {}, { wasi: { args: 'a' } })",
            ),
            (
                "a deadline that is none",
                "await load('(module)', {}, { timeoutMs: -5 })",
            ),
            (
                "fuel that is not an integer",
                "await load('(module)', {}, { fuel: 0.5 })",
            ),
            (
                "too many instances",
                "const all = []; for (let i = 0; i < 60; i++) all.push(await load('(module)'))",
            ),
        ],
    );
}

#[test]
fn runtime_error() {
    let traps = [
        "unreachable",
        "divide",
        "overflow",
        "convert",
        "memory_bounds",
        "table_bounds",
        "null_element",
        "signature",
        "null_struct",
        "array_bounds",
        "cast",
        "exhaust",
    ];
    let scripts = traps.map(|trap| format!("(await fixture('traps')).call('{trap}')"));
    let mut cases: Vec<_> = traps
        .iter()
        .zip(&scripts)
        .map(|(trap, script)| (*trap, script.as_str()))
        .collect();
    cases.extend([
        (
            "a trap in a start function",
            "await load('(module (func $f unreachable) (start $f))')",
        ),
        (
            "a call that takes too long",
            "(await fixture('spin', {}, { timeoutMs: 5 })).call('forever')",
        ),
        (
            "an import that throws",
            "const twice = () => { throw new RangeError('no') };
             (await fixture('callback', { env: { twice } })).call('run', [1])",
        ),
        (
            "an import that throws undefined",
            "const twice = () => { throw undefined };
             (await fixture('callback', { env: { twice } })).call('run', [1])",
        ),
        (
            "an import that another guest's trap passes",
            "const traps = await fixture('traps');
             const twice = () => traps.call('divide');
             (await fixture('callback', { env: { twice } })).call('run', [1])",
        ),
        (
            "an uncaught exception",
            "(await fixture('exceptions')).call('throw', [1])",
        ),
        (
            "a dropped instance",
            "const i = await fixture('add'); i.drop(); i.call('add', [1, 2])",
        ),
        (
            "a function of a dropped store",
            "const i = await fixture('add'); const add = i.func('add'); i.drop(); add(1, 2)",
        ),
        (
            "fuel for a store without a budget",
            "(await fixture('add')).setFuel(5)",
        ),
    ]);
    snapshot(5002, &cases);
}

#[test]
fn memory_error() {
    snapshot(
        5003,
        &[
            (
                "a read past the end",
                "(await fixture('memory')).readMemory(65535, 2)",
            ),
            (
                "a write past the end",
                "(await fixture('memory')).writeMemory(65536, new Uint8Array(1))",
            ),
            (
                "a negative offset",
                "(await fixture('memory')).readMemory(-1, 1)",
            ),
            (
                "a fractional offset",
                "(await fixture('memory')).readMemory(0.5, 1)",
            ),
            (
                "an offset that is not a number",
                "(await fixture('memory')).readMemory(NaN, 1)",
            ),
            (
                "an offset of 2^53",
                "(await fixture('memory')).readMemory(2 ** 53, 1)",
            ),
            (
                "a length of 2^53 - 1",
                "(await fixture('memory')).readMemory(1, 2 ** 53 - 1)",
            ),
            ("no memory", "(await fixture('add')).readMemory(0, 1)"),
            (
                "no such memory",
                "(await fixture('memory')).readMemory(0, 1, 'other')",
            ),
            (
                "growth past the maximum",
                "(await fixture('memory')).memory().grow(3)",
            ),
            (
                "growth past the cap",
                "(await fixture('memory', {}, { maxMemoryBytes: 65536 })).memory().grow(1)",
            ),
            (
                "a table's element past the end",
                "(await fixture('tables')).table('table').get(3)",
            ),
        ],
    );
}

#[test]
fn function_not_found() {
    snapshot(
        5004,
        &[
            (
                "no such export",
                "(await fixture('add')).call('sub', [1, 2])",
            ),
            ("a memory", "(await fixture('memory')).call('memory')"),
            (
                "a name that is not a string",
                "(await fixture('add')).call(5, [])",
            ),
            (
                "no such export to describe",
                "(await fixture('add')).getExport('sub')",
            ),
            ("no such global", "(await fixture('add')).global('sub')"),
        ],
    );
}

#[test]
fn type_mismatch() {
    snapshot(
        5005,
        &[
            (
                "too few arguments",
                "(await fixture('add')).call('add', [1])",
            ),
            (
                "too many arguments",
                "(await fixture('add')).call('add', [1, 2, 3])",
            ),
            (
                "a string for an i32",
                "(await fixture('add')).call('add', [1, '2'])",
            ),
            (
                "a fraction for an i32",
                "(await fixture('add')).call('add', [1, 2.5])",
            ),
            (
                "too much for an i32",
                "(await fixture('add')).call('add', [1, 2 ** 32])",
            ),
            (
                "a bigint for an i32",
                "(await fixture('add')).call('add', [1, 2n])",
            ),
            (
                "a hole for an i32",
                "(await fixture('add')).call('add', [1, , ])",
            ),
            (
                "too much for an i64",
                "(await fixture('identity')).call('i64', [2n ** 64n])",
            ),
            (
                "an unsafe number for an i64",
                "(await fixture('identity')).call('i64', [2 ** 53])",
            ),
            (
                "a bigint for an f64",
                "(await fixture('identity')).call('f64', [1n])",
            ),
            (
                "15 bytes for a v128",
                "(await fixture('identity')).call('v128', [new Uint8Array(15)])",
            ),
            (
                "a JavaScript function for a funcref",
                "(await fixture('identity')).call('funcref', [() => {}])",
            ),
            (
                "a number for an anyref",
                "(await fixture('identity')).call('anyref', [1])",
            ),
            (
                "arguments that are not an array",
                "(await fixture('add')).call('add', 5)",
            ),
            (
                "an import's unusable result",
                "(await fixture('callback', { env: { twice: () => 'x' } })).call('run', [1])",
            ),
            (
                "an import's unusable results",
                "const f = () => [1];
                 (await load(`(module (import \"env\" \"f\" (func (result i32 i32)))
                     (export \"f\" (func 0)) (func (export \"g\") (call 0) drop drop))`,
                     { env: { f } })).call('g')",
            ),
            (
                "an immutable global",
                "(await fixture('globals')).global('i32').value = 1",
            ),
            (
                "bytes that are not a buffer",
                "(await fixture('memory')).writeMemory(0, [1, 2])",
            ),
        ],
    );
}

#[test]
fn fuel_exhausted() {
    snapshot(
        5006,
        &[
            (
                "in a call",
                "(await fixture('spin', {}, { fuel: 10_000 })).call('forever')",
            ),
            (
                "in a start function",
                "await load('(module (func $f (loop (br 0))) (start $f))', {}, { fuel: 1000 })",
            ),
            (
                "with none at all",
                "(await fixture('add', {}, { fuel: 0 })).call('add', [1, 2])",
            ),
        ],
    );
}

#[test]
fn errors_that_apps_make() {
    let mut js = Js::new();
    let result = js.run(
        "const cause = {};
         const kinds = [undefined, ...Object.values(WasmErrorCode)].map((code) => new WasmError('m', code));
         const { cause: kept, message } = new WasmError('m', 5000, { cause });
         return [kinds.map(({ code, kind }) => `${code} ${kind}`), kept === cause, message];",
    );
    let all = [
        "5002 RuntimeError",
        "5000 CompileError",
        "5001 InstantiateError",
        "5002 RuntimeError",
        "5003 MemoryError",
        "5004 FunctionNotFound",
        "5005 TypeMismatch",
        "5006 FuelExhausted",
    ];
    assert_eq!(result, serde_json::json!([all, true, "m"]));
}
