import { compile, instantiate, WasmError } from "host:wasm";

// The guest: bytes of the binary format, or of the text format as here.
const guest = Deno.core.encode(`(module
  (import "app" "log" (func $log (param i32)))
  (func (export "add") (param i32 i32) (result i32)
    (call $log (local.get 0))
    (i32.add (local.get 0) (local.get 1)))
  (func (export "spin") (loop $again (br $again))))`);

const log = (value: unknown) => Deno.core.print(`${value}\n`);

const module = await compile(guest);
const limits = { fuel: 1_000_000, timeoutMs: 100, maxMemoryBytes: 1 << 20 };
const instance = await instantiate(module, { app: { log } }, limits);
log(instance.call("add", [1, 2]));
try {
  instance.call("spin");
} catch (error) {
  if (error instanceof WasmError) log(`${error.code} ${error.kind}: ${error.message}`);
}
