// Exceptions go through JavaScript, and from one store to another, as the same objects.
const tag = new W.Tag({ parameters: ["i32", "externref"] });
const object = {};
const throwing = `(module (import "env" "tag" (tag $t (param i32 externref)))
  (import "env" "call" (func $call))
  (func (export "throw") (param i32 externref) (throw $t (local.get 0) (local.get 1)))
  (func (export "catch") (result i32 externref)
    (block $caught (result i32 externref)
      (try_table (catch $t $caught) (call $call))
      (unreachable)))
  (func (export "through") (try_table (call $call)))
  (func (export "rethrow")
    (block $caught (result exnref)
      (try_table (catch_all_ref $caught) (call $call))
      (unreachable))
    (throw_ref)))`;
let inner = () => {};
const make = () => exportsOf(throwing, { env: { tag, call: () => inner() } });
const [a, b] = [make(), make()];

const thrown = throws(W.Exception, () => a.throw(7, object));
same([thrown.is(tag), thrown.getArg(tag, 0)], [true, 7]);
identical(thrown.getArg(tag, 1), object);
throws(RangeError, () => thrown.getArg(tag, 2));
throws(TypeError, () => thrown.getArg(new W.Tag({ parameters: ["i32", "externref"] }), 0));

// From the first store to the second, which has no instance in common with it.
inner = () => a.throw(8, object);
same(b.catch()[0], 8);
identical(b.catch()[1], object);
identical(throws(W.Exception, () => (inner = () => { throw thrown; }, b.through())), thrown);
identical(throws(W.Exception, () => b.rethrow()), thrown);
identical(throws(W.Exception, () => a.rethrow()), thrown);

// One that JavaScript makes.
const made = new W.Exception(tag, [9, "text"]);
inner = () => { throw made; };
same([b.catch(), a.catch(), made.stack], [[9, "text"], [9, "text"], undefined]);
throws(TypeError, () => new W.Exception(tag, [1]));
throws(TypeError, () => new W.Exception(W.JSTag, [1]));

// JavaScript's own errors are exceptions with the tag JSTag.
const js = exportsOf(`(module (import "env" "tag" (tag $t (param externref))) (import "env" "f" (func $f))
  (func (export "catch") (result externref)
    (block $caught (result externref) (try_table (catch $t $caught) (call $f)) (unreachable)))
  (func (export "throw") (param externref) (throw $t (local.get 0))))`, { env: { tag: W.JSTag, f: () => inner() } });
const mine = new Error("mine");
inner = () => { throw mine; };
identical(js.catch(), mine);
identical(throws(Error, () => js.throw(mine)), mine);
inner = () => { throw undefined; };
identical(js.catch(), undefined);

// No guest catches a trap, also not one of another instance.
const trap = exportsOf(`(module (func (export "trap") (unreachable)))`);
inner = trap.trap;
const catching = exportsOf(`(module (import "env" "f" (func $f))
  (func (export "f") (block $caught (try_table (catch_all $caught) (call $f)))))`, { env: { f: () => inner() } });
same(throws(W.RuntimeError, () => catching.f()).message, "unreachable");
inner = () => { throw new W.RuntimeError("made by JavaScript"); };
same(catching.f(), undefined);

// Values for which JavaScript has none do not become others.
const odd = `(module (type $s (struct (field i32)))
  (tag $v (export "v") (param v128 i32)) (tag $s (export "s") (param (ref $s)))
  (func (export "vector") (throw $v (v128.const i32x4 1 2 3 4) (i32.const 5)))
  (func (export "struct") (throw $s (struct.new $s (i32.const 1)))))`;
const strange = exportsOf(odd);
const vector = throws(W.Exception, () => strange.vector());
throws(TypeError, () => vector.getArg(strange.v, 0));
same(vector.getArg(strange.v, 1), 5);
const struct = throws(W.Exception, () => strange.struct());
same(typeof struct.getArg(strange.s, 0), "object");
// They pass through guests of other stores as they are, and can be caught there.
for (const [name, exception] of [["vector", vector], ["struct", struct]]) {
  inner = () => { throw exception; };
  identical(throws(W.Exception, () => b.through()), exception, name);
  identical(throws(W.Exception, () => b.rethrow()), exception, name);
  same(catching.f(), undefined);
  // It is no value of JavaScript's.
  identical(throws(W.Exception, () => js.catch()), exception, name);
}
for (const wrong of [{}, null, 5, () => {}]) throws(TypeError, () => new W.Exception(strange.s, [wrong]), show(wrong));

// What a guest throws with JSTag is thrown as it is.
const thrower = exportsOf(`(module (import "env" "tag" (tag $t (param externref)))
  (func (export "null") (throw $t (ref.null extern)))
  (func (export "i31") (throw $t (extern.convert_any (ref.i31 (i32.const 7))))))`, { env: { tag: W.JSTag } });
for (const [name, value] of [["null", null], ["i31", 7]]) {
  try {
    thrower[name]();
    throw new Error("nothing was thrown");
  } catch (caught) {
    identical(caught, value, name);
  }
}
