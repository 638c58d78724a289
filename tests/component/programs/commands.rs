//! Commands, which modules of preview 1 are with the adapter of the toolchains: arguments, environment, files, streams.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{LIMITS, granting, made, on_node};
use crate::support::js::Js;

/// Arguments, environment and standard input of each run, one after another in the same folder.
fn calls() -> Value {
    let folder = json!({ "FOLDER": "/data" });
    json!([
        [
            ["list.txt", "k\u{e4}se und brot.txt", "none.txt"],
            folder,
            ""
        ],
        [["list.txt"], folder, ""],
        [["list.txt"], {}, ""],
        [[], {}, "some input\nin two lines"],
    ])
}

/// Status, standard output and standard error of each run.
fn expected() -> Value {
    json!([
        [
            1,
            "list.txt: 2 lines, 4 words, 13 bytes\nk\u{e4}se und brot.txt: 0 lines, 2 words, 11 bytes\n\
             report: 84 bytes\nfolder: k\u{e4}se und brot.txt list.txt reports\n",
            "count: none.txt: no such file\n",
        ],
        [
            0,
            "list.txt: 2 lines, 4 words, 13 bytes\nreport: 121 bytes\n\
             folder: k\u{e4}se und brot.txt list.txt reports\n",
            "",
        ],
        [1, "", "count: FOLDER: not set\n"],
        [0, "-: 1 lines, 5 words, 23 bytes\n", ""],
    ])
}

const REPORT: &str = "list.txt: 2 lines, 4 words, 13 bytes\nk\u{e4}se und brot.txt: 0 lines, 2 words, 11 bytes\n\
                      list.txt: 2 lines, 4 words, 13 bytes\n";

/// A new folder with the files that the commands count.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("programs-{name}"));
    _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("list.txt"), "to be\nor not\n").unwrap();
    std::fs::write(folder.join("k\u{e4}se und brot.txt"), "K\u{e4}se, Brot").unwrap();
    folder
}

fn report(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("reports/count.txt")).unwrap()
}

fn runs(name: &str) {
    let Some(component) = made(&format!("{name}.wasm")) else {
        return;
    };
    let folders = ["run", "runAsync", "readonly"].map(|how| folder(&format!("{name}-{how}")));
    let mut capabilities = granting(&component);
    capabilities.preopen_paths = folders.to_vec();
    let got = Js::with(capabilities).run(&format!(
        "const component = await compileComponentFile({});
         const folders = {};
         const outcome = async (how, folder, args, env, stdin) => {{
             const wasi = {{ args: ['count', ...args], env, stdin, preopens: {{ '/data': folder }}, stdout: 'piped', stderr: 'piped' }};
             const instance = await instantiateComponent(component, {{}}, {{ wasi, {LIMITS} }});
             return [await instance[how](), Deno.core.decode(instance.stdout()), Deno.core.decode(instance.stderr())];
         }};
         const outcomes = {{ run: [], runAsync: [] }};
         for (const [at, how] of ['run', 'runAsync'].entries())
             for (const call of {}) outcomes[how].push(await outcome(how, folders[at], ...call));
         const [status, printed] = await outcome('run', {{ path: folders[2], readonly: true }}, ['list.txt'], {{ FOLDER: '/data' }}, '');
         return {{ ...outcomes, readonly: [status, printed] }};",
        json!(component),
        json!(folders),
        calls(),
    ));
    let [run, run_async, readonly] = folders;
    assert_eq!(
        got,
        json!({ "run": expected(), "runAsync": expected(), "readonly": [1, ""] })
    );
    assert_eq!([report(&run), report(&run_async)], [REPORT, REPORT]);
    assert!(!readonly.join("reports").exists());
}

#[test]
fn a_command_in_c_runs() {
    runs("count-c");
}

#[test]
fn a_command_in_go_runs() {
    runs("count-go");
}

#[test]
fn a_translation_to_javascript_does_the_same() {
    for name in ["count-c", "count-go"] {
        let folder = folder(&format!("{name}-node"));
        let mut outcomes = Vec::new();
        for call in calls().as_array().unwrap() {
            let script = format!(
                "import {{ _setArgs, _setEnv }} from '@bytecodealliance/preview2-shim/cli';
                 import {{ _setPreopens }} from '@bytecodealliance/preview2-shim/filesystem';
                 const [args, env] = {call};
                 _setArgs(['count', ...args]);
                 _setEnv(env);
                 _setPreopens({{ '/data': {} }});
                 (await import(translated)).run.run();",
                json!(folder)
            );
            let Some(output) = on_node(name, &script, call[2].as_str().unwrap()) else {
                break;
            };
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            outcomes.push(json!([
                output.status.code(),
                text(&output.stdout),
                text(&output.stderr)
            ]));
        }
        if !outcomes.is_empty() {
            assert_eq!(json!(outcomes), expected(), "{name}");
            assert_eq!(report(&folder), REPORT, "{name}");
        }
    }
}
