//! Asynchronous calls that end before they return: by a signal, a deadline, a dropped store or a dropped host.

use std::sync::mpsc::{Sender, channel};

use ext_wasm::runtime::{CallOptions, HostFunction, Import, Outcome, Progress, Stop, StoreOptions};
use ext_wasm::runtime::{WasmErrorCode, WasmStore};
use ext_wasm::{WasmCapabilities, WasmState};
use serde_json::json;
use wasmtime::ValRaw;

use super::{run, run_with, script, with_wasi};
use crate::support::js::Js;

/// Sleeps through WASI for as many nanoseconds as its argument says.
const SLEEPER: &str = r#"(module
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "sleep") (param i64) (result i32)
        (i32.store8 (i32.const 8) (i32.const 0))
        (i32.store (i32.const 16) (i32.const 1))
        (i64.store (i32.const 24) (local.get 0))
        (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))"#;

const HOUR: &str = "3_600_000_000_000n";

#[test]
fn a_signal_ends_a_call() {
    let result = run("
        const reason = {};
        const g = await guest({ interruptible: true }, (n) => n === 0 ? new Promise(() => {}) : 0);
        const results = [];
        for (const [name, n] of [['mark_and_spin', 1], ['ask_and_spin', 1], ['ask', 0], ['catch', 0]]) {
            const controller = new AbortController();
            const { signal } = controller;
            const call = caught(() => g.callAsync(name, [n], { signal }));
            await later();
            controller.abort(reason);
            const error = await call;
            results.push(error.code === 5002 && error.cause === reason && error.message);
            if (signal.listeners.size !== 0) throw 'a listener is left';
            g.call('add', [1, 2]);
        }
        const early = new AbortController();
        early.abort(reason);
        const never = await caught(() => g.callAsync('mark_and_spin', [5], { signal: early.signal }));
        const late = new AbortController();
        const returned = await g.callAsync('add', [1, 2], { signal: late.signal });
        late.abort();
        return [results, never.cause === reason, g.call('add', [0, 1]), returned, await g.callAsync('add', [3, 4])];");
    assert_eq!(
        result,
        json!([vec!["the call was aborted"; 4], true, 1, 3, 7])
    );
}

#[test]
fn a_call_that_has_ended_is_forgotten() {
    let result = run("
        const g = await guest({});
        const knows = () => codeOf(() => Deno.core.ops.op_wasm_has_deadline(0));
        const call = g.callAsync('add', [1, 2]);
        const during = await knows();
        return [await call, during ?? null, await knows()];");
    assert_eq!(result, json!([3, null, 5002]));
}

#[test]
fn an_import_may_abort_its_own_call() {
    let result = run("
        const reason = {};
        const controller = new AbortController();
        const inner = [];
        const g = await guest({ interruptible: true }, async (n) => {
            if (n === 1) await turn();
            controller.abort(reason);
            inner.push(await caught(() => g.call('mark_and_spin', [1])));
            return 0;
        });
        const outer = await caught(() => g.callAsync('ask', [1], { signal: controller.signal }));
        return [outer.code, outer.cause === reason, inner[0].cause === reason, g.call('add', [1, 2])];");
    assert_eq!(result, json!([5002, true, true, 3]));
}

#[test]
fn a_deadline_ends_a_call() {
    let mut capabilities = with_wasi();
    capabilities.max_timeout_ms = Some(20);
    let body = "
        const ends = async (options, name, args, call) => {
            const g = await guest(options, (n) => n === 0 ? new Promise(() => {}) : 0);
            const error = await caught(() => g.callAsync(name, args, call));
            // The deadline holds for this call too, and a busy machine may not run this thread for some milliseconds.
            let sum;
            while (sum === undefined) {
                try { sum = g.call('add', [1, 2]); } catch (late) { if (late.trap !== 'interrupt') throw late; }
            }
            return [error.trap, error.message.split(' ').at(-2), sum];
        };
        return Promise.all([
            ends({ timeoutMs: 5 }, 'mark_and_spin', [1]),
            ends({ timeoutMs: 10 }, 'ask', [0]),
            ends({ timeoutMs: 10 }, 'mark_and_spin', [1], { timeoutMs: 15 }),
            ends({ interruptible: true }, 'ask_and_spin', [1], { timeoutMs: 7 }),
            ends({ interruptible: true, wasi: {} }, 'ask', [0], { timeoutMs: 0 }),
            ends({ timeoutMs: 10 }, 'mark_and_spin', [1], { timeoutMs: 1e9 }),
        ]);";
    let ended = |ms: &str| json!(["interrupt", ms, 3]);
    let expected = |cap: &str| {
        json!([
            ended("5"),
            ended("10"),
            ended("15"),
            ended("7"),
            ended("0"),
            ended(cap)
        ])
    };
    assert_eq!(run_with(capabilities, body), expected("20"));
    let mut without_cap = with_wasi();
    without_cap.max_timeout_ms = None;
    let body = body.replace("{ timeoutMs: 1e9 }", "{ timeoutMs: 21 }");
    assert_eq!(run_with(without_cap, &body), expected("21"));
}

#[test]
fn waits_of_wasi_are_cut_short() {
    let result = run_with(
        with_wasi(),
        &format!(
            "const sleeper = (options) => load({}, {{}}, {{ wasi: {{}}, ...options }});
            const HOUR = {HOUR};
            const timed = await sleeper({{ timeoutMs: 10 }});
            const results = [
                (await caught(() => timed.call('sleep', [HOUR]))).trap,
                (await caught(() => timed.callAsync('sleep', [HOUR]))).trap,
                timed.call('sleep', [0n]),
            ];
            const g = await sleeper({{ interruptible: true }});
            const controller = new AbortController();
            const call = caught(() => g.callAsync('sleep', [HOUR], {{ signal: controller.signal }}));
            await later();
            controller.abort('enough');
            results.push((await call).cause, await g.callAsync('sleep', [1000n]));
            // This guest cannot be interrupted while it computes, but while it waits.
            const plain = await sleeper({{}});
            const dropped = caught(() => plain.callAsync('sleep', [HOUR]));
            await later();
            plain.drop();
            results.push((await dropped).code);
            return results;",
            json!(SLEEPER)
        ),
    );
    assert_eq!(
        result,
        json!(["interrupt", "interrupt", 0, "enough", 0, 5002])
    );
}

#[test]
fn a_store_that_is_not_interruptible_refuses_signals_and_deadlines() {
    let result = run("
        const g = await guest({ fuel: 1e6 });
        const { signal } = new AbortController();
        const refused = [{ signal }, { timeoutMs: 5 }].map((options) => caught(() => g.callAsync('mark_and_spin', [1], options)));
        const [first, second] = await Promise.all(refused);
        return [tell(first), first.message === second.message, mark(g), await g.callAsync('add', [1, 2])];");
    let message =
        "the guest cannot be interrupted: make its store interruptible, or give it a timeoutMs";
    let refused = json!({ "code": 5002, "kind": "RuntimeError", "message": message });
    assert_eq!(result, json!([refused, true, 0, 3]));
}

#[test]
fn dropping_the_store_ends_the_call() {
    let result = run("
        const ends = async (drop, name, n) => {
            const store = new WasmStore({ interruptible: true });
            const own = await guest({ interruptible: true }, (n) => n === 0 ? new Promise(() => {}) : n === 1 ? (own.drop(), 0) : 0);
            const shared = await guest({ store });
            const g = drop === 'store' ? shared : own;
            const call = caught(() => g.callAsync(name, [n]));
            await later();
            if (drop === 'store') store.drop();
            else own.drop();
            const error = await call;
            own.drop();
            store.drop();
            return [error.code, await codeOf(() => g.call('add', [1, 2]))];
        };
        const results = await Promise.all([
            ends('store', 'mark_and_spin', 5), ends('instance', 'mark_and_spin', 5), ends('instance', 'ask', 0), ends('instance', 'ask', 1),
        ]);
        // The guests end soon after, and their stores are freed.
        while (Deno.core.ops.op_wasm_live_instances() > 0) await turn();
        return results;");
    assert_eq!(result, json!(vec![[5002, 5002]; 4]));
}

/// Disconnects its channel when the owner of this value is dropped.
struct Held(#[expect(dead_code, reason = "held, never used")] Sender<()>);

impl HostFunction for Held {
    fn call(&self, _: &WasmStore, _: &mut [ValRaw]) -> Result<(), Stop> {
        Err(Stop::Later)
    }
}

/// A host may be dropped at any time, and its guests end with it.
#[test]
fn a_guest_ends_with_its_host() {
    let source = br#"(module
        (import "" "wait" (func $wait))
        (func (export "spin") (loop $l (br $l)))
        (func (export "wait") (call $wait)))"#;
    let tokio = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for (name, advanced) in [("spin", false), ("wait", false), ("wait", true)] {
        let state = WasmState::new(WasmCapabilities::default()).unwrap();
        let module = state.compile(source).unwrap();
        let mut options = StoreOptions::default();
        options.interruptible = true;
        let (id, store) = state.new_store(options).unwrap();
        let (held, gone) = channel();
        let imports = vec![Import::Host(Box::new(Held(held)))];
        let Outcome::Returned(instance) = state.instantiate(module.id, id, imports).unwrap() else {
            panic!("not instantiated");
        };
        let (_, func) = instance.export(name).unwrap();
        let call = state
            .start_call(id, func, vec![], CallOptions::default())
            .unwrap();
        let busy = state.start_call(id, func, vec![], CallOptions::default());
        assert_eq!(busy.err().unwrap().code, WasmErrorCode::RuntimeError);
        if advanced {
            tokio.block_on(call.ready()).unwrap();
            assert!(matches!(call.advance(), Ok(Progress::Waiting)));
        }
        drop((state, store, instance));
        drop(call);
        // The channel is disconnected when the store is freed, on any thread.
        assert!(gone.recv().is_err());
    }
}

#[test]
fn a_store_is_usable_when_its_call_was_dropped() {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let source = b"(module (func (export \"spin\") (loop $l (br $l))) (func (export \"nothing\")))";
    let module = state.compile(source).unwrap();
    let mut options = StoreOptions::default();
    options.interruptible = true;
    let (id, store) = state.new_store(options).unwrap();
    let made = state.instantiate(module.id, id, vec![]).unwrap();
    let Outcome::Returned(instance) = made else {
        panic!("not instantiated");
    };
    let [spin, nothing] = ["spin", "nothing"].map(|name| instance.export(name).unwrap().1);
    for _ in 0..20 {
        drop(
            state
                .start_call(id, spin, vec![], CallOptions::default())
                .unwrap(),
        );
        // The store is busy until the guest has stopped.
        while let Err(error) = store.func(nothing).and_then(|func| func.call(&[])) {
            assert!(error.message.starts_with("busy"), "{error}");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_runtime_may_end_while_guests_run() {
    let mut js = Js::with(with_wasi());
    js.run(&script(&format!(
        "const g = [];
        for (let i = 0; i < 4; i++) g.push(await guest({{ interruptible: true, wasi: {{}} }}, () => new Promise(() => {{}})));
        const sleeper = await load({}, {{}}, {{ wasi: {{}} }});
        // No code awaits this promise, and it does not keep the event loop running.
        g[0].callAsync('ask', [0]);
        globalThis.start = () => {{
            for (const i of [1, 2, 3]) g[i].callAsync('mark_and_spin', [0]);
            sleeper.callAsync('sleep', [{HOUR}]);
            return '1';
        }};
        return 1;",
        json!(SLEEPER)
    )));
    assert_eq!(js.eval("start()"), 1);
    drop(js);
}

/// The guest waits for a promise, and JavaScript drops its store inside a nested call.
#[test]
fn dropping_the_store_inside_a_nested_call_ends_both() {
    let result = run("
        const results = [];
        for (const how of ['call', 'start']) for (const own of [true, false]) {
            const busy = () => { for (let i = 0; i < 30_000; i++); return 0; };
            const store = new WasmStore({ interruptible: true });
            const g = await guest(own ? { interruptible: true } : { store }, (n) => n === 0 ? new Promise(() => {}) : (drop(), busy()));
            const drop = () => own ? g.drop() : store.drop();
            const call = caught(() => g.callAsync('ask', [0]));
            while ((await codeOf(() => g.call('add', [1, 1]))) === 5002) await turn();
            const nested = how === 'call'
                ? await caught(() => g.call('ask', [1]))
                : await caught(() => load('(module (import \"a\" \"f\" (func $f)) (start $f))', { a: { f: () => { drop(); busy(); } } }, { store: g.store }));
            const ended = await call;
            store.drop();
            results.push([nested.code, ended.code, await codeOf(() => g.call('add', [1, 1]))]);
        }
        while (Deno.core.ops.op_wasm_live_instances() > 0) await turn();
        return results;");
    assert_eq!(result, json!(vec![[5002, 5002, 5002]; 4]));
}

#[test]
fn near_the_end_of_the_stack_a_call_starts_or_throws() {
    let result = run("
        const g = await guest({ interruptible: true, timeoutMs: 20 });
        const calls = [], views = [];
        const deep = () => {
            try { deep(); } catch {}
            if (calls.length < 40) {
                const view = new Uint8Array(g.memory().buffer);
                calls.push(caught(() => g.callAsync('mark_and_spin', [1])));
                views.push(view);
            }
        };
        try { deep(); } catch {}
        const errors = await Promise.all(calls);
        const strange = errors.filter((error) => error.code !== 5002 && !(error instanceof RangeError) && error.name !== 'InternalError');
        return [errors.length > 0, strange.map(String), g.call('add', [1, 2])];");
    assert_eq!(result, json!([true, [], 3]));
}

/// A promise that the app no longer needs must not become an unhandled rejection, which would end the program.
#[test]
fn promises_that_are_no_longer_awaited_are_no_unhandled_rejections() {
    let result = run("
        const results = [];
        const throws = await guest({ interruptible: true }, async () => { throws.drop(); throw new Error('mine'); });
        results.push(await codeOf(() => throws.callAsync('ask', [0])));
        const strange = await guest({ interruptible: true }, () => {
            const promise = later(1);
            Object.defineProperty(promise, 'constructor', { get() { strange.drop(); return Promise; } });
            return promise;
        });
        results.push(await codeOf(() => strange.callAsync('ask', [0])));
        const fails = await guest({ interruptible: true }, () => {
            const promise = Promise.resolve(1);
            Object.defineProperty(promise, 'constructor', { get() { throw 5; } });
            return promise;
        });
        results.push((await caught(() => fails.callAsync('ask', [0]))).cause);
        await later();
        return results;");
    assert_eq!(result, json!([5002, 5002, 5]));
}

#[test]
fn no_guest_catches_an_aborted_call() {
    let result = run("
        const controller = new AbortController();
        const inner = await guest({ interruptible: true });
        const outer = await guest({ interruptible: true }, () => inner.callAsync('mark_and_spin', [1], { signal: controller.signal }));
        const call = caught(() => outer.callAsync('catch', [0]));
        await later();
        controller.abort('enough');
        const error = await call;
        // A call that ended by itself keeps its own error, also if its signal is aborted afterwards.
        const late = new AbortController();
        const trap = await caught(() => inner.callAsync('trap', [], { signal: late.signal }).finally(() => late.abort()));
        return [error.code, error.cause?.cause, trap.trap];");
    assert_eq!(result, json!([5002, "enough", "unreachable"]));
}

#[test]
fn a_deadline_alone_keeps_the_event_loop_running() {
    let mut js = Js::new();
    js.run(&script(
        "globalThis.waits = await guest({ timeoutMs: 20 }, () => new Promise(() => {}));",
    ));
    let result = js.wait("caught(() => waits.callAsync('ask', [0])).then(tell)");
    assert_eq!(
        (&result["code"], &result["trap"]),
        (&json!(5002), &json!("interrupt"))
    );
}

#[test]
fn a_busy_store_keeps_no_arguments_and_starts_no_command() {
    let mut js = Js::with(with_wasi());
    let result = js.run(&script(
        "const g = await load(`(module
             (memory (export \"memory\") 1)
             (func (export \"_start\"))
             (func (export \"give\") (param externref))
             (func (export \"spin\") (loop $again (br $again))))`, {}, { wasi: {}, interruptible: true });
         const controller = new AbortController();
         const spins = caught(() => g.callAsync('spin', [], { signal: controller.signal }));
         await later();
         let value = { big: new Uint8Array(100) };
         const weak = new WeakRef(value);
         const refused = [];
         for (const use of [() => g.start(), () => g.call('give', [value]), () => g.startAsync()]) {
             const error = await caught(use);
             refused.push([error.code, error.message.startsWith('busy: ')]);
         }
         value = undefined;
         controller.abort();
         const { code } = await spins;
         await collect();
         return [refused, code, weak.deref() === undefined, g.start(), (await caught(() => g.start())).message];",
    ));
    assert_eq!(
        result,
        json!([
            vec![json!([5002, true]); 3],
            5002,
            true,
            0,
            "the command was started before"
        ])
    );
}
