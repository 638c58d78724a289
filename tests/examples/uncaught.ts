import { compile, instantiate } from "host:wasm";

// Neither comments nor types are in the JavaScript, so its lines are not these.
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
