use crate::api_page::page;

use super::weld;

#[test]
fn a_page_has_what_the_declarations_have() {
    let source = r#"
/** What can happen, as a number. */
export const Code: {
  /** All is well. */
  readonly Fine: 0;
  readonly Bad: 1;
} = { Fine: 0, Bad: 1 };
/** One of the numbers in {@linkcode Code}. */
export type Code = 0 | 1;
/** How to open. */
export interface Options {
  /** The folder; see {@linkcode File.close}, and {@linkcode Elsewhere}. */
  from: string | {
    path: string;
  };
}
/**
 * An open file.
 *
 * It has two paragraphs,
 * of which this is one.
 */
export class File {
  #handle: number = 0;
  private constructor() {}
  /** Its name. */
  get name(): string { return ""; }
  /**
   * Closes it.
   *
   * @throws {Error} If that
   * is impossible.
   */
  close(): void {}
}
/** Opens a file. */
export function open(name: string, options?: Options): File { throw name; }
"#;
    let expected = r#"<!-- Generated from ts/init.ts by forge-weld. To write it anew, build with FORGE_WELD_WRITE_TYPES=1. -->

# `host:wasm`

## Functions

[`open`](#open)

### open

```ts
function open(name: string, options?: Options): File
```

Opens a file.

## Classes

[`File`](#file)

### File

```ts
class File
```

An open file.

It has two paragraphs, of which this is one.

- `get name(): string`: Its name.
- `close(): void`: Closes it.

  Throws `Error`: If that is impossible.

## Types

[`Options`](#options)

### Options

```ts
interface Options
```

How to open.

- `from: string | { path: string; }`: The folder; see [`File.close`](#file), and `Elsewhere`.

## Constants

[`Code`](#code)

### Code

```ts
const Code
```

What can happen, as a number.

- `readonly Fine: 0`: All is well.
- `readonly Bad: 1`

```ts
type Code = 0 | 1
```

One of the numbers in [`Code`](#code).
"#;
    assert_eq!(page("host:wasm", &weld(&[], source).declarations), expected);
}

#[test]
fn a_module_without_exports_has_an_empty_page() {
    let declarations = weld(&[], "const a = 1;").declarations;
    let text = page("host:wasm", &declarations);
    assert!(text.ends_with("\n# `host:wasm`\n"), "{text}");
}
