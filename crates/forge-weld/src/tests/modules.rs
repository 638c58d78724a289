use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oxc_sourcemap::SourceMap;

use super::weld_files;

fn refusal(files: &[(&str, &str)]) -> String {
    match weld_files(&[], files) {
        Ok(welded) => panic!("welds, but should not:\n{}", welded.javascript),
        Err(refusal) => refusal.to_string(),
    }
}

#[test]
fn files_become_one_in_the_order_of_evaluation() {
    let files = [
        (
            "ts/init.ts",
            "export { Module } from \"./module.ts\";\nexport type { Type } from \"./inner/types.ts\";\n",
        ),
        (
            "ts/module.ts",
            "import { check } from \"./inner/check.ts\";\nimport type { Type } from \"./inner/types.ts\";\n\
             /** A module. */\nexport class Module {\n  type: Type | undefined = check();\n}\n",
        ),
        (
            "ts/inner/check.ts",
            "import { Module } from \"../module.ts\";\nexport function check(): undefined {\n  \
             Module;\n}\nconst hidden = 1;\nexport const { a, b } = hidden as any;\n",
        ),
        (
            "ts/inner/types.ts",
            "/** A type. */\nexport type Type = string;\nexport type Other = 1;\n",
        ),
    ];
    let welded = weld_files(&[], &files).expect("welds");
    let (code, _) = welded.javascript.split_once("//# ").expect("a source map");
    assert_eq!(
        code,
        "function check() {\n  Module;\n}\nconst hidden = 1;\nconst { a, b } = hidden;\n\
         export class Module {\n  type = check();\n}\n"
    );
    assert_eq!(
        welded.declarations,
        "// Generated from ts/init.ts by forge-weld. To write it anew, build with \
         FORGE_WELD_WRITE_TYPES=1.\ndeclare module \"host:wasm\" {\n  /** A type. */\n  \
         export type Type = string;\n  /** A module. */\n  export class Module {\n    \
         type: Type | undefined;\n  }\n}\n"
    );
}

#[test]
fn positions_refer_to_the_original_files() {
    let files = [
        (
            "ts/init.ts",
            "import { f } from \"./f.ts\";\n\nf(op_x);\nops.op_x;",
        ),
        (
            "ts/f.ts",
            "\n\nexport function f(a: unknown): void {}\n  ops.op_y;\nconst é = 1",
        ),
    ];
    assert_eq!(
        refusal(&files),
        "ts/f.ts:4:7: `op_y` is not among the registered ops\n\
         ts/f.ts:5:7: `é` (U+00E9) cannot be used here: deno_core takes an extension's code as \
         ASCII only\n\
         ts/init.ts:4:5: `op_x` is not among the registered ops"
    );
}

#[test]
fn the_source_map_names_each_file() {
    let files = [
        (
            "ts/init.ts",
            "import { f } from \"./f.ts\";\nimport { g } from \"../g.ts\";\nf(g);\n",
        ),
        ("ts/f.ts", "\n\nexport function f(a: unknown): void {}\n"),
        ("g.ts", "export const g: number = 1;\n"),
    ];
    let welded = weld_files(&[], &files).expect("welds");
    let (_, map) = welded
        .javascript
        .split_once("base64,")
        .expect("a source map");
    let map = STANDARD.decode(map.trim()).expect("base64");
    let map = String::from_utf8(map).expect("UTF-8");
    let map = SourceMap::from_json_string(&map).expect("a source map");
    let table = map.generate_lookup_table();
    let code = welded.javascript.lines().take(3).zip(0..);
    let lines: Vec<_> = code
        .map(|(text, line)| {
            let token = map
                .lookup_source_view_token(&table, line, 0)
                .expect("a token");
            (
                text,
                token.get_source().expect("a file"),
                token.get_src_line(),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("function f(a) {}", "host:wasm/f.ts", 2),
            ("const g = 1;", "host:wasm/g.ts", 0),
            ("f(g);", "host:wasm", 2),
        ]
    );
}

#[test]
fn a_syntax_error_in_each_of_two_files() {
    let files = [
        ("ts/init.ts", "import \"./a.ts\";\nimport \"./b.ts\";\n"),
        ("ts/a.ts", "const = 1;\n"),
        ("ts/b.ts", "\nconst = 1;\n"),
    ];
    assert_eq!(
        refusal(&files),
        "ts/a.ts:1:7: Unexpected token\nts/b.ts:2:7: Unexpected token"
    );
}

#[test]
fn a_file_that_is_missing_is_reported_where_it_is_imported() {
    let files = [("ts/init.ts", "\nexport { a } from \"./a.ts\";\n")];
    assert_eq!(refusal(&files), "ts/init.ts:2:19: ts/a.ts: no such file");
}

#[test]
fn an_import_that_the_file_does_not_export() {
    let files = [
        (
            "ts/init.ts",
            "import { a, type B } from \"./a.ts\";\na as B;\nexport { c } from \"./a.ts\";\n",
        ),
        ("ts/a.ts", "const a = 1, c = 2;\ntype B = string;\n"),
    ];
    assert_eq!(
        refusal(&files),
        "ts/init.ts:1:10: ts/a.ts does not export `a`\n\
         ts/init.ts:1:13: ts/a.ts does not export `B`\n\
         ts/init.ts:3:10: ts/a.ts does not export `c`"
    );
}

#[test]
fn names_that_a_file_uses_without_importing_them() {
    let files = [
        (
            "ts/init.ts",
            "import \"./a.ts\";\nlet b: B = a;\nlet c: Math = Math.abs(1);\nlet d: Set<B> = b;\n",
        ),
        (
            "ts/a.ts",
            "export const a: string = \"\", Set = 1;\nexport type B = string;\n",
        ),
    ];
    assert_eq!(
        refusal(&files),
        "ts/init.ts:2:8: `B` has to be imported from ts/a.ts\n\
         ts/init.ts:2:12: `a` has to be imported from ts/a.ts"
    );
}

#[test]
fn a_name_that_two_files_declare() {
    let files = [
        (
            "ts/init.ts",
            "import \"./a.ts\";\ninterface View { b: 1 }\nconst own = 1;\n",
        ),
        (
            "ts/a.ts",
            "interface View { a: 1 }\nfunction f() { const own = 1; }\n",
        ),
    ];
    assert_eq!(
        refusal(&files),
        "ts/init.ts:2:11: `View` is declared in ts/a.ts too, and the files of a module share one scope"
    );
}

#[test]
fn an_import_that_is_not_used() {
    let files = [
        (
            "ts/init.ts",
            "import { a, b } from \"./a.ts\";\nimport type { C } from \"./a.ts\";\nb as C;\n",
        ),
        (
            "ts/a.ts",
            "export const a: number = 1;\nexport const b: number = 1;\nexport type C = number;\n",
        ),
    ];
    assert_eq!(
        refusal(&files),
        "ts/init.ts:1:10: `a` is imported but never used"
    );
}

#[test]
fn an_import_that_is_set() {
    let files = [
        ("ts/init.ts", "import { a } from \"./a.ts\";\na = 2;\n"),
        ("ts/a.ts", "export let a: number = 1;\n"),
    ];
    assert_eq!(
        refusal(&files),
        "ts/init.ts:2:1: `a` is imported: only its own file can set it"
    );
}

#[test]
fn forms_that_one_scope_cannot_hold() {
    let a = (
        "ts/a.ts",
        "export const a: number = 1;\nexport default 1;\n",
    );
    let forms = [
        (
            "import { a as b } from \"./a.ts\"; b;",
            "1:10: `a` cannot have another name than where it is declared",
        ),
        (
            "export { a as b } from \"./a.ts\";",
            "1:10: `a` cannot have another name than where it is declared",
        ),
        (
            "import * as b from \"./a.ts\"; b;",
            "1:8: name what is imported, instead of `*`",
        ),
        ("import b from \"./a.ts\"; b;", "1:8: import it by its name"),
        (
            "export * from \"./a.ts\";",
            "1:1: name what is exported, instead of `*`",
        ),
        (
            "export * as b from \"./a.ts\";",
            "1:1: name what is exported, instead of `*`",
        ),
    ];
    for (form, message) in forms {
        assert_eq!(
            refusal(&[("ts/init.ts", form), a]),
            format!("ts/init.ts:{message}")
        );
    }
}

#[test]
fn exports_that_only_the_entry_may_make() {
    let b = ("ts/b.ts", "export const b: number = 1, c: number = 2;\n");
    for form in [
        "export { b } from \"./b.ts\";",
        "export { a }; let a = 1;",
        "export default 1;",
        "export * from \"host:other\";",
    ] {
        assert_eq!(
            refusal(&[("ts/init.ts", "import \"./a.ts\";"), ("ts/a.ts", form), b]),
            "ts/a.ts:1:1: only ts/init.ts can export in this form"
        );
    }
    assert_eq!(
        refusal(&[("ts/init.ts", "export { b } from \"./b.ts\";\n"), b]),
        "ts/b.ts:1:29: `c` is internal: declare it apart"
    );
}

#[test]
fn the_imported_files_are_those_of_all_forms_of_import() {
    let text = "import \"./a.ts\";\nimport { b } from \"../b.ts\";\nimport type { C } from \"./c/d.ts\";\n\
                import { e } from \"host:e\";\nexport { f } from \"./f.ts\";\nexport const g: C = b + e;\n";
    let files = crate::imported_files("ts/init.ts", text).expect("parses");
    assert_eq!(files, ["ts/a.ts", "b.ts", "ts/c/d.ts", "ts/f.ts"]);
    assert!(crate::imported_files("ts/init.ts", "import {").is_err());
}
