// The global `WebAssembly`, if the host wants the fenced one there.

import { ObjectDefineProperty } from "../core.ts";
import { op_wasm_installs_global } from "../ops.ts";
import { hostNamespace } from "./host_namespace.ts";

if (op_wasm_installs_global()) {
  ObjectDefineProperty(globalThis, "WebAssembly", {
    __proto__: null,
    value: hostNamespace().object,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}
