import { quote } from "./check.ts";
import { I32, misfit, read, readValues, writeValues } from "./codec.ts";
import type { Codec, Signature } from "./codec.ts";
import {
  op_wasm_call,
  op_wasm_call_numbers,
  op_wasm_call_numbers_checks,
  op_wasm_call_with,
} from "./core.ts";
import { TypeMismatch, WasmError } from "./errors.ts";
import { frameU32, TOLD } from "./frame.ts";
import { GROWN, MISFIT, RETURNED, stopped } from "./outcome.ts";
import type { StoreState } from "./store_state.ts";
import type { WasmFunction } from "./types.ts";

/** Whether the op does what `fits` would do, and runs imports. */
const opChecks = op_wasm_call_numbers_checks();

/** A function of a guest, for JavaScript. */
export interface Callee {
  store: StoreState;
  /** By which it is called. */
  number: number;
  signature: Signature;
  /** For messages. */
  name: string | undefined;
}

/** The JavaScript function that calls it. */
export function functionOf(callee: Callee): WasmFunction {
  const { store, number, signature } = callee;
  const { params, results, numbers } = signature;
  // Where the op does not check it returns nothing but numbers.
  const returns = opChecks || results.length === 1;
  if (!numbers || params.length > 2 || !returns) {
    return (...args: unknown[]): unknown => call(callee, args);
  }
  const { imports } = store;
  const [type1, type2] = params;
  // One function for each number of arguments: an array of them and a loop over it cost as much again
  // as the call.
  switch (params.length) {
    case 0:
      return (...more: unknown[]): unknown => {
        if (more.length !== 0 || !(opChecks || imports.length === 1)) return call(callee, more);
        let result;
        try {
          result = op_wasm_call_numbers(number, imports, 0, 0);
        } catch (error) {
          throw stopped(store, error);
        }
        return result !== result ? told(callee, []) : result;
      };
    case 1:
      return (first: unknown, ...more: unknown[]): unknown => {
        if (more.length !== 0 || !(opChecks || (imports.length === 1 && fits(type1, first)))) {
          return call(callee, [first, ...more]);
        }
        let result;
        try {
          result = op_wasm_call_numbers(number, imports, first, 0);
        } catch (error) {
          throw stopped(store, error);
        }
        return result !== result ? told(callee, [first]) : result;
      };
    default:
      return (first: unknown, second: unknown, ...more: unknown[]): unknown => {
        if (
          more.length !== 0 ||
          !(opChecks || (imports.length === 1 && fits(type1, first) && fits(type2, second)))
        ) return call(callee, [first, second, ...more]);
        let result;
        try {
          result = op_wasm_call_numbers(number, imports, first, second);
        } catch (error) {
          throw stopped(store, error);
        }
        return result !== result ? told(callee, [first, second]) : result;
      };
  }
}

/** Whether a number can be handed over as it is; others may fit. */
function fits({ kind }: Codec, value: unknown): boolean {
  return typeof value === "number" && (kind !== I32 || (value | 0) === value);
}

/** What a call with numbers came to, as it was told. */
function told(callee: Callee, args: unknown[]): unknown {
  const ended = frameU32[TOLD];
  // To find out what is wrong.
  if (ended === MISFIT) return call(callee, args);
  if (ended !== RETURNED) endedOddly(callee.store, ended);
  return takeResults(callee.store, callee.signature);
}

/** Calls a function with its arguments in the frame. */
function call({ store, number, signature, name }: Callee, args: unknown[]): unknown {
  putArguments(store, signature, args, name);
  const { imports } = store;
  let ended;
  try {
    // Without imports of JavaScript's, its engine need not be ready to run any.
    ended = imports.length === 1 ? op_wasm_call(number) : op_wasm_call_with(number, imports);
  } catch (error) {
    throw stopped(store, error);
  }
  if (ended !== RETURNED) endedOddly(store, ended);
  return takeResults(store, signature);
}

/** Detaches views of what has grown, and throws what the guest did if it did not return. */
function endedOddly(store: StoreState, ended: number): void {
  const how = ended & ~GROWN;
  const error = how === RETURNED ? undefined : store.thrown(how);
  if (how !== ended) store.checkViews();
  if (error !== undefined) throw error;
}

/** Puts the arguments of a call into the frame. */
export function putArguments(
  store: StoreState,
  { params, takesAnything }: Signature,
  args: unknown[],
  name: string | undefined,
): void {
  // Too few are an `undefined` that does not fit, unless it would.
  if (args.length > params.length || (takesAnything && args.length < params.length)) {
    throw new WasmError(
      `${name === undefined ? "the function" : quote(name)} takes ${params.length} arguments, ` +
        `got ${args.length}`,
      TypeMismatch,
    );
  }
  const misfits = writeValues(store, params, args);
  if (misfits >= 0) throw misfit(params, args, misfits, ofFunction(`argument ${misfits}`, name));
}

/** What a call returned, out of the frame. */
export function takeResults(store: StoreState, { results }: Signature): unknown {
  if (results.length === 0) return undefined;
  if (results.length === 1) return read(store, results[0], 0);
  return readValues(store, results);
}

function ofFunction(what: string, name: string | undefined): string {
  return name === undefined ? what : `${what} of ${quote(name)}`;
}
