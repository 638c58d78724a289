use super::weld;

#[test]
fn types_and_comments_are_removed_and_names_are_kept() {
    let welded = weld(
        &["op_wasm_compile"],
        r#"
            /** Doc. */
            export interface Options { fuel?: number }
            const { op_wasm_compile } = Deno.core.ops as { op_wasm_compile(b: Uint8Array): number };
            // A remark.
            export class WasmModule {
              readonly id: number;
              #dropped: boolean = false;
              constructor(id: number) { this.id = id; }
              get dropped(): boolean { return this.#dropped!; }
            }
            /*! Legal. */
            export function compile(bytes: Uint8Array, options?: Options): WasmModule {
              return new WasmModule(op_wasm_compile(bytes satisfies Uint8Array));
            }
        "#,
    );
    let (code, map) = welded.javascript.split_once("//# ").expect("a source map");
    assert_eq!(
        code,
        "\
const { op_wasm_compile } = Deno.core.ops;
export class WasmModule {
  id;
  #dropped = false;
  constructor(id) {
    this.id = id;
  }
  get dropped() {
    return this.#dropped;
  }
}
export function compile(bytes, options) {
  return new WasmModule(op_wasm_compile(bytes));
}
"
    );
    assert!(
        map.starts_with("sourceMappingURL=data:application/json;"),
        "{map}"
    );
    assert_eq!(map.lines().count(), 1);
}

#[test]
fn the_whole_code_is_ascii() {
    let welded = weld(
        &[],
        r#"
            /** Émile. */
            export const plain: string[] = ["é", "\u2014", "😀", "\ud800", "�", "\ud800�", "a"];
            export const template: string = `${plain} é \é \\é 😀`;
            export const object: object = { "ключ": 1 };
        "#,
    );
    let (code, _) = welded.javascript.split_once("//# ").expect("a source map");
    assert_eq!(
        code,
        r#"export const plain = [
  "\u00E9",
  "\u2014",
  "\uD83D\uDE00",
  "\uD800",
  "\uFFFD",
  "\uD800\uFFFD",
  "a"
];
export const template = "" + plain + " \u00E9 \u00E9 \\\u00E9 \uD83D\uDE00";
export const object = { "\u043A\u043B\u044E\u0447": 1 };
"#
    );
    assert!(welded.javascript.is_ascii());
}

#[test]
fn template_literals_become_additions() {
    let welded = weld(
        &[],
        r#"
            const a = 1, b = 2, tag = String.raw;
            export const texts: string[] = [
              ``, `a`, `${a}`, `${a}${b}`, `<${a}>${b}"\\n\u{1f600}`, `${a ? 1 : 2}`, `${a ?? b}x`, `${a - b}`, `${`${a}`}`,
              `a${a}`.slice(1), `${a}` + b, b + `${a}`, `${a}` === `${b}`, typeof `${a}`, tag`${`${a}`}${b}\u00e9`,
              `${(a, b)}`, `${() => a}`, `\ud800${a}`, `
`,
            ];
        "#,
    );
    let (code, _) = welded.javascript.split_once("//# ").expect("a source map");
    assert_eq!(
        code,
        r#"const a = 1, b = 2, tag = String.raw;
export const texts = [
  "",
  "a",
  "" + a,
  "" + a + b,
  "<" + a + ">" + b + "\"\\n\uD83D\uDE00",
  "" + (a ? 1 : 2),
  "" + (a ?? b) + "x",
  "" + (a - b),
  "" + ("" + a),
  ("a" + a).slice(1),
  "" + a + b,
  b + ("" + a),
  "" + a === "" + b,
  typeof ("" + a),
  tag`${"" + a}${b}\u00e9`,
  "" + (a, b),
  "" + (() => a),
  "\uD800" + a,
  "\n"
];
"#
    );
}

#[test]
fn the_source_map_holds_no_copy_of_the_source() {
    let typescript = format!("/** {} */\nf();\n", "long ".repeat(1000));
    let welded = weld(&[], &typescript);
    assert!(welded.javascript.len() < 300, "{}", welded.javascript);
}
