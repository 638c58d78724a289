// Guards that keep scripts from transferring the bytes of a memory: see `src/bridge/transfer.rs`.

import {
  ArrayBufferPrototype,
  bootstrap,
  ObjectDefineProperties,
  ObjectDefineProperty,
  ObjectFreeze,
  ObjectGetOwnPropertyDescriptors,
} from "./core.ts";
import { op_wasm_guard_transfer } from "./ops.ts";

// Scripts find the methods in two places: in `ArrayBuffer.prototype`, and among the primordials of deno_core.
const copies = ObjectGetOwnPropertyDescriptors(bootstrap.primordials);
const methods = {
  __proto__: null,
  transfer: "ArrayBufferPrototypeTransfer",
  transferToFixedLength: "ArrayBufferPrototypeTransferToFixedLength",
  transferToImmutable: "ArrayBufferPrototypeTransferToImmutable",
};
for (const name in methods) {
  const transfer = ArrayBufferPrototype[name];
  if (transfer === undefined) continue;
  const guarded = op_wasm_guard_transfer(transfer, false);
  ObjectDefineProperty(guarded, "name", { __proto__: null, value: name, configurable: true });
  ObjectDefineProperty(ArrayBufferPrototype, name, {
    __proto__: null,
    value: guarded,
    writable: true,
    configurable: true,
  });
  const copy = copies[methods[name]];
  if (copy !== undefined) copy.value = op_wasm_guard_transfer(copy.value, true);
}
bootstrap.primordials = ObjectFreeze(ObjectDefineProperties({ __proto__: null }, copies));
