// A package made for browsers, with its glue as it is: `cargo run -- src/greet.ts`.

import source module from "./greet.wasm";
import { greet, initSync } from "./greet_glue.js";

initSync(module);
Deno.core.print(`${greet("Wörld 👋")}\n`);
try {
  greet("");
} catch (error) {
  Deno.core.print(`${error}\n`);
}
