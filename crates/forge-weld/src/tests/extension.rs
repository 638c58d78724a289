use super::{builder, weld};
use crate::source::Source;

#[test]
fn the_macro_holds_ops_entry_point_and_source() {
    let welded = weld(&["op_a", "op_b"], "core.ops.op_a(core.ops.op_b);");
    let expected = format!(
        "deno_core::extension!(
    host_wasm,
    ops = [
        op_a,
        op_b,
    ],
    esm_entry_point = \"host:wasm\",
    esm = [\"host:wasm\" = {{ source = r\"{}\" }}],
);
",
        welded.javascript
    );
    assert_eq!(welded.rust, expected);
}

#[test]
fn state_follows_the_source() {
    let tail = |function: &str, options: &[(&str, &str)]| {
        let welded = builder(&[])
            .state(function, options)
            .weld(&|path| Ok(Source::new(path, "")))
            .expect("welds");
        welded
            .rust
            .split_once("\" }],\n")
            .expect("an esm list")
            .1
            .to_owned()
    };
    assert_eq!(tail("init_state", &[]), "    state = init_state,\n);\n");
    assert_eq!(
        tail(
            "init_state",
            &[
                ("capabilities", "WasmCapabilities"),
                ("limit", "Option<u32>")
            ]
        ),
        "    options = { capabilities: WasmCapabilities, limit: Option<u32> },
    state = |state, options| init_state(state, options.capabilities, options.limit),
);
"
    );
}

#[test]
fn quotes_in_the_source_do_not_end_the_literal() {
    let welded = weld(&[], "f(t`a\"#b`, t`\"##`, '\"');");
    assert!(
        welded
            .rust
            .contains("source = r###\"f(t`a\"#b`, t`\"##`, \"\\\"\");\n"),
        "{}",
        welded.rust
    );
    assert!(welded.rust.contains("\"### }],\n"), "{}", welded.rust);
}
