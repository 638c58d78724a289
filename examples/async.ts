// Guests that run beside the event loop, call back, and are stopped:
//
//     cargo run --example embed examples/async.ts
import { compile, instantiate, WasmError } from "host:wasm";

const program = `(module
  (import "shop" "price" (func $price (param i32) (result f64)))
  (func (export "total") (param $items i32) (result f64) (local $sum f64)
    (loop $more
      (local.set $sum (f64.add (local.get $sum) (call $price (local.get $items))))
      (br_if $more (local.tee $items (i32.sub (local.get $items) (i32.const 1)))))
    (local.get $sum))
  (func (export "forever") (loop $again (br $again))))`;

/** An example of a slow function, such as a query to a database. */
async function price(item: number): Promise<number> {
  await Promise.resolve();
  return item * 1.5;
}

const module = await compile(Deno.core.encode(program));
const open = () => instantiate(module, { shop: { price } }, { interruptible: true });

// The guest waits for each promise; two guests run at the same time.
const [a, b] = [await open(), await open()];
console.log(await Promise.all([a.callAsync("total", [3]), b.callAsync("total", [1000])]));

try {
  await a.callAsync("forever", [], { timeoutMs: 20 });
} catch (error) {
  if (error instanceof WasmError) console.log(`${error.code}: ${error.message}`);
}

// A call on a busy store is an error. An instance can be used again after its call was stopped.
const busy = a.callAsync("total", [5]);
try {
  a.call("total", [1]);
} catch (error) {
  if (error instanceof WasmError) console.log(`${error.code}: ${error.message}`);
}
console.log(await busy);
