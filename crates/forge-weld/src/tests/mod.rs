//! Tests of the promises of the crate, through `ExtensionBuilder` and `transpile`.

mod api_page;
mod declarations;
mod extension;
mod files;
mod javascript;
mod modules;
mod refusals;
mod transpile;

use crate::ExtensionBuilder;
use crate::builder::Welded;
use crate::error::Error;
use crate::source::Source;

/// The builder of the extension in the tests, with these ops.
fn builder(ops: &[&str]) -> ExtensionBuilder {
    ExtensionBuilder::new("host_wasm", "host:wasm")
        .ts_path("ts/init.ts")
        .ops(ops)
}

fn weld(ops: &[&str], typescript: &str) -> Welded {
    weld_files(ops, &[("ts/init.ts", typescript)]).expect("welds")
}

/// The outputs for a module of several files, or the error that refuses them.
fn weld_files(ops: &[&str], files: &[(&str, &str)]) -> Result<Welded, Error> {
    let read = |path: &str| {
        let file = files.iter().find(|(name, _)| *name == path);
        file.map(|(name, text)| Source::new(name, text))
            .ok_or_else(|| Source::new(path, "").problem(0, "no such file"))
    };
    builder(ops).weld(&read).map_err(Error::Source)
}

/// The text of the error that refuses the TypeScript.
fn refusal(ops: &[&str], typescript: &str) -> String {
    match weld_files(ops, &[("ts/init.ts", typescript)]) {
        Ok(_) => panic!("welds, but should not:\n{typescript}"),
        Err(refusal) => refusal.to_string(),
    }
}
