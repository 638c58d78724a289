//! The program `examples/embed.rs`, which `cargo test` builds together with the tests, and the first program of the
//! README, which `.ci/starter` builds and runs.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A command that runs `embed` with these arguments at the root of the repository.
fn embed(args: &[&str]) -> Command {
    let tests = std::env::current_exe().unwrap();
    let built = tests.parent().and_then(Path::parent).unwrap();
    let embed = built
        .join("examples/embed")
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(embed.exists(), "run `cargo build --example embed` first");
    let mut command = Command::new(embed);
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn succeeds(args: &[&str]) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = embed(args).output().unwrap();
    assert!(status.success(), "{status}\n{}", text(&stderr));
    assert_eq!(text(&stderr), "");
    text(&stdout).to_owned()
}

#[test]
fn the_file_for_wasi_runs() {
    let printed = succeeds(&["--allow-wasi", "--allow-preopen", ".", "examples/wasi.ts"]);
    let lines: Vec<&str> = printed.lines().collect();
    let [license, outside, missing, refused] = lines[..] else {
        panic!("{printed}");
    };
    assert!(license.starts_with("LICENSE: exit status 0, "), "{license}");
    assert!(license.ends_with(" bytes: MIT License"), "{license}");
    assert!(
        outside.starts_with("../outside: exit status 63, 0 bytes"),
        "{outside}"
    );
    assert!(
        missing.starts_with("missing: exit status 44, 0 bytes"),
        "{missing}"
    );
    assert!(refused.starts_with("5001: "), "{refused}");
}

#[test]
fn the_file_for_async_calls_runs() {
    let printed = succeeds(&["examples/async.ts"]);
    let lines: Vec<&str> = printed.lines().collect();
    let [totals, late, busy, total] = lines[..] else {
        panic!("{printed}");
    };
    assert_eq!(totals, "[9,750750]");
    assert!(late.starts_with("5002: "), "{late}");
    assert!(busy.starts_with("5002: busy: "), "{busy}");
    assert_eq!(total, "22.5");
}

#[test]
fn embed_imports_webassembly_modules() {
    let folder = std::env::temp_dir().join(format!("ext_wasm-{}-es-modules", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let guest = wat::parse_str(
        r#"(module
            (import "./scale.js" "scale" (global $scale i32))
            (func (export "scaled") (param i32) (result i32)
                (i32.mul (local.get 0) (global.get $scale))))"#,
    );
    let app = r#"
        import { scaled } from "./guest.wasm";
        import source module from "./guest.wasm";
        const { exports } = new WebAssembly.Instance(module, { "./scale.js": { scale: 100 } });
        console.log(scaled(7), exports.scaled(7));
    "#;
    std::fs::write(folder.join("guest.wasm"), guest.unwrap()).unwrap();
    std::fs::write(folder.join("scale.js"), "export const scale = 6;").unwrap();
    let mut printed = Vec::new();
    for name in ["app.ts", "app.js"] {
        let file = folder.join(name);
        std::fs::write(&file, app).unwrap();
        printed.push(succeeds(&["--global", file.to_str().unwrap()]));
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(printed, ["42 700\n", "42 700\n"]);
}

#[test]
fn embed_ends_quietly_when_its_output_is_closed() {
    let mut embed = embed(&["tests/examples/endless.ts"]);
    let embed = embed.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = embed.spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    let ended = process.wait_with_output().unwrap();
    assert_eq!(line, "more\n");
    assert_eq!(text(&ended.stderr), "");
    assert!(ended.status.success(), "{}", ended.status);
}

#[test]
fn embed_ends_quietly_when_its_error_output_is_closed() {
    let mut embed = embed(&["tests/examples/endless_errors.ts"]);
    let embed = embed.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = embed.spawn().unwrap();
    let mut bytes = [0; 5];
    process
        .stderr
        .take()
        .unwrap()
        .read_exact(&mut bytes)
        .unwrap();
    let ended = process.wait_with_output().unwrap();
    assert_eq!(text(&bytes), "more\n");
    assert!(ended.status.success(), "{}", ended.status);
}

#[test]
fn embed_reports_an_uncaught_error_with_the_lines_of_the_file() {
    const FILE: &str = "tests/examples/uncaught.ts";
    let ended = embed(&[FILE]).output().unwrap();
    let report = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{report}");
    assert!(
        report.starts_with("WasmError: wasm trap: unreachable\n"),
        "{report}"
    );

    let source = include_str!("examples/uncaught.ts");
    let frames = report.lines().filter_map(|frame| {
        let (_, position) = frame.split_once(&format!("{FILE}:"))?;
        let line: usize = position.split(':').next()?.parse().ok()?;
        source.lines().nth(line - 1)
    });
    let frames: Vec<&str> = frames.map(str::trim).collect();
    assert_eq!(frames, ["instance.call(\"trap\");", "trap();"], "{report}");
}

#[test]
fn the_guest_of_the_starter_is_the_one_of_its_text() {
    let text = include_str!("../starter/src/greet.wat");
    let binary = include_bytes!("../starter/src/greet.wasm");
    assert!(wat::parse_str(text).unwrap() == binary);
}

#[test]
fn the_readme_shows_the_starter() {
    let readme = include_str!("../README.md");
    let manifest = include_str!("../starter/Cargo.toml");
    let dependencies = manifest
        .split_once("[features]")
        .and_then(|(_, rest)| rest.split_once("\n\n# This folder"))
        .map(|(dependencies, _)| format!("[features]{dependencies}"));
    let steps = manifest.lines().filter(|line| line.starts_with("#     "));
    let steps: Vec<&str> = steps.map(|line| line[2..].trim()).collect();
    assert_eq!(steps.len(), 2);
    for (language, text) in [
        ("ts", include_str!("../starter/src/main.ts").to_owned()),
        ("rust", include_str!("../starter/src/main.rs").to_owned()),
        ("toml", dependencies.unwrap()),
        (
            "sh",
            format!(
                "cp -r /path/to/ext_wasm/starter my-app && cd my-app\n{}\ncargo run",
                steps.join("\n")
            ),
        ),
    ] {
        let block = format!("```{language}\n{}\n```\n", text.trim_end());
        assert!(
            readme.contains(&block),
            "README.md does not contain this block:\n{block}"
        );
    }
}

#[test]
fn the_file_for_components_runs() {
    let printed = succeeds(&["examples/component.ts"]);
    let expected = "added: apples
added: pears
[{\"name\":\"apples\",\"count\":3},{\"name\":\"pears\",\"count\":4}]
err: the stock is full
5005: argument \"item\" of \"[method]stock.add\", at .count: expected u32, got -1
5005: argument \"self\" of \"[method]stock.items\": expected borrow<stock>, got a resource that was dropped or given up
";
    assert_eq!(printed, expected);
}
