// An instantiation is a task of its own: the event loop does its other work between two of them.
const empty = module("(module)");
let turned = false;
Deno.core.ops.op_wasm_yield_now().then(() => { turned = true; });
for (let i = 0; i < 10; i++) await W.instantiate(empty);
same(turned, true);
// The imports are read before that.
const imports = { m: { f() {} } };
const pending = W.instantiate(module(`(module (import "m" "f" (func)))`), imports);
delete imports.m;
same(Object.keys((await pending).exports), []);
