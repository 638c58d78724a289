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
        "memory",
        "largest body",
        "wasmtime",
        "host:wasm",
        "run",
    ]);
    let folder = report.folder();
    for module in &report.modules {
        table.add_row(row(module, folder));
    }
    let mut text = format!("{table}\n");
    for module in &report.modules {
        let own = module.short_name(folder);
        for obstacle in module.obstacles() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{own}: {obstacle}");
        }
        for name in &module.also {
            let _ = writeln!(text, "{name}: the same as {own}");
        }
    }
    for unreadable in &report.unreadable {
        let _ = writeln!(
            text,
            "{}: cannot be read: {}",
            unreadable.name, unreadable.why
        );
    }
    if !folder.is_empty() {
        let _ = write!(text, "{folder}: ");
    }
    text + &counts(report) + "\n"
}

/// How many modules there are of each verdict.
pub fn counts(report: &Report) -> String {
    let verdicts = [
        Verdict::Taken,
        Verdict::NeedsCaps,
        Verdict::OnlyUnfenced,
        Verdict::NotInstantiated,
        Verdict::Refused,
        Verdict::Lost,
    ];
    let count = |verdict: Verdict| {
        let modules = report.modules.iter();
        modules.filter(|module| module.verdict() == verdict).count()
    };
    let mut text = match report.modules.len() {
        1 => "1 module".to_owned(),
        count => format!("{count} modules"),
    };
    for verdict in verdicts {
        let count = count(verdict);
        if count > 0 {
            text += &format!(", {count} {verdict}");
        }
    }
    if !report.unreadable.is_empty() {
        text += &format!(", {} that cannot be read", report.unreadable.len());
    }
    text
}

fn row(module: &ModuleReport, folder: &str) -> Vec<Cell> {
    let contents = |f: fn(&Contents) -> String| module.contents().map_or_else(String::new, f);
    vec![
        Cell::new(module.short_name(folder)),
        right(bytes(module.bytes)),
        Cell::new(module.verdict()),
        Cell::new(contents(imports)),
        Cell::new(contents(beyond_2)),
        Cell::new(contents(memories)),
        right(contents(largest_body)),
        right(compile(&module.wasmtime)),
        right(compile(&module.host_wasm)),
        Cell::new(runs(module)),
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
            ..
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

/// How the run through the Rust API ended, or the one without a fence if there is no other way.
pub fn rust_run(module: &ModuleReport) -> String {
    match &module.unfenced {
        Some(unfenced) => format!("without fence: {}", unfenced.summary()),
        None => run(module.runtime.as_ref()),
    }
}

/// How a module ran through both APIs.
fn runs(module: &ModuleReport) -> String {
    let (runtime, script) = (rust_run(module), run(module.script.as_ref()));
    match runtime == script || module.unfenced.is_some() {
        true => runtime,
        false => format!("Rust API: {runtime}; TypeScript API: {script}"),
    }
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn right(value: impl ToString) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}
