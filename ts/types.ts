import { quote } from "./describe.ts";

/** The kind of an export or import. */
export type ExportKind = "function" | "memory" | "global" | "table" | "tag";

/** The type of an export or import. Value types are written as in the text format. */
export type ExternType =
  | { kind: "function"; params: string[]; results: string[] }
  | ({ kind: "memory" } & MemoryType)
  | ({ kind: "global" } & GlobalType)
  | ({ kind: "table" } & TableType)
  | ({ kind: "tag" } & TagType);

/** One export of a module or instance. */
export type ExportInfo = { name: string } & ExternType;

/** One import of a module. */
export type ImportInfo = { module: string; name: string } & ExternType;

/** The name of an import in messages. */
export function importName({ module, name }: ImportInfo): string {
  return `import ${quote(module)}.${quote(name)}`;
}

/** The type of a memory. Sizes are in pages of 64 KiB. */
export interface MemoryType {
  minimum: number;
  maximum?: number;
  /** Default: `false`. A shared memory needs a maximum. */
  shared?: boolean;
  /** The type of its addresses. Default: `"i32"`. */
  address?: "i32" | "i64";
}

/** The type of a global. */
export interface GlobalType {
  /** The type of its value, for example `"i32"` or `"externref"`. */
  value: string;
  /** Default: `false`. */
  mutable?: boolean;
}

/** The type of a table. Sizes are in elements. */
export interface TableType {
  /** The type of its elements, for example `"funcref"`. */
  element: string;
  minimum: number;
  maximum?: number;
  /** The type of its indices. Default: `"i32"`. */
  address?: "i32" | "i64";
}

/** The type of a tag. */
export interface TagType {
  /** The types of the values that its exceptions carry. */
  params: string[];
}

/** A function of a guest, or a function that a guest imports. Its WebAssembly type says what it takes and returns. */
// deno-lint-ignore no-explicit-any
export type WasmFunction = (...args: any[]) => any;
