//! Random modules, run by `host:wasm` and by an engine that shares no code with it: `cargo conformance fuzz`.
//!
//! A [`Case`] is made of bytes, which come from a seed or from libFuzzer. [`compare`] runs it on the script lane and
//! on [`wasmi`](crate::hosts::wasmi), and returns the first [`Difference`]. Cases run in processes of their own
//! ([`worker`]), so that a crash or a hang is a difference like any other. A case with a difference is [made
//! smaller](mod@minimise) and [written](wast) to the suite `spec-tests`.

pub mod case;
pub mod compare;
pub mod minimise;
pub mod wast;
pub mod worker;

use std::time::Duration;

pub use case::Case;
pub use compare::{Difference, Tally};

use super::campaign::{self, Reduced, StartWorker};
use super::features;
use crate::run::with_deep_stack;
use minimise::minimise;
use worker::{Worker, reference};

/// A campaign of modules that are made from seeds.
pub struct Differential;

impl campaign::Target for Differential {
    type Tally = Tally;
    type Finding = Difference;
    type Worker<'a> = Worker<'a>;

    const INPUTS: &'static str = "modules";
    const FINDINGS: &'static str = "differences";

    fn worker(start: StartWorker<'_>, timeout: Duration) -> Worker<'_> {
        Worker::new(start, timeout)
    }

    fn run(worker: &mut Worker<'_>, seed: u64) -> anyhow::Result<Result<Tally, Difference>> {
        worker.run_seed(seed)
    }

    fn reduce(
        worker: &mut Worker<'_>,
        seed: u64,
        difference: Difference,
    ) -> anyhow::Result<Reduced> {
        // If making the case panics, the worker ended for the same reason.
        let case = with_deep_stack(|| Case::of_seed(seed))??;
        let (case, difference) = minimise(&case, difference, worker)?;
        let features = features();
        let text = wast::script(&case, &difference, &features, &mut reference(&features)?);
        Ok(Reduced {
            file: format!("fuzz-{seed}.wast"),
            text,
            finding: difference.to_string(),
        })
    }
}

impl campaign::Tally for Tally {
    fn of_finding() -> Self {
        Self {
            modules: 1,
            ..Self::default()
        }
    }

    fn inputs(&self) -> u64 {
        self.modules
    }

    fn render(&self, seconds: f64) -> String {
        let Self {
            modules,
            invalid,
            alone,
            returned,
            trapped,
            cut_short,
            globals,
            memories,
        } = self;
        let rate = *modules as f64 / seconds;
        format!(
            "{modules} modules in {seconds:.1} s, {rate:.0} a second: {invalid} refused as invalid, {alone} damaged but \
             valid, {cut_short} cut short by fuel or stack\n\
             the same on both: {returned} results, {trapped} traps, {globals} globals, {memories} memories\n"
        )
    }
}

/// Runs cases that are made of bytes.
#[derive(Default)]
pub struct Checker(worker::Runner);

impl Checker {
    /// Runs the case that is made of these bytes. Ignores bytes that make no case.
    ///
    /// # Panics
    /// On a difference.
    pub fn check(&self, data: &[u8]) {
        let Ok(case) = Case::of_bytes(data) else {
            return;
        };
        match self.0.run(&case) {
            Ok(Ok(_)) => {}
            Ok(Err(difference)) => panic!("{difference}"),
            Err(error) => panic!("{error:#}"),
        }
    }
}

/// Runs the case that is made of these bytes, for a fuzzer that supplies bytes. Ignores bytes that make no case.
///
/// # Panics
/// On a difference.
pub fn check(data: &[u8]) {
    thread_local! {
        // Never dropped: at the end of a thread, the engine's thread-local variables may be destroyed before this one.
        static CHECKER: &'static Checker = Box::leak(Box::default());
    }
    CHECKER.with(|checker| checker.check(data));
}
