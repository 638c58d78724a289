//! Guests, JavaScript and the host share one native stack: however deep they recurse, the end is an error,
//! and everything is usable afterwards.
//!
//! What this guards against ends the process, so each case runs in one of its own, on a thread with a
//! stack of the size that the case is about.

use std::cell::RefCell;
use std::process::Command;
use std::thread;

use ext_wasm::runtime::{Import, Outcome, Stop, StoreOptions, WasmFunc, WasmStore, WasmValue};
use ext_wasm::{WasmCapabilities, WasmError, WasmErrorCode, WasmState};
use serde_json::{Value, json};
use wasmtime::ValRaw;

use crate::js::Js;

/// Sizes of stacks, in bytes: down to the smallest that deno_core itself starts on.
const SIZES: [usize; 4] = [512 << 10, 1 << 20, 2 << 20, 8 << 20];

/// How many levels deep guests and imports have to get on the largest stack. The environment may say
/// otherwise, for builds whose frames are larger: those with AddressSanitizer.
const LEAST_LEVELS: &str = "NATIVE_STACK_LEVELS";

/// Which script a child process runs, and the size of its thread's stack, in bytes.
const SCRIPT: &str = "NATIVE_STACK_SCRIPT";
const SIZE: &str = "NATIVE_STACK_SIZE";
/// What stands before the child's result in its output.
const RESULT: &str = "native stack: ";

/// What all scripts have at hand.
const HELPERS: &str = r#"
    // Recurses `frames` deep, and calls the import there.
    const GUEST = text(`(module
        (import "e" "f" (func $f (param i32) (result i32)))
        (func $down (export "down") (param $frames i32) (param $value i32) (result i32)
            (if (result i32) (local.get $frames)
                (then (i32.add (i32.const 1)
                    (call $down (i32.sub (local.get $frames) (i32.const 1)) (local.get $value))))
                (else (call $f (local.get $value)))))
        (func (export "trap") unreachable))`);
    const module = await compile(GUEST);
    const guest = async (f, options) => await instantiate(module, { e: { f } }, options);
    const down = (instance, frames, value = 0) => instance.call("down", [frames, value]);
    // The same in JavaScript.
    const javascript = (frames, then) => frames === 0 ? then() : javascript(frames - 1, then) + 0;

    // Whether an error is one of those that a stack may end with.
    const isExhausted = (error) => {
        while (error instanceof WasmError && error.cause !== undefined) error = error.cause;
        if (error instanceof WasmError) {
            return error.code === 5002 && error.trap === "call stack exhausted";
        }
        return error instanceof RangeError || error?.name === "InternalError";
    };
    const attempt = (f) => {
        try {
            f();
            return true;
        } catch (error) {
            if (isExhausted(error)) return false;
            throw error;
        }
    };
    // Everything about an error that is none of those.
    const describe = (error) => {
        let told = `${error}`;
        for (let i = 0; i < 3 && error?.cause !== undefined; i++) told += ` < ${error = error.cause}`;
        return `${told} ${error?.code} ${error?.trap} ${error?.stack}`;
    };
    // The largest number for which `f` returns.
    const most = (f) => {
        let below = 1;
        while (attempt(() => f(2 * below))) below *= 2;
        let above = 2 * below;
        while (above - below > 1) {
            const middle = (above + below) >> 1;
            if (attempt(() => f(middle))) below = middle;
            else above = middle;
        }
        return below;
    };
    const mostAsync = async (f) => {
        const returns = async (n) => {
            try {
                return await f(n) === n;
            } catch (error) {
                if (isExhausted(error)) return false;
                throw error;
            }
        };
        let below = 1;
        while (await returns(2 * below)) below *= 2;
        let above = 2 * below;
        while (above - below > 1) {
            const middle = (above + below) >> 1;
            if (await returns(middle)) below = middle;
            else above = middle;
        }
        return below;
    };
"#;

/// What is done at all depths, near the end of the stack and before it.
const ACTIONS: &str = r#"
    let bottom = () => 0;
    const caller = await guest(() => bottom());
    const other = await guest((x) => x);
    const third = await guest((x) => down(other, 1, x));
    const throws = await guest(() => { throw "thrown"; });
    const fueled = await guest((x) => x, { fuel: 1_000_000_000 });
    const timed = await guest((x) => x, { timeoutMs: 60_000 });
    const wasi = await load(String.raw`(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 8) "\10\00\00\00\01\00\00\00")
        (func (export "write") (result i32)
            (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0))))`,
        {}, { wasi: {} });
    const grows = await load(`(module
        (memory (export "memory") 0 100)
        (func (export "grow") (result i32) (memory.grow (i32.const 0))))`);
    const garbage = await load(`(module
        (type $array (array i32))
        (func (export "make") (result i32)
            (array.len (array.new_default $array (i32.const 10000)))))`);
    const starts = await compile(text(`(module
        (import "e" "f" (func $f)) (start $f))`));
    const endless = () => endless() + 1;
    const proxy = new Proxy({}, { get: (_, name, self) => self[name] });
    const coerced = { valueOf: () => coerced * 1 };
    let running = [];
    const ACTIONS = {
        nothing: () => 0,
        same: () => down(caller, 2) + 0,
        other: () => down(other, 30),
        others: () => down(third, 3),
        fueled: () => down(fueled, 3),
        timed: () => down(timed, 3),
        trap: () => { try { other.call("trap"); } catch (e) { if (e.trap !== "unreachable") throw e; } return 0; },
        thrown: () => { try { down(throws, 3); } catch (e) { if (e.cause !== "thrown") throw e; } return 0; },
        refused: () => { try { other.call("down", ["x", 1]); } catch (e) { if (e.code !== 5005) throw e; } return 0; },
        missing: () => { try { other.call("missing"); } catch (e) { if (e.code !== 5004) throw e; } return 0; },
        wasi: () => wasi.call("write"),
        grow: () => grows.call("grow") + grows.memory().byteLength,
        garbage: () => garbage.call("make"),
        collect: () => { Deno.core.ops.op_wasm_collect_js(); return 0; },
        async: () => { running[running.length] = other.callAsync("down", [3, 1]); return 0; },
        started: () => { running[running.length] = instantiate(starts, { e: { f() { down(other, 3); } } }); return 0; },
        endless: () => endless(),
        proxy: () => proxy.x,
        coerced: () => coerced * 1,
        error: () => new Error("x").stack.length,
        json: () => JSON.stringify(JSON.parse("[".repeat(200) + "]".repeat(200))).length,
        pattern: () => /(a*)*b/.test("aaaaaaaa") ? 1 : 0,
    };
    // Does everything at these depths; `reach` recurses so deep and then does it.
    const sweep = async (reach, depths) => {
        const ended = { returned: 0, exhausted: 0 };
        for (const name in ACTIONS) {
            const action = ACTIONS[name];
            for (const depth of depths) {
                try {
                    if (attempt(() => reach(depth, action))) ended.returned++;
                    else ended.exhausted++;
                    for (const promise of running) await promise.catch((error) => {
                        if (!isExhausted(error)) throw error;
                    });
                } catch (error) {
                    throw new Error(`${name} at ${depth}: ${describe(error)}`);
                }
                running = [];
            }
            // Whatever happened, this works.
            bottom = () => 0;
            if (down(caller, 5) !== 5 || down(third, 2, 1) !== 4) throw new Error(`after ${name}`);
        }
        return ended;
    };
    const range = (from, to, steps) =>
        Array.from({ length: steps }, (_, i) => Math.max(1, Math.round(from + (to - from) * i / steps)));
"#;

/// Runs a script in a process of its own, on a thread with a stack of this size. Returns what it returns.
fn run(script: &str, size: usize) -> Value {
    start("script_child", script, size)
}

/// Runs a test of this module as a process of its own. Returns its result.
fn start(child: &str, script: &str, size: usize) -> Value {
    let module = module_path!().split_once("::").unwrap().1;
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("{module}::{child}"),
            "--ignored",
            "--nocapture",
        ])
        .env(SCRIPT, script)
        .env(SIZE, size.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let result = text.lines().find_map(|line| line.strip_prefix(RESULT));
    match result {
        Some(result) if output.status.success() => serde_json::from_str(result).unwrap(),
        _ => panic!(
            "on a stack of {} KiB: {}\n{text}\n{}",
            size >> 10,
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

/// In a child process: runs `f` on a thread with a stack of the size that was asked for, and prints what
/// it returns.
fn answer(f: impl FnOnce() -> Value + Send + 'static) {
    let size = std::env::var(SIZE).expect("the size of the stack");
    let thread = thread::Builder::new().stack_size(size.parse().unwrap());
    println!("\n{RESULT}{}", thread.spawn(f).unwrap().join().unwrap());
}

#[test]
#[ignore = "no test, but a process that the others start"]
fn script_child() {
    let script = std::env::var(SCRIPT).expect("the script to run");
    answer(move || {
        let mut capabilities = WasmCapabilities::default();
        capabilities.allow_wasi = true;
        Js::with(capabilities).run(&format!("{HELPERS}\n{script}"))
    });
}

/// Runs a script that sweeps over depths on every size, and prints how often it found room.
fn sweep(script: &str) {
    for size in SIZES {
        let told = run(&format!("{ACTIONS}\n{script}"), size);
        println!("{} KiB: {told}", size >> 10);
        assert!(told["returned"].as_u64().unwrap() > 0, "{told}");
        assert!(told["exhausted"].as_u64().unwrap() > 0, "{told}");
    }
}

#[test]
fn anything_below_a_guest() {
    sweep(
        "const reach = (frames, action) => { bottom = action; return down(caller, frames); };
         const edge = most((frames) => reach(frames, () => 0));
         return await sweep(reach, range(edge - 8000, edge + 200, 40));",
    );
}

#[test]
fn anything_below_javascript() {
    sweep(
        "const edge = most((frames) => javascript(frames, () => 0));
         // What JavaScript needs for a level changes when V8 compiles it.
         return await sweep(javascript, range(edge * 0.4, edge + 20, 25));",
    );
}

#[test]
fn anything_below_javascript_below_a_guest() {
    sweep(
        "const frames = Math.floor(most((frames) => { bottom = () => 0; return down(caller, frames); }) * 0.9);
         const reach = (deep, action) => {
             bottom = () => javascript(deep, action);
             return down(caller, frames);
         };
         const edge = most((deep) => reach(deep, () => 0));
         return await sweep(reach, range(edge * 0.5, edge + 20, 30));",
    );
}

#[test]
fn anything_below_a_guest_below_javascript() {
    sweep(
        "const deep = Math.floor(most((deep) => javascript(deep, () => 0)) * 0.4);
         const reach = (frames, action) => {
             bottom = action;
             return javascript(deep, () => down(caller, frames));
         };
         const edge = most((frames) => reach(frames, () => 0));
         return await sweep(reach, range(edge * 0.3, edge + 200, 25));",
    );
}

/// How many levels deep a guest and its import call each other, in each of the ways to call.
const LEVELS: &str = r#"
    const recursive = await compile(text(`(module
        (import "env" "invoke" (func $invoke (param i32 i32) (result i32)))
        (table (export "table") 4 funcref)
        (elem (i32.const 1) $depth)
        (func $depth (export "depth") (param i32) (result i32)
            (if (result i32) (i32.eqz (local.get 0))
                (then (i32.const 0))
                (else (i32.add (i32.const 1)
                    (call $invoke (i32.const 1) (i32.sub (local.get 0) (i32.const 1))))))))`));
    let self, depth;
    const ways = {
        function: (_, n) => depth(n),
        table: (f, n) => self.table("table").get(f)(n),
        instance: (_, n) => self.call("depth", [n]),
    };
    const levels = {};
    for (const way in ways) {
        self = await instantiate(recursive, { env: { invoke: ways[way] } });
        depth = self.func("depth");
        levels[way] = [
            most((n) => self.call("depth", [n])),
            await mostAsync((n) => self.callAsync("depth", [n])),
        ];
        if (self.call("depth", [10]) !== 10) throw new Error("unusable");
    }
    return levels;
"#;

#[test]
fn guests_and_imports_call_each_other_a_thousand_levels_deep() {
    for size in SIZES {
        let told = run(LEVELS, size);
        println!(
            "{} KiB: levels, called synchronously and not: {told}",
            size >> 10
        );
        let least = match std::env::var(LEAST_LEVELS) {
            Ok(least) => least.parse().unwrap(),
            Err(_) => 1000,
        };
        let least = if size == 8 << 20 {
            least
        } else {
            20.min(least)
        };
        for (way, levels) in told.as_object().unwrap() {
            for levels in levels.as_array().unwrap() {
                assert!(
                    levels.as_u64().unwrap() >= least,
                    "{way} on {} KiB: {told}",
                    size >> 10
                );
            }
        }
    }
}

#[test]
fn stores_share_the_stack() {
    for size in SIZES {
        let told = run(
            r#"
            let depth;
            const inner = await guest(() => 1);
            const outer = await guest(() => down(inner, depth));
            const edge = most((n) => { depth = 1; return down(outer, n); });
            let returned = 0, exhausted = 0;
            for (depth = 0; depth < 1.2 * edge; depth += Math.ceil(edge / 400)) {
                if (attempt(() => down(outer, depth))) returned++;
                else exhausted++;
            }
            depth = 3;
            return { returned, exhausted, after: down(outer, 4) };
            "#,
            size,
        );
        println!("{} KiB: {told}", size >> 10);
        assert!(told["returned"].as_u64().unwrap() > 0, "{told}");
        assert!(told["exhausted"].as_u64().unwrap() > 0, "{told}");
        assert_eq!(told["after"], 1 + 3 + 4);
    }
}

#[test]
fn many_stores_in_turns() {
    for size in SIZES {
        let told = run(
            r#"
            const stores = [];
            // Each of them calls the next one.
            let frames, entered;
            const next = () => entered < stores.length ? down(stores[entered++], frames) : 0;
            for (let i = 0; i < 60; i++) stores.push(await guest(next));
            const reached = [];
            for (frames = 1; frames < 20_000; frames = Math.ceil(1.3 * frames)) {
                entered = 0;
                attempt(next);
                reached.push(entered);
            }
            // The first two call each other, with no end.
            let turn = 0;
            frames = 3;
            const ping = await guest(() => down(pong, 1 + turn++ % 7));
            const pong = await guest(() => down(ping, 1 + turn++ % 5));
            const endless = attempt(() => down(ping, 1));
            [frames, entered] = [1, stores.length - 10];
            let after;
            try { after = next(); } catch (error) { throw new Error(describe(error)); }
            return { reached, endless, after };
            "#,
            size,
        );
        println!("{} KiB: {told}", size >> 10);
        assert_eq!(told["endless"], false, "{told}");
        assert_eq!(told["after"], 10, "{told}");
    }
}

#[test]
fn exceptions_pass_through_all_levels() {
    for size in SIZES {
        let told = run(
            r#"
            const catches = await load(`(module
                (import "e" "f" (func $f (param i32)))
                (func (export "run") (param i32)
                    (block $caught (result exnref)
                        (try_table (catch_all_ref $caught) (call $f (local.get 0)))
                        (return))
                    (throw_ref)))`,
                { e: { f: (n) => {
                    if (n === 0) throw thrown;
                    catches.call("run", [n - 1]);
                } } });
            const thrown = new Error("from the bottom");
            const run = (n) => {
                try {
                    catches.call("run", [n]);
                } catch (error) {
                    let cause = error;
                    while (cause !== thrown && cause instanceof WasmError) cause = cause.cause;
                    if (cause === thrown) return;
                    if (isExhausted(error)) throw error;
                    throw new Error(describe(error));
                }
                throw new Error("lost");
            };
            const levels = most(run);
            const seen = [attempt(() => run(levels)), attempt(() => run(2 * levels))];
            run(3);
            return { levels, seen };
            "#,
            size,
        );
        println!("{} KiB: {told}", size >> 10);
        assert_eq!(told["seen"], json!([true, false]), "{told}");
    }
}

#[test]
fn anything_in_an_import_of_an_asynchronous_call() {
    for size in SIZES {
        let told = run(
            &format!(
                "{ACTIONS}
                const asyncCaller = await guest((x) => bottom(x));
                const reach = async (frames, action) => {{
                    bottom = action;
                    try {{
                        await asyncCaller.callAsync('down', [frames, 0]);
                        return true;
                    }} catch (error) {{
                        if (!isExhausted(error)) throw error;
                        return false;
                    }}
                }};
                let edge = 1;
                while (await reach(2 * edge, () => 0)) edge *= 2;
                const ended = {{ returned: 0, exhausted: 0 }};
                for (const name in ACTIONS) {{
                    for (const frames of range(1, 2 * edge, 8)) {{
                        if (await reach(frames, ACTIONS[name])) ended.returned++;
                        else ended.exhausted++;
                        for (const promise of running) await promise;
                        running = [];
                    }}
                    if (!await reach(7, () => 0)) throw new Error(`after ${{name}}`);
                }}
                // The same store, again and again.
                let levels = 0;
                if (await reach(10, () => down(asyncCaller, levels++ % 50))) throw new Error('returned');
                if (!await reach(7, () => 0)) throw new Error('unusable');
                return ended;"
            ),
            size,
        );
        println!("{} KiB: {told}", size >> 10);
        assert!(told["returned"].as_u64().unwrap() > 0, "{told}");
        assert!(told["exhausted"].as_u64().unwrap() > 0, "{told}");
    }
}

/// A function of a host that a guest exports again is called without a guest's frame, which would look
/// at the stack.
#[test]
fn an_import_that_is_exported_calls_itself() {
    for size in SIZES {
        let told = run(
            r#"
            const again = await load(`(module
                (import "e" "f" (func $f (param i32) (result i32)))
                (export "f" (func $f)))`,
                { e: { f: (n) => n === 0 ? 0 : again.call("f", [n - 1]) + 1 } });
            const levels = most((n) => again.call("f", [n]));
            const levelsAsync = await mostAsync((n) => again.callAsync("f", [n]));
            return [levels, levelsAsync, again.call("f", [10])];
            "#,
            size,
        );
        println!("{} KiB: {told}", size >> 10);
        assert_eq!(told[2], 10);
    }
}

/// Without JavaScript: functions of the host in Rust, of three stores that call each other.
#[test]
fn rust_and_guests_call_each_other() {
    for size in SIZES {
        let told = start("rust_child", "", size);
        println!("{} KiB: {told}", size >> 10);
        assert!(told["levels"].as_u64().unwrap() >= 20, "{told}");
    }
}

#[test]
#[ignore = "no test, but a process that the others start"]
fn rust_child() {
    thread_local! {
        static FUNCS: RefCell<Vec<WasmFunc>> = RefCell::default();
    }

    fn call(level: i32) -> Result<i32, WasmError> {
        let func = FUNCS.with_borrow(|funcs| funcs[level as usize % funcs.len()].clone());
        match func.call(&[WasmValue::I32(level)])? {
            Outcome::Returned(values) => match values[..] {
                [WasmValue::I32(value)] => Ok(value),
                _ => panic!("{values:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    fn host(_: &WasmStore, frame: &mut [ValRaw]) -> Result<(), Stop> {
        let level = frame[0].get_i32();
        let below = if level == 0 {
            0
        } else {
            1 + call(level - 1).map_err(Stop::Error)?
        };
        frame[0] = ValRaw::i32(below);
        Ok(())
    }

    answer(|| {
        let state = WasmState::new(WasmCapabilities::default()).unwrap();
        let source = r#"(module
            (import "" "f" (func $f (param i32) (result i32)))
            (func (export "run") (param i32) (result i32)
                (i32.add (i32.const 0) (call $f (local.get 0)))))"#;
        let module = state.compile(source.as_bytes()).unwrap();
        for _ in 0..3 {
            let (store, _) = state.new_store(StoreOptions::default()).unwrap();
            let imports = vec![Import::Host(Box::new(host))];
            let Outcome::Returned(instance) = state.instantiate(module.id, store, imports).unwrap()
            else {
                panic!("not instantiated");
            };
            let (_, run) = instance.export("run").unwrap();
            let func = instance.store().func(run).unwrap();
            FUNCS.with_borrow_mut(|funcs| funcs.push(func));
        }
        let mut levels = 1;
        loop {
            match call(levels) {
                Ok(reached) => assert_eq!(reached, levels),
                Err(error) => {
                    assert_eq!(error.code, WasmErrorCode::RuntimeError);
                    assert_eq!(error.trap, Some("call stack exhausted"));
                    break;
                }
            }
            levels += 1 + levels / 10;
        }
        assert_eq!(call(7), Ok(7));
        json!({ "levels": levels })
    });
}

/// A compiler that recursed over what is nested would run out of a small stack. Where no event loop runs,
/// modules are compiled by the thread that asks.
#[test]
fn modules_are_compiled_on_small_stacks() {
    let told = start("compile_child", "", SIZES[0]);
    assert_eq!(told, json!(["compiled", 5000]));
}

#[test]
#[ignore = "no test, but a process that the others start"]
fn compile_child() {
    answer(|| {
        let state = WasmState::new(WasmCapabilities::default()).unwrap();
        let nested = |depth: usize, last: &str| {
            let (open, close) = ("block ".repeat(depth), "end ".repeat(depth));
            format!("(module (func {open} {last} {close}))")
        };
        state.compile(nested(5000, "nop").as_bytes()).unwrap();
        let refused = state.compile(nested(5000, "i32.add").as_bytes());
        json!(["compiled", refused.err().map(|error| error.code.code())])
    });
}
