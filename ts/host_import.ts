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
  /** Gives the guest the value of the promise. Returns the status. */
  returned(value: unknown): number;
  /** Gives the guest the error of the promise. Returns the status. */
  threw(error: unknown): number;
}
