//! Runs a TypeScript or JavaScript file that may import `host:wasm`.
//!
//! ```sh
//! cargo run --example embed -- --max-fuel 1000000 app.ts
//! ```

#[path = "shared/loader.rs"]
mod loader;

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use clap::Parser;
use deno_core::{JsRuntime, PollEventLoopOptions, RuntimeOptions, op2, resolve_path};
use deno_error::JsErrorBox;
use ext_wasm::{EsModules, WasmCapabilities, WasmState};
use loader::FileLoader;

/// Runs a TypeScript or JavaScript file that may import `host:wasm`.
#[derive(Parser)]
struct Args {
    /// The file to run.
    file: PathBuf,
    /// Lets `compileFile` read files in this folder. May be given several times.
    #[arg(long, value_name = "DIR")]
    allow_compile: Vec<PathBuf>,
    /// Gives the file the fenced `WebAssembly` as the global object, for packages that know nothing of `host:wasm`.
    #[arg(long)]
    global: bool,
    /// Lets instances use WASI.
    #[arg(long)]
    allow_wasi: bool,
    /// Lets components with WASI use WASI 0.3.
    #[arg(long, requires = "allow_wasi")]
    allow_wasi_03: bool,
    /// Lets instances with WASI preopen this folder and its subfolders. May be given several times.
    #[arg(long, value_name = "DIR", requires = "allow_wasi")]
    allow_preopen: Vec<PathBuf>,
    /// Lets components with WASI connect to this host: `example.com:443`, `10.0.0.0/8`. May be given several times.
    #[arg(long, value_name = "HOST")]
    allow_connect: Vec<String>,
    /// Lets components with WASI listen at this address: `127.0.0.1:0`. May be given several times.
    #[arg(long, value_name = "ADDRESS")]
    allow_listen: Vec<String>,
    /// Caches machine code in this folder.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// The most bytes that the memories of one store may hold.
    #[arg(long, value_name = "BYTES")]
    max_memory: Option<u64>,
    /// The longest time that a call may take, in milliseconds. Gives every call a deadline.
    #[arg(long, value_name = "MS")]
    max_timeout: Option<u64>,
    /// The most fuel that an instance may have. Meters every instance.
    #[arg(long, value_name = "UNITS")]
    max_fuel: Option<u64>,
}

impl Args {
    fn capabilities(&self) -> WasmCapabilities {
        let mut capabilities = WasmCapabilities::default();
        capabilities.allow_file_compile = !self.allow_compile.is_empty();
        capabilities.compile_paths = self.allow_compile.clone();
        capabilities.webassembly_global = self.global;
        capabilities.allow_wasi = self.allow_wasi;
        capabilities.allow_wasi_03 = self.allow_wasi_03;
        capabilities.preopen_paths = self.allow_preopen.clone();
        capabilities.network.connect = self.allow_connect.clone();
        capabilities.network.listen = self.allow_listen.clone();
        capabilities.cache_path = self.cache.clone();
        capabilities.max_memory_bytes = self.max_memory;
        capabilities.max_timeout_ms = self.max_timeout;
        capabilities.max_fuel = self.max_fuel;
        capabilities
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a current-thread runtime needs nothing that can be missing");
    match tokio.block_on(run(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If stderr is closed too, the exit status still reports the failure.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let wasm = WasmState::new(args.capabilities())?;
    let loader = FileLoader {
        es_modules: Some(EsModules::new(&wasm)),
        ..FileLoader::default()
    };
    let mut runtime = JsRuntime::new(RuntimeOptions {
        extensions: vec![ext_wasm::host_wasm::init(wasm), console::init()],
        module_loader: Some(Rc::new(loader)),
        ..Default::default()
    });
    if !args.global {
        // `host:wasm` is the only WebAssembly here: see crates/no-wamr.
        runtime.execute_script("ext:embed/setup.js", "delete globalThis.WebAssembly;")?;
    }

    let main = resolve_path(&args.file.to_string_lossy(), &std::env::current_dir()?)?;
    let module = runtime.load_main_es_module(&main).await?;
    let evaluated = runtime.mod_evaluate(module);
    runtime
        .run_event_loop(PollEventLoopOptions::default())
        .await?;
    evaluated.await?;
    Ok(())
}

deno_core::extension!(
    console,
    ops = [op_print_line],
    esm_entry_point = "ext:console/console.js",
    esm = ["ext:console/console.js" = {
        source = "
            import { core } from 'ext:core/mod.js';
            const line = (values) => values
                .map((value) => typeof value === 'string' ? value : inspect(value))
                .join(' ');
            function inspect(value) {
                if (value instanceof Error) return `${value.name}: ${value.message}`;
                if (typeof value === 'bigint') return `${value}n`;
                if (ArrayBuffer.isView(value)) {
                    return `${value.constructor.name} [ ${value.join(', ')} ]`;
                }
                try {
                    const big = (_, inner) => typeof inner === 'bigint' ? `${inner}n` : inner;
                    return JSON.stringify(value, big) ?? String(value);
                } catch {
                    return String(value);
                }
            }
            globalThis.console = {
                log: (...values) => core.ops.op_print_line(line(values), false),
                error: (...values) => core.ops.op_print_line(line(values), true),
            };
        "
    }],
);

#[op2(fast)]
fn op_print_line(#[string] line: &str, error: bool) -> Result<(), JsErrorBox> {
    let printed = if error {
        writeln!(std::io::stderr(), "{line}")
    } else {
        writeln!(std::io::stdout(), "{line}")
    };
    match printed {
        // The reader has closed the pipe, as in `embed FILE | head -1`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        printed => printed.map_err(JsErrorBox::from_err),
    }
}
