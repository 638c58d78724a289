//! A real `JsRuntime` with `host:wasm`, for tests.

use std::path::Path;
use std::rc::Rc;

use deno_core::{JsBuffer, JsRuntime, ModuleSpecifier, PollEventLoopOptions, v8};
use ext_wasm::{WasmCapabilities, WasmState};
use tokio::sync::Notify;

use crate::hostile;
use crate::support::guests::network_guest;
use conformance::wasi::adapter::component_of;

/// A JavaScript runtime and its event loop.
pub struct Js {
    runtime: JsRuntime,
    tokio: tokio::runtime::Runtime,
    modules: u32,
    /// Whether builtins are patched and polluted.
    is_hostile: bool,
}

/// Global functions for all scripts, besides the exports of `host:wasm`.
const PRELUDE: &str = r#"
    import * as wasm from "host:wasm";
    Object.assign(globalThis, wasm);
    globalThis.wasm = wasm;
    globalThis.text = (source) => Deno.core.encode(source);
    /** The binary of a module in the text format. */
    globalThis.wat = (source) => Deno.core.ops.op_host_wat(source);
    /** A component of WASI 0.2 from a command of preview 1 in the text format. */
    globalThis.command = async (source) => await compileComponent(Deno.core.ops.op_host_command(source));
    /** A component that uses the network. */
    globalThis.networkGuest = async (world) => await compileComponent(Deno.core.ops.op_host_network_guest(world));
    /** An instance of a module in the text format. */
    globalThis.load = async (source, imports, options) =>
        await instantiate(await compile(text(source)), imports, options);
    /** An instance of a fixture. */
    globalThis.fixture = async (name, imports, options) =>
        await load(fixtures[name], imports, options);
    /** JSON text, with bigints as strings that end in `n`. */
    globalThis.toJson = (value) =>
        JSON.stringify(value, (_, part) => typeof part === "bigint" ? `${part}n` : part);
    /** The properties of a WasmError that tests compare, or a text for another thrown value. */
    globalThis.tell = (error) => {
        if (!(error instanceof WasmError)) return `not a WasmError: ${error?.name ?? error}`;
        const { code, kind, message, trap, cause } = error;
        const described = { code, kind, message, trap };
        if (cause !== undefined) described.cause = tell(cause);
        return described;
    };
    /** The value that `f` throws or rejects with. */
    globalThis.caught = async (f) => {
        try {
            await f();
        } catch (error) {
            return error;
        }
        return "nothing was thrown";
    };
    globalThis.codeOf = async (f) => (await caught(f)).code;
    /** Runs the garbage collector and the finalizers. */
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
        op_host_command,
        op_host_detach,
        op_host_hold,
        op_host_is_wasm_calling,
        op_host_network_guest,
        op_host_release,
        op_host_terminate,
        op_host_wat
    ]
);

thread_local! {
    /// Wakes up [`op_host_hold`].
    static RELEASE: Rc<Notify> = Rc::default();
}

/// Holds a buffer until [`op_host_release`] is called, as an op does that uses the bytes on another thread.
#[deno_core::op2]
async fn op_host_hold(#[buffer] bytes: JsBuffer) {
    RELEASE.with(Rc::clone).notified().await;
    drop(bytes);
}

#[deno_core::op2(fast)]
fn op_host_release() {
    RELEASE.with(|release| release.notify_one());
}

/// Whether the caller of this op was called by code of `host:wasm`, directly or through a builtin. The engine walks
/// its stack and runs no JavaScript, so a test cannot change the answer.
#[deno_core::op2(fast, reentrant)]
fn op_host_is_wasm_calling(scope: &mut v8::PinScope<'_, '_>) -> bool {
    /// The frames of the op, the function, two builtins and the caller.
    const FRAMES: usize = 5;
    let stack = v8::StackTrace::current_stack_trace(scope, FRAMES).unwrap();
    let mut scripts = (0..stack.get_frame_count()).filter_map(|frame| {
        let script = stack.get_frame(scope, frame)?.get_script_name(scope)?;
        Some(script.to_rust_string_lossy(scope))
    });
    // The first script is the script of the function itself. A builtin has no script.
    scripts
        .nth(1)
        .is_some_and(|script| script.starts_with("host:wasm"))
}

/// Terminates the running JavaScript, as a host may at any time.
#[deno_core::op2(fast)]
fn op_host_terminate(isolate: &mut v8::Isolate) {
    isolate.terminate_execution();
}

/// The binary of a module in the text format.
#[deno_core::op2]
#[buffer]
fn op_host_wat(#[string] text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A component of WASI 0.2 from a command of preview 1 in the text format.
#[deno_core::op2]
#[buffer]
fn op_host_command(#[string] text: &str) -> Vec<u8> {
    let module = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    component_of(&module).unwrap()
}

/// The component of this world in `tests/component/guests`.
#[deno_core::op2]
#[buffer]
fn op_host_network_guest(#[string] world: &str) -> Vec<u8> {
    network_guest(world)
}

/// Detaches a buffer, as a host may.
#[deno_core::op2(nofast)]
fn op_host_detach(buffer: v8::Local<'_, v8::ArrayBuffer>) {
    buffer.detach(None);
}

/// The extension whose ops the scripts of tests use.
pub fn host() -> deno_core::Extension {
    host::init()
}

impl Js {
    /// A runtime that grants nothing.
    pub fn new() -> Self {
        Self::with(WasmCapabilities::default())
    }

    /// A runtime that grants these capabilities. If the environment has the variable `EXT_WASM_POOL`, instances are made in a
    /// pool.
    pub fn with(mut capabilities: WasmCapabilities) -> Self {
        if std::env::var_os("EXT_WASM_POOL").is_some() {
            let pool = capabilities.instance_pool.unwrap_or_default();
            capabilities.instance_pool = Some(pool);
        }
        let wasm = WasmState::new(capabilities).unwrap();
        let started = conformance::js::Js::new(wasm, host::init()).unwrap();
        let mut this = Self {
            runtime: started.runtime,
            tokio: started.event_loop,
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

    /// Runs the body of an async function and returns its result as JSON. Bigints are strings that end in `n`.
    pub fn run(&mut self, body: &str) -> serde_json::Value {
        self.module(&format!(
            "globalThis.returned = undefined;
             globalThis.returned = toJson(await (async () => {{ {body} }})());"
        ));
        self.eval("globalThis.returned")
    }

    /// Waits for the promise of an expression, and returns its value as [`Js::run`] does. It makes no module, so the
    /// thousandth call is as quick as the first.
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
        // Ops may use the other threads of the event loop.
        let _entered = self.tokio.enter();
        let value = self.runtime.execute_script("test:eval", source);
        value.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Evaluates an expression whose value is JSON text, without running the event loop.
    pub fn eval(&mut self, expression: &str) -> serde_json::Value {
        let value = self.script(expression.to_owned());
        deno_core::scope!(scope, self.runtime);
        let value = v8::Local::new(scope, value);
        if value.is_undefined() {
            return serde_json::Value::Null;
        }
        serde_json::from_str(&value.to_rust_string_lossy(scope)).unwrap()
    }

    /// Evaluates an expression that [terminates](op_host_terminate) all running JavaScript.
    pub fn terminated(&mut self, expression: &str) {
        let ended = self
            .runtime
            .execute_script("test:terminated", expression.to_owned());
        assert!(ended.is_err(), "{expression} is not terminated");
        self.runtime.v8_isolate().cancel_terminate_execution();
    }

    /// The state of the runtime, looked up as a host does.
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
