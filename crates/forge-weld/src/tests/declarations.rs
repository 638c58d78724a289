use super::weld;

#[test]
fn exports_become_members_of_the_module_with_their_doc_comments() {
    let welded = weld(
        &[],
        r#"
            declare const Deno: { core: unknown };

            interface Hidden { a: number }
            const core = Deno.core;

            /**
             * Options — all of them.
             *
             * Second paragraph.
             */
            export interface Options {
              /** Budget. */
              fuel?: number;
              hidden?: Hidden;
            }

            export type Value = number | bigint;

            /** @internal */
            export function secret(): void {}

            /** Codes. */
            export enum Code { Compile = 5000, Instantiate, Negative = -1 }

            export class WasmModule {
              #id: number = 1;
              /** Frees it. */
              drop(): void { core; }
            }

            /** Compiles. */
            export async function compile(bytes: Uint8Array, options: Options = {}): Promise<WasmModule> {
              return new WasmModule();
            }

            export const version: string = "1";
        "#,
    );
    assert_eq!(
        welded.declarations,
        "\
// Generated from ts/init.ts by forge-weld. To write it anew, build with FORGE_WELD_WRITE_TYPES=1.
declare module \"host:wasm\" {
  interface Hidden {
    a: number;
  }
  /**
   * Options — all of them.
   *
   * Second paragraph.
   */
  export interface Options {
    /** Budget. */
    fuel?: number;
    hidden?: Hidden;
  }
  export type Value = number | bigint;
  /** Codes. */
  export enum Code {
    Compile = 5000,
    Instantiate = 5001,
    Negative = -1
  }
  export class WasmModule {
    #private;
    /** Frees it. */
    drop(): void;
  }
  /** Compiles. */
  export function compile(bytes: Uint8Array, options?: Options): Promise<WasmModule>;
  export const version: string;
  export {};
}
"
    );
}

#[test]
fn line_ends_of_the_checkout_make_no_difference() {
    let unix = "/**\n * Doc.\n */\nexport const a: number = 1;\n";
    let windows = unix.replace('\n', "\r\n");
    assert_eq!(
        weld(&[], unix).declarations,
        weld(&[], &windows).declarations
    );
}
