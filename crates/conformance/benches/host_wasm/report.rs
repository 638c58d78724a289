//! The results of a run: as a table, as JSON, and beside those of another machine.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};

/// The results of one run.
#[derive(Deserialize, Serialize)]
pub struct Report {
    machine: Machine,
    rows: Vec<Row>,
}

/// A description of a machine.
#[derive(Deserialize, Serialize)]
struct Machine {
    processor: String,
    cores: usize,
}

/// One line of the table. Times are in nanoseconds.
#[derive(Clone, Deserialize, Serialize)]
pub struct Row {
    pub name: String,
    pub engine: String,
    /// The median of the rounds. The reference is a median too.
    pub ours: f64,
    pub reference: f64,
    pub ratio: f64,
    pub unit: String,
    /// The quartiles of the ratios of single rounds.
    pub spread: [f64; 2],
    pub rounds: usize,
    /// The greatest ratio that is acceptable, if one is defined.
    pub target: Option<f64>,
    /// A description of the reference.
    pub against: String,
}

impl Report {
    /// Makes the report of a run on this machine.
    pub fn of_this_machine(rows: Vec<Row>) -> Self {
        Self {
            machine: Machine::this(),
            rows,
        }
    }

    /// Reads a report that was written as JSON.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let json = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&json)
            .with_context(|| format!("{} is no report of this benchmark", path.display()))
    }

    /// Writes the report as JSON.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        fs::write(path, json + "\n").with_context(|| format!("cannot write {}", path.display()))
    }

    /// The table as text.
    pub fn table(&self) -> String {
        let headers = [
            "row",
            "ours",
            "reference",
            "ratio",
            "quartiles",
            "target",
            "the reference is",
        ];
        let mut table = new_table(&headers, 1..=5);
        for row in &self.rows {
            table.add_row([
                row.name.clone(),
                time(row.ours),
                time(row.reference),
                ratio(row.ratio),
                quartiles(row),
                row.target
                    .map_or_else(String::new, |target| format!("≤ {target}")),
                row.against.clone(),
            ]);
        }
        let engine = self.rows.first().map_or("", |row| &row.engine);
        format!("JavaScript engine: {engine}\n{table}")
    }

    /// A table of the rows of this report and of another one. A row depends on the machine if the quartiles of its ratios
    /// do not overlap.
    pub fn beside(&self, other: &Self) -> String {
        let headers = [
            "row",
            "engine",
            "A",
            "quartiles",
            "B",
            "quartiles",
            "B / A",
            "depends on the machine",
        ];
        let mut table = new_table(&headers, 2..=6);
        let is_same = |a: &Row, b: &Row| (&a.name, &a.engine) == (&b.name, &b.engine);
        for a in &self.rows {
            let Some(b) = other.rows.iter().find(|b| is_same(a, b)) else {
                continue;
            };
            table.add_row([
                a.name.clone(),
                a.engine.clone(),
                ratio(a.ratio),
                quartiles(a),
                ratio(b.ratio),
                quartiles(b),
                ratio(b.ratio / a.ratio),
                match a.spread[1] < b.spread[0] || b.spread[1] < a.spread[0] {
                    true => "yes".to_owned(),
                    false => String::new(),
                },
            ]);
        }
        let only = |name: &str, these: &Self, others: &Self| -> String {
            let missing = |row: &&Row| !others.rows.iter().any(|other| is_same(row, other));
            let rows = these.rows.iter().filter(missing);
            let line = |row: &Row| format!("Only in {name}: {} ({})\n", row.name, row.engine);
            rows.map(line).collect()
        };
        format!(
            "A: {}\nB: {}\n{table}\n{}{}",
            self.machine.describe(),
            other.machine.describe(),
            only("A", self, other),
            only("B", other, self),
        )
    }
}

impl Machine {
    fn this() -> Self {
        let known = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = known.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == "model name").then(|| value.trim().to_owned())
        });
        Self {
            processor: model.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    fn describe(&self) -> String {
        format!("{}, {} cores", self.processor, self.cores)
    }
}

/// Makes a table whose columns in this range are aligned to the right.
fn new_table(headers: &[&str], numbers: std::ops::RangeInclusive<usize>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(headers);
    for column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn quartiles(row: &Row) -> String {
    format!("{}–{}", ratio(row.spread[0]), ratio(row.spread[1]))
}

fn ratio(ratio: f64) -> String {
    if ratio < 0.1 {
        format!("{ratio:.4}")
    } else {
        format!("{ratio:.2}")
    }
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 1e4 => format!("{n:.1} ns"),
        n if n < 1e7 => format!("{:.1} µs", n / 1e3),
        n => format!("{:.1} ms", n / 1e6),
    }
}
