//! What `host:wasm` costs beside raw wasmtime, measured in the same run.
//!
//! Each row interleaves rounds of ours and of the reference, and prints the medians.

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use comfy_table::Table;
use conformance::lane::Lane;
use conformance::pool::Pool;
use conformance::selection::Selection;
use conformance::worker::{self, Job};
use deno_core::{JsRuntime, ModuleSpecifier, PollEventLoopOptions, RuntimeOptions, v8};
use ext_wasm::{WasmCapabilities, WasmState};
use wasmtime::{Engine, Instance, Module, Store};

/// How often each side of a row runs.
const ROUNDS: usize = 15;
/// How often a function is called in one round.
const CALLS: u32 = 100_000;

const ADD: &str = include_str!("../../../wat/add.wat");

fn main() -> anyhow::Result<()> {
    let mut table = Table::new();
    table.set_header(["what", "ours", "reference", "ratio", "reference is"]);
    calls(&mut table)?;
    threads(&mut table)?;
    guests(&mut table)?;
    compile(&mut table)?;
    lanes(&mut table)?;
    let engine = if cfg!(feature = "quickjs") {
        "QuickJS"
    } else {
        "V8"
    };
    println!("JavaScript engine: {engine}\n{table}");
    Ok(())
}

/// A runtime in which `add` is a function of a guest, and `bench(what, n)` calls it.
struct Js {
    runtime: JsRuntime,
    event_loop: tokio::runtime::Runtime,
}

impl Js {
    fn new() -> anyhow::Result<Self> {
        let event_loop = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut capabilities = WasmCapabilities::default();
        capabilities.allow_wasi = true;
        let wasm = WasmState::new(capabilities)?;
        let entered = event_loop.enter();
        let runtime = JsRuntime::new(RuntimeOptions {
            extensions: vec![ext_wasm::host_wasm::init(wasm)],
            ..Default::default()
        });
        drop(entered);
        let mut this = Self {
            runtime,
            event_loop,
        };
        this.runtime
            .execute_script("bench:setup", "delete globalThis.WebAssembly;")?;
        Ok(this)
    }

    fn module(&mut self, name: &str, code: String) -> anyhow::Result<()> {
        let specifier = ModuleSpecifier::parse(&format!("bench:{name}"))?;
        let runtime = &mut self.runtime;
        self.event_loop.block_on(async {
            let id = runtime
                .load_side_es_module_from_code(&specifier, code)
                .await?;
            let evaluated = runtime.mod_evaluate(id);
            runtime
                .run_event_loop(PollEventLoopOptions::default())
                .await?;
            Ok(evaluated.await?)
        })
    }

    /// How long a script takes.
    fn time(&mut self, script: &str) -> anyhow::Result<Duration> {
        let start = Instant::now();
        self.runtime
            .execute_script("bench:run", script.to_owned())?;
        Ok(start.elapsed())
    }

    /// How long a script's promise takes to be fulfilled.
    fn time_promise(&mut self, script: &str) -> anyhow::Result<Duration> {
        let start = Instant::now();
        let promise: v8::Global<v8::Value> = {
            // Compiling happens on the event loop's other threads.
            let _entered = self.event_loop.enter();
            self.runtime
                .execute_script("bench:run", script.to_owned())?
        };
        let resolved = Box::pin(self.runtime.resolve(promise));
        let options = PollEventLoopOptions::default();
        let waiting = self.runtime.with_event_loop_promise(resolved, options);
        self.event_loop.block_on(waiting)?;
        Ok(start.elapsed())
    }
}

/// The medians of rounds of both, run in turns.
fn interleave(
    mut ours: impl FnMut() -> anyhow::Result<Duration>,
    mut reference: impl FnMut() -> anyhow::Result<Duration>,
) -> anyhow::Result<(Duration, Duration)> {
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        times.0.push(ours()?);
        times.1.push(reference()?);
    }
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    Ok((median(times.0), median(times.1)))
}

fn row(table: &mut Table, what: &str, pair: (Duration, Duration), per: u32, reference: &str) {
    let (ours, theirs) = (pair.0 / per, pair.1 / per);
    let ratio = pair.0.as_secs_f64() / pair.1.as_secs_f64();
    table.add_row([
        what.to_owned(),
        format!("{ours:.1?}"),
        format!("{theirs:.1?}"),
        format!("{ratio:.2}"),
        reference.to_owned(),
    ]);
}

fn calls(table: &mut Table) -> anyhow::Result<()> {
    let mut js = Js::new()?;
    js.module(
        "calls",
        format!(
            r#"
            import {{ compile, instantiate }} from "host:wasm";
            const instance = await instantiate(await compile(Deno.core.encode(`{ADD}`)));
            const add = instance.func("add");
            globalThis.func = (n) => {{ for (let i = 0; i < n; i++) add(i, 1); }};
            globalThis.call = (n) => {{ for (let i = 0; i < n; i++) instance.call("add", [i, 1]); }};
            globalThis.op = (n) => {{
                const op = Deno.core.ops.op_wasm_live_instances;
                for (let i = 0; i < n; i++) op();
            }};
            "#
        ),
    )?;
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module =
        Module::new(&engine, wat::parse_str(ADD)?).map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let raw = Instance::new(&mut store, &module, &[])
        .and_then(|instance| instance.get_typed_func::<(i32, i32), i32>(&mut store, "add"))
        .map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let mut wasmtime = || {
        let start = Instant::now();
        for i in 0..CALLS {
            std::hint::black_box(raw.call(&mut store, (i as i32, 1)))
                .map_err(|error| anyhow::anyhow!("{error:#}"))?;
        }
        Ok(start.elapsed())
    };
    let js = std::cell::RefCell::new(js);
    let run = |name: &str| {
        let script = format!("{name}({CALLS})");
        move |js: &std::cell::RefCell<Js>| js.borrow_mut().time(&script)
    };
    let (func, call, op) = (run("func"), run("call"), run("op"));
    let pair = interleave(|| func(&js), &mut wasmtime)?;
    row(table, "func(\"add\")(i, 1)", pair, CALLS, "TypedFunc::call");
    let pair = interleave(|| func(&js), || op(&js))?;
    row(
        table,
        "func(\"add\")(i, 1)",
        pair,
        CALLS,
        "an op that does nothing",
    );
    let pair = interleave(|| call(&js), || func(&js))?;
    row(
        table,
        "call(\"add\", [i, 1])",
        pair,
        CALLS,
        "func(\"add\")(i, 1)",
    );
    Ok(())
}

/// Calls of guests that have a thread of their own, beside those of guests that run in place.
fn threads(table: &mut Table) -> anyhow::Result<()> {
    const CALLS: u32 = 2_000;
    let mut js = Js::new()?;
    js.module(
        "threads",
        r#"
        import { compile, instantiate } from "host:wasm";
        const module = await compile(Deno.core.encode(`(module
            (import "env" "f" (func $f (param i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "add") (param i32 i32) (result i32)
                (i32.add (local.get 0) (local.get 1)))
            (func (export "import") (param i32) (result i32) (call $f (local.get 0))))`));
        const make = async (f, options) => await instantiate(module, { env: { f } }, options);
        const plain = await make((x) => x, {});
        const wasi = await make((x) => x, { wasi: {} });
        const promises = await make(async (x) => x, {});
        globalThis.plain = (n) => { for (let i = 0; i < n; i++) plain.call("add", [i, 1]); };
        globalThis.wasi = (n) => { for (let i = 0; i < n; i++) wasi.call("add", [i, 1]); };
        globalThis.plainImport = (n) => { for (let i = 0; i < n; i++) plain.call("import", [i]); };
        globalThis.wasiImport = (n) => { for (let i = 0; i < n; i++) wasi.call("import", [i]); };
        globalThis.callAsync = async (n) => {
            for (let i = 0; i < n; i++) await plain.callAsync("add", [i, 1]);
        };
        globalThis.promises = async (n) => {
            for (let i = 0; i < n; i++) await promises.callAsync("import", [i]);
        };
        globalThis.turns = async (n) => {
            for (let i = 0; i < n; i++) await Deno.core.ops.op_wasm_turn();
        };
        "#
        .to_owned(),
    )?;
    let js = std::cell::RefCell::new(js);
    let run = |name| js.borrow_mut().time(&format!("{name}({CALLS})"));
    let run_async = |name| js.borrow_mut().time_promise(&format!("{name}({CALLS})"));
    let pair = interleave(|| run("wasi"), || run("plain"))?;
    row(table, "call, store with WASI", pair, CALLS, "call");
    let pair = interleave(|| run("wasiImport"), || run("plainImport"))?;
    row(
        table,
        "call of an import, WASI",
        pair,
        CALLS,
        "without WASI",
    );
    let pair = interleave(|| run_async("callAsync"), || run("plain"))?;
    row(table, "callAsync", pair, CALLS, "call");
    let pair = interleave(|| run_async("callAsync"), || run_async("turns"))?;
    row(table, "callAsync", pair, CALLS, "an op that takes a turn");
    let pair = interleave(|| run_async("promises"), || run_async("callAsync"))?;
    row(
        table,
        "callAsync, import's promise",
        pair,
        CALLS,
        "callAsync",
    );
    Ok(())
}

/// A loop over arithmetic and memory, as often as it is told.
const KERNEL: &str = r#"(module (memory 1)
    (func (export "run") (param $n i32) (result i32) (local $sum i32) (local $at i32)
        (loop $more
            (local.set $at (i32.and (i32.mul (local.get $n) (i32.const 52)) (i32.const 65532)))
            (local.set $sum (i32.xor
                (i32.rotl (local.get $sum) (i32.const 5))
                (i32.add (local.get $n) (i32.load (local.get $at)))))
            (i32.store (local.get $at) (local.get $sum))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum)))"#;

/// What the fences cost a guest that computes, beside raw wasmtime without any.
fn guests(table: &mut Table) -> anyhow::Result<()> {
    const STEPS: i32 = 20_000_000;
    let mut js = Js::new()?;
    js.module(
        "guests",
        format!(
            r#"
            import {{ compile, instantiate }} from "host:wasm";
            const module = await compile(Deno.core.encode(`{KERNEL}`));
            const kinds = {{ none: {{}}, interruptible: {{ interruptible: true }},
                timeoutMs: {{ timeoutMs: 1e9 }}, fuel: {{ fuel: 2 ** 53 - 1 }}, wasi: {{ wasi: {{}} }} }};
            for (const kind in kinds) {{
                const instance = await instantiate(module, {{}}, kinds[kind]);
                globalThis[kind] = () => instance.call("run", [{STEPS}]);
            }}
            "#
        ),
    )?;
    let mut config = wasmtime::Config::new();
    config.memory_reservation(ext_wasm::runtime::MEMORY_RESERVATION);
    config.memory_may_move(false);
    let engine = Engine::new(&config).map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let mut store = Store::new(&engine, ());
    let raw = Module::new(&engine, wat::parse_str(KERNEL)?)
        .and_then(|module| Instance::new(&mut store, &module, &[]))
        .and_then(|instance| instance.get_typed_func::<i32, i32>(&mut store, "run"))
        .map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let mut wasmtime = || {
        let start = Instant::now();
        let ran = raw.call(&mut store, STEPS);
        std::hint::black_box(ran).map_err(|error| anyhow::anyhow!("{error:#}"))?;
        Ok(start.elapsed())
    };
    for kind in ["none", "interruptible", "timeoutMs", "fuel", "wasi"] {
        let pair = interleave(|| js.time(&format!("{kind}()")), &mut wasmtime)?;
        row(
            table,
            &format!("guest's loop, {kind}"),
            pair,
            1,
            "wasmtime, no checks",
        );
    }
    Ok(())
}

/// A module of `functions` functions, each a loop over some arithmetic.
fn synthetic(functions: u32) -> anyhow::Result<Vec<u8>> {
    let mut text = String::from("(module (memory 1)");
    for i in 0..functions {
        write!(
            text,
            "(func (export \"f{i}\") (param $n i32) (result i32) (local $sum i32)
                (loop $more
                    (i32.store (local.get $n) (local.get $sum))
                    (local.set $sum (i32.add (local.get $sum)
                        (i32.mul (local.get $n) (i32.const {i}))))
                    (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (local.get $sum))"
        )?;
    }
    text.push(')');
    Ok(wat::parse_str(text)?)
}

fn compile(table: &mut Table) -> anyhow::Result<()> {
    for functions in [10, 4000] {
        let wasm = synthetic(functions)?;
        let mut js = Js::new()?;
        js.module(
            "compile",
            format!(
                "import {{ compile }} from 'host:wasm';
                 const bytes = new Uint8Array({wasm:?});
                 globalThis.run = async () => {{ (await compile(bytes)).drop(); }};"
            ),
        )?;
        let engine = Engine::default();
        let pair = interleave(
            || js.time_promise("run()"),
            || {
                let start = Instant::now();
                Module::from_binary(&engine, &wasm)
                    .map_err(|error| anyhow::anyhow!("{error:#}"))?;
                Ok(start.elapsed())
            },
        )?;
        let what = format!("compile, {} kB", wasm.len().div_ceil(1000));
        row(table, &what, pair, 1, "Module::from_binary");
    }
    Ok(())
}

/// The official suites in each lane, beside wasmtime alone. Once: it takes long.
fn lanes(table: &mut Table) -> anyhow::Result<()> {
    let files = Selection::default().find()?.selected;
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
        command.arg(worker::ARGUMENT);
        command
    };
    let pool = Pool {
        workers: std::thread::available_parallelism()?,
        timeout: Duration::from_secs(120),
        fail_fast: false,
        command: &command,
    };
    let time = |lane: Lane| -> anyhow::Result<Duration> {
        let jobs = files.iter().map(|file| Job {
            file: file.clone(),
            lane,
        });
        let jobs: Vec<Job> = jobs.collect();
        let start = Instant::now();
        let results = pool.run(&jobs, |_| {})?;
        let failed = results.iter().any(|(_, judged)| !judged.failed.is_empty());
        ensure!(!failed, "the {lane} lane does not pass");
        Ok(start.elapsed())
    };
    let engine = time(Lane::Engine)?;
    for lane in [Lane::Runtime, Lane::Script] {
        let what = format!("official suites, {lane} lane");
        row(table, &what, (time(lane)?, engine), 1, "the engine lane");
    }
    Ok(())
}
