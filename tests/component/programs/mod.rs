//! Components that toolchains make, from programs in JavaScript and in Python that do the same.
//!
//! `tests/programs/fetch.sh --components` puts them into `target/components`. The test of a missing component prints that
//! it is skipped.

use std::path::Path;
use std::process::Command;

use ext_wasm::WasmCapabilities;
use serde_json::{Value, json};

use crate::support::js::Js;

/// What a program does with an instance's `exports` and the `lines` that it logs. Node runs it, too.
const USE: &str = "
    const { stats } = exports;
    const told = (f) => { try { return f(); } catch (error) { return ['threw', error.payload]; } };
    const results = [
        stats.words('to be or not to be', undefined),
        told(() => stats.words('', 5)),
        told(() => stats.words('long text', 5)),
        stats.words('h\\u00e9 \\u4e16\\u754c \\ud83c\\udf0d \\ud83c\\udf0d', 100),
        stats.sum(new Float64Array([1, 2.5, -0.25])),
        stats.sum(new Float64Array(100000).fill(0.5)),
    ];
    const counter = new stats.Counter(41);
    results.push([counter.next(), counter.next()], stats.Counter.describe(counter));
    results.push(lines);
    return results;";

fn expected() -> Value {
    json!([
        [{ "text": "to", "count": 2 }, { "text": "be", "count": 2 }, { "text": "or", "count": 1 }, { "text": "not", "count": 1 }],
        ["threw", { "tag": "empty" }],
        ["threw", { "tag": "too-long", "val": 9 }],
        [{ "text": "h\u{e9}", "count": 1 }, { "text": "\u{4e16}\u{754c}", "count": 1 }, { "text": "\u{1f30d}", "count": 2 }],
        3.25,
        50_000,
        [41, 42],
        "counter at 43",
        ["4 words", "3 words"],
    ])
}

/// The file of a component or a folder beside it; `None` if it is not there.
pub(super) fn made(name: &str) -> Option<std::path::PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("target/components").join(name);
    if file.exists() {
        return Some(file);
    }
    println!(
        "skipped: no {name} in target/components; tests/programs/fetch.sh --components makes it"
    );
    None
}

fn runs(name: &str) {
    let Some(component) = made(&format!("{name}.wasm")) else {
        return;
    };
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_wasi = true;
    capabilities.allow_file_compile = true;
    capabilities.compile_paths = vec![component.clone()];
    // With these caps the code is compiled with checks from the start, and not a second time for the instance.
    capabilities.max_fuel = Some(10_000_000_000);
    capabilities.max_timeout_ms = Some(60_000);
    let got = Js::with(capabilities).run(&format!(
        "const component = await compileComponentFile({});
         const lines = [];
         const imports = {{ 'test:text/log@0.1.0': {{ write: (line) => {{ lines.push(line); }} }} }};
         const options = {{ wasi: {{ stderr: 'piped' }}, fuel: 10_000_000_000, timeoutMs: 60_000, maxMemoryBytes: 256 << 20 }};
         const instance = await instantiateComponent(component, imports, options);
         const {{ exports }} = instance;
         const used = (() => {{ {USE} }})();
         instance.setFuel(1_000_000);
         const huge = 'word '.repeat(200_000);
         const outOfFuel = await codeOf(() => exports.stats.words(huge, undefined));
         return [used, outOfFuel, instance.ended];",
        json!(component)
    ));
    assert_eq!(got, json!([expected(), 5006, true]));
}

#[test]
fn a_program_in_javascript_runs() {
    runs("text-js");
}

#[test]
fn a_program_in_python_runs() {
    runs("text-py");
}

/// jco translates the components to modules and JavaScript, which Node runs.
#[test]
fn a_translation_to_javascript_gives_the_same_results() {
    for name in ["text-js", "text-py"] {
        let Some(translated) = made(&format!("jco/{name}/{name}.js")) else {
            continue;
        };
        let script = format!(
            "globalThis.lines = [];
             const exports = await import({});
             const used = (() => {{ const {{ lines }} = globalThis; {USE} }})();
             console.log(JSON.stringify(used));",
            json!(translated)
        );
        let mut node = Command::new("node");
        node.args(["--input-type=module", "--eval", &script]);
        let output = match node.output() {
            Ok(output) => output,
            Err(error) => return println!("skipped: no node: {error}"),
        };
        let errors = String::from_utf8_lossy(&output.stderr);
        if errors.contains("is not allowed in constant expressions") {
            println!("skipped: this node has no extended constant expressions, which {name} needs");
            continue;
        }
        let printed = String::from_utf8_lossy(&output.stdout);
        let got: Value = serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{errors}"));
        assert_eq!(got, expected(), "{name}");
    }
}
