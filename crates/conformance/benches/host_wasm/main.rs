//! Measures `host:wasm` beside its parts, in the same run: raw wasmtime, the JavaScript engine's own calls into
//! native code, a copy of memory.
//! `cargo bench` prints a table. `cargo bench -- --json FILE` also writes it as JSON. `cargo bench -- --compare A B` prints
//! two of these files beside each other. `cargo bench -- --scale FILE` shows how costs grow with the number of instances,
//! stores, components, exports and calls.

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

mod calls;
mod components;
mod guests;
mod js;
mod lanes;
mod measure;
mod memory;
mod modules;
mod raw;
mod report;
mod scale;
mod standard;

use std::path::{Path, PathBuf};

use clap::Parser;
use measure::Bench;
use report::Report;

/// Measures host:wasm beside wasmtime and the JavaScript engine.
#[derive(Parser)]
struct Options {
    /// Write the rows to FILE, as JSON. A relative path starts at the root of the repository.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Instead, print the rows of two files that `--json` wrote beside each other.
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    compare: Option<Vec<PathBuf>>,
    /// Instead, measure costs for many instances and exports, and plot them to FILE (SVG).
    #[arg(long, value_name = "FILE")]
    scale: Option<PathBuf>,
    /// Only rows whose name contains NAME.
    #[arg(value_name = "NAME")]
    only: Vec<String>,
    /// The argument that `cargo bench` passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let Some(path) = options.scale {
        return scale::measure(&from_root(&path));
    }
    if let Some([a, b]) = options.compare.as_deref() {
        let [a, b] = [a, b].map(|path| Report::read(&from_root(path)));
        println!("{}", a?.beside(&b?));
        return Ok(());
    }
    let mut bench = Bench::new(options.only);
    calls::measure(&mut bench)?;
    memory::measure(&mut bench)?;
    components::measure(&mut bench)?;
    components::streams(&mut bench)?;
    standard::measure(&mut bench)?;
    modules::measure(&mut bench)?;
    guests::measure(&mut bench)?;
    lanes::measure(&mut bench)?;
    let report = bench.into_report();
    println!("{}", report.table());
    if let Some(path) = options.json {
        report.write(&from_root(&path))?;
    }
    Ok(())
}

/// A path from the root of the repository. Cargo runs benchmarks in the folder of their package.
fn from_root(path: &Path) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}
