//! Runs a Forge app with the capabilities that its manifest grants.
//!
//! ```sh
//! cargo run --example forge -- examples/forge
//! ```
//!
//! This is only the part of Forge that runs WebAssembly. See docs/FORGE.md.

mod adapter;
#[path = "../shared/loader.rs"]
mod loader;

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use clap::Parser;
use deno_core::{JsRuntime, ModuleSpecifier, PollEventLoopOptions, RuntimeOptions};
use ext_wasm::{WasmState, host_wasm};
use loader::FileLoader;

/// Runs a Forge app with the capabilities that its manifest grants.
#[derive(Parser)]
struct Args {
    /// The folder of the app, with its `manifest.app.toml` and `src/main.ts`.
    app: PathBuf,
    /// Lets the app load any file, and preopen any folder for its guests.
    #[arg(long)]
    dev: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let show = |error: std::io::Error| format!("{}: {error}", args.app.display());
    let app = args.app.canonicalize().map_err(show)?;
    let manifest = std::fs::read_to_string(app.join("manifest.app.toml"));
    let manifest = manifest.map_err(|error| format!("manifest.app.toml: {error}"))?;
    let capabilities = adapter::capabilities(&manifest, &app, args.dev)?;
    let main = ModuleSpecifier::from_file_path(app.join("src/main.ts"))
        .map_err(|()| "the path of the app has no URL")?;
    // Paths that an app uses are relative to its folder.
    std::env::set_current_dir(&app)?;

    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio.block_on(async {
        let mut runtime = JsRuntime::new(RuntimeOptions {
            extensions: vec![host_wasm::init(WasmState::new(capabilities)?)],
            module_loader: Some(Rc::new(FileLoader {
                alias: Some("runtime:wasm"),
                ..FileLoader::default()
            })),
            ..Default::default()
        });
        // The engine's own WebAssembly would ignore the manifest.
        runtime.execute_script("app:setup", "delete globalThis.WebAssembly;")?;
        let module = runtime.load_main_es_module(&main).await?;
        let evaluated = runtime.mod_evaluate(module);
        runtime
            .run_event_loop(PollEventLoopOptions::default())
            .await?;
        evaluated.await?;
        Ok(())
    })
}
