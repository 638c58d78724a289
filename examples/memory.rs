//! Shows that memory stays flat: instances that are dropped, instances that are left to the garbage
//! collector, and instances with WASI. Fails if it does not.
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
    const command = await compile(Deno.core.encode(`(module
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\\10\\00\\00\\00\\05\\00\\00\\00")
        (func (export "_start")
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))`));
    const runs = async () => {
        const instance = await instantiate(command, {}, { wasi: { stdout: "piped" } });
        if (instance.start() !== 0 || instance.stdout().length !== 5) throw new Error("no output");
        instance.drop();
    };
    op_memory_report("start", 0, op_wasm_live_instances());
    const rounds = async (what, count, make) => {
        for (let round = 1; round <= 10; round++) {
            for (let i = 0; i < count; i++) await make();
            op_memory_report(`${round * count} ${what}`, round, op_wasm_live_instances());
        }
    };
    await rounds("dropped", 10_000, async () => (await make()).drop());
    await rounds("with WASI", 1_000, runs);
    await rounds("left to the collector", 2_000, make);
    op_wasm_collect_js();
    await op_wasm_turn();
    op_memory_report("collected", 0, op_wasm_live_instances());
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

/// How much memory may be more in the last round of a kind than in its third, in MiB: what a
/// collector may leave for later.
const SLACK: f64 = 16.0;

/// What was resident after the third round of a kind, and whether a later one had much more.
#[derive(Default)]
struct Rounds {
    third: Option<f64>,
    grew: bool,
}

#[op2(fast)]
fn op_memory_report(state: &mut OpState, #[string] what: &str, round: u32, live: u32) {
    if what == "start" {
        println!("{:<32} {:>10} {:>14}", "instances", "live", "resident MiB");
    }
    let resident = resident_mib();
    let rounds = state.borrow_mut::<Rounds>();
    match round {
        3 => rounds.third = resident,
        10 => {
            let pair = resident.zip(rounds.third);
            rounds.grew |= pair.is_some_and(|(now, third)| now > third + SLACK);
        }
        _ => {}
    }
    let resident = resident.map_or("unknown".to_owned(), |mib| format!("{mib:.1}"));
    println!("{what:<32} {live:>10} {resident:>14}");
}

deno_core::extension!(
    memory,
    ops = [op_memory_report],
    state = |state| state.put(Rounds::default())
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
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_wasi = true;
    let wasm = WasmState::new(capabilities)?;
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
    let state = runtime.op_state();
    if state.borrow().borrow::<Rounds>().grew {
        return Err("memory grows with the number of instances".into());
    }
    Ok(())
}
