//! A real `JsRuntime` with `host:wasm`, for tests.

use std::path::Path;
use std::rc::Rc;

use deno_core::{JsBuffer, JsRuntime, ModuleSpecifier, PollEventLoopOptions, RuntimeOptions, v8};
use ext_wasm::{WasmCapabilities, WasmState};
use tokio::sync::Notify;

use crate::hostile;

/// A JavaScript runtime and the event loop it runs on.
pub struct Js {
    runtime: JsRuntime,
    tokio: tokio::runtime::Runtime,
    modules: u32,
    /// Whether builtins are patched and polluted.
    is_hostile: bool,
}

/// What every script finds at hand, beside the exports of `host:wasm`.
const PRELUDE: &str = r#"
    import * as wasm from "host:wasm";
    Object.assign(globalThis, wasm);
    globalThis.wasm = wasm;
    globalThis.text = (source) => Deno.core.encode(source);
    /** An instance of a module in the text format. */
    globalThis.load = async (source, imports, options) =>
        await instantiate(await compile(text(source)), imports, options);
    /** An instance of a fixture. */
    globalThis.fixture = async (name, imports, options) =>
        await load(fixtures[name], imports, options);
    /** JSON text, with bigints as strings that end in `n`. */
    globalThis.toJson = (value) =>
        JSON.stringify(value, (_, part) => typeof part === "bigint" ? `${part}n` : part);
    /** What a test wants to know of an error, or of whatever else was thrown. */
    globalThis.tell = (error) => {
        if (!(error instanceof WasmError)) return `not a WasmError: ${error?.name ?? error}`;
        const { code, kind, message, trap, cause } = error;
        const told = { code, kind, message, trap };
        if (cause !== undefined) told.cause = tell(cause);
        return told;
    };
    /** The error that `f` throws or rejects with. */
    globalThis.caught = async (f) => {
        try {
            await f();
        } catch (error) {
            return error;
        }
        return "nothing was thrown";
    };
    globalThis.codeOf = async (f) => (await caught(f)).code;
    /** Runs the garbage collector, and what it leaves to finalizers. */
    globalThis.collect = async () => {
        for (let i = 0; i < 3; i++) {
            Deno.core.ops.op_wasm_collect_js();
            await Deno.core.ops.op_wasm_yield_now();
        }
    };
    globalThis.engineWebAssembly = globalThis.WebAssembly;
    delete globalThis.WebAssembly;
"#;

deno_core::extension!(
    host,
    ops = [
        op_host_detach,
        op_host_hold,
        op_host_is_wasm_calling,
        op_host_let_go,
        op_host_terminate
    ]
);

thread_local! {
    /// Ends what [`op_host_hold`] waits for.
    static LET_GO: Rc<Notify> = Rc::default();
}

/// Holds bytes until it may let them go, as an op does that uses them on another thread.
#[deno_core::op2]
async fn op_host_hold(#[buffer] bytes: JsBuffer) {
    LET_GO.with(Rc::clone).notified().await;
    drop(bytes);
}

#[deno_core::op2(fast)]
fn op_host_let_go() {
    LET_GO.with(|let_go| let_go.notify_one());
}

/// Whether code of `host:wasm` called the function that calls this op, itself or through a builtin. The engine
/// walks its stack and runs no JavaScript, so nothing a test does can stop or change the answer.
#[deno_core::op2(fast, reentrant)]
fn op_host_is_wasm_calling(scope: &mut v8::PinScope<'_, '_>) -> bool {
    /// The frames of the op, the function, two builtins and the caller.
    const FRAMES: usize = 5;
    let stack = v8::StackTrace::current_stack_trace(scope, FRAMES).unwrap();
    let mut scripts = (0..stack.get_frame_count()).filter_map(|frame| {
        let script = stack.get_frame(scope, frame)?.get_script_name(scope)?;
        Some(script.to_rust_string_lossy(scope))
    });
    // The first script is the one of the function itself; a builtin has none.
    scripts
        .nth(1)
        .is_some_and(|script| script.starts_with("host:wasm"))
}

/// Ends the JavaScript that is running, as a host may from anywhere.
#[deno_core::op2(fast)]
fn op_host_terminate(isolate: &mut v8::Isolate) {
    isolate.terminate_execution();
}

/// Detaches a buffer, as a host may.
#[deno_core::op2(nofast)]
fn op_host_detach(buffer: v8::Local<'_, v8::ArrayBuffer>) {
    buffer.detach(None);
}

impl Js {
    /// A runtime that grants nothing.
    pub fn new() -> Self {
        Self::with(WasmCapabilities::default())
    }

    /// A runtime that grants these capabilities.
    pub fn with(capabilities: WasmCapabilities) -> Self {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let wasm = WasmState::new(capabilities).unwrap();
        let _guard = tokio.enter();
        let runtime = JsRuntime::new(RuntimeOptions {
            extensions: vec![ext_wasm::host_wasm::init(wasm), host::init()],
            ..Default::default()
        });
        drop(_guard);
        let mut this = Self {
            runtime,
            tokio,
            modules: 0,
            is_hostile: false,
        };
        this.module(&format!("{PRELUDE}\nglobalThis.fixtures = {};", fixtures()));
        if let Some(hostile) = hostile::prelude() {
            this.module(&hostile);
            this.is_hostile = true;
        }
        this
    }

    /// Runs the body of an async function and returns what it returns, as JSON with bigints as
    /// strings that end in `n`.
    pub fn run(&mut self, body: &str) -> serde_json::Value {
        self.module(&format!(
            "globalThis.returned = undefined;
             globalThis.returned = toJson(await (async () => {{ {body} }})());"
        ));
        self.eval("globalThis.returned")
    }

    /// Waits for the promise that an expression makes, and returns what it resolves to, as [`Js::run`] does. For the
    /// thousandth time as quickly as for the first: it makes no module.
    pub fn wait(&mut self, expression: &str) -> serde_json::Value {
        self.script(format!(
            "globalThis.returned = undefined;
             globalThis.threw = undefined;
             Promise.resolve({expression}).then(
                 (value) => {{ globalThis.returned = toJson(value) ?? 'null'; }},
                 (error) => {{ globalThis.threw = `${{error}}`; }});"
        ));
        let runtime = &mut self.runtime;
        let looped = self
            .tokio
            .block_on(runtime.run_event_loop(PollEventLoopOptions::default()));
        looped.unwrap_or_else(|error| panic!("{expression}: {error}"));
        let ended = self.eval("toJson([globalThis.threw ?? null, globalThis.returned ?? null])");
        match (&ended[0], &ended[1]) {
            (serde_json::Value::Null, serde_json::Value::String(json)) => {
                serde_json::from_str(json).unwrap()
            }
            (serde_json::Value::Null, _) => panic!("{expression} is never settled"),
            (threw, _) => panic!("{expression} threw {threw}"),
        }
    }

    fn script(&mut self, source: String) -> v8::Global<v8::Value> {
        // Whatever an op wants of the event loop's other threads.
        let _entered = self.tokio.enter();
        let value = self.runtime.execute_script("test:eval", source);
        value.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Evaluates an expression whose value is JSON text, without a turn of the event loop.
    pub fn eval(&mut self, expression: &str) -> serde_json::Value {
        let value = self.script(expression.to_owned());
        deno_core::scope!(scope, self.runtime);
        let value = v8::Local::new(scope, value);
        if value.is_undefined() {
            return serde_json::Value::Null;
        }
        serde_json::from_str(&value.to_rust_string_lossy(scope)).unwrap()
    }

    /// Evaluates an expression that [ends](op_host_terminate) all JavaScript that is running.
    pub fn terminated(&mut self, expression: &str) {
        let ended = self
            .runtime
            .execute_script("test:terminated", expression.to_owned());
        assert!(ended.is_err(), "{expression} goes on");
        self.runtime.v8_isolate().cancel_terminate_execution();
    }

    /// The state of the runtime, as its host finds it again.
    pub fn state(&self) -> std::rc::Rc<WasmState> {
        ext_wasm::state(&self.runtime.op_state().borrow()).expect("the extension was given a state")
    }

    /// The bits of the values that the last call returned.
    pub fn frame_bits(&mut self, count: usize) -> Vec<u128> {
        ext_wasm::frame_bits(&self.runtime.op_state().borrow(), count)
    }

    /// Evaluates a module, and panics with the error if it throws.
    fn module(&mut self, code: &str) {
        self.modules += 1;
        let specifier = ModuleSpecifier::parse(&format!("test:{}", self.modules)).unwrap();
        let code = code.to_owned();
        let runtime = &mut self.runtime;
        self.tokio.block_on(async {
            let id = runtime
                .load_side_es_module_from_code(&specifier, code)
                .await
                .unwrap_or_else(|error| panic!("{error}"));
            let evaluated = runtime.mod_evaluate(id);
            let looped = runtime
                .run_event_loop(PollEventLoopOptions::default())
                .await;
            looped.unwrap_or_else(|error| panic!("{error}"));
            evaluated.await.unwrap_or_else(|error| panic!("{error}"));
        });
        if self.is_hostile {
            let used = self.eval("toJson(usedByHostWasm())");
            assert_eq!(used, "", "host:wasm uses builtins that scripts can change");
        }
    }
}

/// The sources of all fixtures, by name, as JSON.
fn fixtures() -> serde_json::Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wat");
    let sources = std::fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&path).unwrap().into())
    });
    serde_json::Value::Object(sources.collect())
}
