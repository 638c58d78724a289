// Guests wait for promises: `promising`, `Suspending`, `SuspendError`.
const later = (value) => new Promise((resolve) => resolve(value));

// Shapes.
same([W.promising.length, W.Suspending.length, W.Suspending.name], [1, 1, "Suspending"]);
throws(TypeError, () => W.Suspending(() => {}));
throws(TypeError, () => new W.Suspending({}));
for (const value of [undefined, null, {}, () => {}, class {}]) throws(TypeError, () => W.promising(value));
throws(TypeError, () => namespace().promising(exportsOf(`(module (func (export "f")))`).f), "another namespace's");
same(Object.prototype.toString.call(new W.Suspending(() => {})), "[object WebAssembly.Suspending]");
same(new W.SuspendError("a") instanceof Error, true);
throws(W.LinkError, () => exportsOf(`(module (import "env" "f" (func)))`, { env: { f: new (namespace().Suspending)(() => {}) } }));

// A guest that never waits is called at once.
{
  const { add, none } = exportsOf(`(module (global $g (export "g") (mut i32) (i32.const 0))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "none") (unreachable)))`);
  const promise = W.promising(add)(1, 2);
  same(promise instanceof Promise, true);
  same(await promise, 3);
  same(await W.promising(add)("4"), 4, "converted arguments");
  const error = await rejects(W.RuntimeError, W.promising(none)());
  same([error.message, error.code], ["unreachable", 5002]);
  await rejects(TypeError, W.promising(add)(1n));
}

// The standard's order: the guest runs until it waits, and goes on in a job of its own.
const order = [];
{
  const { f } = exportsOf(`(module (import "env" "before" (func $before)) (import "env" "wait" (func $wait (param i32) (result i32)))
    (import "env" "after" (func $after (param i32)))
    (func (export "f") (param i32) (result i32) (call $before) (call $after (call $wait (local.get 0))) (i32.const 9)))`, {
    env: {
      before: () => order.push("before"),
      wait: new W.Suspending((x) => (order.push(`wait ${x}`), later(x + 1))),
      after: (x) => order.push(`after ${x}`),
    },
  });
  const promise = W.promising(f)(1);
  order.push("returned");
  same(await promise, 9);
  same(order, ["before", "wait 1", "returned", "after 2"]);
}

// What is no promise suspends too, and a loop suspends many times.
{
  let calls = 0;
  const { sum, memory } = exportsOf(`(module (import "env" "next" (func $next (result i32))) (memory (export "memory") 1)
    (func (export "sum") (param $n i32) (result i32) (local $sum i32)
      (loop $again
        (drop (memory.grow (i32.const 1)))
        (local.set $sum (i32.add (local.get $sum) (call $next)))
        (i32.store (i32.const 8) (local.get $sum))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (local.get $sum)))`, { env: { next: new W.Suspending(() => ++calls) } });
  const first = memory.buffer;
  const promise = W.promising(sum)(5);
  same([calls, first.byteLength, memory.buffer.byteLength], [1, 0, 2 * 65536], "a grown memory");
  const second = memory.buffer;
  same(await promise, 15);
  same([second.byteLength, memory.buffer.byteLength], [0, 6 * 65536]);
  same(new Int32Array(memory.buffer)[2], 15);
}

// Results of several kinds; a promise as an externref; rejections become exceptions.
{
  const object = {};
  const { many, ref, caught } = exportsOf(`(module
    (import "env" "many" (func $many (result i32 i64 externref))) (import "env" "ref" (func $ref (param externref) (result externref)))
    (import "env" "fail" (func $fail)) (import "env" "tag" (tag $tag (param externref)))
    (func (export "many") (result i32 i64 externref) (call $many))
    (func (export "ref") (param externref) (result externref) (call $ref (local.get 0)))
    (func (export "caught") (result externref)
      (block $caught (result externref) (try_table (catch $tag $caught) (call $fail)) (unreachable))))`, {
    env: {
      many: new W.Suspending(() => later([1, 2n, object])),
      ref: new W.Suspending((value) => later(value)),
      fail: new W.Suspending(() => Promise.reject(object)),
      tag: W.JSTag,
    },
  });
  const results = await W.promising(many)();
  identical(results[2], object);
  same(results.slice(0, 2), [1, 2n]);
  identical(await W.promising(ref)(object), object);
  same(await W.promising(ref)(later("text")), "text");
  identical(await W.promising(caught)(), object);
  for (const wrong of [1, [1], [1, 2, 3], undefined]) {
    const { f } = exportsOf(`(module (import "env" "f" (func $f (result i32 i64))) (func (export "f") (result i32 i64) (call $f)))`, {
      env: { f: new W.Suspending(() => later(wrong)) },
    });
    await rejects(TypeError, W.promising(f)(), show(wrong));
  }
}

// Outside of a call that can be suspended: the error is one of JavaScript's, the function is not called, guests catch it.
{
  let called = false;
  const exports = exportsOf(`(module (import "env" "wait" (func $wait (param i32) (result i32))) (import "env" "call" (func $call))
    (import "env" "tag" (tag $tag (param externref)))
    (func (export "wait") (param i32) (result i32) (call $wait (local.get 0)))
    (export "imported" (func $wait))
    (func (export "through") (call $call))
    (func (export "catch") (result externref)
      (block $caught (result externref) (try_table (catch $tag $caught) (drop (call $wait (i32.const 0)))) (unreachable))))`, {
    env: { wait: new W.Suspending((x) => (called = true, later(x))), call: () => exports.wait(1), tag: W.JSTag },
  });
  for (const f of [exports.wait, exports.imported]) {
    const error = throws(W.SuspendError, () => f(1));
    same([error.name, error.code], ["SuspendError", 5002]);
  }
  same(exports.catch() instanceof W.SuspendError, true);
  // JavaScript between the two.
  await rejects(W.SuspendError, W.promising(exports.through)());
  same(called, false);
  same([await W.promising(exports.wait)(5), await W.promising(exports.imported)(6)], [5, 6]);
  const started = `(module (import "env" "f" (func $f)) (start $f))`;
  throws(W.SuspendError, () => exportsOf(started, { env: { f: new W.Suspending(() => {}) } }));
}

// A marked function stays JavaScript's, also where it is another guest's.
{
  const { f } = exportsOf(`(module (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))`);
  const { g, same: imported } = exportsOf(`(module (import "env" "f" (func $f (param i32) (result i32)))
    (export "same" (func $f)) (func (export "g") (param i32) (result i32) (call $f (local.get 0))))`, {
    env: { f: new W.Suspending(f) },
  });
  same([imported === f, await W.promising(g)(1), await W.promising(imported)(2)], [false, 2, 3]);
  throws(W.SuspendError, () => imported(1));
}

// Arguments that are no references of the type are refused as in any other call.
{
  const { f } = exportsOf(`(module (import "env" "wait" (func $wait)) (func (export "f") (param funcref) (call $wait)))`, {
    env: { wait: new W.Suspending(() => {}) },
  });
  const error = await rejects(TypeError, W.promising(f)(0n));
  same([error.constructor === TypeError, error.code], [true, undefined]);
  await W.promising(f)(f);
}

// Several calls of one instance: while one is suspended, others run, and are suspended above it.
{
  const resolvers = [];
  const log = [];
  const { f, add, memory } = exportsOf(`(module (import "env" "wait" (func $wait (param i32) (result i32)))
    (import "env" "log" (func $log (param i32))) (memory (export "memory") 1)
    (func (export "f") (param i32) (result i32)
      (call $log (call $wait (local.get 0))) (call $log (local.get 0)) (i32.mul (local.get 0) (i32.const 10)))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))`, {
    env: { wait: new W.Suspending(() => new Promise((resolve) => resolvers.push(resolve))), log: (x) => log.push(x) },
  });
  const wait = W.promising(f);
  const calls = [wait(1), wait(2), wait(3)];
  same(add(20, 22), 42, "a call beside suspended ones");
  new Uint8Array(memory.buffer)[0] = 7;
  resolvers[0](100);
  await later();
  await later();
  same(log, [], "the call below waits for those above");
  resolvers[2](300);
  same(await calls[2], 30);
  same(log, [300, 3]);
  calls.push(wait(4));
  resolvers[1](200);
  resolvers[3](400);
  same(await Promise.all(calls), [10, 20, 30, 40]);
  same(log, [300, 3, 400, 4, 200, 2, 100, 1]);
  same([await Promise.all(Array.from({ length: 20 }, (_, i) => {
    const call = wait(i);
    resolvers.at(-1)(i);
    return call;
  })), add(1, 1), new Uint8Array(memory.buffer)[0]], [Array.from({ length: 20 }, (_, i) => 10 * i), 2, 7]);
}

// Stores of their own do not wait for each other.
{
  const resolvers = [];
  const make = () => W.promising(exportsOf(`(module (import "env" "wait" (func $wait (result i32))) (func (export "f") (result i32) (call $wait)))`, {
    env: { wait: new W.Suspending(() => new Promise((resolve) => resolvers.push(resolve))) },
  }).f);
  const calls = [make()(), make()(), make()()];
  resolvers[1](1);
  same(await calls[1], 1);
  resolvers[0](0);
  same(await calls[0], 0);
  resolvers[2](2);
  same(await calls[2], 2);
}

// Suspended calls that call promising functions, which are suspended.
{
  let inner;
  const exports = exportsOf(`(module (import "env" "inner" (func $inner (param i32) (result i32))) (import "env" "outer" (func $outer (param i32) (result i32)))
    (func (export "inner") (param i32) (result i32) (call $inner (local.get 0)))
    (func (export "outer") (param i32) (result i32) (call $outer (local.get 0))))`, {
    env: { inner: new W.Suspending((x) => later(x + 1)), outer: new W.Suspending((x) => later().then(() => inner(x + 1))) },
  });
  inner = W.promising(exports.inner);
  same(await W.promising(exports.outer)(40), 42);
  same(await W.promising(exports.outer)(40), 42);
}

// A conversion of the result that calls the same instance.
{
  const { f } = exportsOf(`(module (import "env" "wait" (func $wait (result i32))) (func (export "f") (result i32) (call $wait)))`, {
    env: { wait: new W.Suspending(() => results.shift()) },
  });
  const wait = W.promising(f);
  let nested;
  const results = [{ valueOf: () => (nested = wait(), 5) }, new Promise((resolve) => later().then(() => resolve(6)))];
  same([await wait(), await nested], [5, 6]);
}

// The limits hold while a guest is suspended.
{
  const spin = `(module (import "env" "wait" (func $wait)) (func (export "f") (call $wait) (loop (br 0))) (func (export "wait") (call $wait)))`;
  const metered = namespace({ fuel: 10_000 });
  const fuelled = exportsOf(spin, { env: { wait: new metered.Suspending(() => later()) } }, metered);
  same((await rejects(metered.RuntimeError, metered.promising(fuelled.f)())).code, 5006);
  const timed = namespace({ timeoutMs: 50 });
  const never = exportsOf(spin, { env: { wait: new timed.Suspending(() => new Promise(() => {})) } }, timed);
  const calls = [timed.promising(never.wait)(), timed.promising(never.wait)()];
  for (const call of calls) same((await rejects(timed.RuntimeError, call)).code, 5002);
  const ready = exportsOf(spin, { env: { wait: new timed.Suspending(() => later()) } }, timed);
  same((await rejects(timed.RuntimeError, timed.promising(ready.f)())).code, 5002);
  const patient = namespace({ timeoutMs: 3_600_000 });
  const early = exportsOf(spin, { env: { wait: new patient.Suspending(() => later()) } }, patient);
  await patient.promising(early.wait)();
}

// Exceptions of guests and traps after a suspension.
{
  const tag = new W.Tag({ parameters: ["i32"] });
  const { f, trap, catches } = exportsOf(`(module (import "env" "tag" (tag $tag (param i32))) (import "env" "wait" (func $wait (result i32)))
    (func (export "f") (throw $tag (call $wait)))
    (func (export "trap") (drop (call $wait)) (unreachable))
    (func (export "catches") (result i32) (block $c (result i32) (try_table (catch $tag $c) (return (call $wait))) (unreachable))))`, {
    env: { tag, wait: new W.Suspending(() => wait()) },
  });
  let wait = () => later(7);
  same((await rejects(W.Exception, W.promising(f)())).getArg(tag, 0), 7);
  same((await rejects(W.RuntimeError, W.promising(trap)())).message, "unreachable");
  wait = () => Promise.reject(new W.Exception(tag, [8]));
  same(await W.promising(catches)(), 8);
  wait = () => { throw new W.Exception(tag, [9]); };
  same(await W.promising(catches)(), 9);
  wait = () => Promise.reject(new Error("mine"));
  same((await rejects(Error, W.promising(catches)())).message, "mine");
}

// An import that waits starts calls that are suspended above it, and then throws.
{
  let nested;
  const { f, catches } = exportsOf(`(module (import "env" "tag" (tag $tag (param externref)))
    (import "env" "wait" (func $wait (param i32) (result i32)))
    (func (export "f") (param i32) (result i32) (call $wait (local.get 0)))
    (func (export "catches") (result externref)
      (block $caught (result externref) (try_table (catch $tag $caught) (drop (call $wait (i32.const 1)))) (unreachable))))`, {
    env: {
      tag: W.JSTag,
      wait: new W.Suspending((x) => {
        if (x === 0) return later(4);
        nested = W.promising(f)(0);
        throw "thrown";
      }),
    },
  });
  same([await W.promising(catches)(), await nested], ["thrown", 4]);
}
