//! The exports and imports of every fixture. The complete list is in `snapshots/`.

use std::fmt::Write;

use conformance::fixture;
use ext_wasm::{WasmCapabilities, WasmState};

#[test]
fn exports_and_imports() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("wat");
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let mut list = String::new();
    for fixture in fixture::discover(&folder).unwrap() {
        let module = state.compile(fixture.text.as_bytes()).unwrap();
        writeln!(list, "{}: {}", fixture.name, fixture.purpose().unwrap()).unwrap();
        for import in &*module.imports {
            writeln!(list, "  import {}", serde_json::to_string(import).unwrap()).unwrap();
        }
        for export in &*module.exports {
            writeln!(list, "  export {}", serde_json::to_string(export).unwrap()).unwrap();
        }
    }
    crate::support::snapshots(|| insta::assert_snapshot!("fixtures", list));
}
