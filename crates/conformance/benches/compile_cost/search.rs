//! A search for modules that cost more to compile than their estimate: `--search SECONDS [--seed N]`, or `--motifs`.
//!
//! Modules are made of random bytes, estimated, and compiled in processes of their own. The worst modules are changed
//! a little, many times. With `--motifs`, each module is new: see [`motifs`].
//!
//! A module that costs much more than its estimate at one size exceeds its bound at another size. The worst modules
//! are therefore those with the highest cost relative to their estimate. They are written to
//! `target/tmp/compile_cost`.

use std::path::Path;
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use rand_xorshift::XorShiftRng;

use super::measure::{Cost, Outcome, estimate, is_admitted, measure};
use super::motifs;
use super::random::Genes;

/// The number of worst modules that are kept and changed further.
const KEPT: usize = 24;

/// One in so many modules is new.
const NEW: u32 = 6;

/// A fixed cost that is added to each estimate, so that small costs do not matter.
const FLOOR: Cost = Cost {
    seconds: 0.05,
    mib: 16.0,
};

struct Found {
    /// The genes of the module, if it can be changed.
    genes: Option<Genes>,
    wasm: Vec<u8>,
    estimate: Cost,
    measured: Cost,
}

impl Found {
    /// The cost relative to the estimate: the larger ratio of time and memory.
    fn excess(&self) -> f64 {
        let whole = Cost {
            seconds: self.estimate.seconds + FLOOR.seconds,
            mib: self.estimate.mib + FLOOR.mib,
        };
        let (time, memory) = self.measured.share_of(whole);
        time.max(memory)
    }

    /// The share of the bound: the larger one of time and memory.
    fn share(&self) -> f64 {
        let (time, memory) = self.measured.share_of(Cost::bound(self.wasm.len()));
        time.max(memory)
    }
}

/// The source of modules.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Bytes,
    Motifs,
}

/// Searches for this number of seconds.
pub fn search(source: Source, seconds: u64, seed: u64) -> anyhow::Result<()> {
    let mut rng = XorShiftRng::seed_from_u64(seed);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let (mut worst, mut worst_of_bound): (Vec<Found>, Vec<Found>) = (Vec::new(), Vec::new());
    let (mut tried, mut refused) = (0u64, 0u64);
    let mut failures = Vec::new();
    while Instant::now() < deadline {
        let genes = match source {
            Source::Motifs => None,
            Source::Bytes => Some(next_genes(&worst, &worst_of_bound, &mut rng)),
        };
        let wasm = match &genes {
            None => wat::parse_str(motifs::module(&mut rng))?,
            Some(genes) => match genes.module() {
                Ok(wasm) => wasm,
                Err(_) => continue,
            },
        };
        let Some((estimate, _)) = estimate(&wasm)? else {
            continue;
        };
        tried += 1;
        let bytes = wasm.len();
        if !is_admitted(estimate, bytes) {
            refused += 1;
            continue;
        }
        let limit = Duration::from_secs_f64(4.0 * Cost::bound(bytes).seconds);
        let measured = match measure(&wasm, limit)? {
            Outcome::Compiled(measured) => measured,
            Outcome::Refused(message) => {
                eprintln!("not valid: {message}");
                continue;
            }
            Outcome::Failed(message) => {
                let file = keep(&wasm, &format!("seed-{seed}-failed-{}", failures.len()))?;
                println!("{file}: {bytes} bytes, {message}");
                failures.push(file);
                continue;
            }
            Outcome::TooLong => Cost {
                // The main thread and the busier one of the others took at least half of the processor time.
                seconds: limit.as_secs_f64(),
                mib: 0.0,
            },
        };
        let found = |genes: Option<Genes>, wasm: Vec<u8>| Found {
            genes,
            wasm,
            estimate,
            measured,
        };
        insert(
            &mut worst_of_bound,
            found(genes.clone(), wasm.clone()),
            Found::share,
        );
        insert(&mut worst, found(genes, wasm), Found::excess);
    }
    println!("{tried} modules, of which {refused} were refused");
    for (measure, list) in [("estimate", &worst), ("bound", &worst_of_bound)] {
        println!("the highest shares of the {measure}:");
        for (place, found) in list.iter().take(10).enumerate() {
            let file = keep(&found.wasm, &format!("seed-{seed}-{measure}-{place}"))?;
            println!(
                "{:>4.0} % of the estimate, {:>3.0} % of the bound: {:.2} s of {:.2}, {:.0} MiB of {:.0}, \
                 {} bytes: {file}",
                100.0 * found.excess(),
                100.0 * found.share(),
                found.measured.seconds,
                found.estimate.seconds,
                found.measured.mib,
                found.estimate.mib,
                found.wasm.len(),
            );
        }
    }
    Ok(())
}

/// New genes, or changed genes of a bad module.
fn next_genes(worst: &[Found], worst_of_bound: &[Found], rng: &mut XorShiftRng) -> Genes {
    if worst.is_empty() || worst_of_bound.is_empty() || rng.random_ratio(1, NEW) {
        return Genes::random(rng);
    }
    let of_bound = rng.random_ratio(1, 3);
    let parents = if of_bound { worst_of_bound } else { worst };
    let parent = &parents[rng.random_range(0..parents.len())].genes;
    let other = &worst[rng.random_range(0..worst.len())].genes;
    match (parent, other) {
        (Some(parent), Some(other)) => parent.mutated(other, rng),
        _ => Genes::random(rng),
    }
}

/// Inserts a module in the list of the worst. The list keeps at most [`KEPT`] modules.
fn insert(worst: &mut Vec<Found>, found: Found, rank: fn(&Found) -> f64) {
    if worst.iter().any(|other| other.wasm == found.wasm) {
        return;
    }
    let place = worst.partition_point(|other| rank(other) > rank(&found));
    worst.insert(place, found);
    worst.truncate(KEPT);
}

/// Writes a module to a file, and its text to a file beside it. Returns the path.
fn keep(wasm: &[u8], name: &str) -> anyhow::Result<String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_cost");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.wasm"));
    std::fs::write(&file, wasm)?;
    std::fs::write(file.with_extension("wat"), wasmprinter::print_bytes(wasm)?)?;
    Ok(file.display().to_string())
}
