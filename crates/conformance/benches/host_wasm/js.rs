//! A JavaScript runtime with `host:wasm`, and the ops that `host:wasm` is compared with.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use deno_core::{OpState, PollEventLoopOptions, op2, v8};
use ext_wasm::{InstancePool, WasmCapabilities, WasmState};

/// The number of bytes that [`op_bench_copy`] copies.
pub const MIB: usize = 1 << 20;

/// A runtime whose scripts can be timed.
pub struct Js {
    inner: RefCell<Inner>,
}

struct Inner {
    started: conformance::js::Js,
    modules: u32,
}

#[op2(fast)]
fn op_bench_add_i32(a: i32, b: i32) -> i32 {
    a.wrapping_add(b)
}

#[op2(fast)]
#[bigint]
fn op_bench_add_i64(#[bigint] a: i64, #[bigint] b: i64) -> i64 {
    a.wrapping_add(b)
}

#[op2(fast)]
fn op_bench_add_f64(a: f64, b: f64) -> f64 {
    a + b
}

#[op2(fast)]
fn op_bench_mixed8(
    a: i32,
    #[bigint] b: i64,
    c: f32,
    d: f64,
    e: i32,
    #[bigint] f: i64,
    g: f32,
    h: f64,
) -> f64 {
    f64::from(a.wrapping_add(e)) + b.wrapping_add(f) as f64 + f64::from(c + g) + d + h
}

/// Calls a JavaScript function `n` times with a number, and adds up the results.
#[op2(nofast, reentrant)]
fn op_bench_call_js(
    scope: &mut v8::PinScope<'_, '_>,
    function: v8::Local<'_, v8::Function>,
    n: i32,
) -> i32 {
    let this = v8::undefined(scope).into();
    let mut sum = 0i32;
    for i in 0..n {
        v8::scope!(let scope, scope);
        let argument = v8::Integer::new(scope, i).into();
        let returned = function.call(scope, this, &[argument]);
        sum = sum.wrapping_add(
            returned
                .and_then(|value| value.int32_value(scope))
                .unwrap_or(0),
        );
    }
    sum
}

/// Copies one MiB to a new buffer.
#[op2]
#[buffer]
fn op_bench_copy(state: &mut OpState) -> Vec<u8> {
    state.borrow::<Bytes>().0.to_vec()
}

/// Runs an empty closure on a thread of the event loop.
#[op2]
async fn op_bench_spawn_blocking() {
    // It fails only if the closure panics.
    _ = tokio::task::spawn_blocking(|| ()).await;
}

struct Bytes(Vec<u8>);

deno_core::extension!(
    bench,
    ops = [
        op_bench_add_i32,
        op_bench_add_i64,
        op_bench_add_f64,
        op_bench_mixed8,
        op_bench_call_js,
        op_bench_copy,
        op_bench_spawn_blocking,
    ],
    state = |state| state.put(Bytes(vec![1; MIB]))
);

impl Js {
    /// A runtime that has evaluated a script. The script may use the exports of `host:wasm`, and `ops`.
    pub fn new(script: &str) -> anyhow::Result<Self> {
        Self::with(None, script)
    }

    /// As [`Js::new`], with a pool of instances.
    pub fn with(pool: Option<InstancePool>, script: &str) -> anyhow::Result<Self> {
        let mut capabilities = WasmCapabilities::default();
        capabilities.allow_wasi = true;
        capabilities.max_instances = 100_000;
        capabilities.instance_pool = pool;
        // A module of `--scale` has thousands of functions in few bytes.
        capabilities.module_limits.max_compile_ms = 60_000;
        capabilities.module_limits.max_compile_bytes = 1 << 30;
        let wasm = WasmState::new(capabilities)?;
        let started = conformance::js::Js::new(wasm, bench::init())?;
        let this = Self {
            inner: RefCell::new(Inner {
                started,
                modules: 0,
            }),
        };
        this.module(&format!(
            "const native = globalThis.WebAssembly;
             delete globalThis.WebAssembly;
             const {{ ops, encode: text }} = Deno.core;
             import {{ compile, compileComponent, createWebAssembly, instantiate, instantiateComponent, WasmMemory, WasmStore }} from 'host:wasm';
             {script}"
        ))?;
        Ok(this)
    }

    /// Evaluates a module.
    fn module(&self, code: &str) -> anyhow::Result<()> {
        let inner = &mut *self.inner.borrow_mut();
        inner.modules += 1;
        let name = format!("bench:{}", inner.modules);
        inner.started.evaluate(&name, code.to_owned())
    }

    /// Makes a global variable of this name with a buffer of these bytes.
    pub fn put(&self, name: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        let inner = &mut *self.inner.borrow_mut();
        deno_core::scope!(scope, inner.started.runtime);
        let store = v8::ArrayBuffer::new_backing_store_from_vec(bytes).make_shared();
        let buffer = v8::ArrayBuffer::with_backing_store(scope, &store);
        let key = v8::String::new(scope, name).map(v8::Local::from);
        let global = scope.get_current_context().global(scope);
        let put = key.and_then(|key| global.set(scope, key, buffer.into()));
        anyhow::ensure!(put == Some(true), "{name} cannot be put");
        Ok(())
    }

    /// The time that a script takes.
    pub fn time(&self, script: &str) -> anyhow::Result<Duration> {
        let inner = &mut *self.inner.borrow_mut();
        let start = Instant::now();
        inner
            .started
            .runtime
            .execute_script("bench:run", script.to_owned())?;
        Ok(start.elapsed())
    }

    /// The time until the promise of a script is fulfilled.
    pub fn time_promise(&self, script: &str) -> anyhow::Result<Duration> {
        let inner = &mut *self.inner.borrow_mut();
        let start = Instant::now();
        let promise = {
            // Modules are compiled on other threads of the event loop.
            let _entered = inner.started.event_loop.enter();
            inner
                .started
                .runtime
                .execute_script("bench:run", script.to_owned())?
        };
        let resolved = Box::pin(inner.started.runtime.resolve(promise));
        let options = PollEventLoopOptions::default();
        let waiting = inner
            .started
            .runtime
            .with_event_loop_promise(resolved, options);
        inner.started.event_loop.block_on(waiting)?;
        Ok(start.elapsed())
    }
}
