//! Caps on the contents of a module, and on the estimated cost of its compilation.

mod bombs;
mod limits;
mod waiting;

use ext_wasm::{ModuleLimits, WasmCapabilities, WasmError, WasmState};
use serde_json::json;

use crate::support::js::Js;

/// Compiles a module in the text format with these limits.
fn compile(limits: &ModuleLimits, source: &[u8]) -> Result<(), WasmError> {
    let mut capabilities = WasmCapabilities::default();
    capabilities.module_limits = limits.clone();
    WasmState::new(capabilities)?.compile(source).map(drop)
}

/// The limits that a module exceeds: names, values and what is allowed.
fn exceeded(limits: &ModuleLimits, source: &[u8]) -> Vec<(&'static str, u64, u64)> {
    let mut capabilities = WasmCapabilities::default();
    capabilities.module_limits = limits.clone();
    let state = WasmState::new(capabilities).unwrap();
    let exceeded = state.exceeded_limits(source).unwrap().into_iter();
    exceeded
        .map(|limit| (limit.name, limit.value, limit.allowed))
        .collect()
}

#[test]
fn a_message_does_not_carry_the_source() {
    let result = Js::new().run(
        r#"
        const lengths = [];
        for (const source of [
            new Uint8Array(1000),
            new Uint8Array(5e6),
            text("(module (func $" + "x".repeat(100_000) + " (call $y)))"),
            text("(module " + "é".repeat(100_000) + ")"),
            text("(module (import \"" + "n".repeat(50_000) + "\" \"b\" (func (param i33))))"),
        ]) {
            const error = await caught(() => compile(source));
            lengths.push(error.code, error.message.length < 1000);
        }
        return lengths;
        "#,
    );
    assert_eq!(
        result,
        json!([5000, true, 5000, true, 5000, true, 5000, true, 5000, true])
    );
}

/// The parser compares a label with each of the blocks around it.
#[test]
fn labels_in_many_blocks_are_not_looked_up_while_javascript_waits() {
    let result = Js::new().run(
        r#"
        const labels = (blocks, branches) => text(`(module (func block $a ${"block ".repeat(blocks)}
            ${"br $a ".repeat(branches)} ${"end ".repeat(blocks)} end))`);
        const error = await caught(() => validate(labels(9_000, 60_000)));
        return [
            error.code, /\(max_validation_steps\)/.test(error.message),
            validate(labels(100, 60_000)), await validateAsync(labels(900, 6_000)),
        ];
        "#,
    );
    assert_eq!(result, json!([5000, true, true, true]));
}

#[test]
fn validate_takes_small_modules_and_names_the_function_for_large_ones() {
    let result = Js::new().run(
        r#"
        const results = [validate(text("(module)")), validate(text("(module (func i32.add))"))];
        const large = text("(module (func " + "nop ".repeat(300_000) + "))");
        const wide = "i64 ".repeat(999);
        const costly = text(`(module (type $t (func (result ${wide}))) (func (param i32)
            (block (type $t) unreachable local.get 0 br_table ${"0 ".repeat(20_000)})
            ${"drop ".repeat(999)}))`);
        for (const source of [large, costly]) {
            const error = await caught(() => validate(source));
            results.push(error.code, /\(max_validation_steps\).*validateAsync/.test(error.message));
        }
        results.push(await validateAsync(large), await validateAsync(costly));
        results.push(await validateAsync(text("(module (func i32.add))")));
        return results;
        "#,
    );
    assert_eq!(
        result,
        json!([true, false, 5000, true, 5000, true, true, true, false])
    );
}

/// Each handler becomes a block that takes the parameters of its `try`.
#[test]
fn handlers_are_not_validated_as_blocks_while_javascript_waits() {
    let result = Js::new().run(
        r#"
        const handlers = (count) => text(`(module (tag $e) (type $many (func (param ${"i32 ".repeat(1000)})))
            (func unreachable try (type $many) unreachable ${"catch $e ".repeat(count)} end))`);
        const error = await caught(() => validate(handlers(3_000)));
        return [
            error.code, /\(max_validation_steps\)/.test(error.message),
            validate(handlers(500)), await validateAsync(handlers(3_000)),
        ];
        "#,
    );
    assert_eq!(result, json!([5000, true, true, true]));
}

/// The steps of a function are not counted further than this depth.
#[test]
fn functions_with_very_deep_blocks_are_not_validated() {
    let result = Js::new().run(
        r#"
        const leb = (number) => [number & 0x7f | 0x80, number >> 7 & 0x7f | 0x80, number >> 14];
        const blocks = (count) => {
            const body = [0, ...Array(count).fill([2, 0x40]).flat(), ...Array(count + 1).fill(0x0b)];
            const code = [1, ...leb(body.length), ...body];
            const sections = [[1, 4, 1, 0x60, 0, 0], [3, 2, 1, 0], [10, ...leb(code.length), ...code]];
            return new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat()]);
        };
        const errors = [await caught(() => validate(blocks(70_000))), await caught(() => validateAsync(blocks(70_000)))];
        return [
            validate(blocks(60_000)), errors.map((error) => error.code),
            errors.map((error) => /more steps than can be counted/.test(error.message)),
        ];
        "#,
    );
    assert_eq!(result, json!([true, [5000, 5000], [true, true]]));
}
