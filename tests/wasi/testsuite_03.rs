//! The tests of WASI 0.3 in wasi-testsuite, as far as the host provides it: those of `wasi:http` and `wasi:sockets` are left
//! out. They are not in this repository: `EXT_WASM_WASI_TESTSUITE` names a folder that contains the compiled tests at any
//! depth. The branch `prod/testsuite-base` of WebAssembly/wasi-testsuite has them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::granting;
use crate::support::js::Js;

#[test]
fn wasi_testsuite_03() {
    let Some(suite) = std::env::var_os("EXT_WASM_WASI_TESTSUITE") else {
        println!("skipped: EXT_WASM_WASI_TESTSUITE names no folder with wasi-testsuite");
        return;
    };
    let mut tests = Vec::new();
    find(Path::new(&suite), "wasm32-wasip3", &mut tests);
    tests.sort();
    tests.retain(|test| {
        let name = test.file_name().unwrap().to_string_lossy();
        !name.starts_with("http-") && !name.starts_with("sockets-")
    });
    assert!(!tests.is_empty(), "no test of WASI 0.3 in {suite:?}");
    let mut failed = Vec::new();
    for call in ["run", "runAsync"] {
        let mut passed = 0;
        for test in &tests {
            // QuickJS's facade keeps a number for each function that a thread has made, and a thread has 32,768 of them: not
            // enough for the runtimes of all tests.
            let thread = std::thread::Builder::new().stack_size(8 << 20);
            let result = std::thread::scope(|scope| {
                let running = thread.spawn_scoped(scope, || run(test, call));
                running.unwrap().join().unwrap()
            });
            passed += usize::from(result.is_ok());
            if let Err(reason) = result {
                failed.push(format!("{} ({call}): {reason}", test.display()));
            }
        }
        println!(
            "wasi-testsuite, WASI 0.3: {passed} of {} passed with {call}",
            tests.len()
        );
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Finds the compiled tests in a folder and its subfolders. `kind` is the name of the folders that they are in.
fn find(folder: &Path, kind: &str, tests: &mut Vec<PathBuf>) {
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

/// Runs one test in a copy of its folder, with the operations from the JSON file beside it.
fn run(test: &Path, call: &str) -> Result<(), String> {
    let specification = std::fs::read_to_string(test.with_extension("json"));
    let specification: Value = specification.map_or(json!({}), |specification| {
        serde_json::from_str(&specification).unwrap()
    });
    let mut args = vec![json!(test.file_name().unwrap().to_string_lossy())];
    let (mut env, mut stdin, mut status) = (json!({}), String::new(), json!(0));
    let mut outputs = Vec::new();
    let operations = specification["operations"].as_array();
    for operation in operations.cloned().unwrap_or_default() {
        match operation["type"].as_str() {
            Some("run") => {
                args.extend(operation["args"].as_array().cloned().unwrap_or_default());
                env = operation.get("env").cloned().unwrap_or(env);
            }
            Some("write") => stdin += operation["payload"].as_str().unwrap_or_default(),
            Some("read") => outputs.push((operation["id"].clone(), operation["payload"].clone())),
            Some("wait") => status = operation.get("exit_code").cloned().unwrap_or(status),
            other => return Err(format!("an unknown operation {other:?}")),
        }
    }
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wasi-testsuite-03");
    let _ = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch).unwrap();
    let mut preopens = json!({});
    if let Some(root) = specification["root"].as_str() {
        copy(&test.with_file_name(root), &scratch);
        preopens["/"] = json!(scratch);
    }
    for name in specification["dirs"]
        .as_array()
        .cloned()
        .unwrap_or_default()
    {
        let name = name.as_str().unwrap();
        let folder = scratch.join(name);
        std::fs::create_dir(&folder).unwrap();
        copy(&test.with_file_name(name), &folder);
        preopens[name] = json!(folder);
    }
    let mut capabilities = granting(vec![scratch]);
    capabilities.allow_file_compile = true;
    capabilities.allow_wasi_03 = true;
    capabilities.compile_paths = vec![test.to_owned()];
    let result = Js::with(capabilities).run(&format!(
        "const string = (bytes) => String.fromCharCode(...bytes);
         const wasi = {{
             args: {}, env: {env}, preopens: {preopens}, stdin: {}, stdout: 'piped', stderr: 'piped',
         }};
         const component = await compileComponentFile({});
         const instance = await instantiateComponent(component, {{}}, {{ wasi, timeoutMs: 60_000 }});
         let status;
         try {{ status = await instance.{call}(); }} catch (error) {{ status = error.message; }}
         return {{ status, stdout: string(instance.stdout()), stderr: string(instance.stderr()) }};",
        json!(args),
        json!(stdin),
        json!(test),
    ));
    let fits =
        |(id, expected): &(Value, Value)| result[id.as_str().unwrap_or_default()] == *expected;
    match result["status"] == status && outputs.iter().all(fits) {
        true => Ok(()),
        false => Err(result.to_string()),
    }
}

fn copy(from: &Path, to: &Path) {
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
