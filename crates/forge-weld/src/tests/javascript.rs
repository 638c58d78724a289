use super::weld;

#[test]
fn types_and_comments_go_and_names_stay() {
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
fn all_of_it_is_ascii() {
    let welded = weld(
        &[],
        r#"
            /** Émile. */
            export const texts: string[] = ["é", "\u2014", "\ud800", "😀", "�", "\ud800�", `\é😀\\é`];
            export const object: object = { "ключ": 1 };
        "#,
    );
    assert!(welded.javascript.is_ascii());
    let code = welded.javascript.lines().next().expect("a line");
    assert_eq!(code, "");
}
