//! Data segments: which of them become images of memories, and whether the memories have the right contents.

use std::fmt::Write as _;

use ext_wasm::{WasmCapabilities, WasmError, WasmState};
use serde_json::json;

use crate::support::js::Js;

/// The number of segments in [`sparse`], and the distance between their starts in bytes.
const SEGMENTS: usize = 20_000;
const GAP: usize = 16;

/// The length of the image of [`sparse`] in bytes.
const SPAN: usize = (SEGMENTS - 1) * GAP + 1;

/// A binary of `bytes` bytes. The image of its memory consists mostly of gaps between segments.
fn sparse(bytes: usize) -> Vec<u8> {
    let mut module = "(module (memory 5)".to_owned();
    for i in 0..SEGMENTS {
        write!(module, "(data (i32.const {}) \"a\")", i * GAP).unwrap();
    }
    let binary = |padding: &str| {
        let custom = format!("(@custom \"padding\" \"{padding}\")");
        wat::parse_str(format!("{module}{custom})")).unwrap()
    };
    // The length of such a large section is encoded in three bytes.
    let least = binary(&"x".repeat(100_000)).len() - 100_000;
    let padded = binary(&"x".repeat(bytes - least));
    assert_eq!(padded.len(), bytes);
    padded
}

fn compile(binary: &[u8]) -> Result<(), WasmError> {
    let state = WasmState::new(WasmCapabilities::default())?;
    state.compile(binary).map(drop)
}

#[test]
fn sparse_segments_become_an_image_only_if_it_is_no_larger_than_the_binary() {
    compile(&sparse(SPAN)).unwrap();
    let error = compile(&sparse(SPAN - 1)).unwrap_err();
    assert!(error.message.contains("max_compile_ms"), "{error}");
}

#[test]
fn merged_segments_have_the_same_contents() {
    // The image of each memory is mostly a gap, and smaller than the binary.
    let padding = "x".repeat(1_000_000);
    let result = Js::new().run(&format!(
        r#"
        const instance = await load(`(module
            (memory $other i64 4) (memory $main 4) (memory $empty 1)
            (export "other" (memory $other)) (export "main" (memory $main))
            (data (memory $main) (i32.const 200000) "last")
            (data $passive "passive")
            (data (memory $main) (i32.const 7) "")
            (data $active (memory $main) (i32.const 100) "overwritten")
            (data (memory $main) (i32.const 104) "WROTE")
            (data (memory $other) (i64.const 190000) "other")
            (data (memory $other) (i64.const 70) "first")
            (data (memory $empty) (i32.const 65536) "")
            (func (export "init") (memory.init $main $passive
                (i32.const 300) (i32.const 0) (i32.const 7)))
            (func (export "initDropped") (param i32) (memory.init $main $active
                (i32.const 300) (i32.const 0) (local.get 0)))
            (@custom "padding" "{padding}"))`);
        const results = [];
        const read = (at, length, memory = "main") =>
            results.push(String.fromCharCode(...instance.readMemory(at, length, memory)));
        read(100, 11);
        read(200000, 4);
        read(70, 5, "other");
        read(190000, 5, "other");
        read(0, 3);
        read(99, 2);
        read(111, 2);
        instance.call("init", []);
        read(300, 7);
        instance.call("initDropped", [0]);
        results.push((await caught(() => instance.call("initDropped", [1]))).trap);
        return results;
        "#
    ));
    assert_eq!(
        result,
        json!([
            "overWROTEen",
            "last",
            "first",
            "other",
            "\0\0\0",
            "\0o",
            "\0\0",
            "passive",
            "out of bounds memory access"
        ])
    );
}
