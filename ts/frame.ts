// The call frame: 1000 slots of 16 bytes, for the arguments and the results of calls.

import {
  BigInt64Array,
  Float32Array,
  Float64Array,
  Int32Array,
  Uint32Array,
  Uint8Array,
} from "./core.ts";
import { op_wasm_call_frame } from "./ops.ts";

const frame = op_wasm_call_frame();
export const frame8 = new Uint8Array(frame);
export const frame32 = new Int32Array(frame);
export const frameU32 = new Uint32Array(frame);
export const frame64 = new BigInt64Array(frame);
export const frameF32 = new Float32Array(frame);
export const frameF64 = new Float64Array(frame);
