//! The standard `WebAssembly` as `createWebAssembly` makes it. The scripts in `webassembly/` fail by themselves.

use ext_wasm::WasmCapabilities;
use serde_json::json;

use crate::support::js::Js;

/// Runs a script after the helpers that the scripts share.
fn run(js: &mut Js, script: &str) {
    let prelude = include_str!("webassembly/prelude.js");
    let result = js.run(&format!("{prelude}\n{script}\nreturn 'done';"));
    assert_eq!(result, json!("done"));
}

macro_rules! scripts {
    ($($name:ident: $file:literal;)*) => {$(
        #[test]
        fn $name() {
            run(&mut Js::new(), include_str!(concat!("webassembly/", $file)));
        }
    )*};
}

scripts! {
    arguments_and_results_are_converted: "functions.js";
    exceptions_have_stacks: "traces.js";
    exceptions_pass_through_javascript_and_stores: "exceptions.js";
    imports_are_the_app_s_own: "imports.js";
    guests_wait_for_promises: "promises.js";
    instantiations_leave_the_event_loop_its_turns: "instantiations.js";
    limits_hold_for_all_stores_together: "limits.js";
    modules_arrive_over_time: "streaming.js";
    objects_get_connected_after_they_were_made: "connections.js";
    objects_of_guests_keep_their_identity: "objects.js";
}

#[test]
fn a_runtime_ends_while_calls_are_suspended() {
    let mut js = Js::new();
    let script = r#"
        for (let i = 0; i < 3; i++) {
            const { f } = exportsOf(`(module (import "env" "wait" (func $wait)) (func (export "f") (call $wait)))`, {
                env: { wait: new W.Suspending(() => new Promise((resolve) => globalThis.kept = resolve)) },
            });
            for (let j = 0; j < 3; j++) W.promising(f)();
        }"#;
    run(&mut js, script);
    drop(js);
    // The threads of the guests are free again.
    run(&mut Js::new(), script);
}

#[test]
fn the_global_is_there_before_the_first_line_and_no_other_is_left() {
    let capabilities = WasmCapabilities::builder()
        .webassembly_global(true)
        .max_fuel(100_000)
        .build();
    let mut js = Js::with(capabilities);
    let result = js.run(
        "const W = engineWebAssembly;
         const bytes = wat('(module (func (export \"f\") (loop (br 0))))');
         const { f } = new W.Instance(new W.Module(bytes)).exports;
         const [error] = [await caught(f)];
         return [Object.prototype.toString.call(W), error.code, error instanceof W.RuntimeError, typeof WebAssembly];",
    );
    assert_eq!(
        result,
        json!(["[object WebAssembly]", 5006, true, "undefined"])
    );
}
