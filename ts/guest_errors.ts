// The errors that come out of guests, and how they pass through other guests.

import { SafeWeakMap } from "./core.ts";
import { fieldOf, FuelExhausted, RuntimeError, WasmError } from "./errors.ts";
import type { WasmReference } from "./reference.ts";

/** The guests' exceptions behind errors. An error that an import throws on becomes its exception again. */
export const exceptions: WeakMap<object, WasmReference> = new SafeWeakMap();

/** The errors that ended a guest and that no other guest may catch, with the number of the guest's store. */
export const uncatchable: WeakMap<object, number> = new SafeWeakMap();

/** Whether the error of an op that ran a guest ended the guest, and did not keep it from starting. */
export function endedGuest(error: WasmError): boolean {
  return fieldOf(error, "trap") !== undefined || fieldOf(error, "exitCode") !== undefined ||
    fieldOf(error, "wasmStack") !== undefined || fieldOf(error, "code") === FuelExhausted;
}

/** The error for a call that ended with what an import threw. */
export function importThrew(name: string, cause: unknown): WasmError {
  return new WasmError(`${name} threw`, RuntimeError, { cause });
}

/** The status with which a guest exited, from its error. Throws any other error. */
export function exitStatus(error: unknown): number {
  const status = error instanceof WasmError ? fieldOf(error, "exitCode") : undefined;
  if (status === undefined) throw error;
  return status;
}
