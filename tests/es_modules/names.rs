//! Names of guests are names only, whatever is in them.

use std::fmt::Write;

use deno_core::{ModuleSourceCode, ModuleSpecifier};
use ext_wasm::{EsModules, WasmCapabilities, WasmState};
use serde_json::{Value, json};

use super::app::App;

/// Names that would be code, or change how the text is read, if they were not escaped.
const NAMES: [&str; 30] = [
    "",
    "a b",
    "\"",
    "'",
    "`${globalThis.injected = 1}`",
    "\\",
    "\\\"",
    "\n",
    "\r\n",
    "\u{2028}",
    "\u{2029}",
    "\0",
    "*/",
    "//",
    "/*",
    "\" }; globalThis.injected = 1; export { e0 as \"x",
    "\"];globalThis.injected=1;//",
    "</script>",
    "from",
    "x from './y'",
    "import source x from",
    "import defer * as x from",
    "import.source(",
    "import(\"./evil.js\")",
    "await x",
    "\n//# sourceMappingURL=data:application/json,{}",
    "__proto__",
    "constructor",
    "\u{1f680}e\u{301}",
    "%PrepareFunctionForOptimization(globalThis.injected = 1)",
];

/// A name as a string of the text format.
fn wat_string(name: &str) -> String {
    let bytes = name.bytes().map(|byte| format!("\\{byte:02x}"));
    format!("\"{}\"", bytes.collect::<String>())
}

#[test]
fn names_of_exports_and_imports_are_not_code() {
    let mut exporter = String::from("(module\n");
    let mut importer = String::from("(module\n");
    let mut sums = String::new();
    for (i, name) in NAMES.iter().enumerate() {
        let name = wat_string(name);
        let _ = writeln!(
            exporter,
            "(func (export {name}) (result i32) (i32.const {i}))"
        );
        let _ = writeln!(
            importer,
            "(import \"./exporter.wasm\" {name} (func $f{i} (result i32)))"
        );
        let _ = writeln!(sums, "(call $f{i}) (i32.add)");
    }
    exporter.push(')');
    let _ = writeln!(
        importer,
        "(func (export \"sum\") (result i32) (i32.const 0) {sums}))"
    );
    let main = format!(
        r#"
            import * as exporter from "./exporter.wasm";
            import {{ sum }} from "./importer.wasm";
            const names = {}.map((codes) => String.fromCodePoint(...codes));
            show([names.map((name) => exporter[name]()), Object.keys(exporter).length, sum(), globalThis.injected]);
        "#,
        json!(NAMES.map(|name| name.chars().map(u32::from).collect::<Vec<_>>()))
    );
    let shown = App::new(&[
        ("exporter.wat", &exporter),
        ("importer.wat", &importer),
        ("main.js", &main),
        ("evil.js", "globalThis.injected = 1;"),
    ])
    .run();
    let count = NAMES.len();
    let numbers: Vec<usize> = (0..count).collect();
    assert_eq!(
        shown,
        json!([numbers, count, count * (count - 1) / 2, "undefined"])
    );
}

/// The error of a module that imports from a module with this name, if nothing was run by it.
fn error_of_specifier(name: &str) -> Value {
    let guest = format!("(module (import {} \"f\" (func)))", wat_string(name));
    let shown = App::new(&[
        ("guest.wat", &guest),
        (
            "evil.js",
            "globalThis.injected = 1; export const f = () => {};",
        ),
        (
            "main.js",
            r#"
                const error = await caught(() => import("./guest.wasm"));
                show([error, globalThis.injected]);
            "#,
        ),
    ])
    .run();
    assert_eq!(shown[1], "undefined", "{name:?}");
    shown[0].clone()
}

#[test]
fn a_specifier_is_not_code() {
    for name in [
        "",
        "\"",
        "'",
        "`",
        "\\",
        "./a.js\"; globalThis.injected = 1; \"",
        "./a.js'",
        "a\nb",
        "a\u{2028}b",
        "\0",
        "./x from './evil.js'",
    ] {
        let error = error_of_specifier(name);
        assert_eq!(error["name"], "LinkError", "{name:?}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("cannot be the specifier of an import"),
            "{name:?}: {message}"
        );
    }
    // These are specifiers of files that there are not.
    for name in [
        "./ import source x from",
        "./import.source(a",
        "./*/",
        "./${globalThis.injected=1}",
        "./%PrepareFunctionForOptimization(a",
        "./\u{e9}.js",
    ] {
        let error = error_of_specifier(name);
        let message = error["message"].as_str().unwrap();
        assert!(
            !message.contains("cannot be the specifier"),
            "{name:?}: {message}"
        );
    }
}

#[test]
fn a_guest_names_no_url_of_another_scheme() {
    for name in [
        "data:text/javascript,export const f = () => {}; globalThis.injected = 1;",
        "DATA:text/javascript,export%20const%20f=1",
        "host:wasm",
        "HOST:wasm",
        "ext:core/mod.js",
        "node:fs",
        "blob:app:/evil.js",
        "file:///evil.js",
        "wasm:js-sting",
    ] {
        let error = error_of_specifier(name);
        assert_eq!(error["name"], "LinkError", "{name:?}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.ends_with("its scheme is not the scheme of the guest"),
            "{name:?}: {message}"
        );
    }
    // A guest may import from a module that it finds by a URL like its own.
    let shown = App::new(&[
        (
            "guest.wat",
            r#"(module (import "app:/host.js" "f" (func $f (result i32))) (export "f" (func $f)))"#,
        ),
        ("host.js", "export const f = () => 3;"),
        ("main.js", r#"import { f } from "./guest.wasm"; show(f());"#),
    ])
    .run();
    assert_eq!(shown, 3);
}

#[test]
fn specifiers_are_those_of_urls() {
    let guest = "(module
        (import \"./a%20b.js\" \"f\" (func $f (result i32)))
        (import \"./a b.js\" \"f\" (func $g (result i32)))
        (import \"./\u{e9}.js?x=1&y#z\" \"f\" (func $h (result i32)))
        (func (export \"sum\") (result i32) (i32.add (call $f) (i32.add (call $g) (call $h)))))";
    let shown = App::new(&[
        ("guest.wat", guest),
        (
            "a%20b.js",
            "globalThis.count = (globalThis.count ?? 0) + 1; export const f = () => 20;",
        ),
        ("%C3%A9.js", "export const f = () => 2;"),
        (
            "main.js",
            r#"import { sum } from "./guest.wasm"; show([sum(), globalThis.count]);"#,
        ),
    ])
    .run();
    assert_eq!(shown, json!([42, 1]));
}

#[test]
fn the_url_of_a_module_is_not_code() {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let es_modules = EsModules::new(&state);
    let wasm = wat::parse_str("(module)").unwrap();
    let long = format!("data:application/wasm,{}", "x".repeat(5000));
    for (url, imports_itself) in [
        ("file:///a%20b/c.wasm?x=1#y", true),
        ("data:application/wasm,\";injected()//", false),
        ("data:application/wasm,'", false),
        (&*long, false),
    ] {
        let url = ModuleSpecifier::parse(url).unwrap();
        let source = es_modules.load_now(&url, &wasm).unwrap();
        let ModuleSourceCode::String(text) = source.code else {
            panic!("the source is text");
        };
        let import = format!("import * as own from \"{url}\";");
        assert_eq!(text.as_str().contains(&import), imports_itself, "{url}");
        assert_eq!(
            text.as_str().contains(url.as_str()),
            imports_itself,
            "{url}"
        );
    }
}
