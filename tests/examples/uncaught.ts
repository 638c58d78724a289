import { compile, instantiate } from "host:wasm";

// Comments and types are not in the generated JavaScript, so its line numbers differ from the lines of this file.
interface Guest {
  source: string;
}

const guest: Guest = {
  source: '(module (func (export "trap") unreachable))',
};

const instance = await instantiate(await compile(Deno.core.encode(guest.source)));

function trap(): void {
  instance.call("trap");
}

trap();
