//! The report as text.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::lane::Lane;
use crate::report::{Report, SuiteReport, Totals};

/// A table with a row for each suite and a column for each lane, then every failure, then a line of totals for each lane.
pub fn render(report: &Report) -> String {
    let lanes: Vec<Lane> = report.totals.keys().copied().collect();
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let header = ["suite".to_owned(), "files".to_owned()].into_iter();
    table.set_header(header.chain(lanes.iter().map(Lane::to_string)));
    for suite in suites(report) {
        let rows = || report.suites.iter().filter(|row| row.suite == suite);
        // A lane that was stopped at a failure has not run all of them.
        let files = rows().map(|row| row.files).max().unwrap_or_default();
        let lane = |lane: &Lane| {
            let found = rows().find(|row| row.lane == *lane);
            found.map_or(String::new(), |row| directives(&row.totals))
        };
        let cells = lanes.iter().map(lane).map(right);
        table.add_row([Cell::new(suite), right(files)].into_iter().chain(cells));
    }
    let mut text = format!("{table}\n");
    for failure in &report.failures {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{failure}");
    }
    for (lane, totals) in &report.totals {
        let _ = writeln!(
            text,
            "{lane}: {} passed, {} failed, {} skipped in {:.2} s",
            totals.passed, totals.failed, totals.skipped, totals.seconds
        );
    }
    text
}

/// The names of the suites, each once.
fn suites(report: &Report) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for SuiteReport { suite, .. } in &report.suites {
        if !names.contains(&suite.as_str()) {
            names.push(suite);
        }
    }
    names
}

/// How many directives passed, and how many did not.
fn directives(totals: &Totals) -> String {
    let mut text = format!("{} passed", totals.passed);
    for (count, verb) in [(totals.failed, "failed"), (totals.skipped, "skipped")] {
        if count > 0 {
            let _ = write!(text, ", {count} {verb}");
        }
    }
    text
}

fn right(value: impl ToString) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}
