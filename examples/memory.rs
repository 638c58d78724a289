//! Shows that memory stays flat: instances that are dropped, and instances that are left to the
//! garbage collector.
//!
//! ```sh
//! cargo run --example memory
//! ```

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

use deno_core::{JsRuntime, ModuleSpecifier, OpState, PollEventLoopOptions, RuntimeOptions, op2};
use ext_wasm::{WasmCapabilities, WasmState};

/// Each round is a tenth of the whole.
const SCRIPT: &str = r#"
    import { compile, instantiate } from "host:wasm";
    const { op_memory_report, op_wasm_live_instances, op_wasm_collect_js, op_wasm_turn } =
        Deno.core.ops;
    const module = await compile(Deno.core.encode(`(module
        (import "env" "f" (func $f (param i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "run") (param i32) (result i32)
            (i32.store (i32.const 0) (local.get 0))
            (call $f (local.get 0))))`));
    const make = async () => {
        const instance = await instantiate(module, { env: { f: (x) => x + instance.id } });
        instance.call("run", [1]);
        return instance;
    };
    op_memory_report("start", op_wasm_live_instances());
    for (let round = 1; round <= 10; round++) {
        for (let i = 0; i < 10_000; i++) (await make()).drop();
        op_memory_report(`${round * 10_000} dropped`, op_wasm_live_instances());
    }
    for (let round = 1; round <= 10; round++) {
        for (let i = 0; i < 2_000; i++) await make();
        op_memory_report(`${round * 2_000} left to the collector`, op_wasm_live_instances());
    }
    op_wasm_collect_js();
    await op_wasm_turn();
    op_memory_report("collected", op_wasm_live_instances());
"#;

/// The resident memory of this process, in MiB, where the system tells.
fn resident_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}

/// Where the table's first line was printed.
struct Started(bool);

#[op2(fast)]
fn op_memory_report(state: &mut OpState, #[string] what: &str, live: u32) {
    let started = state.borrow_mut::<Started>();
    if !std::mem::replace(&mut started.0, true) {
        println!("{:<32} {:>10} {:>14}", "instances", "live", "resident MiB");
    }
    let resident = resident_mib().map_or("unknown".to_owned(), |mib| format!("{mib:.1}"));
    println!("{what:<32} {live:>10} {resident:>14}");
}

deno_core::extension!(
    memory,
    ops = [op_memory_report],
    state = |state| state.put(Started(false))
);

fn main() {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a current-thread runtime needs nothing that can be missing");
    if let Err(error) = tokio.block_on(run()) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let wasm = WasmState::new(WasmCapabilities::default())?;
    let mut runtime = JsRuntime::new(RuntimeOptions {
        extensions: vec![ext_wasm::host_wasm::init(wasm), memory::init()],
        ..Default::default()
    });
    let main = ModuleSpecifier::parse("memory:main")?;
    let module = runtime.load_main_es_module_from_code(&main, SCRIPT).await?;
    let evaluated = runtime.mod_evaluate(module);
    runtime
        .run_event_loop(PollEventLoopOptions::default())
        .await?;
    evaluated.await?;
    Ok(())
}
