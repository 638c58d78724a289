//! Resources: classes of the component for the app, and classes of the app for the component.

use ext_wasm::WasmCapabilities;
use serde_json::json;

use super::{snapshot, with_source};
use crate::support::js::Js;

/// A component with a resource whose representation is a number: `counter.value` returns it, `counter.add` adds to it.
/// Its destructor reports it with the import `dropped`.
pub(super) const GUEST: &str = r#"(component
  (import "dropped" (func $dropped (param "rep" u32)))
  (core func $dropped (canon lower (func $dropped)))
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (core module $dtor
    (import "" "dropped" (func $dropped (param i32)))
    (func (export "dtor") (param i32)
      (if (i32.eq (local.get 0) (i32.const 666)) (then unreachable))
      (call $dropped (local.get 0))))
  (core instance $dtor (instantiate $dtor (with "" (instance (export "dropped" (func $dropped))))))
  (type $counter' (resource (rep i32) (dtor (core func $dtor "dtor"))))
  (core func $new (canon resource.new $counter'))
  (core func $rep (canon resource.rep $counter'))
  (core func $drop (canon resource.drop $counter'))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "memory" (memory 1))
    (func (export "create") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "value") (param i32) (result i32) (local.get 0))
    (func (export "sum") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "take") (param i32) (result i32)
      (local $value i32)
      (local.set $value (call $rep (local.get 0)))
      (call $drop (local.get 0))
      (local.get $value))
    (func (export "twin") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "same") (param i32) (result i32) (local.get 0))
    (func (export "both") (param i32 i32) (result i32)
      (call $drop (local.get 0))
      (call $drop (local.get 1))
      (i32.const 1))
    (func (export "many") (param i32 i32) (result i32)
      (i32.store (i32.const 512) (local.get 0))
      (i32.store (i32.const 516) (local.get 1))
      (i32.const 512))
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (global.get $next))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $i (instantiate $m (with "" (instance
    (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))
    (export "memory" (memory $memory "memory"))))))
  (export $counter "counter" (type $counter'))
  (func (export "[constructor]counter") (param "start" u32) (result (own $counter)) (canon lift (core func $i "create")))
  (func (export "[method]counter.get-value") (param "self" (borrow $counter)) (result u32) (canon lift (core func $i "value")))
  (func (export "[method]counter.add-to") (param "self" (borrow $counter)) (param "other" (borrow $counter)) (result u32)
    (canon lift (core func $i "sum")))
  (func (export "[static]counter.twin-of") (param "of" (borrow $counter)) (result (own $counter)) (canon lift (core func $i "twin")))
  (func (export "take") (param "counter" (own $counter)) (result u32) (canon lift (core func $i "take")))
  (func (export "both") (param "one" (own $counter)) (param "other" (own $counter)) (result u32) (canon lift (core func $i "both")))
  (func (export "same") (param "counter" (own $counter)) (result (own $counter)) (canon lift (core func $i "same")))
  (func (export "many") (param "counters" (list (own $counter))) (result (list (own $counter)))
    (canon lift (core func $i "many") (memory (core memory $memory "memory")) (realloc (core func $i "realloc")))))"#;

fn guest() -> Js {
    let mut js = with_source(GUEST);
    js.run(
        "globalThis.drops = [];
         globalThis.make = async () => await component({ dropped: (rep) => { drops.push(rep); } });
         globalThis.instance = await make();",
    );
    js
}

#[test]
fn a_resource_of_the_component_is_a_class() {
    let mut js = guest();
    let got = js.run(
        "const { Counter, take, same, many } = instance.exports;
         const counter = new Counter(5);
         const twin = Counter.twinOf(counter);
         const seen = [
             Counter.name, counter instanceof Counter, twin instanceof Counter, Object.keys(counter),
             counter.getValue(), counter.addTo(twin), take(counter), [...drops],
         ];
         const again = same(twin);
         seen.push(again instanceof Counter, again === twin, again.getValue());
         const [first, second] = many([again, new Counter(6)]);
         seen.push(first.getValue(), second.addTo(first));
         second[Symbol.dispose]();
         second[Symbol.dispose]();
         { using third = new Counter(7); }
         seen.push([...drops]);
         class Sub extends Counter { get double() { return 2 * this.getValue(); } }
         const sub = new Sub(8);
         seen.push(sub.double, sub instanceof Sub, take(sub), instance.ended);
         return seen;",
    );
    assert_eq!(
        got,
        json!([
            "Counter",
            true,
            true,
            [],
            5,
            10,
            5,
            [5],
            true,
            false,
            5,
            5,
            11,
            [5, 6, 7],
            16,
            true,
            8,
            false
        ])
    );
}

#[test]
fn handles_that_cannot_be_passed_are_refused() {
    let mut js = guest();
    js.run(
        "globalThis.other = await make();
         globalThis.gone = new instance.exports.Counter(1);
         instance.exports.take(gone);
         globalThis.disposed = new instance.exports.Counter(2);
         disposed[Symbol.dispose]();
         globalThis.kept = new instance.exports.Counter(3);
         globalThis.foreign = new other.exports.Counter(4);",
    );
    let mut messages = String::new();
    for call in [
        "exports.take(gone)",
        "exports.take(disposed)",
        "exports.take(foreign)",
        "exports.take({})",
        "exports.take(3)",
        "exports.take(Object.create(instance.exports.Counter.prototype))",
        "exports.both(kept, kept)",
        "exports.both(kept, gone)",
        "exports.many([kept, kept])",
        "exports.Counter.twinOf(gone)",
        "exports.Counter.prototype.getValue.call({})",
        "exports.Counter.prototype.getValue.call(foreign)",
    ] {
        let error = js.run(&format!("return tell(await caught(() => instance.{call}))"));
        assert_eq!(error["code"], 5005, "{call}: {error:#}");
        messages += &format!("{call}\n    {}\n", error["message"].as_str().unwrap());
    }
    snapshot("component_handles", &messages);
    let after = js
        .run("return [kept.getValue(), instance.ended, other.ended, instance.exports.take(kept)]");
    assert_eq!(after, json!([3, false, false, 3]));
}

#[test]
fn handles_that_a_script_makes_up_are_refused() {
    let mut js = guest();
    let got = js.run(
        "const { op_wasm_call_component, op_wasm_drop_resource } = Deno.core.ops;
         const kept = new instance.exports.Counter(3);
         const codes = [];
         const number = (n) => new Uint8Array(new Uint32Array(n).buffer);
         // The first store of the runtime is that of the instance; the functions are in the order of the component.
         for (let f = 0; f < 8; f++) {
             for (const args of [[5], [0, 0], [1, 99], [2, 0, 0]]) {
                 try { op_wasm_call_component(1, f, number(args), [{}]); codes.push(0); }
                 catch (error) { codes.push(error.code); }
             }
         }
         for (const handle of [5, 4294967295]) {
             try { op_wasm_drop_resource(1, handle, [{}]); codes.push(0); } catch (error) { codes.push(error.code); }
         }
         return [[...new Set(codes)].sort(), kept.getValue(), instance.ended];",
    );
    assert_eq!(got[1], 3, "{got:#}");
    assert_eq!(got[2], false, "{got:#}");
    assert!(got[0].as_array().unwrap().contains(&json!(5005)), "{got:#}");
}

#[test]
fn a_destructor_that_traps_ends_the_instance() {
    let mut js = guest();
    let got = js.run(
        "const bad = new instance.exports.Counter(666);
         const error = tell(await caught(() => bad[Symbol.dispose]()));
         return [error.trap, instance.ended, tell(await caught(() => new instance.exports.Counter(1))).code];",
    );
    assert_eq!(got, json!(["unreachable", true, 5002]));
}

#[test]
fn resources_that_nothing_refers_to_are_dropped() {
    let mut js = guest();
    js.run("for (let i = 0; i < 10; i++) new instance.exports.Counter(i);");
    let dropped = js.run(
        "await collect();
         new instance.exports.Counter(100)[Symbol.dispose]();
         return drops.sort((a, b) => a - b);",
    );
    assert_eq!(dropped, json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100]));
}

/// A component that imports a resource of the host, and keeps, lends, returns and drops objects of it.
const HOST: &str = r#"(component
  (import "my:pkg/files@1.0.0" (instance $files
    (export "text-file" (type $file (sub resource)))
    (export "[constructor]text-file" (func (param "size" u32) (result (own $file))))
    (export "[method]text-file.read-at" (func (param "self" (borrow $file)) (param "at" u32) (result u32)))
    (export "[static]text-file.open-all" (func (param "count" u32) (result u32)))
    (export "close" (func (param "file" (own $file))))))
  (alias export $files "text-file" (type $file))
  (core func $create (canon lower (func $files "[constructor]text-file")))
  (core func $read (canon lower (func $files "[method]text-file.read-at")))
  (core func $open (canon lower (func $files "[static]text-file.open-all")))
  (core func $close (canon lower (func $files "close")))
  (core func $drop (canon resource.drop $file))
  (core module $m
    (import "" "create" (func $create (param i32) (result i32)))
    (import "" "read" (func $read (param i32 i32) (result i32)))
    (import "" "open" (func $open (param i32) (result i32)))
    (import "" "close" (func $close (param i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "use") (param i32) (result i32)
      (local $file i32) (local $read i32)
      (local.set $file (call $create (local.get 0)))
      (local.set $read (call $read (local.get $file) (i32.const 7)))
      (call $drop (local.get $file))
      (local.get $read))
    (func (export "hoard") (param i32)
      (loop $again
        (drop (call $create (local.get 0)))
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_if $again (local.get 0))))
    (func (export "open") (param i32) (result i32) (call $open (local.get 0)))
    (func (export "make") (param i32) (result i32) (call $create (local.get 0)))
    (func (export "hand-on") (param i32) (call $close (local.get 0)))
    (func (export "lent") (param i32) (result i32)
      (local $read i32)
      (local.set $read (call $read (local.get 0) (i32.const 1)))
      (call $drop (local.get 0))
      (local.get $read))
    (func (export "same") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m (with "" (instance
    (export "create" (func $create)) (export "read" (func $read)) (export "open" (func $open))
    (export "close" (func $close)) (export "drop" (func $drop))))))
  (func (export "use") (param "size" u32) (result u32) (canon lift (core func $i "use")))
  (func (export "open") (param "count" u32) (result u32) (canon lift (core func $i "open")))
  (func (export "hoard") (param "count" u32) (canon lift (core func $i "hoard")))
  (func (export "make") (param "size" u32) (result (own $file)) (canon lift (core func $i "make")))
  (func (export "hand-on") (param "file" (own $file)) (canon lift (core func $i "hand-on")))
  (func (export "lent") (param "file" (borrow $file)) (result u32) (canon lift (core func $i "lent")))
  (func (export "same") (param "file" (own $file)) (result (own $file)) (canon lift (core func $i "same"))))"#;

const FILES: &str = "
    globalThis.log = [];
    class Base { readAt(at) { log.push(`read ${this.size} at ${at}`); return this.size + at; } }
    globalThis.TextFile = class TextFile extends Base {
        constructor(size) { super(); this.size = size; log.push(`create ${size}`); }
        static openAll(count) { return this === TextFile ? 2 * count : 0; }
        [Symbol.dispose]() { log.push(`dispose ${this.size}`); }
    };
    globalThis.files = { TextFile, close(file) { log.push(`close ${file.size} ${file instanceof TextFile}`); } };
";

#[test]
fn a_class_of_the_app_is_a_resource_for_the_component() {
    let mut js = with_source(HOST);
    js.run(FILES);
    let got = js.run(
        "const { exports } = await component({ 'my:pkg/files': files });
         const used = exports.use(3);
         const made = exports.make(4);
         const own = new TextFile(5);
         const lent = [exports.lent(own), exports.lent(made), exports.lent(own)];
         exports.handOn(own);
         const same = exports.same(made);
         const sub = await component({ 'my:pkg/files': { ...files, TextFile: class extends TextFile {} } });
         return [used, exports.open(21), made instanceof TextFile, lent, same === made, sub.exports.open(1), log];",
    );
    assert_eq!(
        got,
        json!([
            10,
            42,
            true,
            [6, 5, 6],
            true,
            0,
            [
                "create 3",
                "read 3 at 7",
                "dispose 3",
                "create 4",
                "create 5",
                "read 5 at 1",
                "read 4 at 1",
                "read 5 at 1",
                "close 5 true"
            ]
        ])
    );
}

#[test]
fn a_class_without_the_members_that_are_needed_is_refused() {
    let mut js = with_source(HOST);
    js.run(FILES);
    let mut messages = String::new();
    for given in [
        "{}",
        "{ ...files, TextFile: 5 }",
        "{ ...files, TextFile: () => {} }",
        "{ ...files, TextFile: class {} }",
        "{ ...files, TextFile: class { readAt() {} } }",
        "{ ...files, TextFile: Map }",
    ] {
        let error = js.run(&format!(
            "return tell(await caught(() => component({{ 'my:pkg/files': {given} }})))"
        ));
        assert_eq!(error["code"], 5001, "{given}: {error:#}");
        messages += &format!("{given}\n    {}\n", error["message"].as_str().unwrap());
    }
    let refused = js.run(
        "const { exports } = await component({ 'my:pkg/files': files });
         const errors = [];
         for (const file of [{ size: 1 }, undefined, TextFile, Object.create(null)]) {
             errors.push(tell(await caught(() => exports.handOn(file))));
         }
         errors.push(exports.use(1));
         return errors;",
    );
    for error in &refused.as_array().unwrap()[..4] {
        messages += &format!("{} {}\n", error["code"], error["message"].as_str().unwrap());
    }
    assert_eq!(refused[4], 8);
    snapshot("component_classes", &messages);
}

#[test]
fn objects_of_the_app_are_not_kept_after_their_resources() {
    let mut js = with_source(HOST);
    js.run(FILES);
    let got = js.run(
        "const { exports } = await component({ 'my:pkg/files': files });
         for (let i = 0; i < 1000; i++) {
             exports.use(i);
             exports.lent(new TextFile(i));
             exports.handOn(new TextFile(i));
             // QuickJS takes milliseconds to make the stack of an error.
             if (i % 5 === 0) await caught(() => exports.handOn(5));
         }
         const refs = [];
         for (let i = 0; i < 20; i++) {
             const file = new TextFile(i);
             exports.lent(file);
             refs.push(new WeakRef(file));
         }
         await collect();
         await collect();
         return refs.filter((ref) => ref.deref() !== undefined).length;",
    );
    assert!(got.as_u64().unwrap() <= 1, "{got}");
}

#[test]
fn a_getter_of_a_later_value_cannot_exchange_a_resource() {
    let mut js = guest();
    let got = js.run(
        "const first = new instance.exports.Counter(1);
         let second;
         const list = [first, undefined];
         Object.defineProperty(list, 1, { get() {
             instance.exports.take(first);
             second = new instance.exports.Counter(2);
             return new instance.exports.Counter(3);
         } });
         const error = tell(await caught(() => instance.exports.many(list)));
         return [error.code, error.message, second.getValue(), instance.ended];",
    );
    assert_eq!(
        got,
        json!([
            5005,
            "a resource that is passed was dropped or given up by a getter of another value",
            2,
            false
        ])
    );
}

#[test]
fn handles_have_a_cap_in_the_guest_and_in_the_host() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_references = 100;
    let mut js = Js::with(capabilities);
    let source = |text: &str| serde_json::to_string(text).unwrap();
    let error = js.run(&format!(
        "globalThis.drops = [];
         const made = await wasm.compileComponent(Deno.core.encode({}));
         const instance = await wasm.instantiateComponent(made, {{ dropped() {{}} }});
         const kept = [];
         const error = tell(await caught(() => {{
             for (let i = 0; i < 200; i++) kept.push(new instance.exports.Counter(i));
         }}));
         return [kept.length, error.code, error.message];",
        source(GUEST)
    ));
    assert_eq!(error[1], 5002, "{error:#}");
    assert_eq!(error[0], 100, "{error:#}");
    js.run(FILES);
    let error = js.run(&format!(
        "const made = await wasm.compileComponent(Deno.core.encode({}));
         const {{ exports }} = await wasm.instantiateComponent(made, {{ 'my:pkg/files': files }});
         for (let i = 0; i < 200; i++) exports.use(i);
         const error = tell(await caught(() => {{ exports.hoard(200); }}));
         return [log.filter((line) => line.startsWith('create')).length - 200, error.code, error.message];",
        source(HOST)
    ));
    assert_eq!(error[1], 5002, "{error:#}");
    assert!(error[0].as_u64() <= Some(101), "{error:#}");
}

/// A component whose resources have destructors that never end, and one that calls an import.
const SPINNER: &str = r#"(component
  (import "f" (func $f))
  (core module $m0 (func (export "spin") (param i32) (loop (br 0))) (func (export "nothing") (param i32)))
  (core instance $m0 (instantiate $m0))
  (type $r' (resource (rep i32) (dtor (core func $m0 "DESTRUCTOR"))))
  (export $r "thing" (type $r'))
  (core func $new (canon resource.new $r'))
  (core func $f (canon lower (func $f)))
  (core module $m (import "" "new" (func $new (param i32) (result i32))) (import "" "f" (func $f))
    (func (export "make") (result i32) (call $new (i32.const 7)))
    (func (export "call") (call $f)))
  (core instance $m (instantiate $m (with "" (instance (export "new" (func $new)) (export "f" (func $f))))))
  (func (export "make") (result (own $r)) (canon lift (core func $m "make")))
  (func (export "call") (canon lift (core func $m "call"))))"#;

/// A destructor is guest code: no collection of garbage runs it without a limit.
#[test]
fn a_destructor_that_never_ends_holds_the_next_call_up_to_its_deadline() {
    let mut js = with_source(&SPINNER.replace("DESTRUCTOR", "spin"));
    let got = js.run(
        "const instance = await component({ f() {} }, { interruptible: true });
         globalThis.instance = instance;
         let thing = await instance.callAsync('make', [], { timeoutMs: 60_000 });
         thing = undefined;
         return typeof thing;",
    );
    assert_eq!(got, "undefined");
    let got = js.run(
        "await collect();
         const error = await caught(() => instance.callAsync('make', [], { timeoutMs: 50 }));
         return [error.message, instance.ended];",
    );
    assert_eq!(
        got,
        json!(["the deadline passed: a call may take 50 ms", true])
    );
}

/// A resource that cannot be dropped, since its instance is busy, is dropped when its object is collected.
#[test]
fn a_resource_that_an_import_disposes_of_is_not_lost() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_references = 10;
    let mut js = Js::with(capabilities);
    let source = serde_json::to_string(&SPINNER.replace("DESTRUCTOR", "nothing")).unwrap();
    js.run(&format!(
        "const component = await compileComponent(text({source}));
         globalThis.refused = 0;
         const f = () => {{ try {{ thing[Symbol.dispose](); }} catch {{ refused++; }} }};
         globalThis.instance = await instantiateComponent(component, {{ f }});"
    ));
    for _ in 0..20 {
        js.run(
            "globalThis.thing = instance.exports.make();
             instance.exports.call();
             globalThis.thing = undefined;",
        );
        js.run("await collect();");
    }
    let got = js.run("return [refused, instance.ended];");
    assert_eq!(got, json!([20, false]));
}
