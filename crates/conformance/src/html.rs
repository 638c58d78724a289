//! The report as an HTML page for people: one file, which needs no network.

use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::lane::Lane;
use crate::report::{FailureReport, Report, SkipReport, Totals};

/// One column of the matrix: a lane of a report.
struct Column<'r> {
    report: &'r Report,
    lane: Lane,
}

/// The page about these reports. Each report is of one JavaScript engine.
pub fn render(reports: &[&Report]) -> String {
    let columns: Vec<Column<'_>> = reports
        .iter()
        .flat_map(|report| {
            report.totals.keys().map(|lane| Column {
                report,
                lane: *lane,
            })
        })
        .collect();
    let mut total = Totals::default();
    for totals in reports.iter().flat_map(|report| report.totals.values()) {
        total.add(totals);
    }
    page(
        "WebAssembly conformance of host:wasm",
        &html! {
            h1 { "WebAssembly conformance of " code { "host:wasm" } }
            (verdict(&total, &columns))
            h2 { "Suites" }
            (matrix(&columns))
            h2 { "Search" }
            input type="search" placeholder="A suite, a file or a directive" aria-label="Search";
            p #count .faint aria-live="polite" {}
            (failures(reports))
            (skips(reports))
            (files(&columns))
        },
    )
}

/// A page with this title and body, in one file: the style, and the script of the search.
pub(crate) fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(include_str!("html/style.css"))) }
            }
            body {
                (body)
                script { (PreEscaped(include_str!("html/search.js"))) }
            }
        }
    };
    page.into_string()
}

impl Column<'_> {
    fn name(&self) -> String {
        format!("{} · {}", self.lane, self.report.engine)
    }

    fn suite(&self, suite: &str) -> Option<&Totals> {
        let mut rows = self.report.suites.iter();
        let row = rows.find(|row| row.suite == suite && row.lane == self.lane)?;
        Some(&row.totals)
    }

    fn file(&self, file: &str) -> Option<&Totals> {
        let mut rows = self.report.files.iter();
        let row = rows.find(|row| row.file == file && row.lane == self.lane)?;
        Some(&row.totals)
    }
}

fn verdict(total: &Totals, columns: &[Column<'_>]) -> Markup {
    let lanes: BTreeSet<Lane> = columns.iter().map(|column| column.lane).collect();
    let parts: BTreeSet<&str> = lanes.iter().map(|lane| lane.parts()).collect();
    let parts = parts.into_iter().collect::<Vec<_>>().join(" and ");
    html! {
        @if total.failed == 0 {
            p .verdict.good { (number(total.passed)) " " (parts) " passed, none failed." }
        } @else {
            p .verdict.bad {
                (number(total.failed)) " failed of " (number(total.directives())) " " (parts) "."
            }
        }
        p .faint {
            "Counted once for each of " (columns.len()) " columns: a lane on a JavaScript engine. "
            (number(total.skipped)) " did not pass, as expected: see below for the reasons."
        }
        p .faint {
            @for (index, lane) in lanes.iter().enumerate() {
                @if index > 0 { ", " }
                code { (lane) } @if index == 0 { " is" } " " (lane.description())
            }
            "."
        }
    }
}

fn matrix(columns: &[Column<'_>]) -> Markup {
    let mut suites: Vec<&str> = Vec::new();
    for row in columns.iter().flat_map(|column| &column.report.suites) {
        if !suites.contains(&row.suite.as_str()) {
            suites.push(&row.suite);
        }
    }
    html! {
        div .scroll {
            table .matrix {
                thead {
                    tr {
                        th { "suite" }
                        th { "all" }
                        @for column in columns { th { (column.name()) } }
                    }
                }
                tbody {
                    @for suite in suites {
                        tr {
                            th scope="row" { (suite) }
                            td { (bar(columns.iter().filter_map(|column| column.suite(suite)))) }
                            @for column in columns { td { (cell(column.suite(suite))) } }
                        }
                    }
                }
                tfoot {
                    tr {
                        th scope="row" { "all" }
                        td {}
                        @for column in columns {
                            td { (cell(column.report.totals.get(&column.lane))) }
                        }
                    }
                    tr .faint {
                        th scope="row" { "seconds" }
                        td {}
                        @for column in columns {
                            td { (seconds(column.report.totals.get(&column.lane))) }
                        }
                    }
                }
            }
        }
    }
}

/// The counts of directives that passed, failed and were skipped.
fn cell(totals: Option<&Totals>) -> Markup {
    html! {
        @match totals {
            None => span .faint title="not run" { "–" },
            Some(totals) => {
                @if totals.failed > 0 { span .bad { "✗ " (number(totals.failed)) } " " }
                @if totals.skipped > 0 { span .left { "○ " (number(totals.skipped)) } " " }
                span .good { "✓ " (number(totals.passed)) }
            },
        }
    }
}

fn seconds(totals: Option<&Totals>) -> String {
    totals.map_or_else(String::new, |totals| format!("{:.1}", totals.seconds))
}

fn bar<'r>(totals: impl Iterator<Item = &'r Totals>) -> Markup {
    let mut sum = Totals::default();
    totals.for_each(|totals| sum.add(totals));
    let parts = [
        ("passed", sum.passed),
        ("skipped", sum.skipped),
        ("failed", sum.failed),
    ];
    let words = parts
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .join(", ");
    html! {
        div .bar role="img" title=(words) aria-label=(words) {
            @for (outcome, count) in parts {
                @if count > 0 { div class=(outcome) style=(format!("flex-grow: {count}")) {} }
            }
        }
    }
}

fn failures(reports: &[&Report]) -> Markup {
    html! {
        h2 { "Failures" }
        @if reports.iter().all(|report| report.failures.is_empty()) { p { "None." } }
        @for report in reports {
            @for failure in &report.failures { (self::failure(failure, &report.engine)) }
        }
    }
}

fn failure(failure: &FailureReport, engine: &str) -> Markup {
    let name = format!("{}:{} {}", failure.file, failure.line, failure.directive);
    html! {
        details data-name=(name) {
            summary {
                span .bad { "✗ " } code { (failure.file) ":" (failure.line) } " "
                (failure.directive) " "
                span .faint { (failure.lane) " · " (engine) }
            }
            div .body {
                dl {
                    dt { "expected" } dd { code { (failure.expected) } }
                    dt { "got" } dd { code { (failure.got) } }
                }
                @if !failure.source.is_empty() {
                    pre {
                        @for line in &failure.source {
                            span .at[line.line == failure.line] {
                                span .faint style="display: inline; padding: 0" {
                                    (format!("{:>5}  ", line.line))
                                }
                                (line.text)
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The skipped directives, grouped by reason.
fn skips(reports: &[&Report]) -> Markup {
    let reasons: BTreeSet<&str> = reports
        .iter()
        .flat_map(|report| &report.skips)
        .map(|skip| skip.reason.as_str())
        .collect();
    html! {
        h2 { "Known not to pass" }
        @if reasons.is_empty() { p { "Nothing." } }
        @for reason in reasons {
            details .fold {
                summary { span .left { "○ " } (reason) }
                div .body {
                    @for report in reports {
                        @for skip in report.skips.iter().filter(|skip| skip.reason == reason) {
                            (self::skip(skip, &report.engine))
                        }
                    }
                }
            }
        }
    }
}

fn skip(skip: &SkipReport, engine: &str) -> Markup {
    html! {
        p data-name=(format!("{}:{} {}", skip.file, skip.line, skip.directive)) {
            code { (skip.file) ":" (skip.line) } " " (skip.directive) " "
            span .faint { (skip.lane) " · " (engine) }
            @if let Some(got) = &skip.got { ": " code { (got) } }
        }
    }
}

/// Every file, grouped by suite.
fn files(columns: &[Column<'_>]) -> Markup {
    let files: BTreeSet<(&str, &str)> = columns
        .iter()
        .flat_map(|column| &column.report.files)
        .map(|row| (row.suite.as_str(), row.file.as_str()))
        .collect();
    let suites: BTreeSet<&str> = files.iter().map(|(suite, _)| *suite).collect();
    html! {
        h2 { "Files" }
        @for suite in suites {
            details .fold {
                summary { (suite) }
                div .body {
                    table {
                        thead {
                            tr {
                                th { "file" }
                                @for column in columns { th { (column.name()) } }
                            }
                        }
                        tbody {
                            @for (_, file) in files.iter().filter(|(of, _)| *of == suite) {
                                tr data-name=(file) {
                                    td { code { (file) } }
                                    @for column in columns { td { (cell(column.file(file))) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A number with a thin space between groups of three digits.
fn number(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}
