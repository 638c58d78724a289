//! How costs grow: with many instances, stores, components, exports and calls.

mod instances;
mod kinds;
mod memory;
mod plot;

use std::path::Path;
use std::time::Duration;

/// Numbers of live instances, or of exports of a module.
pub const COUNTS: [u32; 5] = [1, 10, 100, 1_000, 10_000];
/// The number of measurements of each cost. The median counts.
const ROUNDS: usize = 9;

/// Costs by the number of instances or exports.
pub struct Line {
    pub name: &'static str,
    pub points: Vec<(u32, f64)>,
}

impl Line {
    fn new(name: &'static str) -> Self {
        let points = Vec::new();
        Self { name, points }
    }
}

/// A diagram: lines with one unit, over the number of one kind of item.
pub struct Panel {
    pub title: &'static str,
    pub over: &'static str,
    pub lines: Vec<Line>,
}

/// Measures the costs, prints them, and plots them to a file.
pub fn measure(path: &Path) -> anyhow::Result<()> {
    let memory = memory::memory()?;
    let [calls, made, made_raw, copies] = instances::instances()?;
    let (by_exports, made_by_exports) = instances::exports()?;
    let panels = [
        Panel {
            title: "a call, in ns",
            over: "live instances",
            lines: vec![calls],
        },
        Panel {
            title: "an instance made and dropped, in µs",
            over: "live instances",
            lines: vec![made, made_raw],
        },
        Panel {
            title: "1 MiB written, in µs",
            over: "live instances",
            lines: vec![copies],
        },
        Panel {
            title: "a call by name, in ns",
            over: "exports",
            lines: vec![by_exports],
        },
        Panel {
            title: "an instance made and dropped, in µs",
            over: "exports",
            lines: vec![made_by_exports],
        },
        Panel {
            title: "one more made and dropped, in µs",
            over: "live ones of its kind",
            lines: kinds::made()?,
        },
        Panel {
            title: "an instance of a chain, in µs",
            over: "instances of the chain",
            lines: vec![kinds::linked()?],
        },
        Panel {
            title: "an asynchronous call, in µs",
            over: "calls at once",
            lines: vec![kinds::calls_at_once()?],
        },
        Panel {
            title: "memory of an idle instance, in bytes",
            over: "live instances",
            lines: memory,
        },
    ];
    for panel in &panels {
        for line in &panel.lines {
            let points = line.points.iter();
            let points = points.map(|(count, cost)| format!("{count}: {cost:.1}"));
            let points: Vec<String> = points.collect();
            println!(
                "{} ({}), by {}: {}",
                panel.title,
                line.name,
                panel.over,
                points.join(", ")
            );
        }
    }
    plot::plot(path, &panels)
}

fn median(mut round: impl FnMut() -> anyhow::Result<Duration>) -> anyhow::Result<Duration> {
    round()?;
    let mut times = (0..ROUNDS)
        .map(|_| round())
        .collect::<Result<Vec<_>, _>>()?;
    times.sort();
    Ok(times[ROUNDS / 2])
}

fn nanoseconds(time: Duration, per: u32) -> f64 {
    time.as_nanos() as f64 / f64::from(per)
}
