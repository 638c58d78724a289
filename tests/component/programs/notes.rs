//! The world `notes`: resources of the program that hold resources of the app, flags, a variant with records, tuples.

use serde_json::{Value, json};

use super::{LIMITS, granting, made, on_node, printed};
use crate::support::js::Js;

/// The class of the resource that the app gives to the programs. `fail` throws what is an `err` to them.
const FILE: &str = "
    class File {
        static made = [];
        written = [];
        title;
        mode;
        constructor(title, mode) { this.title = title; this.mode = mode; File.made.push(this); }
        name() { return this.title; }
        append(line) { return this.mode === 'read' ? fail('read only') : this.written.push(line); }
        lines() { return this.written; }
        static all() { return File.made; }
    }";

/// What a program does with an instance's `exports`. Node runs it, too.
const USE: &str = "
    const { notebooks } = exports;
    const told = (f) => { try { return f(); } catch (error) { return ['threw', error.payload]; } };
    const marks = { pinned: false, done: false, forLater: false };
    const added = (id, text, more) => ({ tag: 'added', val: { id, text, marks, place: undefined, ...more } });
    const file = new File('first', 'append');
    const first = new notebooks.Notebook(file);
    const second = new notebooks.Notebook(new File('second', 'append'));
    const closed = new notebooks.Notebook(new File('closed', 'read'));
    const results = [
        first.apply(added(1n, 'milk', { marks: { ...marks, pinned: true } })),
        first.apply(added(2n ** 64n - 1n, 'k\\u00e4se', { place: [1.5, -0.25] })),
        told(() => first.apply(added(1n, 'bread'))),
        told(() => first.apply({ tag: 'removed', val: 5n })),
        told(() => closed.apply(added(1n, 'bread'))),
        first.notes({ ...marks, pinned: true }),
        first.notes(marks).map(({ id, text, place }) => [id, text, place ?? 'no place']),
    ];
    const restored = notebooks.Notebook.restored(file);
    results.push(restored.apply({ tag: 'removed', val: 1n }), restored.notes({ ...marks, forLater: true }));
    results.push(told(() => notebooks.merge(second, [restored, closed])));
    results.push(told(() => notebooks.merge(second, [first])));
    results.push(second.apply({ tag: 'cleared' }));
    results.push(notebooks.Notebook.close(first) === file, file.lines(), notebooks.backups());
    return results;";

fn expected() -> Value {
    let marks =
        |pinned: bool, later: bool| json!({ "pinned": pinned, "done": false, "forLater": later });
    json!([
        1,
        2,
        ["threw", "two notes 1"],
        ["threw", "no note 5"],
        ["threw", "closed: read only"],
        [{ "id": "1n", "text": "milk", "marks": marks(true, false) }],
        [["1n", "milk", "no place"], ["18446744073709551615n", "k\u{e4}se", [1.5, -0.25]]],
        1,
        [{ "id": "18446744073709551615n", "text": "k\u{e4}se", "marks": marks(false, true), "place": [0.5, -1] }],
        null,
        ["threw", "two notes 18446744073709551615"],
        0,
        true,
        ["1 milk", "18446744073709551615 k\u{e4}se"],
        [["first", 2], ["second", 2], ["closed", 0], ["copy of first", 2]],
    ])
}

fn runs(name: &str) {
    let Some(component) = made(&format!("{name}.wasm")) else {
        return;
    };
    let got = Js::with(granting(&component)).run(&format!(
        "const component = await compileComponentFile({});
         const fail = (payload) => {{ throw new ComponentError(payload); }};
         {FILE}
         const imports = {{ 'test:notes/files@0.1.0': {{ File }} }};
         const {{ exports }} = await instantiateComponent(component, imports, {{ wasi: {{ stderr: 'piped' }}, {LIMITS} }});
         {USE}",
        json!(component)
    ));
    assert_eq!(got, expected());
}

#[test]
fn a_program_in_javascript_has_resources_of_the_app() {
    runs("notes-js");
}

#[test]
fn a_program_in_python_has_resources_of_the_app() {
    runs("notes-py");
}

#[test]
fn a_translation_to_javascript_gives_the_same_results() {
    let script = format!(
        "const fail = (payload) => {{ throw {{ payload }}; }};
         {FILE}
         globalThis.AppFile = File;
         const exports = await import(translated);
         const used = (() => {{ {USE} }})();
         console.log(JSON.stringify(used, (_, part) => typeof part === 'bigint' ? `${{part}}n` : part));"
    );
    for name in ["notes-js", "notes-py"] {
        if let Some(output) = on_node(name, &script, "") {
            assert_eq!(printed(&output), expected(), "{name}");
        }
    }
}
