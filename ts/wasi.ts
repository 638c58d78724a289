import { toBytes } from "./bytes.ts";
import { copyOf, describe, isObject, quote } from "./check.ts";
import { ArrayIsArray, core, ObjectKeys } from "./core.ts";
import { InstantiateError, WasmError } from "./errors.ts";

/**
 * What the guests of a store may reach of the system, through WASI preview 1. Nothing that is not
 * here: the clocks and random numbers apart, they have no arguments, no environment, no files, and
 * streams that are empty or go nowhere.
 */
export interface WasiConfig {
  /** The arguments; the first is by convention the program's name. */
  args?: string[];
  /** The environment variables. */
  env?: Record<string, string>;
  /**
   * Folders of the host's by the names that guests see. The host has to grant each of them. A
   * relative path starts where the process does.
   */
  preopens?: Record<string, string | { path: string; readonly?: boolean }>;
  /** What guests read: nothing, what the process reads, or these bytes. Default: `"null"`. */
  stdin?: "inherit" | "null" | "piped" | string | BufferSource;
  /**
   * Where guests write: nowhere, where the process writes, or kept for
   * {@linkcode WasmInstance.stdout}. Default: `"null"`.
   */
  stdout?: StdioConfig;
  /** As `stdout`, for {@linkcode WasmInstance.stderr}. Default: `"null"`. */
  stderr?: StdioConfig;
}

/** Where a guest's output goes. */
export type StdioConfig = "inherit" | "null" | "piped";

/** A stream in the form that the op takes. */
type Stdio = { kind: "inherit" | "null" | "piped" } | { kind: "bytes"; bytes: Uint8Array };

/** A config in the form that the op takes. */
export interface CheckedWasi {
  args: string[];
  env: [string, string][];
  preopens: [string, string, boolean][];
  stdin: Stdio;
  stdout: Stdio;
  stderr: Stdio;
}

export function checkWasi(config: unknown): CheckedWasi {
  if (!isObject(config)) throw unusable(`it must be an object, got ${describe(config)}`);
  const { args = [], env = {}, preopens = {}, stdin = "null", stdout = "null", stderr = "null" } =
    config as WasiConfig;
  if (!ArrayIsArray(args)) throw unusable(`args must be an array, got ${describe(args)}`);
  const checkedArgs = copyOf(args, args.length);
  for (let i = 0; i < checkedArgs.length; i++) string(checkedArgs[i], `argument ${i}`);
  return {
    args: checkedArgs as string[],
    env: entries(env, "env", (value, name) => [name, string(value, `env ${quote(name)}`)]),
    preopens: entries(preopens, "preopens", checkPreopen),
    stdin: checkStdin(stdin),
    stdout: checkOutput(stdout, "stdout"),
    stderr: checkOutput(stderr, "stderr"),
  };
}

function entries<T>(object: object, what: string, check: (value: unknown, name: string) => T): T[] {
  if (!isObject(object)) throw unusable(`${what} must be an object, got ${describe(object)}`);
  const names = ObjectKeys(object);
  const checked: T[] = [];
  for (let i = 0; i < names.length; i++) checked[i] = check(object[names[i]], names[i]);
  return checked;
}

function checkPreopen(value: unknown, guest: string): [string, string, boolean] {
  const what = `preopen ${quote(guest)}`;
  if (!isObject(value)) return [guest, string(value, what), false];
  const { path, readonly = false } = value as { path: unknown; readonly?: unknown };
  if (typeof readonly !== "boolean") {
    throw unusable(`readonly of ${what} must be a boolean, got ${describe(readonly)}`);
  }
  return [guest, string(path, `the path of ${what}`), readonly];
}

function checkStdin(value: unknown): Stdio {
  if (value === "inherit" || value === "null" || value === "piped") return { kind: value };
  const bytes = typeof value === "string" ? core.encode(value) : toBytes(value, InstantiateError);
  return { kind: "bytes", bytes };
}

function checkOutput(value: unknown, what: string): Stdio {
  if (value === "inherit" || value === "null" || value === "piped") return { kind: value };
  throw unusable(`${what} must be "inherit", "null" or "piped", got ${quote(value)}`);
}

function string(value: unknown, what: string): string {
  if (typeof value !== "string") throw unusable(`${what} must be a string, got ${describe(value)}`);
  return value;
}

function unusable(why: string): WasmError {
  return new WasmError(`the option wasi is unusable: ${why}`, InstantiateError);
}
