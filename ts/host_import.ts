import type { Signature } from "./signature.ts";
import type { ImportInfo } from "./types.ts";

/** A JavaScript function that a guest imports. */
export interface HostImport {
  signature: Signature;
  info: ImportInfo;
}

/** An import that has returned a promise, for which its guest waits. */
export interface PendingImport {
  promise: Promise<unknown>;
  imported: HostImport;
}
