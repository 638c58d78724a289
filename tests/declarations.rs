//! Files that are generated from the code are current: declarations, the API page, the list of ops, positions in
//! stack traces.

#[test]
fn the_checked_in_declarations_are_current() {
    let generated = include_str!(concat!(env!("OUT_DIR"), "/host-wasm.d.ts"));
    let shipped = include_str!("../types/host-wasm.d.ts");
    assert!(
        generated == shipped,
        "types/host-wasm.d.ts is stale: build once with FORGE_WELD_WRITE_TYPES=1"
    );
}

#[test]
fn the_checked_in_api_page_is_current() {
    let generated = include_str!(concat!(env!("OUT_DIR"), "/host-wasm.md"));
    let shipped = include_str!("../docs/API.md");
    assert!(
        generated == shipped,
        "docs/API.md is stale: build once with FORGE_WELD_WRITE_TYPES=1"
    );
}

#[test]
fn the_list_of_ops_is_current() {
    let ops = crate::support::js::Js::new().run(
        // `deno_core` has ops for streaming with the same prefix.
        "return Object.keys(Deno.core.ops).filter((name) => /^op_wasm_(?!streaming_)/.test(name)).sort()",
    );
    let ops: Vec<&str> = ops
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|op| op.as_str())
        .collect();
    crate::support::snapshots(|| insta::assert_snapshot!("ops", ops.join("\n")));
}

#[test]
fn stack_traces_name_the_functions_and_lines_of_the_source() {
    let result = crate::support::js::Js::new().run(
        "const instance = await fixture('add');
         return (await caught(() => instance.call('add', [1]))).stack",
    );
    let stack = result.as_str().unwrap();
    let frame = stack.split("checkArguments (host:wasm/instance.ts:").nth(1);
    let line = frame.and_then(|frame| frame.split(':').next()?.parse::<usize>().ok());
    let line = line.unwrap_or_else(|| panic!("no frame of `checkArguments` in {stack}"));
    let source = include_str!("../ts/instance.ts").lines().nth(line - 1);
    assert!(source.unwrap().contains("throw wrongCount"), "{stack}");
}
