// Arguments and results are converted as the standard says.
const { i32, i64, f32, f64, any, none, two } = exportsOf(`(module
  (func (export "i32") (param i32) (result i32) (local.get 0))
  (func (export "i64") (param i64) (result i64) (local.get 0))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "any") (param externref) (result externref) (local.get 0))
  (func (export "none") (param i32 i32 i32))
  (func (export "two") (param i64 i32) (result i32 i64) (local.get 1) (local.get 0)))`);
const convertible = { valueOf: () => 7.9 };
same([1, 2 ** 31, 2 ** 32 + 5, -1.9, "12", null, undefined, NaN, true, convertible].map((x) => i32(x)), [1, -(2 ** 31), 5, -1, 12, 0, 0, 0, 1, 7]);
same([1n, 2n ** 63n, "12", true, { valueOf: () => 3n }].map((x) => i64(x)), [1n, -(2n ** 63n), 12n, 1n, 3n]);
same([1.1, "1.5", undefined, -0].map((x) => f32(x)), [Math.fround(1.1), 1.5, NaN, -0]);
same([1.1, "1.5", undefined, -0].map((x) => f64(x)), [1.1, 1.5, NaN, -0]);
const object = {}, symbol = Symbol();
for (const value of [object, symbol, undefined, null, 1, "text", 1n, i32]) identical(any(value), value);
for (const [f, value] of [[i32, 1n], [i32, symbol], [i64, 1], [i64, undefined], [f64, 1n]]) throws(TypeError, () => f(value));
// Too many arguments are dropped, missing ones are `undefined`.
same([i32(1, 2, 3), i32(), none(1), two(1n, 2)], [1, 0, undefined, [2, 1n]]);
same([i32.name, two.name, none.length, i64.length, Object.getPrototypeOf(i32) === Function.prototype], ["0", "6", 3, 1, true]);
throws(TypeError, () => new i32(1));

// A conversion may call other functions: it does not disturb the call.
same(two({ valueOf: () => BigInt(i32(5)) }, { valueOf: () => two(8n, 9)[0] }), [9, 5n]);

// JavaScript has no values for these types.
const { v128, exn } = exportsOf(`(module
  (func (export "v128") (param v128)) (func (export "exn") (result exnref) (ref.null exn)))`);
throws(TypeError, () => v128(0));
throws(TypeError, () => exn());

// Imports: results are converted, errors go through as they are.
const results = { one: 0, more: [] };
const thrower = () => { throw results.error; };
const calls = exportsOf(`(module
  (import "env" "one" (func $one (param i32 i64) (result i32)))
  (import "env" "more" (func $more (result i32 f64 externref)))
  (import "env" "thrower" (func $thrower))
  (import "env" "v128" (func $v128 (param v128)))
  (func (export "one") (result i32) (call $one (i32.const -1) (i64.const -1)))
  (func (export "more") (result i32 f64 externref) (call $more))
  (func (export "thrower") (call $thrower))
  (func (export "v128") (call $v128 (v128.const i64x2 0 0))))`, {
  env: {
    one: (...args) => (same(args, [-1, -1n]), results.one),
    more: () => results.more,
    thrower,
    v128: () => {},
  },
});
same([1.9, "3", undefined, 2 ** 32].map((value) => (results.one = value, calls.one())), [1, 3, 0, 0]);
results.one = 1n;
throws(TypeError, () => calls.one());
let step = 0;
const values = [1, 2, object];
results.more = { [Symbol.iterator]: () => ({ next: () => ({ done: step === 3, value: values[step++] }) }) };
same(calls.more(), [1, 2, object]);
for (const wrong of [[1, 2], [1, 2, 3, 4], undefined, 5]) {
  results.more = wrong;
  throws(TypeError, () => calls.more(), show(wrong));
}
for (const error of [new Error("mine"), undefined, null, 7, object]) {
  results.error = error;
  try {
    calls.thrower();
    throw new Error("nothing was thrown");
  } catch (caught) {
    identical(caught, error);
  }
}
throws(TypeError, () => calls.v128());

// Each function is an object of its own, also one that cannot be called.
const unusable = exportsOf(`(module (func (export "a") (param v128)) (func (export "b") (param v128 v128)))`);
same([unusable.a === unusable.b, unusable.a.name, unusable.b.length], [false, "0", 2]);
