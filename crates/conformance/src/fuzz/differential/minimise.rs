//! Makes a module smaller while it still shows the difference.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wasm_shrink::WasmShrink;

use super::Case;
use super::compare::{Difference, Exports, Step};
use super::worker::Worker;

/// The number of failed attempts after which wasm-shrink stops.
const ATTEMPTS: u32 = 500;

/// Returns the smallest case that was found to differ in the same kind of step, and its difference. At worst this is
/// the original case.
///
/// # Errors
///
/// If no worker can be started.
pub fn minimise(
    case: &Case,
    difference: Difference,
    worker: &mut Worker<'_>,
) -> anyhow::Result<(Case, Difference)> {
    let mut best = (case.clone(), difference);
    if best.1.step == Step::End {
        // Each attempt would take the whole timeout.
        return Ok(best);
    }
    let mut is_interesting = |module: &[u8]| -> anyhow::Result<bool> {
        let smaller = Case {
            module: module.to_vec(),
            ..case.clone()
        };
        match worker.run(&smaller)? {
            Err(difference) if difference.step.is_like(&best.1.step) => {
                if smaller.module.len() < best.0.module.len() {
                    best = (smaller, difference);
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    };
    if Exports::of(&case.module, &crate::fuzz::features()).is_some() {
        let shrink = WasmShrink::default().attempts(ATTEMPTS).allow_empty(true);
        let run = AssertUnwindSafe(|| shrink.run(case.module.clone(), &mut is_interesting));
        // wasm-shrink fails or panics on some modules that it cannot mutate. The best case so far is still good.
        let _ = catch_unwind(run);
    } else {
        cut(&case.module, &mut is_interesting)?;
    }
    Ok(best)
}

/// Removes parts of an invalid module: halves first, then quarters, and so on down to single bytes.
fn cut(
    bytes: &[u8],
    is_interesting: &mut dyn FnMut(&[u8]) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let mut bytes = bytes.to_vec();
    let mut part = bytes.len() / 2;
    while part > 0 {
        let mut at = 0;
        while at < bytes.len() {
            let mut shorter = bytes.clone();
            shorter.drain(at..bytes.len().min(at + part));
            if is_interesting(&shorter)? {
                bytes = shorter;
            } else {
                at += part;
            }
        }
        part /= 2;
    }
    Ok(())
}
