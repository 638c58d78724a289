//! The tests of preview 1 in wasi-testsuite, which other runtimes run too: as modules, and as components of WASI 0.2,
//! which an adapter makes of them.
//!
//! They are not in this repository. `EXT_WASM_WASI_TESTSUITE` names a folder that contains the compiled tests at any
//! depth. The branch `prod/testsuite-base` of WebAssembly/wasi-testsuite has them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::granting;
use crate::support::adapter::component_of;
use crate::support::js::Js;

/// The name of the folders with tests of preview 1.
const TESTS: &str = "wasm32-wasip1";

/// Tests that fail as components because of the adapter: it knows no statuses but 0 and 1, and its own state has no room
/// for the arguments as AssemblyScript asks for them.
const ADAPTER_FAILS: [&str; 4] = [
    "args_get-multiple-arguments",
    "environ_get-multiple-variables",
    "fd_write-to-invalid-fd",
    "proc_exit-failure",
];

#[test]
fn wasi_testsuite() {
    let Some(suite) = std::env::var_os("EXT_WASM_WASI_TESTSUITE") else {
        println!("skipped: EXT_WASM_WASI_TESTSUITE names no folder with wasi-testsuite");
        return;
    };
    let mut tests = Vec::new();
    find(Path::new(&suite), TESTS, &mut tests);
    tests.sort();
    assert!(!tests.is_empty(), "no test of preview 1 in {suite:?}");
    let mut failed = Vec::new();
    for call in ["start", "startAsync", "run", "runAsync"] {
        let mut passed = 0;
        for test in &tests {
            // QuickJS's facade keeps a number for each function that a thread has made, and a thread has 32,768 of them: not
            // enough for the runtimes of all tests.
            let thread = std::thread::Builder::new().stack_size(8 << 20);
            let result = std::thread::scope(|scope| {
                let running = thread.spawn_scoped(scope, || run(test, call));
                running.unwrap().join().unwrap()
            });
            let name = test.file_stem().unwrap().to_string_lossy();
            let is_assembly_script = test
                .components()
                .any(|part| part.as_os_str() == "assemblyscript");
            let fails =
                call.starts_with("run") && is_assembly_script && ADAPTER_FAILS.contains(&&*name);
            passed += usize::from(result.is_ok());
            match result {
                Ok(()) if fails => {
                    failed.push(format!("{name} ({call}) passes: it is in ADAPTER_FAILS"));
                }
                Err(reason) if !fails => {
                    failed.push(format!("{} ({call}): {reason}", test.display()));
                }
                _ => {}
            }
        }
        println!(
            "wasi-testsuite: {passed} of {} passed with {call}",
            tests.len()
        );
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Finds the compiled tests in a folder and its subfolders. `kind` is the name of the folders that they are in.
pub(super) fn find(folder: &Path, kind: &str, tests: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, kind, tests);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "wasm")
            && folder.ends_with(kind)
        {
            tests.push(path);
        }
    }
}

/// Runs one test in a copy of its folder, with the arguments and the expected outcome from the JSON file beside it. `call`
/// is the method that runs it; those of components have names with `run`.
fn run(test: &Path, call: &str) -> Result<(), String> {
    let specification = std::fs::read_to_string(test.with_extension("json"));
    let specification: Value = specification.map_or(json!({}), |specification| {
        serde_json::from_str(&specification).unwrap()
    });
    let name = test.file_name().unwrap().to_string_lossy();
    let mut args = vec![json!(name)];
    args.extend(
        specification["args"]
            .as_array()
            .cloned()
            .unwrap_or_default(),
    );
    let env = specification.get("env").cloned().unwrap_or(json!({}));
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wasi-testsuite");
    let _ = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch).unwrap();
    let mut preopens = json!({});
    if let Some(root) = specification["root"].as_str() {
        copy(&test.with_file_name(root), &scratch);
        preopens = json!({ "/": scratch });
    }
    let (file, load) = if call.starts_with("run") {
        let component = component_of(&std::fs::read(test).unwrap())?;
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wasi-testsuite.wasm");
        std::fs::write(&file, component).unwrap();
        (file, "instantiateComponent(await compileComponentFile")
    } else {
        (test.to_owned(), "instantiate(await compileFile")
    };
    let mut capabilities = granting(vec![scratch]);
    capabilities.allow_file_compile = true;
    capabilities.compile_paths = vec![file.clone()];
    let result = Js::with(capabilities).run(&format!(
        "const string = (bytes) => String.fromCharCode(...bytes);
         const wasi = {{ args: {}, env: {}, preopens: {preopens}, stdout: 'piped', stderr: 'piped' }};
         const instance = await {load}({}), {{}}, {{ wasi, timeoutMs: 60_000 }});
         let status;
         try {{ status = await instance.{call}(); }} catch (error) {{ status = error.message; }}
         return [status, string(instance.stdout()), string(instance.stderr())];",
        json!(args),
        env,
        json!(file)
    ));
    let expected = specification.get("exit_code").cloned().unwrap_or(json!(0));
    let output = specification.get("stdout").unwrap_or(&result[1]);
    if result[0] != expected || result[1] != *output {
        return Err(format!("status {}, {} {}", result[0], result[1], result[2]));
    }
    Ok(())
}

pub(super) fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}
