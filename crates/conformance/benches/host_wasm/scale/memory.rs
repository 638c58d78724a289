//! The memory of idle instances.

use super::instances::Raw;
use super::{Line, kinds};

const COUNTS: [u32; 4] = [500, 1_000, 2_000, 5_000];

/// The memory that idle instances take, in bytes, beside instances of wasmtime alone; no points if the system does not report
/// memory. This must run first, before other measurements leave free memory that instances could use.
pub fn memory() -> anyhow::Result<Vec<Line>> {
    // `make` makes so many more.
    let grown = |make: &mut dyn FnMut(u32) -> anyhow::Result<()>| {
        make(1)?;
        let before = resident();
        let mut made = 0;
        let mut points = Vec::new();
        for count in COUNTS {
            make(count - made)?;
            made = count;
            let bytes = before.and_then(|before| Some(resident()?.saturating_sub(before)));
            points.extend(bytes.map(|bytes| (count, bytes as f64 / f64::from(count))));
        }
        anyhow::Ok(points)
    };
    let raw = Raw::new()?;
    let mut kept = Vec::new();
    let theirs = grown(&mut |count| {
        for _ in 0..count {
            kept.push(raw.instance()?);
        }
        Ok(())
    })?;
    // All stay, so that the next ones cannot use their memory.
    let js = kinds::js()?;
    let of_kind = |kind: &str| {
        grown(&mut |count| {
            js.time_promise(&format!("more(\"{kind}\", {count})"))
                .map(drop)
        })
    };
    let line = |name, points| Line { name, points };
    Ok(vec![
        line("host:wasm", of_kind("plain")?),
        line("wasmtime alone", theirs),
        line("a component", of_kind("component")?),
        line("with WASI", of_kind("wasi")?),
    ])
}

/// The resident memory of this process in bytes.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
