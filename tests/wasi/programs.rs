//! A program in C that uses many functions of WASI.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Folder, granting};
use crate::support::js::Js;

/// Compiles a program of `tests/programs`. Without a compiler for WASI, prints the reason and returns `None`.
fn program(name: &str) -> Option<PathBuf> {
    let compile = |source: &Path, wasm: &Path| {
        std::process::Command::new("clang")
            .args(["--target=wasm32-wasi", "-O1", "-o"])
            .args([wasm, source])
            .output()
    };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let probe = folder.join("probe.c");
    std::fs::write(
        &probe,
        "#include <stdio.h>\nint main(void) { return puts(\"\"); }\n",
    )
    .unwrap();
    let probed = compile(&probe, &folder.join("probe.wasm"));
    if !probed.is_ok_and(|output| output.status.success()) {
        println!("skipped: no clang with wasi-libc and lld");
        return None;
    }
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/{name}.c"));
    let wasm = folder.join(format!("{name}.wasm"));
    let output = compile(&source, &wasm).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(wasm)
}

#[test]
fn a_program_in_c() {
    let Some(wasm) = program("files") else { return };
    let folder = Folder::new("c");
    let mut capabilities = granting(vec![folder.0.join("granted")]);
    capabilities.allow_file_compile = true;
    capabilities.compile_paths = vec![wasm.clone()];
    let mut js = Js::with(capabilities);
    let result = js.run(&format!(
        "const module = await compileFile({});
         const run = async (readonly) => {{
             const instance = await instantiate(module, {{}}, {{ wasi: {{
                 args: ['prog', 'one', 'two'], env: {{ GREETING: 'hello' }}, stdin: 'a\\nb\\n',
                 preopens: {{ '/data': {{ path: {}, readonly }} }}, stdout: 'piped', stderr: 'piped',
             }} }});
             const outcome = [instance.start(), ...['stdout', 'stderr'].map((name) =>
                 String.fromCharCode(...instance[name]()))];
             instance.drop();
             return outcome;
         }};
         return [await run(false), await run(true)];",
        json!(wasm),
        json!(folder.path("granted"))
    ));
    let stdout = "one two\nhello\n> a\n> b\n3890 bytes\n2\n3\n4\nb\noutside: Operation not permitted\n\
                  waited\nrandom\n";
    assert_eq!(result[0], json!([42, stdout, "done\n"]));
    assert_eq!(result[1][0], 2);
    assert_eq!(result[1][2], "mkdir: Operation not permitted\n");
}
