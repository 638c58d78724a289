import {
  BigInt64Array,
  Float32Array,
  Float64Array,
  Int32Array,
  op_wasm_bind,
  Uint32Array,
  Uint8Array,
} from "./core.ts";
import { dispatch } from "./host_import.ts";

// The call frame: 1000 slots of 16 bytes for arguments and results.
const frame = op_wasm_bind(dispatch);
export const frame8 = new Uint8Array(frame);
export const frame32 = new Int32Array(frame);
export const frameU32 = new Uint32Array(frame);
export const frame64 = new BigInt64Array(frame);
export const frameF32 = new Float32Array(frame);
export const frameF64 = new Float64Array(frame);

// The kinds of references in a slot's second 32 bits; the first are a number.
export const NULL = 0;
export const HOST = 1;
export const FUNC = 2;
export const OBJECT = 3;
