//! What the crate promises, tested through `ExtensionBuilder` and `transpile`.

mod declarations;
mod extension;
mod files;
mod javascript;
mod refusals;
mod transpile;

use crate::ExtensionBuilder;
use crate::builder::Welded;
use crate::error::Error;
use crate::source::Source;

/// The extension of the tests, with these ops.
fn builder(ops: &[&str]) -> ExtensionBuilder {
    ExtensionBuilder::new("host_wasm", "host:wasm")
        .ts_path("ts/init.ts")
        .ops(ops)
}

fn weld(ops: &[&str], typescript: &str) -> Welded {
    let source = Source::new("ts/init.ts", typescript);
    builder(ops)
        .weld(Ok(source))
        .map_err(Error::Source)
        .expect("welds")
}

/// What is printed when the weld is refused.
fn refusal(ops: &[&str], typescript: &str) -> String {
    let source = Source::new("ts/init.ts", typescript);
    match builder(ops).weld(Ok(source)) {
        Ok(_) => panic!("welds, but should not:\n{typescript}"),
        Err(problems) => Error::Source(problems).to_string(),
    }
}
