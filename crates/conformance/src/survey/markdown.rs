//! The report as a page in Markdown.

use super::report::{Compile, Fence, ModuleReport, Report};
use super::table::{beyond_2, compile, counts, imports, largest_body, memories, run, rust_run};
use super::text::bytes;

/// The table of the first report, with the runs of the others beside it, and what stands in the way. `command` is the
/// command that made the page.
pub fn render(reports: &[&Report], command: &str) -> String {
    let Some(report) = reports.first() else {
        return String::new();
    };
    let Fence { fuel, timeout_ms } = report.fence;
    let mut text = format!(
        "# Modules on `host:wasm`\n\n\
         Made by {}: {}.\n\n\
         Imports are stand-ins: functions that return zeros, memories and tables of the size that the module asks for, \
         and WASI without any rights. A run is the start function, and then one export that has no parameters, with \
         {fuel} fuel and {timeout_ms} ms for each. *wasmtime* is wasmtime alone with its own settings, in the same run, \
         with the same checks for fuel and deadlines.{}\n\n",
        code(command),
        counts(report),
        match report.debug_build {
            true => " Both compilers were built with debug assertions, which make them slower.",
            false => "",
        }
    );
    let mut header = vec![
        "module".to_owned(),
        "size".to_owned(),
        "verdict".to_owned(),
        "imports".to_owned(),
        "beyond 2.0".to_owned(),
        "memory".to_owned(),
        "largest body".to_owned(),
        "wasmtime".to_owned(),
        "`host:wasm`".to_owned(),
        "Rust API".to_owned(),
    ];
    header.extend(
        reports
            .iter()
            .map(|report| format!("TypeScript API, {}", report.engine)),
    );
    text += &line(&header);
    let alignment: Vec<String> = header
        .iter()
        .map(|title| match title.as_str() {
            "size" | "largest body" | "wasmtime" | "`host:wasm`" => "--:".to_owned(),
            _ => "---".to_owned(),
        })
        .collect();
    text += &line(&alignment);
    let folder = report.folder();
    for module in &report.modules {
        text += &line(&row(module, folder, reports));
    }
    let obstacles = report.modules.iter().flat_map(|module| {
        let name = code(module.short_name(folder));
        let refused = match &module.wasmtime {
            Compile::Refused { message } | Compile::Lost { message } => {
                Some(format!("- {name}: wasmtime alone: {}\n", code(message)))
            }
            Compile::Compiled { .. } | Compile::NotTried => None,
        };
        let own = module.obstacles().into_iter();
        let own = own.map(move |obstacle| format!("- {name}: {}\n", code(&obstacle)));
        refused.into_iter().chain(own)
    });
    let obstacles: String = obstacles.collect();
    if !obstacles.is_empty() {
        text += "\nWhat stands in the way:\n\n";
        text += &obstacles;
    }
    let same = report.modules.iter().flat_map(|module| {
        let name = code(module.short_name(folder));
        let also = module.also.iter();
        also.map(move |also| format!("- {}: {name}\n", code(also)))
    });
    let same: String = same.collect();
    if !same.is_empty() {
        text += "\nFiles with the same contents as another one:\n\n";
        text += &same;
    }
    text
}

fn row(module: &ModuleReport, folder: &str, reports: &[&Report]) -> Vec<String> {
    let contents = |f: fn(&_) -> String| module.contents().map_or_else(String::new, f);
    let mut row = vec![
        code(module.short_name(folder)),
        bytes(module.bytes),
        module.verdict().to_string(),
        contents(imports),
        contents(beyond_2),
        contents(memories),
        contents(largest_body),
        compile(&module.wasmtime),
        compile(&module.host_wasm),
        plain(&rust_run(module)),
    ];
    row.extend(reports.iter().map(|report| {
        let mut modules = report.modules.iter();
        let same = modules.find(|other| other.name == module.name);
        plain(&run(same.and_then(|same| same.script.as_ref())))
    }));
    row
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// A name or a message out of a module, as code: without a character that ends it.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'").replace('|', "\\|"))
}

/// A summary. The name of an export can have any character.
fn plain(text: &str) -> String {
    match text.contains(|c: char| !c.is_alphanumeric() && !" (),:".contains(c)) {
        true => code(text),
        false => text.to_owned(),
    }
}
