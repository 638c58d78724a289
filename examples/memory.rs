//! Shows that memory and threads do not grow with the number of instances: instances that are dropped, that use WASI,
//! that are called asynchronously, that are dropped while they run, and that are left to the garbage collector.
//! Nothing of them is left when their runtime has ended. The same holds for a call that calls imports many times.
//! Fails if memory or threads grow.
//!
//! ```sh
//! cargo run --example memory
//! ```

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

use deno_core::{JsRuntime, ModuleSpecifier, OpState, PollEventLoopOptions, RuntimeOptions, op2};
use ext_wasm::{WasmCapabilities, WasmState};

/// The script. Each kind of instance has ten rounds.
const SCRIPT: &str = r#"
    import { compile, instantiate } from "host:wasm";
    const { op_memory_report, op_wasm_live_instances, op_wasm_collect_js, op_wasm_yield_now } =
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
    const loops = await compile(Deno.core.encode(`(module
        (import "env" "f" (func $f (param i32) (result i32)))
        (memory 1)
        (func (export "run") (param i32) (result i32) (call $f (local.get 0)))
        (func (export "spin") (loop $again (br $again))))`));
    const async = () =>
        instantiate(loops, { env: { f: async (x) => x + 1 } }, { interruptible: true });
    const called = async () => {
        const instance = await async();
        if (await instance.callAsync("run", [1]) !== 2) throw new Error("wrong");
        instance.drop();
    };
    const dropped = async () => {
        const instance = await async();
        const ended = instance.callAsync("spin").catch(() => {});
        instance.drop();
        await ended;
    };
    const names = ["a", "b", "c", "d", "e", "f", "g"];
    const importing = await compile(Deno.core.encode(`(module
        ${names.map((name) => `(import "env" "${name}" (func $${name}))`).join("")}
        (func (export "run") (param $n i32)
            (loop $again
                ${names.map((name) => `(call $${name})`).join("")}
                (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))`));
    const env = Object.fromEntries(names.map((name) => [name, () => {}]));
    op_memory_report("start", 0, op_wasm_live_instances());
    const rounds = async (kind, count, make) => {
        for (let round = 1; round <= 10; round++) {
            for (let i = 0; i < count; i++) await make();
            op_memory_report(`${round * count} ${kind}`, round, op_wasm_live_instances());
        }
    };
    await rounds("dropped", 10_000, async () => (await make()).drop());
    await rounds("with WASI", 1_000, runs);
    await rounds("called asynchronously", 300, called);
    await rounds("dropped while they run", 300, dropped);
    const round = 100_000;
    let calls = 0;
    env.a = () => {
        if (++calls % round !== 0) return;
        op_memory_report(`${7 * calls} imports in a call`, calls / round, op_wasm_live_instances());
    };
    (await instantiate(importing, { env })).call("run", [10 * round]);
    await rounds("left to the collector", 2_000, make);
    op_wasm_collect_js();
    await op_wasm_yield_now();
    op_memory_report("collected", 0, op_wasm_live_instances());
    for (let i = 0; i < 20; i++) (await async()).callAsync("spin").catch(() => {});
    globalThis.kept = [];
    for (let i = 0; i < 20; i++) kept.push(await make());
    op_memory_report("alive when the runtime ends", 0, op_wasm_live_instances());
"#;

/// The resources that this process uses.
#[derive(Clone, Copy)]
struct Usage {
    resident_mib: f64,
    /// Address space. Most of it is reserved for memories of guests: at least 4 GiB for each.
    mapped_gib: f64,
    threads: u32,
}

impl Usage {
    fn now() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let field = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()
        };
        let kib = |name| field(name)?.parse::<f64>().ok();
        Some(Self {
            resident_mib: kib("VmRSS:")? / 1024.0,
            mapped_gib: kib("VmSize:")? / 1024.0 / 1024.0,
            threads: field("Threads:")?.parse().ok()?,
        })
    }

    fn is_much_more(self, before: Self) -> bool {
        self.resident_mib > before.resident_mib + SLACK_MIB
            || self.threads > before.threads + SLACK_THREADS
    }
}

/// The growth of memory that is allowed from the third to the last round of a kind: a collector may free some of it
/// later.
const SLACK_MIB: f64 = 16.0;

/// The growth in threads that is allowed: threads of guests that are about to end.
const SLACK_THREADS: u32 = 200;

/// The address space that may be kept at the end, for stacks and heaps of threads. It has no room for the memory of a
/// guest.
const KEPT_GIB: f64 = 3.0;

/// The number of threads that may be kept at the end: for guests, for deadlines, and for compiling.
const KEPT_THREADS: u32 = 12;

/// The usage at the start and after the third round of a kind, and whether it grew much until the last round.
#[derive(Default)]
struct Rounds {
    start: Option<Usage>,
    third: Option<Usage>,
    grew: bool,
}

#[op2(fast)]
fn op_memory_report(state: &mut OpState, #[string] kind: &str, round: u32, live: u32) {
    let usage = Usage::now();
    let rounds = state.borrow_mut::<Rounds>();
    if kind == "start" {
        rounds.start = usage;
    }
    match round {
        3 => rounds.third = usage,
        10 => {
            let pair = usage.zip(rounds.third);
            rounds.grew |= pair.is_some_and(|(now, third)| now.is_much_more(third));
        }
        _ => {}
    }
    print(kind, &live.to_string(), usage);
}

fn print(kind: &str, live: &str, usage: Option<Usage>) {
    let (resident, threads) = match usage {
        Some(usage) => (
            format!("{:.1}", usage.resident_mib),
            usage.threads.to_string(),
        ),
        None => ("unknown".to_owned(), "unknown".to_owned()),
    };
    println!("{kind:<32} {live:>10} {resident:>14} {threads:>10}");
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

/// Waits a short time until all running guests have ended and their memory is freed. Returns whether this happened.
fn guests_end(start: Usage) -> bool {
    for _ in 0..1_000 {
        let Some(now) = Usage::now() else { return true };
        if now.threads <= start.threads + KEPT_THREADS
            && now.mapped_gib <= start.mapped_gib + KEPT_GIB
        {
            print("ended", "", Some(now));
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    false
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "{:<32} {:>10} {:>14} {:>10}",
        "instances", "live", "resident MiB", "threads"
    );
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
    // Waits for the script only: some of its calls never end.
    runtime
        .with_event_loop_promise(evaluated, PollEventLoopOptions::default())
        .await?;
    let Rounds { start, grew, .. } = runtime.op_state().borrow_mut().take();
    if grew {
        return Err("memory or threads grow with the number of instances".into());
    }
    drop(runtime);
    if start.is_some_and(|start| !guests_end(start)) {
        return Err(
            "guests still run, or keep their memory, after the end of their runtime".into(),
        );
    }
    Ok(())
}
