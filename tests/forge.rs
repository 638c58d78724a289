//! A Forge app: `examples/forge`, and the adapter that reads its manifest.

use std::path::Path;
use std::process::Command;

use ext_wasm::WasmCapabilities;

#[path = "../examples/forge/adapter.rs"]
mod adapter;

fn granted(manifest: &str) -> WasmCapabilities {
    adapter::capabilities(manifest, Path::new("/app"), false).expect(manifest)
}

#[test]
fn a_manifest_without_a_section_for_wasm_grants_nothing() {
    let mut expected = WasmCapabilities::builder().max_instances(10).build();
    expected.base_folder = "/app".into();
    for manifest in ["", "[app]\nname = \"a\"", "[permissions.fs]\nread = []"] {
        assert_eq!(granted(manifest), expected, "{manifest}");
    }
}

#[test]
fn both_names_of_the_section_are_read() {
    let keys = "wasm]\nload = [\"a/*\"]\npreopens = [\"/b\"]\nmax_instances = 2\nmax_fuel = 3\n\
        network = { connect = [\"a.example:443\"], listen = [\"127.0.0.1:0\"] }";
    let mut expected = WasmCapabilities::builder()
        .compile_globs(["a/*"])
        .preopen_globs(["/b"])
        .connect(["a.example:443"])
        .listen(["127.0.0.1:0"])
        .max_instances(2)
        .max_fuel(3)
        .build();
    expected.base_folder = "/app".into();
    let both = ["permissions", "capabilities"].map(|section| format!("[{section}.{keys}"));
    for manifest in &both {
        assert_eq!(granted(manifest), expected, "{manifest}");
    }
    let error = adapter::capabilities(&both.join("\n"), Path::new("/app"), false).unwrap_err();
    assert!(error.to_string().ends_with(": use one"), "{error}");
    let unknown = adapter::capabilities("[permissions.wasm]\nlaod = []", Path::new("/app"), false);
    assert!(unknown.unwrap_err().to_string().contains("laod"));
}

#[test]
fn an_app_in_development_may_load_everything() {
    let granted = adapter::capabilities("", Path::new("/app"), true).unwrap();
    assert_eq!(granted.compile_globs, ["/**"]);
    assert_eq!(granted.preopen_globs, ["/**"]);
}

#[test]
fn the_app_runs_with_what_its_manifest_grants() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = std::env::current_exe().unwrap();
    let example = tests
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples/forge");
    let run = |args: &[&str]| {
        let ran = Command::new(&example).args(args).current_dir(root).output();
        let ran = ran.expect("`cargo test` builds the examples");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (ran.status.success(), text(ran.stdout), text(ran.stderr))
    };
    let (is_success, out, errors) = run(&["examples/forge"]);
    assert!(is_success, "{errors}");
    let expected = "note.txt has 57 bytes\n../manifest.app.toml: error 63\n5000: cannot compile src/main.ts: \
        not a readable file, or not granted by the host\n";
    assert_eq!(out, expected);
    let (is_success, _, errors) = run(&["examples"]);
    assert!(
        !is_success && errors.starts_with("manifest.app.toml: "),
        "{errors}"
    );
}
