//! Packages of npm, used as they are published through the fenced standard `WebAssembly`.
//!
//! Each `.js` file of this folder is a program that uses one package; it exports its result. The glue of a package is
//! loaded as it is. `tests/programs/fetch.sh --npm` puts the packages into `target/npm`; the test of a missing package
//! prints that it is skipped. `node tests/packages/node.mjs` runs the same programs with Node's own `WebAssembly`.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use deno_core::error::ModuleLoaderError;
use deno_core::{
    JsRuntime, ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader,
    ModuleSource, ModuleSourceCode, ModuleSpecifier, ModuleType, PollEventLoopOptions,
    ResolutionKind, RuntimeOptions, resolve_import,
};
use deno_error::JsErrorBox;
use ext_wasm::{WasmCapabilities, WasmState};
use serde_json::{Value, json};

/// The folder of the programs.
fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages")
}

/// The folder of the packages.
fn packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/npm/node_modules")
}

/// The file that a part of `package.json` names for a module system, as a bundler for browsers chooses it.
fn conditional<'a>(target: &'a Value, system: &str) -> Option<&'a str> {
    match target {
        Value::String(file) => Some(file),
        Value::Object(conditions) => {
            let node = (system == "require").then_some("node");
            [Some("browser"), Some(system), node, Some("default")]
                .into_iter()
                .flatten()
                .find_map(|name| conditional(conditions.get(name)?, system))
        }
        _ => None,
    }
}

/// The file that a package has for a name like `package/file`. `system` is `import` or `require`.
fn package_file(name: &str, system: &str) -> Result<PathBuf, JsErrorBox> {
    let scope = usize::from(name.starts_with('@'));
    let split = name.match_indices('/').nth(scope).map(|(at, _)| at);
    let (package, path) = name.split_at(split.unwrap_or(name.len()));
    let folder = packages().join(package);
    let manifest = std::fs::read(folder.join("package.json"))
        .map_err(|_| JsErrorBox::generic(format!("there is no package {package}")))?;
    let manifest: Value = serde_json::from_slice(&manifest).map_err(failed)?;
    let exports = &manifest["exports"];
    let exported = if exports.get(".").is_some() || !path.is_empty() {
        &exports[&format!(".{path}")]
    } else {
        exports
    };
    if let Some(file) = conditional(exported, system) {
        return Ok(folder.join(file));
    }
    if !path.is_empty() {
        return Ok(folder.join(&path[1..]));
    }
    let module = manifest["module"].as_str().filter(|_| system == "import");
    let main = module.or(manifest["main"].as_str()).unwrap_or("index.js");
    let browser = manifest["browser"][&format!("./{main}")].as_str();
    Ok(folder.join(browser.unwrap_or(main)))
}

/// Loads the programs, and the packages that they import.
struct PackageLoader;

impl ModuleLoader for PackageLoader {
    fn resolve(
        &self,
        specifier: &str,
        referrer: &str,
        _kind: ResolutionKind,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        if specifier.starts_with(['.', '/']) || ModuleSpecifier::parse(specifier).is_ok() {
            return resolve_import(specifier, referrer).map_err(JsErrorBox::from_err);
        }
        let file = package_file(specifier, "import")?;
        ModuleSpecifier::from_file_path(&file)
            .map_err(|()| JsErrorBox::generic(format!("{} is relative", file.display())))
    }

    fn load(
        &self,
        specifier: &ModuleSpecifier,
        _referrer: Option<&ModuleLoadReferrer>,
        _options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        let source = specifier
            .to_file_path()
            .map_err(|()| JsErrorBox::generic(format!("{specifier} is not a file")))
            .and_then(|path| read(&path))
            .and_then(|bytes| String::from_utf8(bytes).map_err(failed));
        ModuleLoadResponse::Sync(source.map(|source| {
            let code = ModuleSourceCode::String(source.into());
            ModuleSource::new(ModuleType::JavaScript, code, specifier, None)
        }))
    }
}

/// The error of a program that another error causes.
fn failed(error: impl std::fmt::Display) -> JsErrorBox {
    JsErrorBox::generic(error.to_string())
}

/// Reads a file of the programs or the packages.
fn read(path: &Path) -> Result<Vec<u8>, JsErrorBox> {
    assert!(path.starts_with(programs()) || path.starts_with(packages()));
    std::fs::read(path).map_err(|error| JsErrorBox::generic(format!("{}: {error}", path.display())))
}

deno_core::extension!(
    package_host,
    ops = [op_package_read, op_package_resolve, op_package_wat]
);

#[deno_core::op2]
#[buffer]
fn op_package_read(#[string] path: &str) -> Result<Vec<u8>, JsErrorBox> {
    read(Path::new(path))
}

#[deno_core::op2]
#[string]
fn op_package_resolve(#[string] name: &str) -> Result<String, JsErrorBox> {
    Ok(package_file(name, "require")?
        .to_string_lossy()
        .into_owned())
}

/// The binary of a module in the text format, which is kept for `node.mjs` too.
#[deno_core::op2]
#[buffer]
fn op_package_wat(#[string] name: &str) -> Result<Vec<u8>, JsErrorBox> {
    let binary = wat::parse_file(programs().join(name).with_extension("wat")).map_err(failed)?;
    std::fs::write(
        packages().with_file_name(name).with_extension("wasm"),
        &binary,
    )
    .map_err(failed)?;
    Ok(binary)
}

/// Runs a program, prints its time, and compares its result. Without its packages, prints that it is skipped.
fn test(name: &str, needed: &[&str], expected: &Value) {
    for package in needed {
        if !packages().join(package).exists() {
            println!("skipped: no {package} in target/npm; tests/programs/fetch.sh --npm gets it");
            return;
        }
    }
    let started = Instant::now();
    let result = evaluate(name);
    println!("{name}: {:.2} s", started.elapsed().as_secs_f64());
    assert_eq!(&result, expected, "{result:#}");
}

/// The result of a program.
fn evaluate(name: &str) -> Value {
    let event_loop = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _entered = event_loop.enter();
    let wasm = WasmState::new(WasmCapabilities::default()).unwrap();
    let mut runtime = JsRuntime::new(RuntimeOptions {
        extensions: vec![ext_wasm::host_wasm::init(wasm), package_host::init()],
        module_loader: Some(Rc::new(PackageLoader)),
        ..Default::default()
    });
    let main = ModuleSpecifier::from_file_path(programs().join("main.js")).unwrap();
    let code = format!(
        "import './host.js';
         import './web.js';
         const program = await import('./{name}.js');
         globalThis.result = JSON.stringify(program.default);"
    );
    event_loop.block_on(async {
        let id = runtime
            .load_main_es_module_from_code(&main, code)
            .await
            .unwrap();
        let evaluated = runtime.mod_evaluate(id);
        let looped = runtime
            .run_event_loop(PollEventLoopOptions::default())
            .await;
        looped.unwrap_or_else(|error| panic!("{name}: {error}"));
        evaluated
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    });
    let result = runtime.execute_script("result.js", "result").unwrap();
    deno_core::scope!(scope, runtime);
    let result = deno_core::v8::Local::new(scope, result);
    serde_json::from_str(&result.to_rust_string_lossy(scope)).unwrap()
}

#[test]
fn argon2() {
    let hash = "a8b9a5e5c6ea1403ba63154786b4811cfd1459dc6b23190d70cf1a317ddb9735";
    let encoded =
        "$argon2id$v=19$m=4096,t=3,p=1$c29tZXNhbHQ$qLml5cbqFAO6YxVHhrSBHP0UWdxrIxkNcM8aMX3blzU";
    test(
        "argon2",
        &["argon2-browser"],
        &json!({
            "hex": hash,
            "encoded": encoded,
            "right": "accepted",
            "wrong": "The password does not match the supplied hash",
        }),
    );
}

#[test]
fn duckdb() {
    test(
        "duckdb",
        &[
            "@duckdb/duckdb-wasm",
            "apache-arrow",
            "flatbuffers",
            "tslib",
        ],
        &json!({
            "version": "v1.4.3",
            "total": [{ "n": 1_000_000, "cents": 499_500_000, "item": "item 9" }],
            "best": [
                { "customer": 21, "cents": 5_490_000 },
                { "customer": 42, "cents": 5_480_000 },
                { "customer": 63, "cents": 5_470_000 },
            ],
            "ranked": [{ "id": 321, "place": 1 }, { "id": 1321, "place": 2 }],
            "people": [{ "name": "Grace", "age": 85 }, { "name": "Ada", "age": 36 }],
            "bad": "Binder Error: Referenced column \"nothing\" not found in FROM clause!",
            "cast": "Conversion Error: Could not convert string 'x' to INT32",
        }),
    );
}

#[test]
fn extism() {
    test(
        "extism",
        &["@extism/extism"],
        &json!({
            "shouted": "Hello, WORLD ✓!",
            "failure": "Plugin-originated error: WENT WRONG",
            "thrown": "RangeError: of the host",
            // The fuel is gone for all calls, and the next call has a deadline of its own.
            "fuel": ["Hello, A!", ["RuntimeError", 5006], ["RuntimeError", 5006]],
            "deadline": ["Hello, A!", ["RuntimeError", 5002], "Hello, A!"],
        }),
    );
}

#[test]
fn jsquash_png() {
    test(
        "jsquash_png",
        &["@jsquash/png"],
        &json!({
            "header": [137, 80, 78, 71, 13, 10, 26, 10],
            "size": 1110,
            "back": [200, 100, true],
            "refused": "Error",
        }),
    );
}

#[test]
fn jsquash_webp() {
    test(
        "jsquash_webp",
        &["@jsquash/webp", "wasm-feature-detect"],
        &json!({
            "header": "RIFFWEBP",
            "sizes": [1024, 708],
            "back": [256, 128, true],
            "lossy": 256,
        }),
    );
}

#[test]
fn onnxruntime() {
    test(
        "onnxruntime",
        &["onnxruntime-web"],
        &json!({ "inputs": ["x"], "y": [14, 1, 0, 0], "dims": [2, 2], "bad": true }),
    );
}

#[test]
fn pyodide() {
    test(
        "pyodide",
        &["pyodide"],
        &json!({
            "waited": [true, 42, [1, 2, 3, 4, 5]],
            "result": [{ "0": 0, "1": 1, "2": 4, "3": 9 }, 42, "2d711642", "cbt", "1267650600228229401496703205376"],
            "printed": ["Python (3, 14) ✓"],
            "raised": ["PythonError", null, "ZeroDivisionError: division by zero"],
            "js": 42,
            "noFetch": ["PythonError", null, "AttributeError: fetch"],
            "endless": ["RuntimeError", 5006],
        }),
    );
}

#[test]
fn resvg() {
    test(
        "resvg",
        &["@resvg/resvg-wasm"],
        &json!({
            "size": [120, 80],
            "header": [137, 80, 78, 71, 13, 10, 26, 10],
            "corner": [51, 102, 153, 255],
            "center": [255, 0, 0, 255],
            "refused": "SVG data parsing failed cause unknown token at 1:1",
        }),
    );
}

#[test]
fn sql_js() {
    test(
        "sql_js",
        &["sql.js"],
        &json!({
            "rows": [
                [1, "number 1 ✓", 0.5, 1],
                [5000, "number 5000 ✓", 2500, 125_000_000_000_i64],
                [9999, "number 9999 ✓", 4999.5, 999_700_029_999_i64],
            ],
            "sums": [49_995_000, 10_000, "FF", "0+1+2+3"],
            "saved": [[10_000]],
            "bad": "near \"SELEC\": syntax error",
            "throwing": "from JavaScript",
        }),
    );
}

#[test]
fn tiktoken() {
    test(
        "tiktoken",
        &["tiktoken"],
        &json!({
            "count": 4001,
            "first": [6109, 26876, 11, 84493, 25, 95980, 588, 95972, 1037, 11, 76502, 22656],
            "same": true,
            "special": [100_257],
            "refused": "The text contains a special token that is not allowed: <|endoftext|>",
            "model": ["o200k_base", [24912, 2375]],
            "own": [31373, 220, 6894],
        }),
    );
}

#[test]
fn tree_sitter() {
    let function = "(function_declaration name: (identifier) parameters: (formal_parameters (identifier) (identifier)) \
        body: (statement_block (return_statement (binary_expression left: (identifier) right: (identifier)))))";
    test(
        "tree_sitter",
        &[
            "web-tree-sitter",
            "tree-sitter-javascript",
            "tree-sitter-json",
        ],
        &json!({
            "json": "(document (object (pair key: (string (string_content)) value: (array (number) (true) (null)))))",
            "names": 50,
            "first": function,
            "edited": "append",
            "hasError": [false, true],
        }),
    );
}
