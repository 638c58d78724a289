//! What the modules cost that are hardest to compile for their size: `cargo bench --bench compile_cost`.
//!
//! Each family is made as large as the default caps let it, by bisection, and compiled in a process of
//! its own. A row shows what it took, in seconds on two cores and MiB, and how much of its bound that is:
//! 1 s and another for every 100 KB, 128 MiB and 100 bytes for every byte. Nothing may be above 100 %.

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

mod families;

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use ext_wasm::{WasmCapabilities, WasmState};

use families::FAMILIES;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).filter(|it| it != "--bench");
    match (
        arguments.next().as_deref(),
        arguments.next(),
        arguments.next(),
    ) {
        (Some("--compile"), Some(family), Some(size)) => compile(&family, size.parse()?),
        (only, ..) => {
            let families = FAMILIES.iter();
            let wanted = |name: &str| only.is_none_or(|only| name.contains(only));
            for (name, make) in families.filter(|(name, _)| wanted(name)) {
                row(name, *make)?;
            }
            Ok(())
        }
    }
}

/// Measures the largest module of a family that is let through.
fn row(name: &str, make: fn(usize) -> String) -> anyhow::Result<()> {
    let (mut admitted, mut refused) = (1, 2);
    while is_admitted(&make(refused))? {
        (admitted, refused) = (refused, refused * 2);
        ensure!(refused < 1 << 24, "{name} is never refused");
    }
    while refused - admitted > 1 + admitted / 50 {
        let middle = admitted.midpoint(refused);
        if is_admitted(&make(middle))? {
            admitted = middle;
        } else {
            refused = middle;
        }
    }
    let status = Command::new(std::env::current_exe()?)
        .args(["--compile", name, &admitted.to_string()])
        .status()?;
    ensure!(status.success(), "{name} of size {admitted}: {status}");
    Ok(())
}

/// Whether the default caps let a module through, without compiling it: its estimates are in the
/// messages of caps that let nothing through.
fn is_admitted(text: &str) -> anyhow::Result<bool> {
    let wasm = wat::parse_str(text)?;
    let bytes = wasm.len() as u64;
    let mut capabilities = WasmCapabilities::default();
    let limits = &mut capabilities.module_limits;
    (limits.max_compile_ms, limits.max_compile_ns_per_byte) = (0, 0);
    let Some(ms) = estimate(&wasm, &capabilities)? else {
        return Ok(false);
    };
    let limits = &mut capabilities.module_limits;
    limits.max_compile_ms = u64::MAX / 1_000_000;
    (limits.max_compile_bytes, limits.max_compile_bytes_per_byte) = (0, 0);
    let Some(memory) = estimate(&wasm, &capabilities)? else {
        return Ok(false);
    };
    // Milliseconds are rounded down.
    Ok(ms < 1_000 + bytes / 100 && memory <= (128 << 20) + 100 * bytes)
}

/// The estimate in the message; `None` if another cap was exceeded first.
fn estimate(wasm: &[u8], capabilities: &WasmCapabilities) -> anyhow::Result<Option<u64>> {
    let message = match WasmState::new(capabilities.clone())?.compile(wasm) {
        Ok(_) => return Ok(Some(0)),
        Err(error) => error.message,
    };
    let Some((_, rest)) = message.split_once("an estimated ") else {
        return Ok(None);
    };
    let number = rest.split(' ').next().context("no number")?;
    Ok(Some(number.parse()?))
}

/// Compiles a module with all checks in this process, and prints its row.
fn compile(family: &str, size: usize) -> anyhow::Result<()> {
    let known = FAMILIES.iter().find(|(name, _)| *name == family);
    let (name, make) = known.context("no such family")?;
    let wasm = wat::parse_str(make(size))?;
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_fuel = Some(u64::MAX);
    capabilities.max_timeout_ms = Some(u64::MAX);
    let state = WasmState::new(capabilities)?;
    state.compile(b"(module (func))")?;
    reset_peak();
    let (memory, cpu, start) = (peak()?, cpu()?, Instant::now());
    state.compile(&wasm)?;
    let wall = start.elapsed().as_secs_f64();
    let (memory, cpu) = (self::peak()? - memory, self::cpu()? - cpu);
    let kilobytes = wasm.len() as f64 / 1e3;
    // Where others use the cores too, the wall clock tells less than half of the processor time.
    let seconds = wall.min(cpu / 2.0);
    let mib = memory as f64 / f64::from(1 << 20);
    println!(
        "{name:<28} {size:>7} {kilobytes:>8.1} KB {seconds:>6.2} s {:>4.0} % {mib:>7.1} MiB {:>4.0} %",
        100.0 * seconds / (1.0 + kilobytes / 100.0),
        100.0 * mib / (128.0 + 0.1 * kilobytes * 1e3 / 1024.0 / 1.024),
    );
    Ok(())
}

/// Forgets the most memory that the process has had, so that making the text does not count.
fn reset_peak() {
    // Where that is refused the row shows more memory than the compile took.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that the process has had, in bytes.
fn peak() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("no VmHWM")?.parse::<u64>()? << 10)
}

/// The processor time of the process, in seconds.
fn cpu() -> anyhow::Result<f64> {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").context("no fields")?;
    let mut fields = fields.split(' ').skip(11);
    let mut next = || anyhow::Ok(fields.next().context("no times")?.parse::<f64>()?);
    Ok((next()? + next()?) / TICKS)
}
