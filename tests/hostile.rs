//! Runs the other tests again with patched and polluted JavaScript builtins: see `hostile.js`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Once;
use std::time::Duration;
use std::{env, fs, process, thread};

use crate::support::child::HOSTILE;

/// The script that patches the builtins of a runtime, if this process is to run so.
pub fn prelude() -> Option<String> {
    env::var_os(HOSTILE)?;
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        thread::spawn(|| {
            thread::sleep(Duration::from_secs(600));
            eprintln!("the tests take longer than ten minutes");
            process::abort();
        });
    });
    let names = serde_json::to_string(&names()).unwrap();
    Some(format!(
        "{}\nmakeHostile({names});",
        include_str!("hostile.js")
    ))
}

/// The names of the properties that `ts/` reads or writes.
fn names() -> BTreeSet<String> {
    let ts = Path::new(env!("CARGO_MANIFEST_DIR")).join("ts");
    let mut names = BTreeSet::new();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let folders = [ts.clone(), ts.join("webassembly"), ts.join("component")];
    let entries = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    let files = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file());
    for file in files {
        let source = fs::read_to_string(file).unwrap();
        // Words in comments are not names.
        let is_code = |line: &&str| {
            !["//", "/*", "*"]
                .iter()
                .any(|start| line.trim().starts_with(start))
        };
        let source: Vec<&str> = source.lines().filter(is_code).collect();
        let source = source.join("\n");
        for (at, _) in source.match_indices('.') {
            let name: String = source[at + 1..]
                .chars()
                .take_while(|c| is_name(*c))
                .collect();
            names.insert(name);
        }
        for (at, _) in source.match_indices(':') {
            let name: String = source[..at]
                .chars()
                .rev()
                .take_while(|c| is_name(*c))
                .collect();
            names.insert(name.chars().rev().collect());
        }
        names.extend(source.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    names.retain(|name| {
        name.chars().all(is_name) && name.starts_with(|c: char| c.is_ascii_lowercase())
    });
    for name in [
        // A property descriptor that inherits one of these is not valid any more, in any script.
        "value",
        "get",
        "set",
        "writable",
        "enumerable",
        "configurable",
        // The language reads it whenever a promise is resolved with an object.
        "then",
        // A signal is an object of the app, and its class has these properties.
        "aborted",
        "addEventListener",
        "reason",
        "removeEventListener",
    ] {
        names.remove(name);
    }
    names
}

#[test]
fn every_test_passes_with_patched_and_polluted_builtins() {
    let names = names();
    for name in [
        "fuel",
        "timeoutMs",
        "wasi",
        "stdin",
        "signal",
        "minimum",
        "trap",
        "code",
        "params",
    ] {
        assert!(names.contains(name), "{name} is not found in ts/");
    }
    // docs/TESTING.md has the reasons.
    let skipped = [
        "adversary::",
        "component::programs::",
        "error_codes::instantiate_error",
        "hostile::",
        "hot_calls::of_numbers",
        "native_stack::",
        "packages::",
        "webassembly::exceptions_have_stacks",
    ];
    let tests = Command::new(env::current_exe().unwrap())
        .args(skipped.iter().flat_map(|name| ["--skip", name]))
        .env(HOSTILE, "1")
        // A patched builtin takes ten times as long as the original.
        .env("PROPTEST_CASES", "16")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&tests.stdout);
    assert!(tests.status.success(), "{out}");
    let passed = out
        .lines()
        .rev()
        .find(|line| line.starts_with("test result: ok."));
    println!("{}", passed.unwrap());
}
