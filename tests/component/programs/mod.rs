//! Components that toolchains make, from programs in JavaScript, Python, C, Zig and Go.
//!
//! `tests/programs/fetch.sh --components` puts them into `target/components`. The test of a missing component prints that
//! it is skipped. jco translates the components to modules and JavaScript, with which Node has to give the same results.

mod commands;
mod notes;
mod text;
mod web;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ext_wasm::WasmCapabilities;
use serde_json::{Value, json};

/// All of the components.
pub(super) const NAMES: [&str; 9] = [
    "count-c", "count-go", "notes-js", "notes-py", "text-c", "text-js", "text-py", "text-zig",
    "web-js",
];

/// The options of the instances, apart from `wasi`.
const LIMITS: &str = "fuel: 10_000_000_000, timeoutMs: 60_000, maxMemoryBytes: 256 << 20";

/// The file of a component or a folder beside it; `None` if it is not there.
pub(super) fn made(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("target/components").join(name);
    if file.exists() {
        return Some(file);
    }
    println!(
        "skipped: no {name} in target/components; tests/programs/fetch.sh --components makes it"
    );
    None
}

/// What a program gets, for instances with [`LIMITS`].
fn granting(component: &Path) -> WasmCapabilities {
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_wasi = true;
    capabilities.allow_file_compile = true;
    capabilities.compile_paths = vec![component.to_owned()];
    // With these caps the code is compiled with checks from the start, and not a second time for the instance.
    capabilities.max_fuel = Some(10_000_000_000);
    capabilities.max_timeout_ms = Some(60_000);
    capabilities
}

/// Runs a script in Node that may import the translation of a component as `translated`, and gives it this input; `None`
/// if there is no translation or no Node that can run it.
fn on_node(name: &str, script: &str, input: &str) -> Option<Output> {
    let translated = made(&format!("jco/{name}/{name}.js"))?;
    // Node 20 has extended constant expressions, which Python's components need, behind a flag of V8.
    let script = format!(
        "import {{ setFlagsFromString }} from 'node:v8';
         if (process.version.startsWith('v20.')) setFlagsFromString('--experimental-wasm-extended-const');
         const translated = {};\n{script}",
        json!(translated)
    );
    let mut node = Command::new("node");
    node.args(["--no-warnings", "--input-type=module", "--eval", &script]);
    // The packages that translations import are here.
    node.current_dir(made("")?);
    node.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match node.spawn() {
        Ok(child) => child,
        Err(error) => {
            println!("skipped: no node: {error}");
            return None;
        }
    };
    // A program that does not read its input may have ended before.
    _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("is not allowed in constant expressions") {
        println!("skipped: this node has no extended constant expressions, which {name} needs");
        return None;
    }
    Some(output)
}

/// The JSON that a script in Node has printed.
fn printed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}
