use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::transpile;

const USING: &str = "\
interface Gone { a: number }
import { open, type Options } from \"host:wasm\";
{
  using a = open(1 as number);
  a.run();
}
export async function f(): Promise<void> {
  await using b = open(2);
  for (using c of b) c.run();
}
";

#[test]
fn types_are_removed_and_the_map_refers_to_the_source() {
    let done = transpile(
        "file:///app/main.ts",
        "interface A {}\nconst a: number = 1;\nf(a!);\n",
    )
    .expect("transpiles");
    assert_eq!(done.code, "const a = 1;\nf(a);\n");
    let map = String::from_utf8(done.source_map.expect("a map")).expect("text");
    assert!(
        map.contains(r#""sources":["file:///app/main.ts"]"#),
        "{map}"
    );
    // The first line of the code is the second line of the source: `C` is +1.
    assert!(map.contains(r#""mappings":"AACA,"#), "{map}");
}

#[test]
fn using_is_lowered_and_its_helper_is_part_of_the_code() {
    let code = transpile("main.ts", USING).expect("transpiles").code;
    assert!(!code.contains("@oxc-project/runtime"), "{code}");
    assert!(!code.contains("using "), "{code}");
    assert_eq!(code.matches("function _usingCtx2()").count(), 1, "{code}");
    assert_eq!(code.matches("= _usingCtx2()").count(), 3, "{code}");
    assert!(
        code.starts_with("import { open } from \"host:wasm\";\ntry {\n"),
        "{code}"
    );
}

#[test]
fn the_helper_avoids_names_of_the_app() {
    let source = "const _usingCtx = 1;\n{ using a = f(_usingCtx); }\n";
    let code = transpile("main.ts", source).expect("transpiles").code;
    assert!(code.starts_with("const _usingCtx = 1;\n"), "{code}");
    assert!(
        code.contains("  var _usingCtx2 = _usingCtx3();\n"),
        "{code}"
    );
    assert_eq!(code.matches("function _usingCtx3()").count(), 1, "{code}");
}

#[test]
fn code_without_using_gets_no_helper() {
    let code = transpile("main.ts", "f();").expect("transpiles").code;
    assert_eq!(code, "f();\n");
}

#[test]
fn javascript_keeps_its_imports_and_loses_using() {
    let source = "import { a } from \"./a.js\";\n{ using b = f(); }\n";
    for name in ["main.js", "file:///app/main.mjs"] {
        let code = transpile(name, source).expect("transpiles").code;
        assert!(
            code.starts_with("import { a } from \"./a.js\";\n"),
            "{code}"
        );
        assert_eq!(code.matches("function _usingCtx2()").count(), 1, "{code}");
    }
}

#[test]
fn the_source_map_can_be_inlined() {
    let transpiled = transpile("main.ts", "type A = string;\nlet a: A;\n").expect("transpiles");
    let map = transpiled.source_map.clone().expect("a source map");
    let code = transpiled.with_inline_source_map();
    let (code, url) = code
        .split_once("\n//# sourceMappingURL=")
        .expect("a comment");
    assert_eq!(code, "let a;\n");
    let encoded = url.trim_end().rsplit(',').next().expect("data");
    let decoded = STANDARD.decode(encoded);
    assert_eq!(decoded.expect("base64"), map);
}

#[test]
fn imports_of_the_source_phase_get_a_query() {
    let source = "\
import source a from \"./a.wasm\";
import source b from \"./b.wasm?x=1#y\";
import source from \"./c.js\";
import defer * as d from \"./d.js\";
f(a, b, source, d);
";
    for name in ["main.ts", "main.js"] {
        let code = transpile(name, source).expect("transpiles").code;
        assert_eq!(
            code,
            "import a from \"./a.wasm?module\";\n\
             import b from \"./b.wasm?x=1&module#y\";\n\
             import source from \"./c.js\";\n\
             import defer * as d from \"./d.js\";\n\
             f(a, b, source, d);\n"
        );
    }
    let source = "const _importSource = 1;\nf(await import.source(name), import(name));\n";
    let code = transpile("main.ts", source).expect("transpiles").code;
    assert!(
        code.starts_with(
            "const _importSource = 1;\nf(await _importSource_(name), import(name));\n\
             async function _importSource_(specifier) {\n"
        ),
        "{code}"
    );
}

#[test]
fn non_ascii_characters_are_kept() {
    let code = transpile("main.ts", "f(\"é\");").expect("transpiles").code;
    assert_eq!(code, "f(\"é\");\n");
}

#[test]
fn all_problems_are_listed() {
    let text = transpile("app/main.ts", "let a = 1;\nlet a = 2;\nbreak;\n")
        .unwrap_err()
        .to_string();
    assert_eq!(
        text,
        "app/main.ts:1:5: Identifier `a` has already been declared\n\
         app/main.ts:3:1: Illegal break statement (A `break` statement can only be used within an \
         enclosing iteration or switch statement.)"
    );
    let text = transpile("app/main.ts", "let a = ;")
        .unwrap_err()
        .to_string();
    assert_eq!(text, "app/main.ts:1:9: Unexpected token");
    let source = "import extend from \"@oxc-project/runtime/helpers/extends\"; extend({});";
    let text = transpile("app/main.ts", source).unwrap_err().to_string();
    assert_eq!(
        text,
        "app/main.ts:1:1: forge-weld has no runtime helper `extends`"
    );
}
