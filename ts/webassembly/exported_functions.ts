// Exported functions: the JavaScript functions that call functions of guests, with the conversions of the standard.

import { checkStatus, lastStatus } from "../call.ts";
import { writeNumber } from "../codec.ts";
import { MISFIT, RETURNED } from "../constants.ts";
import { TypeError } from "../core.ts";
import { hasJit } from "../func.ts";
import { toArray } from "../list.ts";
import {
  op_wasm_call,
  op_wasm_call_doubles,
  op_wasm_call_numbers,
  op_wasm_call_with_imports,
  op_wasm_func_number,
} from "../ops.ts";
import type { WasmFunction } from "../types.ts";
import { nameFunction } from "./properties.ts";
import { exportedFunctions } from "./standard_store.ts";
import type { StandardCallee, StandardStore } from "./standard_store.ts";
import type { FunctionType } from "./value_types.ts";
import { coerceAll, readAll, readStandard, writeAll } from "./values.ts";

/** Makes the exported function for the function with this handle. */
export function makeExportedFunction(
  store: StandardStore,
  handle: number,
  type: FunctionType,
  name: string,
): WasmFunction {
  const number = op_wasm_func_number(store.id, handle);
  const callee: StandardCallee = { store, handle, number, type, foreign: undefined };
  const func = callerOf(callee);
  nameFunction(func, name, type.params.length);
  exportedFunctions.set(func, callee);
  return func;
}

/** The JavaScript function that calls a function of a guest. */
function callerOf(callee: StandardCallee): WasmFunction {
  const { store, type: { params, results, isNumeric, isUnusable } } = callee;
  if (isUnusable) return (): never => refuseCall();
  if (store.hasLiveBindings) return (...args: unknown[]): unknown => callExported(callee, args);
  if (params.length <= 2) {
    if (isNumeric && !hasJit) return callerWithNumbers(callee);
    if (isNumeric && results.length === 1 && store.imports.length === 1) {
      return callerWithDoubles(callee);
    }
    if (hasJit) return callerWithFew(callee);
  }
  return (...args: unknown[]): unknown => callCoerced(callee, args);
}

/** Fails as a function that takes or returns values for which JavaScript has none. */
export function refuseCall(): never {
  throw new TypeError("the function takes or returns a value of a type that JavaScript has no values for");
}

/** Calls a function of numbers. The op checks that the arguments are numbers that need no conversion. */
function callerWithNumbers(callee: StandardCallee): WasmFunction {
  const { store: { imports }, number } = callee;
  switch (callee.type.params.length) {
    case 0:
      return (): unknown => {
        const result = op_wasm_call_numbers(number, imports, 0, 0);
        return result === result ? result : resultOf(callee, []);
      };
    case 1:
      return (first: unknown): unknown => {
        const result = op_wasm_call_numbers(number, imports, first, 0);
        return result === result ? result : resultOf(callee, [first]);
      };
    default:
      return (first: unknown, second: unknown): unknown => {
        const result = op_wasm_call_numbers(number, imports, first, second);
        return result === result ? result : resultOf(callee, [first, second]);
      };
  }
}

/** Calls a function of numbers in a store without imports. The op checks that the numbers need no conversion. */
function callerWithDoubles(callee: StandardCallee): WasmFunction {
  const { number } = callee;
  switch (callee.type.params.length) {
    case 0:
      return (): unknown => {
        const result = op_wasm_call_doubles(number, 0, 0);
        return result === result ? result : resultOf(callee, []);
      };
    case 1:
      return (first: unknown): unknown => {
        if (typeof first !== "number") return callCoerced(callee, [first]);
        const result = op_wasm_call_doubles(number, first, 0);
        return result === result ? result : resultOf(callee, [first]);
      };
    default:
      return (first: unknown, second: unknown): unknown => {
        if (typeof first !== "number" || typeof second !== "number") {
          return callCoerced(callee, [first, second]);
        }
        const result = op_wasm_call_doubles(number, first, second);
        return result === result ? result : resultOf(callee, [first, second]);
      };
  }
}

/** Calls a function after writing its arguments into the frame, one by one. */
function callerWithFew(callee: StandardCallee): WasmFunction {
  const { params } = callee.type;
  const kind1 = params[0]?.kind;
  const kind2 = params[1]?.kind;
  switch (params.length) {
    case 0:
      return (): unknown => callWritten(callee);
    case 1:
      return (first: unknown): unknown =>
        writeNumber(kind1, 0, first) ? callWritten(callee) : callCoerced(callee, [first]);
    default:
      return (first: unknown, second: unknown): unknown =>
        writeNumber(kind1, 0, first) && writeNumber(kind2, 1, second)
          ? callWritten(callee)
          : callCoerced(callee, [first, second]);
  }
}

/** The result of a call of numbers whose op returned NaN. */
function resultOf(callee: StandardCallee, args: unknown[]): unknown {
  const status = lastStatus(callee.store);
  if (status === MISFIT) return callCoerced(callee, args);
  if (status !== RETURNED) checkStatus(callee.store, status);
  return standardResults(callee);
}

/** Calls a function with these arguments, which are converted. */
function callCoerced(callee: StandardCallee, args: unknown[]): unknown {
  const { params } = callee.type;
  const given = args.length;
  // Most arguments are numbers that need no conversion.
  for (let i = 0; i < params.length; i++) {
    if (i >= given || !writeNumber(params[i].kind, i, args[i])) return callConverted(callee, args);
  }
  return callWritten(callee);
}

/** Calls a function with these arguments, which are converted. Live bindings then follow their globals. */
export function callExported(callee: StandardCallee, args: unknown[]): unknown {
  const { store } = callee;
  if (!store.hasLiveBindings) return callCoerced(callee, args);
  store.spendForLiveBindings();
  try {
    return callCoerced(callee, args);
  } finally {
    store.refreshLiveBindings();
  }
}

function callConverted(callee: StandardCallee, args: unknown[]): unknown {
  const { store, type: { params } } = callee;
  // All are converted before the first is written: a conversion can call other functions of guests.
  const coerced = coerceAll(params, args);
  writeAll(store, params, coerced);
  return callWritten(callee);
}

/** Calls a function with its arguments in the frame. */
function callWritten(callee: StandardCallee): unknown {
  const { store, number } = callee;
  const { imports } = store;
  // An op that cannot call imports is quicker.
  const status = imports.length === 1 ? op_wasm_call(number) : op_wasm_call_with_imports(number, imports);
  if (status !== RETURNED) checkStatus(store, status);
  return standardResults(callee);
}

/** The return value of a call, from the results in the frame. */
export function standardResults({ store, type: { results, hasObjects } }: StandardCallee): unknown {
  if (results.length === 0) return undefined;
  const result = results.length === 1 ? readStandard(store, results[0], 0) : toArray(readAll(store, results));
  if (hasObjects) store.relieveObjects();
  return result;
}
