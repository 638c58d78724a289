import { codec, EXTERN_REF, F32, F64, I32 } from "./codec.ts";
import type { Codec } from "./codec.ts";
import { append, list } from "./list.ts";

/** The type of a function, prepared for calls. */
export interface Signature {
  params: Codec[];
  results: Codec[];
  /** Whether the parameters are numbers of JavaScript's, and the results are at most one such number. */
  isNumeric: boolean;
  /** Whether `undefined` fits a parameter, so that a missing argument would not be noticed by its value. */
  takesUndefined: boolean;
}

/** The signature of a type, whose value types are written as in the text format. */
export function signatureOf(type: { params: string[]; results: string[] }): Signature {
  const params = codecsOf(type.params);
  const results = codecsOf(type.results);
  let isNumeric = results.length === 0 || (results.length === 1 && isNumber(results[0]));
  let takesUndefined = false;
  for (let i = 0; i < params.length; i++) {
    isNumeric &&= isNumber(params[i]);
    takesUndefined ||= params[i].kind === EXTERN_REF;
  }
  return { params, results, isNumeric, takesUndefined };
}

/** Whether all values of the type are JavaScript numbers. */
function isNumber({ kind }: Codec): boolean {
  return kind === I32 || kind === F32 || kind === F64;
}

function codecsOf(types: string[]): Codec[] {
  const codecs = list<Codec>();
  for (let i = 0; i < types.length; i++) append(codecs, codec(types[i]));
  return codecs;
}
