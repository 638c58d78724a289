// Objects that get connected after they were made.

// A table of JavaScript's, with functions of instances that are not connected.
const one = exportsOf(`(module (func (export "f") (result i32) (i32.const 1)))`);
const two = exportsOf(`(module (func (export "f") (result i32) (i32.const 2)))`);
const table = new W.Table({ element: "anyfunc", initial: 3 });
table.set(0, one.f);
table.set(1, two.f);
throws(TypeError, () => table.set(2, () => {}));
throws(RangeError, () => table.set(3, null));
const caller = `(module
  (import "env" "table" (table 3 funcref))
  (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
  (func (export "clear") (param i32) (table.set (local.get 0) (ref.null func)))
  (func (export "get") (param i32) (result funcref) (table.get (local.get 0))))`;
const first = exportsOf(caller, { env: { table } });
same([first.call(0), first.call(1)], [1, 2]);
identical(table.get(0), one.f);
identical(first.get(1), two.f);
same(throws(W.RuntimeError, () => first.call(2)).message, "uninitialized element");
// It works on: from both sides, and for a second instance.
const three = exportsOf(`(module (func (export "f") (result i32) (i32.const 3)))`);
table.set(2, three.f);
const second = exportsOf(caller, { env: { table } });
same([first.call(2), second.call(2), table.grow(2, one.f), second.call(4)], [3, 3, 3, 1]);
second.clear(0);
identical(table.get(0), null);
identical(table.get(4), one.f);

// A function of one store that another imports keeps its identity there.
const passing = exportsOf(`(module
  (import "env" "table" (table 3 funcref))
  (import "env" "f" (func $f (result i32)))
  (export "g" (func $f))
  (func (export "call") (result i32) (call $f)))`, { env: { table, f: two.f } });
identical(passing.g, two.f);
same(passing.call(), 2);
throws(W.LinkError, () => exportsOf(`(module (import "env" "f" (func (param i32))))`, { env: { f: two.f } }));

// A global of JavaScript's: a value until an instance imports it, and one variable then.
const counter = new W.Global({ value: "i32", mutable: true }, 5);
const counting = `(module (import "env" "n" (global $n (mut i32)))
  (func (export "up") (global.set $n (i32.add (global.get $n) (i32.const 1)))))`;
counter.value++;
const up1 = exportsOf(counting, { env: { n: counter } }).up;
up1();
const up2 = exportsOf(counting, { env: { n: counter } }).up;
up2();
counter.value += 10;
up1();
same(counter.value, 19);
// An immutable one can be in any number of stores, and is the same object in all of them.
const fixed = new W.Global({ value: "externref" }, counter);
const showing = `(module (import "env" "n" (global $n externref)) (export "n" (global $n)))`;
identical(exportsOf(showing, { env: { n: fixed } }).n, fixed);
identical(exportsOf(showing, { env: { n: fixed } }).n, fixed);
identical(exportsOf(showing, { env: { n: counter.value } }).n.value, 19);

// Memories that are made one after another can be imported together.
const [left, right] = [new W.Memory({ initial: 1 }), new W.Memory({ initial: 1 })];
const copy = exportsOf(`(module (import "env" "a" (memory $a 1)) (import "env" "b" (memory $b 1))
  (func (export "copy") (memory.copy $b $a (i32.const 0) (i32.const 0) (i32.const 8)))
  (export "b" (memory $b)))`, { env: { a: left, b: right } });
new Uint8Array(left.buffer)[3] = 42;
copy.copy();
same(new Uint8Array(right.buffer)[3], 42);
identical(copy.b, right);

// What cannot be: one instance that connects a memory and a table, which other instances use already.
const own = exportsOf(`(module (memory (export "memory") 1))`);
const error = throws(W.LinkError, () => exportsOf(`(module (import "env" "memory" (memory 1)) (import "env" "table" (table 3 funcref)))`, { env: { memory: own.memory, table } }));
same([error.code, /import "env"."table" needs a table: it is connected with other instances/.test(error.message)], [5001, true], error.message);

// An instantiation that fails leaves the functions alone that it has connected.
const good = `(import "m" "a" (func $a (result i32)))`;
throws(W.LinkError, () => exportsOf(`(module ${good} (import "m" "b" (func (result i32))) (import "m" "c" (func (param i64))))`, { m: { a: one.f, b: two.f, c: one.f } }));
exportsOf(`(module ${good} (import "m" "j" (func $j (result i32))) (func (export "j") (result i32) (call $j)))`, { m: { a: one.f, j: () => 42 } });
const after = exportsOf(`(module ${good} (import "m" "b" (func $b (result i32))) (export "b" (func $b)) (func (export "call") (result i32) (call $b)))`, { m: { a: one.f, b: two.f } });
same(after.call(), 2);
identical(after.b, two.f);
