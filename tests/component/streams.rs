//! Streams and futures in both directions.

use serde_json::json;

use super::{snapshot, with_source};
use crate::support::js::Js;

/// A component with functions that give and take streams and futures.
const GUEST: &str = r#"(component
  (type $entry' (record (field "id" u32) (field "name" string)))
  (export $entry "entry" (type $entry'))
  (type $numbers (stream u32))
  (type $bytes (stream u8))
  (type $entries (stream $entry))
  (type $units (stream))
  (type $later (future u32))
  (core module $libc
    (memory (export "memory") 2)
    (data (i32.const 600) "onetwothree")
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (if (i32.gt_u (global.get $next) (i32.const 60000)) (then (global.set $next (i32.const 4096))))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $new-numbers (canon stream.new $numbers))
  (core func $write-numbers (canon stream.write $numbers (memory $memory)))
  (core func $read-numbers (canon stream.read $numbers (memory $memory)))
  (core func $close-numbers (canon stream.drop-writable $numbers))
  (core func $drop-numbers (canon stream.drop-readable $numbers))
  (core func $new-bytes (canon stream.new $bytes))
  (core func $write-bytes (canon stream.write $bytes (memory $memory)))
  (core func $read-bytes (canon stream.read $bytes (memory $memory)))
  (core func $close-bytes (canon stream.drop-writable $bytes))
  (core func $drop-bytes (canon stream.drop-readable $bytes))
  (core func $new-entries (canon stream.new $entries))
  (core func $write-entries (canon stream.write $entries (memory $memory)))
  (core func $read-entries (canon stream.read $entries (memory $memory) (realloc $realloc)))
  (core func $close-entries (canon stream.drop-writable $entries))
  (core func $drop-entries (canon stream.drop-readable $entries))
  (core func $new-units (canon stream.new $units))
  (core func $write-units (canon stream.write $units))
  (core func $read-units (canon stream.read $units))
  (core func $close-units (canon stream.drop-writable $units))
  (core func $drop-units (canon stream.drop-readable $units))
  (core func $new-later (canon future.new $later))
  (core func $write-later (canon future.write $later (memory $memory)))
  (core func $read-later (canon future.read $later (memory $memory)))
  (core func $close-later (canon future.drop-writable $later))
  (core func $drop-later (canon future.drop-readable $later))
  (core func $return-numbers (canon task.return (result $numbers)))
  (core func $return-bytes (canon task.return (result $bytes)))
  (core func $return-entries (canon task.return (result $entries)))
  (core func $return-units (canon task.return (result $units)))
  (core func $return-later (canon task.return (result $later)))
  (core func $return-number (canon task.return (result u32)))
  (core module $m
    (import "libc" "memory" (memory 2))
    (import "" "new-numbers" (func $new-numbers (result i64)))
    (import "" "write-numbers" (func $write-numbers (param i32 i32 i32) (result i32)))
    (import "" "read-numbers" (func $read-numbers (param i32 i32 i32) (result i32)))
    (import "" "close-numbers" (func $close-numbers (param i32)))
    (import "" "drop-numbers" (func $drop-numbers (param i32)))
    (import "" "new-bytes" (func $new-bytes (result i64)))
    (import "" "write-bytes" (func $write-bytes (param i32 i32 i32) (result i32)))
    (import "" "read-bytes" (func $read-bytes (param i32 i32 i32) (result i32)))
    (import "" "close-bytes" (func $close-bytes (param i32)))
    (import "" "drop-bytes" (func $drop-bytes (param i32)))
    (import "" "new-entries" (func $new-entries (result i64)))
    (import "" "write-entries" (func $write-entries (param i32 i32 i32) (result i32)))
    (import "" "read-entries" (func $read-entries (param i32 i32 i32) (result i32)))
    (import "" "close-entries" (func $close-entries (param i32)))
    (import "" "drop-entries" (func $drop-entries (param i32)))
    (import "" "new-units" (func $new-units (result i64)))
    (import "" "write-units" (func $write-units (param i32 i32 i32) (result i32)))
    (import "" "read-units" (func $read-units (param i32 i32 i32) (result i32)))
    (import "" "close-units" (func $close-units (param i32)))
    (import "" "drop-units" (func $drop-units (param i32)))
    (import "" "new-later" (func $new-later (result i64)))
    (import "" "write-later" (func $write-later (param i32 i32) (result i32)))
    (import "" "read-later" (func $read-later (param i32 i32) (result i32)))
    (import "" "close-later" (func $close-later (param i32)))
    (import "" "drop-later" (func $drop-later (param i32)))
    (import "" "return-numbers" (func $return-numbers (param i32)))
    (import "" "return-bytes" (func $return-bytes (param i32)))
    (import "" "return-entries" (func $return-entries (param i32)))
    (import "" "return-units" (func $return-units (param i32)))
    (import "" "return-later" (func $return-later (param i32)))
    (import "" "return-number" (func $return-number (param i32)))
    (global $written (mut i32) (i32.const 0))
    (func $writable (param i64) (result i32) (i32.wrap_i64 (i64.shr_u (local.get 0) (i64.const 32))))
    (func (export "written") (result i32) (global.get $written))
    ;; The numbers below n, four at a time, until the reader has dropped the stream.
    (func (export "count") (param $n i32)
      (local $ends i64) (local $i i32) (local $j i32) (local $wrote i32)
      (local.set $ends (call $new-numbers))
      (call $return-numbers (i32.wrap_i64 (local.get $ends)))
      (block $dropped
        (loop $chunks
          (br_if $dropped (i32.ge_u (local.get $i) (local.get $n)))
          (local.set $j (i32.const 0))
          (loop $fill
            (i32.store (i32.add (i32.const 1024) (i32.mul (local.get $j) (i32.const 4)))
              (i32.add (local.get $i) (local.get $j)))
            (br_if $fill (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (i32.const 4))))
          (local.set $wrote (call $write-numbers (call $writable (local.get $ends)) (i32.const 1024) (i32.const 4)))
          (local.set $i (i32.add (local.get $i) (i32.shr_u (local.get $wrote) (i32.const 4))))
          (global.set $written (local.get $i))
          (br_if $chunks (i32.eqz (i32.and (local.get $wrote) (i32.const 15))))))
      (call $close-numbers (call $writable (local.get $ends))))
    ;; The sum of numbers, three at a time, or of the first so many.
    (func (export "sum") (param $stream i32) (param $max i32)
      (local $read i32) (local $i i32) (local $sum i32) (local $count i32)
      (loop $chunks
        (local.set $read (call $read-numbers (local.get $stream) (i32.const 2048) (i32.const 3)))
        (local.set $i (i32.const 0))
        (block $done (loop $add
          (br_if $done (i32.ge_u (local.get $i) (i32.shr_u (local.get $read) (i32.const 4))))
          (local.set $sum (i32.add (local.get $sum)
            (i32.load (i32.add (i32.const 2048) (i32.mul (local.get $i) (i32.const 4))))))
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $add)))
        (br_if $chunks (i32.and
          (i32.lt_u (local.get $count) (local.get $max))
          (i32.eqz (i32.and (local.get $read) (i32.const 15))))))
      (call $drop-numbers (local.get $stream))
      (call $return-number (local.get $sum)))
    ;; The bytes of a stream, each larger by one.
    (func (export "shift") (param $stream i32)
      (local $ends i64) (local $read i32) (local $i i32) (local $wrote i32)
      (local.set $ends (call $new-bytes))
      (call $return-bytes (i32.wrap_i64 (local.get $ends)))
      (loop $chunks
        (local.set $read (call $read-bytes (local.get $stream) (i32.const 66000) (i32.const 4000)))
        (local.set $i (i32.const 0))
        (block $done (loop $add
          (br_if $done (i32.ge_u (local.get $i) (i32.shr_u (local.get $read) (i32.const 4))))
          (i32.store8 (i32.add (i32.const 66000) (local.get $i))
            (i32.add (i32.const 1) (i32.load8_u (i32.add (i32.const 66000) (local.get $i)))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $add)))
        (local.set $wrote (i32.const 0))
        (if (local.get $i) (then
          (local.set $wrote (call $write-bytes (call $writable (local.get $ends)) (i32.const 66000) (local.get $i)))))
        (br_if $chunks (i32.eqz (i32.and (i32.or (local.get $read) (local.get $wrote)) (i32.const 15)))))
      (call $drop-bytes (local.get $stream))
      (call $close-bytes (call $writable (local.get $ends))))
    ;; Three records.
    (func (export "list") (local $ends i64)
      (local.set $ends (call $new-entries))
      (call $return-entries (i32.wrap_i64 (local.get $ends)))
      (i32.store (i32.const 512) (i32.const 1)) (i32.store (i32.const 516) (i32.const 600)) (i32.store (i32.const 520) (i32.const 3))
      (i32.store (i32.const 524) (i32.const 2)) (i32.store (i32.const 528) (i32.const 603)) (i32.store (i32.const 532) (i32.const 3))
      (i32.store (i32.const 536) (i32.const 3)) (i32.store (i32.const 540) (i32.const 606)) (i32.store (i32.const 544) (i32.const 5))
      (drop (call $write-entries (call $writable (local.get $ends)) (i32.const 512) (i32.const 3)))
      (call $close-entries (call $writable (local.get $ends))))
    ;; The sum of numbers and lengths of names.
    (func (export "measure") (param $stream i32)
      (local $read i32) (local $sum i32)
      (loop $next
        (local.set $read (call $read-entries (local.get $stream) (i32.const 512) (i32.const 1)))
        (if (i32.shr_u (local.get $read) (i32.const 4)) (then
          (local.set $sum (i32.add (local.get $sum)
            (i32.add (i32.load (i32.const 512)) (i32.load (i32.const 520)))))))
        (br_if $next (i32.eqz (i32.and (local.get $read) (i32.const 15)))))
      (call $drop-entries (local.get $stream))
      (call $return-number (local.get $sum)))
    (func (export "ticks") (param $n i32) (local $ends i64)
      (local.set $ends (call $new-units))
      (call $return-units (i32.wrap_i64 (local.get $ends)))
      (drop (call $write-units (call $writable (local.get $ends)) (i32.const 0) (local.get $n)))
      (call $close-units (call $writable (local.get $ends))))
    (func (export "count-ticks") (param $stream i32)
      (local $read i32) (local $sum i32)
      (loop $next
        (local.set $read (call $read-units (local.get $stream) (i32.const 0) (i32.const 2)))
        (local.set $sum (i32.add (local.get $sum) (i32.shr_u (local.get $read) (i32.const 4))))
        (br_if $next (i32.eqz (i32.and (local.get $read) (i32.const 15)))))
      (call $drop-units (local.get $stream))
      (call $return-number (local.get $sum)))
    (func (export "later") (param $n i32) (local $ends i64)
      (local.set $ends (call $new-later))
      (call $return-later (i32.wrap_i64 (local.get $ends)))
      (i32.store (i32.const 700) (local.get $n))
      (drop (call $write-later (call $writable (local.get $ends)) (i32.const 700)))
      (call $close-later (call $writable (local.get $ends))))
    (func (export "await") (param $future i32)
      (drop (call $read-later (local.get $future) (i32.const 704)))
      (call $drop-later (local.get $future))
      (call $return-number (i32.load (i32.const 704))))
    (func (export "ignore") (param $stream i32) (param $future i32)
      (call $drop-numbers (local.get $stream))
      (call $drop-later (local.get $future))
      (call $return-number (i32.const 1))))
  (core instance $i (instantiate $m
    (with "libc" (instance $libc))
    (with "" (instance
      (export "new-numbers" (func $new-numbers)) (export "write-numbers" (func $write-numbers))
      (export "read-numbers" (func $read-numbers)) (export "close-numbers" (func $close-numbers))
      (export "drop-numbers" (func $drop-numbers))
      (export "new-bytes" (func $new-bytes)) (export "write-bytes" (func $write-bytes))
      (export "read-bytes" (func $read-bytes)) (export "close-bytes" (func $close-bytes))
      (export "drop-bytes" (func $drop-bytes))
      (export "new-entries" (func $new-entries)) (export "write-entries" (func $write-entries))
      (export "read-entries" (func $read-entries)) (export "close-entries" (func $close-entries))
      (export "drop-entries" (func $drop-entries))
      (export "new-units" (func $new-units)) (export "write-units" (func $write-units))
      (export "read-units" (func $read-units)) (export "close-units" (func $close-units))
      (export "drop-units" (func $drop-units))
      (export "new-later" (func $new-later)) (export "write-later" (func $write-later))
      (export "read-later" (func $read-later)) (export "close-later" (func $close-later))
      (export "drop-later" (func $drop-later))
      (export "return-numbers" (func $return-numbers)) (export "return-bytes" (func $return-bytes))
      (export "return-entries" (func $return-entries)) (export "return-units" (func $return-units))
      (export "return-later" (func $return-later)) (export "return-number" (func $return-number))))))
  (func (export "count") async (param "n" u32) (result $numbers) (canon lift (core func $i "count") async))
  (func (export "written") (result u32) (canon lift (core func $i "written")))
  (func (export "sum") async (param "numbers" $numbers) (param "max" u32) (result u32)
    (canon lift (core func $i "sum") async))
  (func (export "shift") async (param "bytes" $bytes) (result $bytes) (canon lift (core func $i "shift") async))
  (func (export "list") async (result $entries) (canon lift (core func $i "list") async))
  (func (export "measure") async (param "entries" $entries) (result u32) (canon lift (core func $i "measure") async))
  (func (export "ticks") async (param "n" u32) (result $units) (canon lift (core func $i "ticks") async))
  (func (export "count-ticks") async (param "ticks" $units) (result u32) (canon lift (core func $i "count-ticks") async))
  (func (export "later") async (param "n" u32) (result $later) (canon lift (core func $i "later") async))
  (func (export "await") async (param "later" $later) (result u32) (canon lift (core func $i "await") async))
  (func (export "ignore") async (param "numbers" $numbers) (param "later" $later) (result u32)
    (canon lift (core func $i "ignore") async)))"#;

fn guest() -> Js {
    let mut js = with_source(GUEST);
    js.run(
        "globalThis.all = async (stream) => {
             const chunks = [];
             for await (const chunk of stream) chunks.push(chunk);
             return chunks;
         };
         globalThis.turn = () => Deno.core.ops.op_wasm_yield_now();",
    );
    js
}

#[test]
fn a_stream_of_a_component_is_an_async_iterator() {
    let mut js = guest();
    let got = js.run(
        "const { exports } = await component();
         const chunks = await all(await exports.count(10));
         const ticks = await all(await exports.ticks(3));
         const entries = await all(await exports.list());
         return [
             chunks.map((chunk) => chunk.constructor.name), chunks.flatMap((chunk) => [...chunk]),
             ticks.length, ticks[0] === undefined, entries, await exports.later(7),
         ];",
    );
    assert_eq!(
        got,
        json!([
            ["Uint32Array", "Uint32Array", "Uint32Array"],
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
            3,
            true,
            [{ "id": 1, "name": "one" }, { "id": 2, "name": "two" }, { "id": 3, "name": "three" }],
            7,
        ])
    );
}

#[test]
fn async_iterables_and_promises_are_arguments() {
    let mut js = guest();
    let got = js.run(
        "const { exports } = await component();
         const numbers = async function* () {
             yield Uint32Array.of(1, 2, 3, 4, 5);
             yield [6, 7];
             await turn();
             yield 8;
             yield [];
         };
         const entries = async function* () {
             yield { id: 10, name: 'four' };
             yield { id: 20, name: '' };
         };
         return [
             await exports.sum(numbers(), 100),
             await exports.sum([[1, 2], 3, Uint32Array.of(4)], 100),
             await exports.sum(Uint32Array.of(5, 6, 7, 8), 100),
             await exports.measure(entries()),
             await exports.countTicks([undefined, undefined, undefined]),
             await exports.await(Promise.resolve(5)),
             await exports.await((async () => { await turn(); return 6; })()),
         ];",
    );
    assert_eq!(got, json!([36, 10, 26, 34, 3, 5, 6]));
}

#[test]
fn bytes_flow_through_a_component() {
    let mut js = guest();
    let got = js.run(
        "const { exports } = await component();
         const source = async function* () {
             for (let i = 0; i < 50; i++) yield new Uint8Array(10_000).fill(i);
         };
         let length = 0, sum = 0, isTyped = true;
         for await (const chunk of await exports.shift(source())) {
             isTyped &&= chunk instanceof Uint8Array;
             length += chunk.length;
             sum += chunk[0] - 1;
         }
         return [length, isTyped, sum > 0];",
    );
    assert_eq!(got, json!([500_000, true, true]));
}

#[test]
fn a_component_writes_only_what_is_asked_for() {
    let mut js = guest();
    let got = js.run(
        "const instance = await component();
         const stream = await instance.exports.count(1000);
         for (let i = 0; i < 20; i++) await turn();
         const before = instance.exports.written();
         const first = [...(await stream.next()).value];
         for (let i = 0; i < 20; i++) await turn();
         const after = instance.exports.written();
         await stream.return();
         for (let i = 0; i < 20; i++) await turn();
         return [before, first, after, instance.exports.written(), instance.ended, await stream.next()];",
    );
    assert_eq!(got, json!([0, [0, 1, 2, 3], 4, 4, false, { "done": true }]));
}

#[test]
fn the_iterator_of_the_app_is_asked_only_when_the_component_reads() {
    let mut js = guest();
    let got = js.run(
        "const { exports } = await component();
         const asked = [];
         let isReturned = false;
         const source = {
             [Symbol.asyncIterator]() { return this; },
             async next() { asked.push(asked.length); return { value: [1, 1], done: false }; },
             async return() { isReturned = true; return { value: undefined, done: true }; },
         };
         const sum = await exports.sum(source, 4);
         for (let i = 0; i < 20; i++) await turn();
         let ignored = false;
         const other = {
             [Symbol.asyncIterator]() { return this; },
             async next() { throw new Error('asked'); },
             async return() { ignored = true; return { value: undefined, done: true }; },
         };
         const one = await exports.ignore(other, new Promise(() => {}));
         for (let i = 0; i < 20; i++) await turn();
         return [sum, asked.length, isReturned, one, ignored];",
    );
    assert_eq!(got, json!([4, 2, true, 1, true]));
}

#[test]
fn values_that_are_no_streams_are_refused() {
    let mut js = guest();
    let got = js.run(
        "const instance = await component();
         const { exports } = instance;
         const messages = [];
         for (const [name, ...args] of [
             ['sum', 1, 1], ['sum', {}, 1], ['sum', null, 1], ['await', 1], ['await', { then() {} }],
             ['ignore', [], 1],
         ]) messages.push((await caught(() => exports[name](...args))).message);
         return [messages, instance.ended, await exports.sum([[1]], 5)];",
    );
    snapshot("component_streams_misfits", &format!("{got:#}"));
}

#[test]
fn what_fails_in_a_stream_of_the_app_ends_the_instance() {
    let mut js = guest();
    let got = js.run(
        "const errors = [];
         for (const [name, ...args] of [
             ['sum', (async function* () { yield [1]; throw new TypeError('no more'); })(), 10],
             ['sum', [['a string']], 10],
             ['await', async () => { throw new RangeError('never'); }],
             ['await', async () => -1],
         ]) {
             const instance = await component();
             const values = args.map((arg) => typeof arg === 'function' ? arg() : arg);
             errors.push([tell(await caught(() => instance.exports[name](...values))), instance.ended]);
         }
         return errors;",
    );
    snapshot("component_streams_fail", &format!("{got:#}"));
}

#[test]
fn streams_end_with_their_instance() {
    let mut js = guest();
    let got = js.run(
        "const instance = await component();
         const stream = await instance.exports.count(1000);
         await stream.next();
         instance.drop();
         const error = tell(await caught(() => stream.next()));
         const other = await component();
         const waiting = caught(() => other.exports.await(new Promise(() => {})));
         await turn();
         other.drop();
         return [error, tell(await waiting)];",
    );
    let dropped = json!({
        "code": 5002,
        "kind": "RuntimeError",
        "message": "the component instance was dropped",
    });
    assert_eq!(got, json!([dropped, dropped]));
}
