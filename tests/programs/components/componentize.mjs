// Makes a component from a JavaScript file and its WIT: node componentize.mjs TEXT.js TEXT.wit WORLD OUTPUT
import { componentize } from "@bytecodealliance/componentize-js";
import { readFile, writeFile } from "node:fs/promises";

const [source, witPath, worldName, output] = process.argv.slice(2);
const { component } = await componentize(await readFile(source, "utf8"), { witPath, worldName });
await writeFile(output, component);
