//! Random values of components, by the codec and by two other ways: `cargo conformance fuzz --codec`.
//!
//! A [`Case`] is made of bytes, which come from a seed or from libFuzzer: types of parameters, values of them, and damages.
//! Its component shows the values that it gets as bytes of its memory, and makes values of bytes. [`compare`](mod@compare) holds what
//! `host:wasm` does against wasmtime alone, whose values are not bytes, and against a second statement of the canonical
//! ABI ([`abi`]): sizes, alignments, core values, and every rule by which bytes are a value or none. Then it damages the
//! bytes in the guest's memory, those of an image before it goes in, and the component itself.
//!
//! [`script`] takes the same values through JavaScript.

pub mod abi;
pub mod case;
pub mod compare;
pub mod engines;
pub mod guest;
pub mod script;
pub mod types;
mod worker;

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use case::Case;
pub use compare::compare;
pub use worker::serve;

use super::campaign::{self, Reduced, StartWorker};
use worker::Worker;

/// Counts of one case, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub cases: u64,
    /// Lists of values that were the same everywhere.
    pub values: u64,
    /// Calls that trapped everywhere, since bytes of the guest were no values.
    pub trapped: u64,
    /// Cases whose values cross as images.
    pub images: u64,
    /// Images that were refused before the guest was entered.
    pub refused: u64,
    /// Damaged components that were refused, and those that were valid.
    pub invalid: u64,
    pub alone: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.cases += other.cases;
        self.values += other.values;
        self.trapped += other.trapped;
        self.images += other.images;
        self.refused += other.refused;
        self.invalid += other.invalid;
        self.alone += other.alone;
    }
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding(pub String);

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A campaign of cases that are made from seeds.
pub struct Codec;

impl campaign::Target for Codec {
    type Tally = Tally;
    type Finding = Finding;
    type Worker<'a> = Worker<'a>;

    const INPUTS: &'static str = "components";
    const FINDINGS: &'static str = "findings";

    fn worker(start: StartWorker<'_>, timeout: Duration) -> Worker<'_> {
        Worker::new(start, timeout)
    }

    fn run(worker: &mut Worker<'_>, seed: u64) -> anyhow::Result<Result<Tally, Finding>> {
        worker.run(seed)
    }

    /// A case is small already. Its file says how to run it again.
    fn reduce(_: &mut Worker<'_>, seed: u64, finding: Finding) -> anyhow::Result<Reduced> {
        Ok(Reduced {
            file: format!("fuzz-codec-{seed}.txt"),
            text: format!("cargo conformance fuzz --codec --seed {seed} --count 1\n{finding}\n"),
            finding: finding.0.lines().next().unwrap_or_default().to_owned(),
        })
    }
}

impl campaign::Tally for Tally {
    fn of_finding() -> Self {
        Self {
            cases: 1,
            ..Self::default()
        }
    }

    fn inputs(&self) -> u64 {
        self.cases
    }

    fn render(&self, seconds: f64) -> String {
        let Self {
            cases,
            values,
            trapped,
            images,
            refused,
            invalid,
            alone,
        } = self;
        format!(
            "{cases} components in {seconds:.1} s, {images} by the codec: {values} lists of values and {trapped} traps that are the same \
             everywhere, {refused} images refused\n\
             damaged components: {invalid} refused as invalid, {alone} valid\n"
        )
    }
}

/// Runs the case that is made of these bytes, for a fuzzer that supplies bytes. Ignores bytes that make no case.
///
/// # Panics
/// On a finding.
pub fn check(data: &[u8]) {
    if let Some(case) = Case::of_bytes(data)
        && let Err(error) = compare(&case)
    {
        panic!("{error:?}");
    }
}
