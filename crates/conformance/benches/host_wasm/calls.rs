//! Calls from JavaScript into guests, and from guests into JavaScript.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use wasmtime::{Func, Instance, Module, Store, TypedFunc, WasmParams, WasmResults};

use crate::js::Js;
use crate::measure::{Bench, Subject};
use crate::raw::{self, Guest, ok};

/// The number of calls in one round.
pub const CALLS: u32 = if cfg!(feature = "quickjs") {
    50_000
} else {
    500_000
};
/// The number of slow calls in one round: calls with WASI, and asynchronous calls.
const SLOW_CALLS: u32 = 2_000;

pub const FUNCTIONS: &str = r#"(module
    (func (export "i32") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "i64") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
    (func (export "f64") (param f64 f64) (result f64) (f64.add (local.get 0) (local.get 1)))
    (func (export "mixed8") (param i32 i64 f32 f64 i32 i64 f32 f64) (result f64)
        (f64.add
            (f64.add
                (f64.convert_i32_s (i32.add (local.get 0) (local.get 4)))
                (f64.convert_i64_s (i64.add (local.get 1) (local.get 5))))
            (f64.add
                (f64.promote_f32 (f32.add (local.get 2) (local.get 6)))
                (f64.add (local.get 3) (local.get 7))))))"#;

/// A guest that calls an import a given number of times.
pub const IMPORTS: &str = r#"(module
    (import "env" "f" (func $f (param i32) (result i32)))
    (func (export "loop") (param $n i32) (result i32) (local $sum i32)
        (loop $more
            (local.set $sum (i32.add (local.get $sum) (call $f (local.get $n))))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func (export "one") (param i32) (result i32) (call $f (local.get 0))))"#;

pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    // Each row has a loop function of its own, so that the engine does not optimise two rows together.
    let js = Js::new(&format!(
        r#"
        const instance = await instantiate(await compile(text(`{FUNCTIONS}`)));
        const {{ op_bench_add_i32, op_bench_add_i64, op_bench_add_f64, op_bench_mixed8 }} = ops;
        const [i32, i64, f64, mixed8] =
            ["i32", "i64", "f64", "mixed8"].map((name) => instance.func(name));
        globalThis.i32 = (n) => {{ for (let i = 0; i < n; i++) i32(i, 1); }};
        globalThis.opI32 = (n) => {{ for (let i = 0; i < n; i++) op_bench_add_i32(i, 1); }};
        globalThis.i64 = (n) => {{ for (let i = 0; i < n; i++) i64(0x1_2345_6789n, 1n); }};
        globalThis.opI64 = (n) => {{
            for (let i = 0; i < n; i++) op_bench_add_i64(0x1_2345_6789n, 1n);
        }};
        globalThis.f64 = (n) => {{ for (let i = 0; i < n; i++) f64(i, 0.5); }};
        globalThis.opF64 = (n) => {{ for (let i = 0; i < n; i++) op_bench_add_f64(i, 0.5); }};
        globalThis.mixed8 = (n) => {{
            for (let i = 0; i < n; i++) mixed8(i, 2n, 3.5, 4.5, 5, 6n, 7.5, 8.5);
        }};
        globalThis.opMixed8 = (n) => {{
            for (let i = 0; i < n; i++) op_bench_mixed8(i, 2n, 3.5, 4.5, 5, 6n, 7.5, 8.5);
        }};
        globalThis.byName = (n) => {{ for (let i = 0; i < n; i++) instance.call("i32", [i, 1]); }};
        "#
    ))?;
    let guest = RefCell::new(Guest::new(FUNCTIONS)?);
    let js = &js;
    row(bench, js, &guest, "i32", 1.3, |i| (i as i32, 1i32))?;
    row(bench, js, &guest, "i64", 1.5, |_| (0x1_2345_6789i64, 1i64))?;
    row(bench, js, &guest, "f64", 1.5, |i| (f64::from(i), 0.5))?;
    mixed8(bench, js, &guest)?;
    let subject = Subject {
        name: "call_by_name",
        target: Some(2.0),
        against: "call_i32",
        per_round: CALLS,
    };
    let run = |name: &str| js.time(&format!("{name}({CALLS})"));
    bench.compare(&subject, || run("byName"), || run("i32"))?;
    imports(bench)?;
    if cfg!(feature = "v8") {
        beside_v8(bench)?;
    }
    threads(bench)
}

/// A function with two arguments of one type, compared with an op that does the same plus a call by wasmtime.
fn row<T>(
    bench: &mut Bench,
    js: &Js,
    guest: &RefCell<Guest>,
    name: &str,
    target: f64,
    args: impl Fn(u32) -> (T, T) + Copy,
) -> anyhow::Result<()>
where
    (T, T): WasmParams,
    T: WasmResults,
{
    let func: TypedFunc<(T, T), T> = guest.borrow_mut().func(name)?;
    against_op(bench, js, name, target, &|| {
        guest.borrow_mut().time(&func, CALLS, args)
    })
}

fn mixed8(bench: &mut Bench, js: &Js, guest: &RefCell<Guest>) -> anyhow::Result<()> {
    type Params = (i32, i64, f32, f64, i32, i64, f32, f64);
    let func: TypedFunc<Params, f64> = guest.borrow_mut().func("mixed8")?;
    against_op(bench, js, "mixed8", 1.5, &|| {
        let args = |i| (i as i32, 2, 3.5, 4.5, 5, 6, 7.5, 8.5);
        guest.borrow_mut().time(&func, CALLS, args)
    })
}

fn against_op(
    bench: &mut Bench,
    js: &Js,
    name: &str,
    target: f64,
    wasmtime: &dyn Fn() -> anyhow::Result<Duration>,
) -> anyhow::Result<()> {
    let subject = Subject {
        name: &format!("call_{name}"),
        target: Some(target),
        against: "an op of these arguments, and TypedFunc::call",
        per_round: CALLS,
    };
    let op = format!("op{}{}({CALLS})", name[..1].to_uppercase(), &name[1..]);
    bench.compare(
        &subject,
        || js.time(&format!("{name}({CALLS})")),
        || Ok(js.time(&op)? + wasmtime()?),
    )
}

/// The same calls by V8's own `WebAssembly`, which has no limits.
fn beside_v8(bench: &mut Bench) -> anyhow::Result<()> {
    let js = Js::new(&format!(
        r#"
        const own = (bytes, imports) => new native.Instance(new native.Module(new Uint8Array(bytes)), imports).exports;
        const env = {{ f: (x) => x }};
        const add = (await instantiate(await compile(text(`{FUNCTIONS}`)))).func("i32");
        const loop = (await instantiate(await compile(text(`{IMPORTS}`)), {{ env }})).func("loop");
        const ownAdd = own({functions:?}).i32;
        const ownLoop = own({imports:?}, {{ env }}).loop;
        globalThis.call = (n) => {{ for (let i = 0; i < n; i++) add(i, 1); }};
        globalThis.ownCall = (n) => {{ for (let i = 0; i < n; i++) ownAdd(i, 1); }};
        globalThis.importing = (n) => loop(n);
        globalThis.ownImporting = (n) => ownLoop(n);
        "#,
        functions = wat::parse_str(FUNCTIONS)?,
        imports = wat::parse_str(IMPORTS)?,
    ))?;
    let run = |name: &str| js.time(&format!("{name}({CALLS})"));
    for (name, ours, own) in [
        ("call_i32_own", "call", "ownCall"),
        ("import_own", "importing", "ownImporting"),
    ] {
        let subject = Subject {
            name,
            target: None,
            against: "V8's own WebAssembly",
            per_round: CALLS,
        };
        bench.compare(&subject, || run(ours), || run(own))?;
    }
    Ok(())
}

/// A guest that calls JavaScript in a loop.
fn imports(bench: &mut Bench) -> anyhow::Result<()> {
    let js = Js::new(&format!(
        r#"
        const instance = await instantiate(await compile(text(`{IMPORTS}`)), {{
            env: {{ f: (x) => x }},
        }});
        const run = instance.func("loop");
        const identity = (x) => x;
        globalThis.ours = (n) => run(n);
        globalThis.callJs = (n) => ops.op_bench_call_js(identity, n);
        "#
    ))?;
    let engine = raw::engine()?;
    let mut store = Store::new(&engine, ());
    let module = ok(Module::new(&engine, wat::parse_str(IMPORTS)?))?;
    let host = Func::wrap(&mut store, |x: i32| x);
    let instance = ok(Instance::new(&mut store, &module, &[host.into()]))?;
    let run = ok(instance.get_typed_func::<i32, i32>(&mut store, "loop"))?;
    let mut wasmtime = || {
        let start = Instant::now();
        std::hint::black_box(ok(run.call(&mut store, CALLS as i32))?);
        anyhow::Ok(start.elapsed())
    };
    let subject = Subject {
        name: "import",
        target: Some(1.5),
        against: "v8::Function::call, and wasmtime's call of a host function",
        per_round: CALLS,
    };
    bench.compare(
        &subject,
        || js.time(&format!("ours({CALLS})")),
        || Ok(js.time(&format!("callJs({CALLS})"))? + wasmtime()?),
    )
}

/// Calls of guests with WASI, and asynchronous calls.
fn threads(bench: &mut Bench) -> anyhow::Result<()> {
    if !["wasi_call", "wasi_import", "call_async"]
        .iter()
        .any(|name| bench.wants(name))
    {
        return Ok(());
    }
    let js = Js::new(&format!(
        r#"
        const functions = await compile(text(`{FUNCTIONS}`));
        const imports = await compile(text(`{IMPORTS}`));
        const f = (x) => x;
        const plain = await instantiate(functions);
        const add = plain.func("i32");
        const wasiAdd = (await instantiate(functions, {{}}, {{ wasi: {{}} }})).func("i32");
        const one = (await instantiate(imports, {{ env: {{ f }} }})).func("one");
        const wasiOne = (await instantiate(imports, {{ env: {{ f }} }}, {{ wasi: {{}} }})).func("one");
        globalThis.plain = (n) => {{ for (let i = 0; i < n; i++) add(i, 1); }};
        globalThis.wasi = (n) => {{ for (let i = 0; i < n; i++) wasiAdd(i, 1); }};
        globalThis.one = (n) => {{ for (let i = 0; i < n; i++) one(i); }};
        globalThis.wasiOne = (n) => {{ for (let i = 0; i < n; i++) wasiOne(i); }};
        globalThis.callAsync = async (n) => {{
            for (let i = 0; i < n; i++) await plain.callAsync("i32", [i, 1]);
        }};
        globalThis.threads = async (n) => {{
            for (let i = 0; i < n; i++) await ops.op_bench_spawn_blocking();
        }};
        "#
    ))?;
    let run = |name: &str| js.time(&format!("{name}({SLOW_CALLS})"));
    let run_async = |name: &str| js.time_promise(&format!("{name}({SLOW_CALLS})"));
    let subject = |name, against| Subject {
        name,
        target: None,
        against,
        per_round: SLOW_CALLS,
    };
    let of_i32 = subject("wasi_call", "call_i32");
    bench.compare(&of_i32, || run("wasi"), || run("plain"))?;
    let of_import = subject("wasi_import", "a call of an import without WASI");
    bench.compare(&of_import, || run("wasiOne"), || run("one"))?;
    let of_thread = Subject {
        target: Some(1.2),
        ..subject(
            "call_async",
            "an op that awaits an empty closure on another thread",
        )
    };
    bench.compare(
        &of_thread,
        || run_async("callAsync"),
        || run_async("threads"),
    )
}
