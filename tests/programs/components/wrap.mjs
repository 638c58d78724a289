// Makes a component from a module of WASI preview 1: node wrap.mjs MODULE command|reactor OUTPUT [WIT WORLD]
import {
  componentEmbed, componentNew, preview1AdapterCommandPath, preview1AdapterReactorPath,
} from "@bytecodealliance/jco";
import { readFile, writeFile } from "node:fs/promises";

const [source, kind, output, wit, world] = process.argv.slice(2);
const adapter = await readFile(kind === "command" ? preview1AdapterCommandPath() : preview1AdapterReactorPath());
let module = await readFile(source);
if (wit !== undefined) {
  // The text and not the path: `jco embed` 1.35.0 does not find the file.
  module = await componentEmbed({ binary: module, witSource: await readFile(wit, "utf8"), world });
}
await writeFile(output, await componentNew(module, [["wasi_snapshot_preview1", adapter]]));
