//! The world `text`: a function with a `result`, lists, a resource of the program, and an import.

use serde_json::{Value, json};

use super::{LIMITS, granting, made, on_node, printed};
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

fn runs(name: &str) {
    let Some(component) = made(&format!("{name}.wasm")) else {
        return;
    };
    let got = Js::with(granting(&component)).run(&format!(
        "const component = await compileComponentFile({});
         const lines = [];
         const imports = {{ 'test:text/log@0.1.0': {{ write: (line) => {{ lines.push(line); }} }} }};
         const instance = await instantiateComponent(component, imports, {{ wasi: {{ stderr: 'piped' }}, {LIMITS} }});
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

#[test]
fn a_program_in_c_runs() {
    runs("text-c");
}

#[test]
fn a_program_in_zig_runs() {
    runs("text-zig");
}

#[test]
fn a_translation_to_javascript_gives_the_same_results() {
    let script = format!(
        "globalThis.lines = [];
         const exports = await import(translated);
         const used = (() => {{ const {{ lines }} = globalThis; {USE} }})();
         console.log(JSON.stringify(used));"
    );
    for name in ["text-js", "text-py", "text-c", "text-zig"] {
        if let Some(output) = on_node(name, &script, "") {
            assert_eq!(printed(&output), expected(), "{name}");
        }
    }
}
