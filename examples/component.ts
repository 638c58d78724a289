// A component with a resource, a list of records and an import, in the text format:
//
//     cargo run --example embed examples/component.ts
//
// Toolchains make such components from a program and its WIT, which here is
//
//     import log: func(line: string);
//     record item { name: string, count: u32 }
//     resource stock {
//       constructor(capacity: u32);
//       add: func(item: item) -> result<u32, string>;
//       items: func() -> list<item>;
//     }
import { compileComponent, ComponentError, instantiateComponent, WasmError } from "host:wasm";

const source = `(component
  (import "log" (func $log (param "line" string)))
  (core module $lib
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $lib (instantiate $lib))
  (alias core export $lib "memory" (core memory $memory))
  (alias core export $lib "realloc" (core func $realloc))
  (core func $log (canon lower (func $log) (memory $memory)))
  (type $stock' (resource (rep i32)))
  (core func $new (canon resource.new $stock'))

  ;; A stock is at an address: its capacity, the number of its items, and 12 bytes for each item.
  (core module $main
    (import "" "memory" (memory 1))
    (import "" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
    (import "" "log" (func $log (param i32 i32)))
    (import "" "new" (func $new (param i32) (result i32)))
    (data (i32.const 64) "the stock is full")
    (func (export "make") (param $capacity i32) (result i32) (local $at i32)
      (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 4)
        (i32.add (i32.const 8) (i32.mul (i32.const 12) (local.get $capacity)))))
      (i32.store (local.get $at) (local.get $capacity))
      (call $new (local.get $at)))
    (func (export "add") (param $stock i32) (param $name i32) (param $length i32) (param $count i32) (result i32)
      (local $used i32) (local $item i32)
      (local.set $used (i32.load offset=4 (local.get $stock)))
      (if (i32.eq (local.get $used) (i32.load (local.get $stock)))
        (then
          (i32.store8 (i32.const 16) (i32.const 1))
          (i32.store (i32.const 20) (i32.const 64))
          (i32.store (i32.const 24) (i32.const 17))
          (return (i32.const 16))))
      (call $log (local.get $name) (local.get $length))
      (local.set $item (i32.add (local.get $stock) (i32.mul (i32.const 12) (local.get $used))))
      (i32.store offset=8 (local.get $item) (local.get $name))
      (i32.store offset=12 (local.get $item) (local.get $length))
      (i32.store offset=16 (local.get $item) (local.get $count))
      (i32.store offset=4 (local.get $stock) (i32.add (local.get $used) (i32.const 1)))
      (i32.store8 (i32.const 16) (i32.const 0))
      (i32.store (i32.const 20) (i32.load offset=4 (local.get $stock)))
      (i32.const 16))
    (func (export "items") (param $stock i32) (result i32)
      (i32.store (i32.const 16) (i32.add (local.get $stock) (i32.const 8)))
      (i32.store (i32.const 20) (i32.load offset=4 (local.get $stock)))
      (i32.const 16)))
  (core instance $main (instantiate $main (with "" (instance
    (export "memory" (memory $memory)) (export "realloc" (func $realloc))
    (export "log" (func $log)) (export "new" (func $new))))))

  (type $item' (record (field "name" string) (field "count" u32)))
  (export $item "item" (type $item'))
  (export $stock "stock" (type $stock'))
  (func (export "[constructor]stock") (param "capacity" u32) (result (own $stock))
    (canon lift (core func $main "make")))
  (func (export "[method]stock.add") (param "self" (borrow $stock)) (param "item" $item) (result (result u32 (error string)))
    (canon lift (core func $main "add") (memory $memory) (realloc $realloc)))
  (func (export "[method]stock.items") (param "self" (borrow $stock)) (result (list $item))
    (canon lift (core func $main "items") (memory $memory))))`;

const component = await compileComponent(Deno.core.encode(source));
const instance = await instantiateComponent(component, {
  log: (line: string) => console.log(`added: ${line}`),
}, { fuel: 1_000_000, timeoutMs: 1_000, maxMemoryBytes: 1 << 20 });
const { Stock } = instance.exports;

const stock = new Stock(2);
stock.add({ name: "apples", count: 3 });
stock.add({ name: "pears", count: 4 });
console.log(JSON.stringify(stock.items()));

try {
  stock.add({ name: "plums", count: 5 });
} catch (error) {
  if (error instanceof ComponentError) console.log(`err: ${error.payload}`);
}

// A value that does not fit never reaches the component.
try {
  stock.add({ name: "plums", count: -1 });
} catch (error) {
  if (error instanceof WasmError) console.log(`${error.code}: ${error.message}`);
}

stock[Symbol.dispose]();
try {
  stock.items();
} catch (error) {
  if (error instanceof WasmError) console.log(`${error.code}: ${error.message}`);
}
