//! A JavaScript runtime with `host:wasm`, and its event loop.

use anyhow::Context as _;
use deno_core::{Extension, JsRuntime, ModuleSpecifier, PollEventLoopOptions, RuntimeOptions};
use ext_wasm::WasmState;

/// A JavaScript runtime and the event loop that it runs on.
pub struct Js {
    pub runtime: JsRuntime,
    pub event_loop: tokio::runtime::Runtime,
}

impl Js {
    /// A runtime with `host:wasm`, and one more extension.
    ///
    /// # Errors
    ///
    /// When the event loop or JavaScript does not start.
    pub fn new(wasm: WasmState, extension: Extension) -> anyhow::Result<Self> {
        let event_loop = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entered = event_loop.enter();
        let runtime = JsRuntime::try_new(RuntimeOptions {
            extensions: vec![ext_wasm::host_wasm::init(wasm), extension],
            ..Default::default()
        });
        drop(entered);
        Ok(Self {
            runtime: runtime.context("JavaScript does not start")?,
            event_loop,
        })
    }

    /// Evaluates a module, and runs the event loop until there is nothing left to do.
    ///
    /// # Errors
    ///
    /// When the module throws, or something does that it started.
    pub fn evaluate(&mut self, name: &str, code: String) -> anyhow::Result<()> {
        let specifier = ModuleSpecifier::parse(name)?;
        let runtime = &mut self.runtime;
        self.event_loop.block_on(async {
            let id = runtime
                .load_side_es_module_from_code(&specifier, code)
                .await
                .with_context(|| name.to_owned())?;
            let evaluated = runtime.mod_evaluate(id);
            runtime
                .run_event_loop(PollEventLoopOptions::default())
                .await?;
            Ok(evaluated.await?)
        })
    }
}
