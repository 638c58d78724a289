//! The official suites on another runtime: `cargo run --example wasmi -- wasm-1.0 wasm-2.0 simd`.

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

use std::env;

use conformance::config::Config;
use conformance::host::Host;
use conformance::hosts::wasmi::WasmiHost;
use conformance::judge::judge;
use conformance::run::{run_file, with_deep_stack};
use conformance::suite;

fn main() -> anyhow::Result<()> {
    let suites = Config::load()?.suites;
    for name in env::args().skip(1) {
        let (mut passed, mut failed) = (0, 0);
        for file in suite::find(&name)? {
            let judged = with_deep_stack(|| {
                let new_host =
                    |features: &_| Ok(Box::new(WasmiHost::new(features)) as Box<dyn Host>);
                judge(
                    run_file(&file, &suites.features(&file), &[], &new_host),
                    &[],
                )
            })?;
            passed += judged.passed;
            failed += judged.failed.len();
        }
        println!("{name}: {passed} passed, {failed} failed");
    }
    Ok(())
}
