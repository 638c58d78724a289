// The end of a call whose guest waits for a promise.

import { Promise, unrefOpPromise } from "./core.ts";
import { op_wasm_has_deadline, op_wasm_interrupted } from "./ops.ts";

/** Thrown instead of the result of a promise that nothing waits for any longer. */
export const interrupted: object = { __proto__: null };

/** Resolves when the guest of a call, which waits for a promise, has to end (to `true`), or waits no longer. */
export function interruption(call: number): Promise<boolean> {
  const end = op_wasm_interrupted(call);
  // A call without a deadline must not keep the event loop alive: only the promise itself may.
  if (!op_wasm_has_deadline(call)) unrefOpPromise(end);
  return end;
}

/** The result of a promise. Throws `interrupted` if the guest, which waits for the promise, has to end. */
export function unlessInterrupted(end: Promise<boolean>, promise: Promise<unknown>): Promise<unknown> {
  return new Promise((resolve, reject) => {
    settle(promise, resolve, reject);
    settle(end, (hasToEnd: boolean) => hasToEnd && reject(interrupted), reject);
  });
}

/** Does what the method `then` of promises does, which a script may have changed. */
async function settle<T>(
  promise: Promise<T>,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): Promise<void> {
  try {
    resolve(await promise);
  } catch (error) {
    reject(error);
  }
}
