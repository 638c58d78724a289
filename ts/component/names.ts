// Names of WIT in JavaScript, and the look-up of interfaces with versions.

import {
  StringPrototypeCharCodeAt,
  StringPrototypeSlice,
  StringPrototypeToLowerCase,
  StringPrototypeToUpperCase,
} from "../core.ts";

const HYPHEN = 0x2d;

/** The name of a function, parameter or field in JavaScript: `read-all` becomes `readAll`. */
export function camelCase(name: string): string {
  let converted = "";
  let start = 0;
  for (let i = 0; i <= name.length; i++) {
    if (i < name.length && StringPrototypeCharCodeAt(name, i) !== HYPHEN) continue;
    const word = StringPrototypeToLowerCase(StringPrototypeSlice(name, start, i));
    converted += start === 0
      ? word
      : StringPrototypeToUpperCase(StringPrototypeSlice(word, 0, 1)) + StringPrototypeSlice(word, 1);
    start = i + 1;
  }
  return converted;
}

/** The name of a resource's class in JavaScript: `input-stream` becomes `InputStream`. */
export function pascalCase(name: string): string {
  const camel = camelCase(name);
  return StringPrototypeToUpperCase(StringPrototypeSlice(camel, 0, 1)) + StringPrototypeSlice(camel, 1);
}

/** The parts of a function's name that belong to a resource: `[method]blob.read` is a method `read` of `blob`. */
export interface ResourceName {
  /** `constructor`, `method` or `static`. */
  kind: string;
  resource: string;
  /** Empty for a constructor. */
  name: string;
}

/** The parts of a function's name; `undefined` if it belongs to no resource. */
export function resourceName(name: string): ResourceName | undefined {
  if (name[0] !== "[") return undefined;
  let end = 1;
  while (end < name.length && name[end] !== "]") end++;
  let dot = end + 1;
  while (dot < name.length && name[dot] !== ".") dot++;
  return {
    kind: StringPrototypeSlice(name, 1, end),
    resource: StringPrototypeSlice(name, end + 1, dot),
    name: StringPrototypeSlice(name, dot + 1),
  };
}

/** The index of the last character of this kind in a name, or −1. */
function lastIndexOf(name: string, character: string): number {
  let i = name.length - 1;
  while (i >= 0 && name[i] !== character) i--;
  return i;
}

/** An interface id without its version: `my:pkg/iface@1.2.3` becomes `my:pkg/iface`. */
export function withoutVersion(id: string): string {
  const at = lastIndexOf(id, "@");
  return at < 0 ? id : StringPrototypeSlice(id, 0, at);
}

/** The short name of an interface in JavaScript: `my:pkg/some-iface@1.2.3` becomes `someIface`. */
export function shortName(id: string): string {
  const bare = withoutVersion(id);
  return camelCase(StringPrototypeSlice(bare, lastIndexOf(bare, "/") + 1));
}

/**
 * The part of a version that compatible versions have in common: the major version, or for `0.x` the minor one, too.
 * `undefined` for an id without a version, and for versions that are compatible with no other.
 */
export function compatibleId(id: string): string | undefined {
  const at = lastIndexOf(id, "@");
  if (at < 0) return undefined;
  const version = StringPrototypeSlice(id, at + 1);
  // A pre-release is compatible with itself only.
  if (lastIndexOf(version, "-") >= 0) return undefined;
  let dots = 0;
  let zeros = true;
  for (let i = 0; i < version.length; i++) {
    if (version[i] === "+") break;
    if (version[i] !== ".") {
      zeros &&= version[i] === "0";
      continue;
    }
    dots++;
    if (!zeros) return StringPrototypeSlice(id, 0, at + 1 + i);
    // `0.0.x` is compatible with itself only.
    if (dots === 2) return undefined;
  }
  return undefined;
}
