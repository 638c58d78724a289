//! Compiles in the queue: aborted ones, and too many of them.

use ext_wasm::WasmCapabilities;
use serde_json::json;

use crate::support::js::Js;

/// A signal as in browsers. deno_core has none.
const SIGNAL: &str = r#"
    class Signal {
        aborted = false;
        listeners = new Set();
        addEventListener(_, listener) { this.listeners.add(listener); }
        removeEventListener(_, listener) { this.listeners.delete(listener); }
        abort(reason) {
            this.aborted = true;
            this.reason = reason;
            for (const listener of this.listeners) listener();
        }
    }
"#;

#[test]
fn a_signal_aborts_compiles_that_wait() {
    let result = Js::new().run(&format!(
        r#"{SIGNAL}
        const results = [];
        const reason = {{ why: "no longer needed" }};
        const before = new Signal();
        before.abort(reason);
        const early = await caught(() => compile(text("(module)"), {{ signal: before }}));
        results.push(early.code, early.cause === reason);

        // Enough compiles that on any number of cores some still wait when the signal is aborted.
        const sources = Array.from({{ length: 400 }}, (_, i) =>
            text(`(module ${{"(func (loop (br_if 0 (i32.const " + i + "))))".repeat(100)}})`));
        const signal = new Signal();
        const all = Promise.allSettled(sources.map((source) => compile(source, {{ signal }})));
        signal.abort(reason);
        const failed = (await all).filter(({{ status }}) => status === "rejected");
        results.push(failed.length > 0);
        results.push(failed.every(({{ reason: error }}) => error.code === 5000 && error.cause === reason));
        results.push(signal.listeners.size);
        // Aborted compiles do not block later ones.
        await compile(text("(module (memory 3))"));

        const validated = await caught(() => validateAsync(text("(module)"), {{ signal }}));
        results.push(validated.code, validated.cause === reason);
        const file = await caught(() => compileFile("missing", {{ signal }}));
        results.push(file.code, file.cause === reason);
        return results;
        "#
    ));
    assert_eq!(
        result,
        json!([5000, true, true, true, 0, 5000, true, 5000, true])
    );
}

#[test]
fn a_signal_is_an_own_property() {
    let result = Js::new().run(&format!(
        r#"{SIGNAL}
        const signal = new Signal();
        signal.abort("inherited");
        return [
            await codeOf(() => compile(text("(module)"), Object.create({{ signal }}))),
            await codeOf(() => compile(text("(module)"), {{ signal: 7 }})),
            await codeOf(() => compile(text("(module)"), 7)),
        ];
        "#
    ));
    assert_eq!(result, json!([5005, 5005, 5005]));
}

#[test]
fn too_many_compiles_at_once_are_refused() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_pending_compiles = 10;
    let result = Js::with(capabilities).run(
        r#"
        const all = await Promise.allSettled(Array.from({ length: 100 }, (_, i) =>
            compile(text(`(module (memory ${i}) ${"(func (loop))".repeat(300)})`))));
        const failed = all.filter(({ status }) => status === "rejected");
        const named = failed.every(({ reason }) =>
            reason.code === 5000 && reason.message.includes("cap of 10 (max_pending_compiles)"));
        // Compiles one after another are not capped.
        for (let i = 0; i < 20; i++) await compile(text(`(module (memory ${i}))`));
        return [failed.length > 0, named];
        "#,
    );
    assert_eq!(result, json!([true, true]));
}
