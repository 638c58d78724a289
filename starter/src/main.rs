//! Runs `main.ts`, which may run WebAssembly within the limits that are set here.

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

use std::error::Error;

use deno_core::{JsRuntime, ModuleSpecifier, PollEventLoopOptions, RuntimeOptions};
use ext_wasm::{WasmCapabilities, WasmState};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // The default grants no files and no WASI. Scripts may ask for less than these caps, not for more.
    let capabilities = WasmCapabilities::builder()
        .max_fuel(10_000_000)
        .max_memory_bytes(64 << 20)
        .build();

    let mut runtime = JsRuntime::new(RuntimeOptions {
        extensions: vec![ext_wasm::host_wasm::init(WasmState::new(capabilities)?)],
        ..Default::default()
    });
    // The JavaScript engine's own WebAssembly knows no limits.
    runtime.execute_script("app:setup", "delete globalThis.WebAssembly;")?;

    let name = ModuleSpecifier::parse("app:main.ts")?;
    let code = forge_weld::transpile(name.as_str(), include_str!("main.ts"))?;
    let module = runtime
        .load_main_es_module_from_code(&name, code.with_inline_source_map())
        .await?;
    let evaluated = runtime.mod_evaluate(module);
    runtime
        .run_event_loop(PollEventLoopOptions::default())
        .await?;
    Ok(evaluated.await?)
}
