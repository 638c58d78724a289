// The global `WebAssembly`, if the host wants the fenced one there.

import { ObjectDefineProperty } from "../core.ts";
import { op_wasm_installs_global } from "../ops.ts";
import { createWebAssembly } from "./namespace.ts";

if (op_wasm_installs_global()) {
  ObjectDefineProperty(globalThis, "WebAssembly", {
    __proto__: null,
    value: createWebAssembly(),
    writable: true,
    enumerable: false,
    configurable: true,
  });
}
