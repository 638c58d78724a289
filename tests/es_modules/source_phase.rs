//! The compiled module of an ES module: the query `?module`, and imports of the source phase.

use serde_json::json;

use super::app::App;

const GUEST: (&str, &str) = (
    "guest.wat",
    r#"(module
        (import "env" "f" (func $f (result i32)))
        (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
        (func (export "run") (param externref) (result i32)
            (i32.add (call $f) (call $length (local.get 0)))))"#,
);

#[test]
fn a_query_asks_for_the_module() {
    let shown = App::new(&[
        GUEST,
        (
            "main.js",
            r#"
                import module from "./guest.wasm?module";
                import again from "./guest.wasm?module";
                const { default: dynamic } = await import("./guest.wasm?module");
                const { default: other } = await import("./guest.wasm?version=2&module");
                const { exports } = await WebAssembly.instantiate(module, { env: { f: () => 10 } });
                show([
                    module instanceof WebAssembly.Module, again === module, dynamic === module, other === module,
                    WebAssembly.Module.imports(module).length, exports.run("four"),
                ]);
            "#,
        ),
    ])
    .run();
    assert_eq!(shown, json!([true, true, true, false, 1, 14]));
}

#[test]
fn typescript_has_imports_of_the_source_phase() {
    let shown = App::new(&[
        GUEST,
        ("main.js", r#"import "./main.ts";"#),
        (
            "main.ts",
            r#"
                import source module from "./guest.wasm";
                const name: string = "./guest.wasm";
                const dynamic: WebAssembly.Module = await import.source(name);
                const { exports } = new WebAssembly.Instance(module, { env: { f: () => 20 } });
                show([module instanceof WebAssembly.Module, dynamic === module, exports.run("")]);
            "#,
        ),
    ])
    .run();
    assert_eq!(shown, json!([true, true, 20]));
}

#[test]
fn no_import_reaches_the_webassembly_of_the_engine() {
    let mut app = App::new(&[
        GUEST,
        (
            "main.js",
            r#"
                show(await caught(() => import.source("./guest.wasm")));
            "#,
        ),
    ])
    .start();
    assert_eq!(
        app.run(),
        json!({"name": "ReferenceError", "message": "Source phase imports are not supported for JavaScript modules"})
    );
    let mut app = App::new(&[
        GUEST,
        (
            "main.js",
            r#"import source module from "./guest.wasm"; show(1);"#,
        ),
    ])
    .start();
    let error = app.load("app:/main.js").unwrap_err().to_string();
    assert!(
        error.contains("Source phase imports are not supported for JavaScript modules"),
        "{error}"
    );
}
