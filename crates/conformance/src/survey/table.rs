//! The report as text.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::contents::Contents;
use super::proposals;
use super::report::{Compile, ModuleReport, Report, Run, Verdict};
use super::text::bytes;

/// A table with a row for each module, then what stands in the way of those that are not taken, then the counts.
pub fn render(report: &Report) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header([
        "module",
        "size",
        "verdict",
        "imports",
        "beyond 2.0",
        "exports",
        "memory",
        "largest body",
        "wasmtime",
        "host:wasm",
        "Rust API",
        "TypeScript API",
    ]);
    for module in &report.modules {
        table.add_row(row(module));
    }
    let mut text = format!("{table}\n");
    for module in &report.modules {
        for obstacle in module.obstacles() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}: {obstacle}", module.name);
        }
        for name in &module.also {
            let _ = writeln!(text, "{name}: the same as {}", module.name);
        }
    }
    for unreadable in &report.unreadable {
        let _ = writeln!(
            text,
            "{}: cannot be read: {}",
            unreadable.name, unreadable.why
        );
    }
    text + &counts(report) + "\n"
}

/// How many modules there are of each verdict.
pub fn counts(report: &Report) -> String {
    let verdicts = [
        Verdict::Taken,
        Verdict::NeedsCaps,
        Verdict::NotInstantiated,
        Verdict::Refused,
        Verdict::Lost,
    ];
    let count = |verdict: Verdict| {
        let modules = report.modules.iter();
        modules.filter(|module| module.verdict() == verdict).count()
    };
    let mut text = format!("{} modules", report.modules.len());
    for verdict in verdicts {
        let count = count(verdict);
        if count > 0 {
            text += &format!(", {count} {verdict}");
        }
    }
    if !report.unreadable.is_empty() {
        text += &format!(", {} files cannot be read", report.unreadable.len());
    }
    text
}

fn row(module: &ModuleReport) -> Vec<Cell> {
    let contents = |f: fn(&Contents) -> String| module.contents().map_or_else(String::new, f);
    vec![
        Cell::new(&module.name),
        right(bytes(module.bytes)),
        Cell::new(module.verdict()),
        Cell::new(contents(imports)),
        Cell::new(contents(beyond_2)),
        right(contents(exports)),
        Cell::new(contents(memories)),
        right(contents(largest_body)),
        right(compile(&module.wasmtime)),
        right(compile(&module.host_wasm)),
        Cell::new(run(module.runtime.as_ref())),
        Cell::new(run(module.script.as_ref())),
    ]
}

/// The toolchains of the imports, with how many of each.
pub fn imports(contents: &Contents) -> String {
    let imports = contents.imports.iter();
    list(imports.map(|(origin, count)| format!("{origin} {count}")))
}

/// The proposals that WebAssembly 2.0 does not have.
pub fn beyond_2(contents: &Contents) -> String {
    let proposals = contents.proposals.iter();
    list(
        proposals
            .filter(|name| !proposals::is_common(name))
            .cloned(),
    )
}

fn exports(contents: &Contents) -> String {
    contents.exports.values().sum::<u64>().to_string()
}

/// The memories, with their limits.
pub fn memories(contents: &Contents) -> String {
    list(contents.memories.iter().map(|memory| {
        let size = |pages: u64| bytes_of_pages(pages, memory.page_bytes);
        let maximum = memory.maximum.map_or_else(String::new, size);
        let mut text = format!("{}–{maximum}", size(memory.minimum));
        for (is, word) in [
            (memory.is_imported, " imported"),
            (memory.is_shared, " shared"),
            (memory.is_64, " 64-bit"),
        ] {
            if is {
                text += word;
            }
        }
        text
    }))
}

fn bytes_of_pages(pages: u64, page_bytes: u64) -> String {
    let bytes = u128::from(pages) * u128::from(page_bytes);
    match bytes {
        bytes if bytes >= 1 << 30 && bytes.is_multiple_of(1 << 30) => {
            format!("{} GiB", bytes >> 30)
        }
        bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => {
            format!("{} MiB", bytes >> 20)
        }
        bytes if bytes >= 1 << 20 => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        bytes => format!("{} KiB", bytes >> 10),
    }
}

/// The size of the largest body.
pub fn largest_body(contents: &Contents) -> String {
    let body = contents.largest_body.as_ref();
    body.map_or_else(String::new, |body| bytes(body.bytes))
}

/// The time and the memory of a compilation.
pub fn compile(compile: &Compile) -> String {
    match compile {
        Compile::Compiled {
            seconds,
            peak_bytes,
        } => {
            let peak = peak_bytes.map_or_else(String::new, |peak| format!(", {} MiB", peak >> 20));
            format!("{seconds:.2} s{peak}")
        }
        Compile::Refused { .. } => "refused".to_owned(),
        Compile::Lost { .. } => "lost".to_owned(),
        Compile::NotTried => String::new(),
    }
}

/// How a run ended.
pub fn run(run: Option<&Run>) -> String {
    run.map_or_else(String::new, Run::summary)
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn right(value: impl ToString) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}
