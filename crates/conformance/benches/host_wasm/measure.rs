//! Measures two sides in alternating rounds.

use std::time::Duration;

use crate::report::{Report, Row};

/// The number of rounds of each side of a row, if they do not take too long.
const ROUNDS: usize = 41;
/// The least number of rounds.
const LEAST_ROUNDS: usize = 9;
/// The time that a row may take, unless the least number of rounds takes longer.
const TIME: Duration = Duration::from_secs(4);

/// The JavaScript engine of this build.
pub const ENGINE: &str = if cfg!(feature = "quickjs") {
    "quickjs"
} else {
    "v8"
};

/// The selected rows.
pub struct Bench {
    only: Vec<String>,
    rows: Vec<Row>,
}

/// The subject of a row.
pub struct Subject<'a> {
    pub name: &'a str,
    /// The greatest ratio that is acceptable.
    pub target: Option<f64>,
    /// A description of the reference.
    pub against: &'a str,
    /// The number of operations in one round.
    pub per_round: u32,
}

impl Bench {
    pub fn new(only: Vec<String>) -> Self {
        Self {
            only,
            rows: Vec::new(),
        }
    }

    /// Whether a row is selected, so that its setup is needed.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part))
    }

    /// Measures a row if it is selected: alternating rounds of both sides, after one round of each to warm up.
    pub fn compare(
        &mut self,
        subject: &Subject<'_>,
        mut ours: impl FnMut() -> anyhow::Result<Duration>,
        mut reference: impl FnMut() -> anyhow::Result<Duration>,
    ) -> anyhow::Result<()> {
        if !self.wants(subject.name) {
            return Ok(());
        }
        eprintln!("{} …", subject.name);
        let warm_up = ours()? + reference()?;
        let fit = TIME.as_nanos() / warm_up.as_nanos().max(1);
        let rounds = usize::try_from(fit)
            .unwrap_or(ROUNDS)
            .clamp(LEAST_ROUNDS, ROUNDS);
        let mut pairs = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            pairs.push((ours()?.as_nanos() as f64, reference()?.as_nanos() as f64));
        }
        self.add(subject, &pairs);
        Ok(())
    }

    /// Adds a row that was measured elsewhere, in nanoseconds for each round.
    pub fn add(&mut self, subject: &Subject<'_>, pairs: &[(f64, f64)]) {
        let sorted = |of: &dyn Fn(&(f64, f64)) -> f64| {
            let mut values: Vec<f64> = pairs.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let quartile = |values: &[f64], n: usize| values[(values.len() - 1) * n / 4];
        let ours = quartile(&sorted(&|pair| pair.0), 2);
        let reference = quartile(&sorted(&|pair| pair.1), 2);
        let ratios = sorted(&|pair| pair.0 / pair.1);
        let per = f64::from(subject.per_round);
        self.rows.push(Row {
            name: subject.name.to_owned(),
            engine: ENGINE.to_owned(),
            ours: ours / per,
            reference: reference / per,
            ratio: ours / reference,
            unit: "ns".to_owned(),
            spread: [quartile(&ratios, 1), quartile(&ratios, 3)],
            rounds: pairs.len(),
            target: subject.target,
            against: subject.against.to_owned(),
        });
    }

    /// The rows so far.
    pub fn into_report(self) -> Report {
        Report::of_this_machine(self.rows)
    }
}
