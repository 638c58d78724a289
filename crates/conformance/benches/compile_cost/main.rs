//! Measures the modules that are hardest to compile for their size: `cargo bench --bench compile_cost`.
//!
//! For each family, a bisection finds the largest module that the default caps admit. It is compiled in a process of
//! its own. A row shows its cost, in seconds on two cores and in MiB, and the share of its bound: 1 s and another
//! second for every 100 KB, 128 MiB and another 100 bytes for every byte. No share may exceed 100 %. `--bench
//! compile_cost -- NAME` measures only the families whose name contains NAME.
//!
//! `--files FILE...` measures modules in files, and shows their estimates too. `--estimate FILE...` shows the
//! estimates only. `--search SECONDS [--seed N]` and `--motifs SECONDS [--seed N]` look for modules that cost more
//! than their estimate: see [`search`].

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

mod families;
mod measure;
mod motifs;
mod random;
mod search;

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use families::FAMILIES;
use measure::{Cost, MEASURE, Outcome, estimate, is_admitted, measure, measure_here};
use search::Source;

/// The timeout of a measurement. No module may take so long.
const LONGEST: Duration = Duration::from_secs(900);

const USAGE: &str = "[NAME], --files FILE..., --estimate FILE..., \
    --search SECONDS [--seed N], or --motifs SECONDS [--seed N]";

fn main() -> anyhow::Result<()> {
    let arguments = std::env::args().skip(1).filter(|it| it != "--bench");
    let arguments = arguments.collect::<Vec<_>>();
    let arguments = arguments.iter().map(String::as_str).collect::<Vec<_>>();
    match arguments[..] {
        [MEASURE] => measure_here(),
        ["--files", ref files @ ..] => files.iter().try_for_each(|file| file_row(file, true)),
        ["--estimate", ref files @ ..] => files.iter().try_for_each(|file| file_row(file, false)),
        [mode @ ("--search" | "--motifs"), seconds, ref seed @ ..] => {
            let source = match mode {
                "--motifs" => Source::Motifs,
                _ => Source::Bytes,
            };
            let seed = match seed {
                [] => 0,
                ["--seed", seed] => seed.parse()?,
                _ => bail!(USAGE),
            };
            search::search(source, seconds.parse()?, seed)
        }
        [] => family_rows(""),
        [name] if !name.starts_with("--") => family_rows(name),
        _ => bail!(USAGE),
    }
}

fn family_rows(name: &str) -> anyhow::Result<()> {
    let wanted = FAMILIES.iter().filter(|(it, _)| it.contains(name));
    for (name, make) in wanted {
        family_row(name, *make)?;
    }
    Ok(())
}

/// Measures the largest admitted module of a family.
fn family_row(name: &str, make: fn(usize) -> String) -> anyhow::Result<()> {
    let is_admitted = |size| {
        let wasm = wat::parse_str(make(size))?;
        let estimate = estimate(&wasm)?;
        anyhow::Ok(estimate.is_some_and(|(estimate, _)| is_admitted(estimate, wasm.len())))
    };
    let (mut admitted, mut refused) = (1, 2);
    while is_admitted(refused)? {
        (admitted, refused) = (refused, refused * 2);
        ensure!(refused < 1 << 24, "{name} is never refused");
    }
    while refused - admitted > 1 + admitted / 50 {
        let middle = admitted.midpoint(refused);
        if is_admitted(middle)? {
            admitted = middle;
        } else {
            refused = middle;
        }
    }
    row(
        &format!("{name:<28} {admitted:>7}"),
        &wat::parse_str(make(admitted))?,
        true,
    )
}

fn file_row(file: &str, measures: bool) -> anyhow::Result<()> {
    let source = std::fs::read(file).context(file.to_owned())?;
    let wasm = wat::parse_bytes(&source).context(file.to_owned())?;
    let name = Path::new(file).file_name().unwrap_or_default();
    row(&format!("{:<40}", name.to_string_lossy()), &wasm, measures)
}

fn row(name: &str, wasm: &[u8], measures: bool) -> anyhow::Result<()> {
    let bytes = wasm.len();
    let kilobytes = bytes as f64 / 1e3;
    let Some((expected, took)) = estimate(wasm)? else {
        println!("{name} {kilobytes:>8.1} KB exceeds a cap on its contents");
        return Ok(());
    };
    let verdict = if is_admitted(expected, bytes) {
        "admitted"
    } else {
        "refused"
    };
    print!(
        "{name} {kilobytes:>8.1} KB  estimated {} in {took:.3} s, {verdict}",
        shares(expected, bytes),
    );
    if !measures {
        println!();
        return Ok(());
    }
    std::io::stdout().flush()?;
    print!("; measured ");
    match measure(wasm, LONGEST)? {
        Outcome::Compiled(cost) => println!("{}", shares(cost, bytes)),
        Outcome::Refused(message) => println!("not valid: {message}"),
        Outcome::Failed(message) => println!("failed: {message}"),
        Outcome::TooLong => println!("over {} s", LONGEST.as_secs()),
    }
    Ok(())
}

/// A cost, and its share of the bound.
fn shares(cost: Cost, bytes: usize) -> String {
    let (time, memory) = cost.share_of(Cost::bound(bytes));
    format!(
        "{:>6.2} s {:>4.0} % {:>7.1} MiB {:>4.0} %",
        cost.seconds,
        100.0 * time,
        cost.mib,
        100.0 * memory,
    )
}
