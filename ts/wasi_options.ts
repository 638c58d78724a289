// The option `wasi` of a store.

import { toBytes } from "./bytes.ts";
import { copyOf, isObject, option, own } from "./check.ts";
import { ArrayIsArray, encode, ObjectKeys, Uint8Array } from "./core.ts";
import { describe, quote } from "./describe.ts";
import { InstantiateError, WasmError } from "./errors.ts";
import { toJson } from "./json.ts";
import { append, list } from "./list.ts";

/**
 * The access that the guests of a store have to the system through WASI preview 1. Guests always have clocks and random
 * numbers. Without these options they have no arguments, no environment variables and no files; their standard input is
 * empty, and their output is dropped.
 */
export interface WasiConfig {
  /** The arguments. By convention, the first is the name of the program. */
  args?: string[];
  /** The environment variables. */
  env?: Record<string, string>;
  /**
   * Folders of the host, by the names that guests see. The host has to grant each of them. A relative path is resolved
   * against the working directory of the process.
   */
  preopens?: Record<string, string | { path: string; readonly?: boolean }>;
  /**
   * The network that a component may use: what it may connect to, and where it may listen. The host has to grant each entry.
   * An entry is a host, or a host, a colon and a port or a range of ports: `"example.com:443"`, `"192.0.2.0/24"`,
   * `"[::1]:8000-8999"`. Modules have no network.
   */
  network?: NetworkConfig;
  /** The standard input: none, the standard input of the process, or these bytes. Default: `"null"`. */
  stdin?: "inherit" | "null" | "piped" | string | BufferSource;
  /**
   * The standard output: dropped, written to the standard output of the process, or kept for
   * {@linkcode WasmInstance.stdout}. Default: `"null"`.
   */
  stdout?: StdioConfig;
  /** The standard error, as `stdout`. It is kept for {@linkcode WasmInstance.stderr}. Default: `"null"`. */
  stderr?: StdioConfig;
}

/** The network that a component may use. */
export interface NetworkConfig {
  /** Names, addresses and blocks of addresses to connect to and to send datagrams to. */
  connect?: string[];
  /** Addresses of this machine to listen at. Port 0 is any port that the system chooses. */
  listen?: string[];
}

/** The target of an output stream of guests. */
export type StdioConfig = "inherit" | "null" | "piped";

/** The option as the op takes it. */
export interface CheckedWasi {
  /** The arguments, the environment variables, the preopens, the network and the three streams: lists, as JSON. */
  config: string;
  /** The standard input, if the config says that it is bytes. */
  stdin: Uint8Array;
}

/**
 * Checks and copies the option.
 *
 * @throws {WasmError} `InstantiateError` if it is unusable.
 */
export function checkWasi(config: unknown): CheckedWasi {
  if (!isObject(config)) throw unusable(`it must be an object, got ${describe(config)}`);
  const checkedArgs = strings(config, "args", "argument");
  const env = entries(config, "env", (value, name) => list(name, string(value, `env ${quote(name)}`)));
  const preopens = entries(config, "preopens", checkPreopen);
  const network = checkNetwork(given(config, "network"));
  const stdin = given(config, "stdin") ?? "null";
  const isName = isOutput(stdin);
  const stdout = checkOutput(config, "stdout");
  const stderr = checkOutput(config, "stderr");
  const streams = list(isName ? stdin : "bytes", stdout, stderr);
  return {
    config: toJson(list<unknown>(checkedArgs, env, preopens, network, streams)),
    stdin: isName ? new Uint8Array(0) : stdinBytes(stdin),
  };
}

function stdinBytes(stdin: unknown): Uint8Array {
  return typeof stdin === "string" ? encode(stdin) : toBytes(stdin, InstantiateError);
}

function given(config: object, name: string): unknown {
  return option(config, name, InstantiateError);
}

/** What guests connect to, and where they listen. */
function checkNetwork(network: unknown): unknown[] {
  if (network === undefined) return list<unknown>(list(), list());
  if (!isObject(network)) throw unusable(`network must be an object, got ${describe(network)}`);
  return list<unknown>(
    strings(network, "connect", "connect of network, entry"),
    strings(network, "listen", "listen of network, entry"),
  );
}

/** The strings of an option that is an array. An element is called by the noun and its place. */
function strings(config: object, what: string, element: string): unknown[] {
  const array = given(config, what) ?? list();
  if (!ArrayIsArray(array)) throw unusable(`${what} must be an array, got ${describe(array)}`);
  const checked = copyOf(array, array.length);
  for (let i = 0; i < checked.length; i++) string(checked[i], `${element} ${i}`);
  return checked;
}

function entries<T>(config: object, what: string, check: (value: unknown, name: string) => T): T[] {
  const checked = list<T>();
  const object = given(config, what);
  if (object === undefined) return checked;
  if (!isObject(object)) throw unusable(`${what} must be an object, got ${describe(object)}`);
  const names = ObjectKeys(object);
  for (let i = 0; i < names.length; i++) append(checked, check(own(object, names[i]), names[i]));
  return checked;
}

/** The guest's name, the host's path, and whether the folder is read-only. */
function checkPreopen(value: unknown, guest: string): unknown[] {
  const what = `preopen ${quote(guest)}`;
  if (!isObject(value)) return list<unknown>(guest, string(value, what), false);
  const readonly = given(value, "readonly") ?? false;
  if (typeof readonly !== "boolean") {
    throw unusable(`readonly of ${what} must be a boolean, got ${describe(readonly)}`);
  }
  return list<unknown>(guest, string(given(value, "path"), `the path of ${what}`), readonly);
}

function isOutput(value: unknown): value is StdioConfig {
  return value === "inherit" || value === "null" || value === "piped";
}

function checkOutput(config: object, what: string): StdioConfig {
  const value = given(config, what) ?? "null";
  if (isOutput(value)) return value;
  throw unusable(`${what} must be "inherit", "null" or "piped", got ${quote(value)}`);
}

function string(value: unknown, what: string): string {
  if (typeof value !== "string") throw unusable(`${what} must be a string, got ${describe(value)}`);
  return value;
}

function unusable(why: string): WasmError {
  return new WasmError(`the option wasi is unusable: ${why}`, InstantiateError);
}
