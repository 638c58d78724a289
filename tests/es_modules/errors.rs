//! The errors of modules that cannot be loaded, linked or evaluated.

use serde_json::{Value, json};

use super::app::App;

/// The error of a dynamic import of `guest.wasm`, beside which there is `host.js`.
fn error_of(guest: &str, host: &str) -> Value {
    App::new(&[
        ("guest.wat", guest),
        ("host.js", host),
        (
            "main.js",
            r#"show(await caught(() => import("./guest.wasm")));"#,
        ),
    ])
    .run()
}

/// The error of a dynamic import of a file `guest.wasm` with these bytes.
fn error_of_bytes(bytes: &[u8]) -> Value {
    App::new(&[(
        "main.js",
        r#"show(await caught(() => import("./guest.wasm")));"#,
    )])
    .file("guest.wasm", bytes.to_vec())
    .run()
}

#[test]
fn what_is_no_module_is_an_error_of_the_import() {
    let error = error_of_bytes(b"\0asm\x01\0\0\0\x01");
    assert_eq!(error["name"], "TypeError");
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("app:/guest.wasm: "), "{message}");
    assert_eq!(
        error_of_bytes(b"(module)"),
        json!({"name": "TypeError", "message": "app:/guest.wasm: not a WebAssembly module in the binary format: the \
            source does not begin with `\\0asm`"})
    );
}

#[test]
fn the_host_sees_the_same_message() {
    let mut app = App::new(&[("main.js", r#"import { f } from "./guest.wasm";"#)])
        .file("guest.wasm", b"\x7fELF".to_vec())
        .start();
    let error = app.load("app:/main.js").unwrap_err().to_string();
    assert!(error.starts_with("app:/guest.wasm: "), "{error}");
}

#[test]
fn a_missing_binding_is_named() {
    let error = error_of(
        r#"(module (import "./host.js" "missing" (func)))"#,
        "export const present = 1;",
    );
    assert_eq!(error["name"], "SyntaxError", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("missing"), "{message}");
    assert!(message.contains("host.js"), "{message}");

    let error = error_of(r#"(module (import "./nowhere.js" "f" (func)))"#, "");
    assert_eq!(
        error,
        json!({"name": "TypeError", "message": "no file app:/nowhere.js"})
    );
}

#[test]
fn a_binding_of_another_kind_or_type_is_a_link_error() {
    for (import, value, why) in [
        ("(func)", "1", "got 1"),
        ("(memory 1)", "() => 1", "got a function"),
        ("(table 1 funcref)", "{}", "got an object"),
        ("(global i32)", "1n", "got 1n"),
        ("(global (mut i32))", "1", "got 1"),
        ("(global v128)", "1", "got 1"),
        ("(tag)", "null", "got null"),
    ] {
        let guest = format!(r#"(module (import "./host.js" "value" {import}))"#);
        let error = error_of(&guest, &format!("export const value = {value};"));
        assert_eq!(error["name"], "LinkError", "{import}: {error}");
        assert_eq!(error["code"], 5001, "{import}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.starts_with(r#"import "./host.js"."value" needs a "#) && message.ends_with(why),
            "{import}: {message}"
        );
    }
}

#[test]
fn a_mutable_global_that_javascript_passes_on_is_its_value() {
    let error = App::new(&[
        (
            "exporter.wat",
            r#"(module (global (export "g") (mut i32) (i32.const 3)))"#,
        ),
        ("host.js", r#"export { g } from "./exporter.wasm";"#),
        (
            "guest.wat",
            r#"(module (import "./host.js" "g" (global (mut i32))))"#,
        ),
        (
            "main.js",
            r#"show(await caught(() => import("./guest.wasm")));"#,
        ),
    ])
    .run();
    assert_eq!(
        error,
        json!({"name": "LinkError", "code": 5001, "message": r#"import "./host.js"."g" needs a global: got 3"#})
    );
}

#[test]
fn a_binding_without_a_value_yet_is_a_reference_error() {
    let shown = App::new(&[
        (
            "guest.wat",
            r#"(module (import "./cycle.js" "late" (func)) (func (export "f")))"#,
        ),
        (
            "cycle.js",
            r#"import { f } from "./guest.wasm"; export const late = f;"#,
        ),
        (
            "one.wat",
            r#"(module (import "./two.wasm" "f" (func)) (func (export "g")))"#,
        ),
        (
            "two.wat",
            r#"(module (import "./one.wasm" "g" (func)) (func (export "f")))"#,
        ),
        (
            "main.js",
            r#"show([await caught(() => import("./cycle.js")), await caught(() => import("./one.wasm"))]);"#,
        ),
    ])
    .run();
    let error = |module: &str, name: &str| {
        let message = format!("import \"{module}\".\"{name}\" is not initialized yet");
        json!({"name": "ReferenceError", "message": message})
    };
    assert_eq!(
        shown,
        json!([error("./cycle.js", "late"), error("./one.wasm", "g")])
    );
}

#[test]
fn reserved_names_are_link_errors() {
    for (guest, what) in [
        (
            r#"(module (import "wasm-js:x" "f" (func)))"#,
            r#"the name of an imported module is "wasm-js:x""#,
        ),
        (
            r#"(module (import "./host.js" "wasm:f" (func)))"#,
            r#"the name of an import is "wasm:f""#,
        ),
        (
            r#"(module (import "./host.js" "wasm-js:f" (func)))"#,
            r#"the name of an import is "wasm-js:f""#,
        ),
        (
            r#"(module (func (export "wasm:f")))"#,
            r#"the name of an export is "wasm:f""#,
        ),
        (
            r#"(module (func (export "wasm-js:f")))"#,
            r#"the name of an export is "wasm-js:f""#,
        ),
    ] {
        let host = r#"const f = () => {}; export { f as "wasm:f", f as "wasm-js:f" };"#;
        let shown = App::new(&[
            ("guest.wat", guest),
            ("host.js", host),
            (
                "main.js",
                r#"
                    show(await caught(() => import("./guest.wasm?module")));
                "#,
            ),
        ])
        .run();
        let message = format!("{what}, which is reserved");
        assert_eq!(
            shown,
            json!({"name": "LinkError", "code": 5001, "message": message})
        );
        assert_eq!(error_of(guest, host), shown);
    }
}

#[test]
fn a_builtin_that_there_is_not_is_a_link_error() {
    let error = error_of(r#"(module (import "wasm:js-string" "shout" (func)))"#, "");
    assert_eq!(
        error,
        json!({"name": "LinkError", "code": 5001, "message": r#"import "wasm:js-string"."shout" is no builtin function"#})
    );
}

#[test]
fn a_trap_of_the_start_function_is_an_error_of_the_import() {
    let error = error_of("(module (func $f (unreachable)) (start $f))", "");
    assert_eq!(
        error,
        json!({"name": "RuntimeError", "code": 5002, "message": "unreachable"})
    );
}

#[test]
fn a_module_of_another_app_or_evaluated_twice_is_not_there() {
    let shown = App::new(&[
        ("guest.wat", r#"(module (func (export "f")))"#),
        (
            "main.js",
            r#"
                import "./guest.wasm";
                import { linkEsModule, esModuleSource } from "host:wasm";
                show([
                    await caught(() => linkEsModule(1, undefined, [], undefined, undefined)),
                    await caught(() => esModuleSource(77)),
                ]);
            "#,
        ),
    ])
    .run();
    let error = |number: u32| {
        let message = format!("no module was loaded under the number {number}");
        json!({"name": "CompileError", "code": 5000, "message": message})
    };
    assert_eq!(shown, json!([error(1), error(77)]));
}
