//! Runs a Forge app with what its manifest grants it.
//!
//! ```sh
//! cargo run --example forge -- examples/forge
//! ```
//!
//! Forge itself does more: this is the part that has to do with WebAssembly. See docs/FORGE.md.

mod adapter;

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use clap::Parser;
use deno_core::error::ModuleLoaderError;
use deno_core::{
    JsRuntime, ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader,
    ModuleSource, ModuleSourceCode, ModuleSpecifier, ModuleType, PollEventLoopOptions,
    ResolutionKind, RuntimeOptions, resolve_import,
};
use deno_error::JsErrorBox;
use ext_wasm::{WasmState, host_wasm};

/// Runs a Forge app with what its manifest grants it.
#[derive(Parser)]
struct Args {
    /// The folder of the app, with its `manifest.app.toml` and `src/main.ts`.
    app: PathBuf,
    /// Lets the app load any file, and give its guests any folder.
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
    // What an app calls a file is relative to the app.
    std::env::set_current_dir(&app)?;

    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio.block_on(async {
        let mut runtime = JsRuntime::new(RuntimeOptions {
            extensions: vec![host_wasm::init(WasmState::new(capabilities)?)],
            module_loader: Some(Rc::new(Loader)),
            ..Default::default()
        });
        let module = runtime.load_main_es_module(&main).await?;
        let evaluated = runtime.mod_evaluate(module);
        runtime
            .run_event_loop(PollEventLoopOptions::default())
            .await?;
        evaluated.await?;
        Ok(())
    })
}

/// Loads the files of an app, and knows what Forge calls `host:wasm`.
struct Loader;

impl ModuleLoader for Loader {
    fn resolve(
        &self,
        specifier: &str,
        referrer: &str,
        _kind: ResolutionKind,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        let specifier = match specifier {
            "runtime:wasm" => "host:wasm",
            specifier => specifier,
        };
        resolve_import(specifier, referrer).map_err(JsErrorBox::from_err)
    }

    fn load(
        &self,
        specifier: &ModuleSpecifier,
        _referrer: Option<&ModuleLoadReferrer>,
        _options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        ModuleLoadResponse::Sync(load(specifier))
    }
}

fn load(specifier: &ModuleSpecifier) -> Result<ModuleSource, ModuleLoaderError> {
    let path = specifier
        .to_file_path()
        .map_err(|()| JsErrorBox::generic(format!("{specifier} is not a file")))?;
    let source = std::fs::read_to_string(&path)
        .map_err(|error| JsErrorBox::generic(format!("{specifier}: {error}")))?;
    let code = forge_weld::transpile(specifier.as_str(), &source)
        .map_err(|error| JsErrorBox::generic(error.to_string()))?
        .code;
    Ok(ModuleSource::new(
        ModuleType::JavaScript,
        ModuleSourceCode::String(code.into()),
        specifier,
        None,
    ))
}
