use super::refusal;

#[test]
fn a_syntax_error() {
    assert_eq!(
        refusal(
            &[],
            "export const a: number = 1;\nexport const b: number = ;\n"
        ),
        "ts/init.ts:2:26: Unexpected token"
    );
}

#[test]
fn columns_count_characters_not_bytes() {
    assert_eq!(
        refusal(&[], "/* é😀 */ const a = ;"),
        "ts/init.ts:1:20: Unexpected token"
    );
}

#[test]
fn line_ends_of_every_kind_and_a_byte_order_mark() {
    assert_eq!(
        refusal(&[], "\u{feff}// one\r\n// two\rconst a = ;"),
        "ts/init.ts:3:11: Unexpected token"
    );
}

#[test]
fn an_invalid_regular_expression() {
    assert_eq!(
        refusal(&[], "export const r: RegExp = /(/;"),
        "ts/init.ts:1:27: Invalid regular expression: Unterminated capturing group (Add the missing \
         closing delimiter)"
    );
}

#[test]
fn all_semantic_errors_are_reported() {
    assert_eq!(
        refusal(&[], "const a = 1;\nconst a = 2;\nbreak;\n"),
        "ts/init.ts:1:7: Identifier `a` has already been declared\n\
         ts/init.ts:3:1: Illegal break statement (A `break` statement can only be used within an \
         enclosing iteration or switch statement.)"
    );
}

#[test]
fn all_exports_without_an_explicit_type_are_reported() {
    assert_eq!(
        refusal(
            &[],
            "export function one() { return Math.random(); }\n\
             export const two = one();\n\
             export class Three {\n  four = one();\n}\n"
        ),
        "ts/init.ts:1:17: TS9007: Function must have an explicit return type annotation with \
         --isolatedDeclarations.\n\
         ts/init.ts:2:14: TS9010: Variable must have an explicit type annotation with \
         --isolatedDeclarations.\n\
         ts/init.ts:4:3: TS9012: Property must have an explicit type annotation with \
         --isolatedDeclarations."
    );
}

#[test]
fn an_op_that_is_not_registered() {
    let code = "const { op_a, op_b: b } = Deno.core.ops;\nop_a(b);\n";
    assert_eq!(
        refusal(&["op_a"], code),
        "ts/init.ts:1:15: `op_b` is not among the registered ops"
    );
}

#[test]
fn an_op_that_is_not_registered_in_every_form_of_access() {
    let expressions = [
        ("core.ops.op_x", 10),
        ("Deno.core.ops.op_x", 15),
        ("ops.op_x", 5),
        ("(Deno as any).core.ops.op_x", 24),
        ("(core.ops as Ops)!.op_x", 20),
        ("core?.ops.op_x", 11),
        ("(core?.ops)?.op_x", 14),
        ("core[\"ops\"][\"op_x\"]", 13),
        ("globalThis.Deno.core.ops.op_x(1)", 26),
    ];
    for (expression, column) in expressions {
        assert_eq!(
            refusal(&[], expression),
            format!("ts/init.ts:1:{column}: `op_x` is not among the registered ops")
        );
    }
    let declarations = [
        ("const { op_x } = core.ops; op_x();", 9),
        ("const { op_x = null } = ops as any; op_x();", 9),
        ("const { \"op_x\": x } = core.ops; x();", 9),
        ("const { core: { ops: { op_x } } } = Deno; op_x();", 24),
        ("const { op_x, ...rest } = core.ops; op_x(rest);", 9),
    ];
    for (declaration, column) in declarations {
        assert_eq!(
            refusal(&[], declaration),
            format!("ts/init.ts:1:{column}: `op_x` is not among the registered ops")
        );
    }
}

#[test]
fn a_registered_op_that_the_code_never_mentions() {
    assert_eq!(
        refusal(&["op_a", "op_b"], "\nDeno.core.ops.op_a();\n"),
        "ts/init.ts:1:1: `op_b` is registered but never used"
    );
}

#[test]
fn a_registered_op_that_is_destructured_but_not_used() {
    let code = "const {\n  op_a,\n  op_b: b,\n} = core.ops;\nop_a();\ntype B = typeof b;\n";
    assert_eq!(
        refusal(&["op_a", "op_b"], code),
        "ts/init.ts:3:3: `op_b` is taken from ops but never used"
    );
}

#[test]
fn the_list_of_ops() {
    assert_eq!(
        refusal(&["op_a", "op_a", "compile"], "core.ops.op_a();"),
        "ts/init.ts:1:1: `op_a` is registered twice\n\
         ts/init.ts:1:1: `compile` is not the name of an op: op_[a-z0-9_]+\n\
         ts/init.ts:1:1: `compile` is registered but never used"
    );
}

#[test]
fn using() {
    let code = "{\n  using a = open();\n}\nfor (await using b of all()) b;\n";
    assert_eq!(
        refusal(&[], code),
        "ts/init.ts:2:3: `using` needs a runtime helper, which an extension's module cannot \
         import: dispose in a `finally` block\n\
         ts/init.ts:4:6: `await using` needs a runtime helper, which an extension's module cannot \
         import: dispose in a `finally` block"
    );
}

#[test]
fn an_import_of_a_runtime_helper() {
    let code = "import extend from \"@oxc-project/runtime/helpers/extends\";\nextend({});\n";
    assert_eq!(
        refusal(&[], code),
        "ts/init.ts:1:1: the code needs the runtime helper `extends`, which an extension's \
         module cannot import"
    );
}

#[test]
fn characters_that_cannot_be_escaped() {
    let code = "const größe = 1;\nString.raw`é${größe}`;\n/ü/u.test(\"ü\");\n";
    assert_eq!(
        refusal(&[], code),
        "ts/init.ts:1:7: `ö` (U+00F6) cannot be used here: deno_core takes an extension's code as \
         ASCII only\n\
         ts/init.ts:2:11: `é` (U+00E9) cannot be used here: deno_core takes an extension's code as \
         ASCII only\n\
         ts/init.ts:2:15: `ö` (U+00F6) cannot be used here: deno_core takes an extension's code as \
         ASCII only\n\
         ts/init.ts:3:1: `ü` (U+00FC) cannot be used here: deno_core takes an extension's code as \
         ASCII only"
    );
}

#[test]
fn problems_of_every_kind_are_sorted_by_position() {
    let code = "export const a = Math.random();\ncore.ops.op_x();\n{ using b = a; }\nlet ñ = 1;\n";
    assert_eq!(
        refusal(&["op_a", "op_a"], code),
        "ts/init.ts:1:1: `op_a` is registered twice\n\
         ts/init.ts:1:1: `op_a` is registered but never used\n\
         ts/init.ts:1:14: TS9010: Variable must have an explicit type annotation with \
         --isolatedDeclarations.\n\
         ts/init.ts:2:10: `op_x` is not among the registered ops\n\
         ts/init.ts:3:3: `using` needs a runtime helper, which an extension's module cannot \
         import: dispose in a `finally` block\n\
         ts/init.ts:4:5: `ñ` (U+00F1) cannot be used here: deno_core takes an extension's code as \
         ASCII only"
    );
}
