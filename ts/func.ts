// The JavaScript functions that call functions of guests.

import { call, callFrame, endedHow, endedOddly, takeResults, wrongCount } from "./call.ts";
import type { Callee } from "./call.ts";
import { writePlain } from "./codec.ts";
import { op_wasm_call_doubles, op_wasm_call_numbers, op_wasm_compiles } from "./core.ts";
import type { WasmError } from "./errors.ts";
import { MISFIT, RETURNED } from "./outcome.ts";
import type { WasmFunction } from "./types.ts";

/** Whether the engine compiles what is called often: then a check here takes next to no time. */
const compiles = op_wasm_compiles();

/** The JavaScript function that calls a guest's. */
export function functionOf(callee: Callee): WasmFunction {
  const { params, results, numbers, takesAnything } = callee.signature;
  // With few parameters, an array of arguments and a loop over it would cost as much again as the call.
  // Only an array tells a missing argument from an `undefined` that is meant.
  if (params.length <= 2 && !takesAnything) {
    if (numbers && !compiles) return ofNumbers(callee);
    if (numbers && results.length === 1 && callee.store.imports.length === 1) {
      return ofDoubles(callee);
    }
    if (compiles) return ofFew(callee);
  }
  return (...args: unknown[]): unknown => call(callee, args);
}

/** Calls a function of numbers, of which the op finds out whether they fit. */
function ofNumbers(callee: Callee): WasmFunction {
  const { store: { imports }, number } = callee;
  switch (callee.signature.params.length) {
    case 0:
      return (...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        const result = op_wasm_call_numbers(number, imports, 0, 0);
        return result === result ? result : told(callee, []);
      };
    case 1:
      return (first: unknown, ...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        const result = op_wasm_call_numbers(number, imports, first, 0);
        return result === result ? result : told(callee, [first]);
      };
    default:
      return (first: unknown, second: unknown, ...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        const result = op_wasm_call_numbers(number, imports, first, second);
        return result === result ? result : told(callee, [first, second]);
      };
  }
}

/** Calls a function of numbers, of which the op finds out whether they fit, without imports. */
function ofDoubles(callee: Callee): WasmFunction {
  const { number } = callee;
  switch (callee.signature.params.length) {
    case 0:
      return (...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        const result = op_wasm_call_doubles(number, 0, 0);
        return result === result ? result : told(callee, []);
      };
    case 1:
      return (first: unknown, ...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        if (typeof first !== "number") return call(callee, [first]);
        const result = op_wasm_call_doubles(number, first, 0);
        return result === result ? result : told(callee, [first]);
      };
    default:
      return (first: unknown, second: unknown, ...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        if (typeof first !== "number" || typeof second !== "number") {
          return call(callee, [first, second]);
        }
        const result = op_wasm_call_doubles(number, first, second);
        return result === result ? result : told(callee, [first, second]);
      };
  }
}

/** Calls a function after putting its arguments into the frame, one by one. */
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
        return writePlain(kind1, 0, first) ? callFrame(callee) : call(callee, [first]);
      };
    default:
      return (first: unknown, second: unknown, ...more: unknown[]): unknown => {
        if (more.length !== 0) throw tooMany(callee, more);
        return writePlain(kind1, 0, first) && writePlain(kind2, 1, second)
          ? callFrame(callee)
          : call(callee, [first, second]);
      };
  }
}

/** The error for arguments that are followed by more than the function takes. */
function tooMany({ signature: { params }, name }: Callee, more: unknown[]): WasmError {
  return wrongCount(params.length, params.length + more.length, name);
}

/** What a call with numbers came to, as it was told. */
function told(callee: Callee, args: unknown[]): unknown {
  const ended = endedHow(callee.store);
  // To find out what is wrong, or to do what the op cannot.
  if (ended === MISFIT) return call(callee, args);
  if (ended !== RETURNED) endedOddly(callee.store, ended);
  return takeResults(callee.store, callee.signature);
}
