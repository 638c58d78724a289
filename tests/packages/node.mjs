// Runs the programs of this folder on Node with Node's own `WebAssembly`, for comparison:
// node tests/packages/node.mjs [NAME…]

import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire, isBuiltin, register } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const root = `${folder}../../target/npm/`;
const require = createRequire(`${root}main.js`);

// `host:wasm` gives Node's own object, and the packages are those that the tests use.
const hooks = `
  export async function resolve(specifier, context, next) {
    if (specifier === "host:wasm") return { url: specifier, shortCircuit: true };
    const isPackage = !/^(\\.|\\/|[a-z]+:)/.test(specifier);
    if (isPackage && context.parentURL.startsWith(${JSON.stringify(pathToFileURL(folder).href)})) {
      return next(specifier, { ...context, parentURL: ${JSON.stringify(pathToFileURL(`${root}main.js`).href)} });
    }
    return next(specifier, context);
  }
  export async function load(url, context, next) {
    if (url !== "host:wasm") return next(url, context);
    const source = "export const createWebAssembly = () => globalThis.WebAssembly;";
    return { format: "module", source, shortCircuit: true };
  }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

globalThis.readFile = (path) => new Uint8Array(readFileSync(path));
globalThis.packageFile = (name) => {
  const file = `${root}node_modules/${name}`;
  return statSync(file, { throwIfNoEntry: false })?.isFile() ? file : require.resolve(name);
};
globalThis.nodeModule = (name) => isBuiltin(name) ? require(name) : undefined;
// A test has made the binaries.
globalThis.wat = (name) => readFile(`${root}${name}.wasm`);
// Glue for the web is given its files.
delete globalThis.fetch;

const helpers = ["commonjs.js", "host.js", "web.js"];
const all = readdirSync(folder).filter((file) => file.endsWith(".js") && !helpers.includes(file));
const names = process.argv.length > 2 ? process.argv.slice(2) : all.map((file) => file.slice(0, -3));
for (const name of names) {
  const start = performance.now();
  const { default: result } = await import(`./${name}.js`);
  const time = performance.now() - start;
  process.stdout.write(`${name}: ${time.toFixed(0)} ms ${JSON.stringify(result)}\n`);
}
process.exit();
