// The bytes of a memory cannot be given away, as in browsers: see `src/bridge/transfer.rs`.

import {
  ArrayBufferPrototype,
  bootstrap,
  ObjectDefineProperties,
  ObjectDefineProperty,
  ObjectFreeze,
  ObjectGetOwnPropertyDescriptors,
  op_wasm_guard_transfer,
} from "./core.ts";

// Scripts find the methods in two places: with `ArrayBuffer` itself, and with the copies of builtins that
// deno_core took before anybody could change them.
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
