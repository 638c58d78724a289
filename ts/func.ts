// The JavaScript functions that call functions of guests.

import { call, callFrame, checkStatus, lastStatus, readResults, wrongCount } from "./call.ts";
import { writeNumber } from "./codec.ts";
import { MISFIT, RETURNED } from "./constants.ts";
import type { WasmError } from "./errors.ts";
import { op_wasm_call_doubles, op_wasm_call_numbers, op_wasm_has_jit } from "./ops.ts";
import { setFunctionMaker } from "./store_state.ts";
import type { Callee } from "./store_state.ts";
import type { WasmFunction } from "./types.ts";

/** Whether the engine compiles functions that are called often. Then a check here takes next to no time. */
export const hasJit: boolean = op_wasm_has_jit();

/** The JavaScript function that calls a function of a guest. */
function functionOf(callee: Callee): WasmFunction {
  const { params, results, isNumeric, takesUndefined } = callee.signature;
  // For one or two arguments, an array and a loop over it would cost as much as the rest of the call. Where `undefined`
  // fits, only an array shows whether an argument is missing.
  if (params.length <= 2 && !takesUndefined) {
    if (isNumeric && !hasJit) return ofNumbers(callee);
    if (isNumeric && results.length === 1 && callee.store.imports.length === 1) {
      return ofDoubles(callee);
    }
    if (hasJit) return ofFew(callee);
  }
  return (...args: unknown[]): unknown => call(callee, args);
}

/**
 * A function that calls a function of a guest with as many arguments as it has parameters, which the caller has
 * checked. There are at most two.
 */
export function checkedFunctionOf(callee: Callee, func: WasmFunction): WasmFunction {
  const { store: { imports }, number, signature: { params, isNumeric } } = callee;
  // A compiling engine makes nothing of the array for more arguments, which an interpreter makes for each call.
  if (hasJit || !isNumeric || params.length > 2) return func;
  switch (params.length) {
    case 0:
      return (): unknown => {
        const result = op_wasm_call_numbers(number, imports, 0, 0);
        return result === result ? result : resultByStatus(callee, []);
      };
    case 1:
      return (first: unknown): unknown => {
        const result = op_wasm_call_numbers(number, imports, first, 0);
        return result === result ? result : resultByStatus(callee, [first]);
      };
    default:
      return (first: unknown, second: unknown): unknown => {
        const result = op_wasm_call_numbers(number, imports, first, second);
        return result === result ? result : resultByStatus(callee, [first, second]);
      };
  }
}

/** Calls a function of numbers. The op checks that the arguments are numbers. */
function ofNumbers(callee: Callee): WasmFunction {
  const { store: { imports }, number } = callee;
  switch (callee.signature.params.length) {
    case 0:
      return (...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        const result = op_wasm_call_numbers(number, imports, 0, 0);
        return result === result ? result : resultByStatus(callee, []);
      };
    case 1:
      return (first: unknown, ...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        const result = op_wasm_call_numbers(number, imports, first, 0);
        return result === result ? result : resultByStatus(callee, [first]);
      };
    default:
      return (first: unknown, second: unknown, ...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        const result = op_wasm_call_numbers(number, imports, first, second);
        return result === result ? result : resultByStatus(callee, [first, second]);
      };
  }
}

/** Calls a function of numbers in a store without imports. The op checks that the numbers fit. */
function ofDoubles(callee: Callee): WasmFunction {
  const { number } = callee;
  switch (callee.signature.params.length) {
    case 0:
      return (...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        const result = op_wasm_call_doubles(number, 0, 0);
        return result === result ? result : resultByStatus(callee, []);
      };
    case 1:
      return (first: unknown, ...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        if (typeof first !== "number") return call(callee, [first]);
        const result = op_wasm_call_doubles(number, first, 0);
        return result === result ? result : resultByStatus(callee, [first]);
      };
    default:
      return (first: unknown, second: unknown, ...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        if (typeof first !== "number" || typeof second !== "number") {
          return call(callee, [first, second]);
        }
        const result = op_wasm_call_doubles(number, first, second);
        return result === result ? result : resultByStatus(callee, [first, second]);
      };
  }
}

/** Calls a function after writing its arguments into the frame, one by one. */
function ofFew(callee: Callee): WasmFunction {
  const { params } = callee.signature;
  const kind1 = params[0]?.kind;
  const kind2 = params[1]?.kind;
  switch (params.length) {
    case 0:
      return (...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        return callFrame(callee);
      };
    case 1:
      return (first: unknown, ...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        return writeNumber(kind1, 0, first) ? callFrame(callee) : call(callee, [first]);
      };
    default:
      return (first: unknown, second: unknown, ...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        return writeNumber(kind1, 0, first) && writeNumber(kind2, 1, second)
          ? callFrame(callee)
          : call(callee, [first, second]);
      };
  }
}

/** The error for more arguments than the function takes. */
function tooMany({ signature: { params }, name }: Callee, more: unknown[]): WasmError {
  return wrongCount(params.length, params.length + more.length, name);
}

/** The result of a call of numbers whose op returned NaN. */
function resultByStatus(callee: Callee, args: unknown[]): unknown {
  const status = lastStatus(callee.store);
  // Calls the function another way, or finds out which argument does not fit.
  if (status === MISFIT) return call(callee, args);
  if (status !== RETURNED) checkStatus(callee.store, status);
  return readResults(callee.store, callee.signature);
}

setFunctionMaker(functionOf);
