// A Forge app. Its manifest lists the plugins that it may load, and the folders that it may preopen for them.

import { compileFile, instantiate, WasmError } from "runtime:wasm";

const { print } = Deno.core;

const plugin = await compileFile("plugins/count.wat");
const instance = await instantiate(plugin, {}, {
  wasi: { preopens: { "/data": { path: "data", readonly: true } } },
});

/** The number of bytes in a file of the granted folder, or minus the error number. */
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
