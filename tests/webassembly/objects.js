// Structs and arrays keep their identity, and cannot be changed.
const { make, get, echo, i31 } = exportsOf(`(module
  (type $s (struct (field (mut i32))))
  (func (export "make") (param i32) (result (ref $s)) (struct.new $s (local.get 0)))
  (func (export "get") (param (ref null $s)) (result i32) (struct.get $s 0 (local.get 0)))
  (func (export "echo") (param anyref) (result anyref) (local.get 0))
  (func (export "i31") (param i31ref) (result i31ref) (local.get 0)))`);
const [a, b] = [make(1), make(1)];
identical(echo(a), a);
same([a === b, get(a), get(b), Object.getPrototypeOf(a), Object.isExtensible(a)], [false, 1, 1, null, false]);
for (const change of [() => { a.x = 1; }, () => Object.freeze(a), () => Object.setPrototypeOf(a, {})]) throws(TypeError, change);
for (const wrong of [{}, 5, "text", echo]) throws(TypeError, () => get(wrong), show(wrong));
throws(W.RuntimeError, () => get(null));
// Numbers that an i31 can hold are i31s; other values are themselves.
same([5, -(2 ** 30), 2 ** 30 - 1].map((x) => i31(x)), [5, -(2 ** 30), 2 ** 30 - 1]);
for (const wrong of [2 ** 30, 0.5, "5", -0]) throws(TypeError, () => i31(wrong));
{
  // As an externref, too, which a guest can convert.
  const { is31, back } = exportsOf(`(module
    (func (export "is31") (param externref) (result i32) (ref.test (ref i31) (any.convert_extern (local.get 0))))
    (func (export "back") (param externref) (result externref) (extern.convert_any (any.convert_extern (local.get 0)))))`);
  const numbers = [5, 0, -(2 ** 30), 2 ** 30 - 1, 2 ** 30, -0, 0.5, NaN];
  same(numbers.map(is31), [1, 1, 1, 1, 0, 0, 0, 0]);
  same(numbers.map(back), numbers);
  const global = new W.Global({ value: "externref", mutable: true }, 7);
  const table = new W.Table({ element: "externref", initial: 2 }, 8);
  const { get, element } = exportsOf(`(module (import "m" "g" (global (mut externref))) (import "m" "t" (table 2 externref))
    (func (export "get") (result i32) (ref.test (ref i31) (any.convert_extern (global.get 0))))
    (func (export "element") (result i32) (ref.test (ref i31) (any.convert_extern (table.get 0 (i32.const 1))))))`, { m: { g: global, t: table } });
  same([get(), element(), global.value, table.get(0)], [1, 1, 7, 8]);
}
const object = {};
for (const value of [2 ** 30, 0.5, "text", object, 7, null, undefined, echo]) identical(echo(value), value);
// Of another instance, too: instances whose exports have such types share a store.
const other = exportsOf(`(module (type $s (struct (field (mut i32))))
  (func (export "get") (param (ref null $s)) (result i32) (struct.get $s 0 (local.get 0))))`);
same(other.get(make(9)), 9);

// An object of a store that is not shared is refused, and does not become a value of JavaScript's.
const hidden = exportsOf(`(module (type $s (struct)) (func (export "make") (result externref) (extern.convert_any (struct.new $s))))`);
throws(TypeError, () => echo(hidden.make()));

// Builtin functions on strings, and constants.
const strings = new W.Instance(new W.Module(binary(`(module
  (type $units (array (mut i16)))
  (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
  (import "wasm:js-string" "concat" (func $concat (param externref externref) (result (ref extern))))
  (import "wasm:js-string" "intoCharCodeArray" (func $into (param externref (ref null $units) i32) (result i32)))
  (import "wasm:js-string" "fromCharCodeArray" (func $from (param (ref null $units) i32 i32) (result (ref extern))))
  (import "text" "hello" (global $hello (ref extern)))
  (func (export "greet") (param externref) (result externref) (call $concat (global.get $hello) (local.get 0)))
  (func (export "length") (param externref) (result i32) (call $length (local.get 0)))
  (func (export "copy") (param externref i32) (result externref) (local $units (ref $units))
    (local.set $units (array.new_default $units (local.get 1)))
    (drop (call $into (local.get 0) (local.get $units) (i32.const 0)))
    (call $from (local.get $units) (i32.const 0) (local.get 1))))`), { builtins: ["js-string"], importedStringConstants: "text" })).exports;
same([strings.greet(" you"), strings.length("four"), strings.copy("a\u{1f600}", 3)], ["hello you", 4, "a\u{1f600}"]);
throws(W.RuntimeError, () => strings.length(5));
throws(W.RuntimeError, () => strings.copy("too long", 3));
