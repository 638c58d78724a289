//! The report as text.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::report::Report;

/// A table of the suites, then every failure, then a line of totals for each lane.
pub fn render(report: &Report) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header([
        "suite", "lane", "files", "passed", "failed", "skipped", "seconds",
    ]);
    for row in &report.suites {
        table.add_row([
            Cell::new(&row.suite),
            Cell::new(row.lane),
            number(row.files),
            number(row.totals.passed),
            number(row.totals.failed),
            number(row.totals.skipped),
            number(format!("{:.2}", row.totals.seconds)),
        ]);
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

fn number(value: impl ToString) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}
