//! The report as a page: one file, without network, for people.

use maud::{Markup, html};

use super::contents::Contents;
use super::report::{Call, Compile, ModuleReport, Report, Run, Verdict};
use super::table::{beyond_2, compile, counts, imports, largest_body, memories, run, rust_run};
use super::text::bytes;
use crate::html::page;

/// The page about the first report, with the runs of the others beside it.
pub fn render(reports: &[&Report]) -> String {
    let Some(report) = reports.first() else {
        return String::new();
    };
    let body = html! {
        h1 { "Modules on " code { "host:wasm" } }
        p .verdict .good[report.is_success()] .bad[!report.is_success()] { (counts(report)) "." }
        p .faint {
            "Imports are stand-ins: functions that return zeros, and empty memories and tables; WASI without any \
             rights. Runs have " (report.fence.fuel) " fuel and " (report.fence.timeout_ms) " ms."
            @if report.debug_build {
                " Compilers were built with debug assertions, which make them slower."
            }
        }
        h2 { "Modules" }
        (matrix(report, reports))
        h2 { "Search" }
        input type="search" placeholder="A module, a proposal or a message" aria-label="Search";
        p #count .faint aria-live="polite" {}
        @for module in &report.modules { (details(module, reports)) }
        (unreadable(report))
    };
    page("Modules on host:wasm", &body)
}

fn matrix(report: &Report, reports: &[&Report]) -> Markup {
    html! {
        div .scroll {
            table .matrix {
                thead {
                    tr {
                        th { "module" }
                        th { "size" }
                        th { "verdict" }
                        th { "wasmtime" }
                        th { "host:wasm" }
                        th { "Rust API" }
                        @for report in reports { th { "TypeScript API · " (report.engine) } }
                    }
                }
                tbody {
                    @for module in &report.modules {
                        tr {
                            th scope="row" { (module.short_name(report.folder())) }
                            td { (bytes(module.bytes)) }
                            td { (verdict(module)) }
                            td { (compile(&module.wasmtime)) }
                            td { (compile(&module.host_wasm)) }
                            td { (rust_run(module)) }
                            @for report in reports { td { (run(script(report, module))) } }
                        }
                    }
                }
            }
        }
    }
}

/// The run of the same module in another report.
fn script<'r>(report: &'r Report, module: &ModuleReport) -> Option<&'r Run> {
    let mut modules = report.modules.iter();
    modules
        .find(|other| other.name == module.name)?
        .script
        .as_ref()
}

fn verdict(module: &ModuleReport) -> Markup {
    let verdict = module.verdict();
    let class = match verdict {
        Verdict::Taken => "good",
        Verdict::NeedsCaps | Verdict::OnlyUnfenced => "left",
        Verdict::Refused | Verdict::NotInstantiated | Verdict::Lost => "bad",
    };
    html! { span class=(class) { (verdict) } }
}

fn details(module: &ModuleReport, reports: &[&Report]) -> Markup {
    let obstacles = module.obstacles();
    let proposals = module
        .contents()
        .map(|contents| contents.proposals.join(" "));
    let found_by = format!(
        "{} {} {}",
        module.name,
        proposals.unwrap_or_default(),
        obstacles.join(" ")
    );
    html! {
        details data-name=(found_by) {
            summary { code { (module.name) } " " (verdict(module)) }
            div .body {
                dl {
                    @for obstacle in &obstacles { dt { "in the way" } dd { (obstacle) } }
                    @for name in &module.also { dt { "the same" } dd { code { (name) } } }
                    @if let Some(contents) = module.contents() { (self::contents(contents)) }
                    dt { "wasmtime alone" } dd { (outcome(&module.wasmtime)) }
                    dt { "host:wasm" } dd { (outcome(&module.host_wasm)) }
                    dt { "Rust API" } dd { (ended(module.runtime.as_ref())) }
                    @for report in reports {
                        dt { "TypeScript API · " (report.engine) }
                        dd { (ended(script(report, module))) }
                    }
                    @if module.unfenced.is_some() {
                        dt { "Rust API, no fence" } dd { (ended(module.unfenced.as_ref())) }
                    }
                }
            }
        }
    }
}

fn contents(contents: &Contents) -> Markup {
    let exports = contents.exports.iter();
    let exports: Vec<String> = exports
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    html! {
        dt { "proposals" } dd { (contents.proposals.join(", ")) }
        dt { "beyond 2.0" } dd { (beyond_2(contents)) }
        dt { "imports" } dd { (imports(contents)) }
        dt { "exports" } dd { (exports.join(", ")) }
        dt { "memories" } dd { (memories(contents)) }
        dt { "functions" } dd { (contents.functions) }
        dt { "globals" } dd { (contents.globals) }
        dt { "tables" } dd { (contents.tables) " with " (contents.table_elements) " elements" }
        dt { "start function" } dd { (if contents.has_start { "yes" } else { "no" }) }
        @if let Some(body) = &contents.largest_body {
            dt { "largest body" }
            dd {
                (largest_body(contents)) ", function " (body.function)
                @if let Some(name) = &body.name { " " code { (name) } }
            }
        }
    }
}

fn outcome(compile: &Compile) -> String {
    match compile {
        Compile::Refused { message } | Compile::Lost { message } => message.clone(),
        Compile::Compiled {
            cpu_seconds: Some(cpu),
            ..
        } => {
            format!("{}, {cpu:.2} s of all processors", self::compile(compile))
        }
        compiled => self::compile(compiled),
    }
}

fn ended(run: Option<&Run>) -> Markup {
    html! {
        @match run {
            None => "not run",
            Some(Run { instantiate, call }) => {
                "start: " (instantiate)
                @if let Some(Call { name, ended }) = call { ", " code { (name) "()" } " " (ended) }
            },
        }
    }
}

fn unreadable(report: &Report) -> Markup {
    html! {
        @if !report.unreadable.is_empty() { h2 { "Cannot be read" } }
        @for unreadable in &report.unreadable {
            p data-name=(unreadable.name) { code { (unreadable.name) } ": " (unreadable.why) }
        }
    }
}
