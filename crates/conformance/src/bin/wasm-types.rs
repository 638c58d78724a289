//! Writes TypeScript declarations of a module's or component's imports and exports.
//!
//! ```sh
//! cargo run --bin wasm-types -- component.wasm component.d.ts
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use ext_wasm::runtime::{ExternInfo, WASI_MODULES};
use ext_wasm::{ExportKind, WasmCapabilities, WasmErrorCode, WasmState};

/// Writes TypeScript declarations of a module's or component's imports and exports.
///
/// Of a component they are those that `component.types()` returns in `host:wasm`; of a module, the functions of
/// `instance.func(name)` and the live objects of its other exports. A module is compiled for that, a component is not.
#[derive(Parser)]
struct Args {
    /// The module or component, in the binary or the text format.
    file: PathBuf,
    /// The file for the declarations. Standard output, if it is not given.
    output: Option<PathBuf>,
    /// Writes WIT instead, of a component.
    #[arg(long)]
    wit: bool,
}

fn main() -> anyhow::Result<()> {
    let Args { file, output, wit } = Args::parse();
    let source = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let state = WasmState::new(WasmCapabilities::default())?;
    let text = match state.component_interface(&source) {
        Ok(interface) if wit => interface.wit()?,
        Ok(interface) => interface.types()?,
        Err(refusal) => {
            // A source that is neither is refused as a module, too.
            let module = state.compile(&source);
            let module = module.map_err(|error| match error.code {
                WasmErrorCode::CompileError if is_component(&source) => refusal,
                _ => error,
            })?;
            anyhow::ensure!(
                !wit,
                "{} is a module: only components have WIT",
                file.display()
            );
            declarations(&module)
        }
    };
    match output {
        None => print!("{text}"),
        Some(path) => {
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

/// Whether a source is a component in the binary format.
fn is_component(source: &[u8]) -> bool {
    source.starts_with(b"\0asm\x0d\0\x01\0")
}

/// Returns the declarations of a module. Functions of WASI, which the host provides, are not among the imports.
fn declarations(module: &ext_wasm::WasmModule) -> String {
    let mut objects: BTreeMap<&str, String> = BTreeMap::new();
    for import in module.imports.iter() {
        if WASI_MODULES.contains(&&*import.module) {
            continue;
        }
        let object = objects.entry(&import.module).or_default();
        let name = &import.name;
        let ty = type_of(import.kind, &import.ty, true);
        writeln!(object, "    readonly {name:?}: {ty};").expect("a string takes all");
    }
    let mut text = String::from(
        "import type { WasmGlobal, WasmMemory, WasmTable, WasmTag } from \"host:wasm\";\n\n\
         /** The imports of the module. */\nexport interface Imports {\n",
    );
    for (module, object) in objects {
        write!(text, "  readonly {module:?}: {{\n{object}  }};\n").expect("a string takes all");
    }
    text += "}\n\n/** The exports of an instance, by their names. */\nexport interface Exports {\n";
    for export in module.exports.iter() {
        let name = &export.name;
        let ty = type_of(export.kind, &export.ty, false);
        writeln!(text, "  readonly {name:?}: {ty};").expect("a string takes all");
    }
    text += "}\n";
    text
}

/// Returns the type of an import or export. The app gives a function that is imported.
fn type_of(kind: ExportKind, ty: &ExternInfo, is_import: bool) -> String {
    match (kind, ty) {
        (_, ExternInfo::Function { params, results }) => {
            let (taken, given) = match is_import {
                true => (
                    out_of as fn(&str) -> &'static str,
                    into as fn(&str) -> &'static str,
                ),
                false => (
                    into as fn(&str) -> &'static str,
                    out_of as fn(&str) -> &'static str,
                ),
            };
            let params = params.iter().enumerate();
            let params = params.map(|(i, ty)| format!("p{i}: {}", taken(ty)));
            let params = params.collect::<Vec<_>>().join(", ");
            let result = match &**results {
                [] => "void".to_owned(),
                [one] => given(one).to_owned(),
                many => {
                    let all = many.iter().map(|ty| given(ty));
                    format!("[{}]", all.collect::<Vec<_>>().join(", "))
                }
            };
            // An import may return a promise in an asynchronous call.
            match is_import {
                true => format!("({params}) => {result} | Promise<{result}>"),
                false => format!("({params}) => {result}"),
            }
        }
        (ExportKind::Memory, _) => "WasmMemory".to_owned(),
        (ExportKind::Table, _) => "WasmTable".to_owned(),
        (ExportKind::Global, _) => "WasmGlobal".to_owned(),
        _ => "WasmTag".to_owned(),
    }
}

/// Returns the type of a value that JavaScript gives.
fn into(ty: &str) -> &'static str {
    match ty {
        "i64" => "bigint | number",
        ty => out_of(ty),
    }
}

/// Returns the type of a value that JavaScript gets.
fn out_of(ty: &str) -> &'static str {
    match ty {
        "i32" | "f32" | "f64" => "number",
        "i64" => "bigint",
        "v128" => "Uint8Array",
        _ => "unknown",
    }
}
