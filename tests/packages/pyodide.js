// Python: Emscripten's build of CPython, with dynamic linking and exceptions. A program of Python's that never returns
// is stopped by its fuel.

import { createWebAssembly } from "host:wasm";

globalThis.WebAssembly = createWebAssembly({ maxMemoryBytes: 1 << 30, fuel: 25_000_000_000 });
const isNode = typeof process !== "undefined";
const folder = packageFile("pyodide/package.json").replace("package.json", "");
if (!isNode) {
  // The package looks for Deno, for Node and for browsers. This is a worker of a browser.
  delete globalThis.Deno;
  globalThis.self = globalThis;
  globalThis.location = new URL("file:///worker.js");
  globalThis.WorkerGlobalScope = class {
    static [Symbol.hasInstance](value) {
      return value === globalThis;
    }
  };
}
// Python's event loop starts its tasks by timers without a delay.
globalThis.setTimeout ??= (task) => {
  Promise.resolve().then(() => task());
};
const { loadPyodide } = await import("pyodide/pyodide.mjs");
const printed = [];
const python = await loadPyodide({
  indexURL: isNode ? folder : `file://${folder}`,
  // Without this, `import js` gives Python all of JavaScript.
  jsglobals: { answer: 42 },
  stdout: (line) => printed.push(line),
});

const caught = (code) => {
  try {
    return python.runPython(code);
  } catch (error) {
    const { name, code, message } = error;
    return [name, code, message.trim().split("\n").pop()];
  }
};
python.globals.set("double", (x) => 2 * x);
const result = caught(`
import hashlib, json, re, sys
print("Python", sys.version_info[:2], "✓")
squares = {n: n * n for n in range(4)}
json.dumps([squares, double(21), hashlib.sha256(b"x").hexdigest()[:8], re.sub("a+", "b", "caat"), str(2 ** 100)])
`);

// Python waits for promises of JavaScript: JavaScript Promise Integration, which Node 20 does not have.
python.globals.set("later", (x) => new Promise((resolve) => resolve(x + 1)));
const waited = isNode ? undefined : await python.runPythonAsync(`
from pyodide.ffi import can_run_sync, run_sync
json.dumps([can_run_sync(), run_sync(later(41)), [run_sync(later(i)) for i in range(5)]])
`);

export default {
  waited: waited && JSON.parse(waited),
  result: JSON.parse(result),
  printed,
  raised: caught("1 / 0"),
  js: caught("import js; js.answer"),
  noFetch: caught("import js; js.fetch"),
  endless: isNode ? undefined : caught("while True: pass").slice(0, 2),
};
