// A Forge app: its manifest says which plugins it may load, and which folders it may give them.

import { compileFile, instantiate, WasmError } from "runtime:wasm";

const { print } = Deno.core;

const plugin = await compileFile("plugins/count.wat");
const instance = await instantiate(plugin, {}, {
  wasi: { preopens: { "/data": { path: "data", readonly: true } } },
});

/** How many bytes a file of the granted folder has; negative: why it cannot be read. */
function count(name: string): number {
  const bytes = Deno.core.encode(name);
  instance.writeMemory(0, bytes);
  return instance.call("count", [bytes.length]) as number;
}

print(`note.txt has ${count("note.txt")} bytes\n`);
print(`../manifest.app.toml: error ${-count("../manifest.app.toml")}\n`);

try {
  await compileFile("src/main.ts");
} catch (error) {
  if (!(error instanceof WasmError)) throw error;
  print(`${error.code}: ${error.message}\n`);
}
