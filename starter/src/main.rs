//! Runs a TypeScript file, which may run WebAssembly within the limits that are set here.

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

mod loader;

use std::env;
use std::error::Error;
use std::rc::Rc;

use deno_core::{JsRuntime, PollEventLoopOptions, RuntimeOptions, resolve_path};
use ext_wasm::{EsModules, WasmCapabilities, WasmState, host_wasm};
use loader::FileLoader;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // The default grants no files and no WASI. Scripts may ask for less than these caps, not for more. The global
    // `WebAssembly` has these limits too, and the JavaScript engine's own is gone.
    let capabilities = WasmCapabilities::builder()
        .max_fuel(10_000_000)
        .max_memory_bytes(64 << 20)
        .webassembly_global(true)
        .build();
    let wasm = WasmState::new(capabilities)?;
    let loader = FileLoader {
        es_modules: EsModules::new(&wasm),
    };

    let mut runtime = JsRuntime::new(RuntimeOptions {
        extensions: vec![host_wasm::init(wasm)],
        module_loader: Some(Rc::new(loader)),
        ..Default::default()
    });
    // Names of the web that packages with WebAssembly use.
    runtime.execute_script("app:web.js", include_str!("web.js"))?;

    let file = env::args().nth(1);
    let file = file.as_deref().unwrap_or("src/main.ts");
    let main = resolve_path(file, &env::current_dir()?)?;
    let module = runtime.load_main_es_module(&main).await?;
    let evaluated = runtime.mod_evaluate(module);
    runtime
        .run_event_loop(PollEventLoopOptions::default())
        .await?;
    Ok(evaluated.await?)
}
