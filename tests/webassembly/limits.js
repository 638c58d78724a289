// The limits hold for all that is made through one namespace object, together.
const spin = `(module (func (export "spin") (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`;
const metered = namespace({ fuel: 1_000_000 });
let spent = 0;
const error = throws(metered.RuntimeError, () => {
  for (;;) {
    exportsOf(spin, undefined, metered).spin(10_000);
    spent++;
  }
});
same([error.code, spent > 5 && spent < 40], [5006, true], `${error} after ${spent}`);
// Another namespace object has a budget of its own.
exportsOf(spin, undefined, namespace({ fuel: 1_000_000 })).spin(10_000);

// A guest that calls a guest of another store has no second budget.
const nested = namespace({ fuel: 1_000_000 });
const { spin: inside } = exportsOf(spin, undefined, nested);
const outside = exportsOf(`(module (import "env" "f" (func $f (param i32)))
  (func (export "f") (loop (call $f (i32.const 1000)) (br 0))))`, { env: { f: (n) => inside(n) } }, nested);
same(throws(nested.RuntimeError, () => outside.f()).code, 5006);

const small = namespace({ maxMemoryBytes: 10 * 65536 });
const memories = [new small.Memory({ initial: 4 }), new small.Memory({ initial: 4 })];
throws(RangeError, () => new small.Memory({ initial: 4 }));
throws(RangeError, () => memories[0].grow(3));
same(memories[0].grow(1), 4);
same(throws(small.LinkError, () => exportsOf(`(module (memory 4))`, undefined, small)).code, 5001);
exportsOf(`(module (memory 1))`, undefined, small);

const timed = namespace({ timeoutMs: 50 });
same(throws(timed.RuntimeError, () => exportsOf(`(module (func (export "f") (loop (br 0))))`, undefined, timed).f()).message, "interrupt");
// No import keeps a call from its deadline by a call of another instance.
const endless = exportsOf(`(module (func (export "f") (loop (br 0))))`, undefined, timed);
const patient = exportsOf(`(module (import "env" "f" (func $f)) (func (export "f") (loop (call $f) (br 0))))`, {
  env: { f() { try { endless.f(); } catch { /* The outer call ends all the same. */ } } },
}, timed);
throws(timed.RuntimeError, () => patient.f());

// Builtin functions have the same budget as the guests that call them.
const strings = namespace({ fuel: 1_000_000 });
const copying = new strings.Instance(new strings.Module(binary(`(module
  (type $units (array (mut i16)))
  (import "wasm:js-string" "fromCharCodeArray" (func $from (param (ref null $units) i32 i32) (result (ref extern))))
  (func (export "f") (local $units (ref $units))
    (local.set $units (array.new_default $units (i32.const 10000)))
    (block $caught (try_table (catch_all $caught)
      (loop (drop (call $from (local.get $units) (i32.const 0) (i32.const 10000))) (br 0))))))`), { builtins: ["js-string"] })).exports;
same(throws(strings.RuntimeError, () => copying.f()).code, 5006);

// Strings that builtin functions make count against the cap on memory, and their length costs fuel.
const bomb = `(module
  (import "wasm:js-string" "concat" (func $concat (param externref externref) (result (ref extern))))
  (import "wasm:js-string" "compare" (func $compare (param externref externref) (result i32)))
  (table $kept 1000 externref)
  (func (export "grow") (param $n i32) (param $s externref)
    (loop
      (local.set $s (call $concat (local.get $s) (local.get $s)))
      (table.set $kept (local.get $n) (local.get $s))
      (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "drop") (param $n i32) (param $s externref)
    (loop
      (drop (call $concat (local.get $s) (local.get $s)))
      (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "compare") (param externref) (loop (drop (call $compare (local.get 0) (local.get 0))) (br 0))))`;
const capped = namespace({ maxMemoryBytes: 1 << 20 });
const growing = new capped.Instance(new capped.Module(binary(bomb), { builtins: ["js-string"] })).exports;
same(/strings/.test(throws(capped.RuntimeError, () => growing.grow(100, "text")).message), true);
// Strings that no guest holds any more do not count.
const roomy = namespace({ maxMemoryBytes: 1 << 20 });
new roomy.Instance(new roomy.Module(binary(bomb), { builtins: ["js-string"] })).exports.drop(2000, "x".repeat(1_000));
const costly = namespace({ fuel: 1_000_000 });
const comparing = new costly.Instance(new costly.Module(binary(bomb), { builtins: ["js-string"] })).exports;
same(throws(costly.RuntimeError, () => comparing.compare("x".repeat(1_000_000))).code, 5006);

// The native stack ends with a RangeError, and all goes on.
const deep = exportsOf(`(module (func $f (export "f") (call $f)))`);
throws(RangeError, () => deep.f());
const mutual = exportsOf(`(module (import "env" "f" (func $f)) (func (export "f") (call $f)))`, { env: { f: () => mutual.f() } });
throws(RangeError, () => mutual.f());
same(exportsOf(`(module (func (export "f") (result i32) (i32.const 1)))`).f(), 1);
