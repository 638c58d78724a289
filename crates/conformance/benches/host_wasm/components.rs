//! Calls of components, and the values that cross in them.

use crate::calls::CALLS;
use crate::js::{Js, MIB};
use crate::measure::{Bench, Subject};

/// The number of calls with large values in one round.
const LARGE_CALLS: u32 = 5;
/// The number of other slow calls in one round.
const SLOW_CALLS: u32 = 2_000;

/// Functions that return what they get, one that calls an import, and a resource.
const COMPONENT: &str = r#"(component
  (import "next" (func $next (param "n" u32) (result u32)))
  (core module $lib
    (memory (export "memory") 64)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $lib (instantiate $lib))
  (alias core export $lib "memory" (core memory $memory))
  (alias core export $lib "realloc" (core func $realloc))
  (core func $next (canon lower (func $next)))
  (type $counter' (resource (rep i32)))
  (core func $new (canon resource.new $counter'))
  (core module $m
    (import "" "memory" (memory 1))
    (import "" "next" (func $next (param i32) (result i32)))
    (import "" "new" (func $new (param i32) (result i32)))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "echo") (param i32 i32) (result i32)
      (i32.store (i32.const 16) (local.get 0))
      (i32.store (i32.const 20) (local.get 1))
      (i32.const 16))
    (func (export "loop") (param $n i32) (result i32) (local $sum i32)
      (loop $more
        (local.set $sum (i32.add (local.get $sum) (call $next (local.get $n))))
        (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (local.get $sum))
    (func (export "make") (result i32) (call $new (i32.const 7)))
    (func (export "read") (param i32) (result i32) (local.get 0)))
  (core instance $m (instantiate $m (with "" (instance
    (export "memory" (memory $memory)) (export "next" (func $next)) (export "new" (func $new))))))
  (type $record' (record (field "a" u32) (field "b" u32) (field "c" u64) (field "d" f64)
    (field "e" bool) (field "f" u8) (field "g" s16) (field "h" f32)))
  (export $record "record" (type $record'))
  (export $counter "counter" (type $counter'))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $m "add")))
  (func (export "loop") (param "n" u32) (result u32) (canon lift (core func $m "loop")))
  (func (export "text") (param "text" string) (result string)
    (canon lift (core func $m "echo") (memory $memory) (realloc $realloc)))
  (func (export "bytes") (param "bytes" (list u8)) (result (list u8))
    (canon lift (core func $m "echo") (memory $memory) (realloc $realloc)))
  (func (export "records") (param "records" (list $record)) (result (list $record))
    (canon lift (core func $m "echo") (memory $memory) (realloc $realloc)))
  (func (export "[constructor]counter") (result (own $counter)) (canon lift (core func $m "make")))
  (func (export "[method]counter.read") (param "self" (borrow $counter)) (result u32)
    (canon lift (core func $m "read"))))"#;

/// The number of bytes of a stream.
const STREAM: usize = 16 * MIB;

/// A function whose stream has as many bytes as it is given, 64 KiB at a time, and one that reads all of a stream.
const STREAMS: &str = r#"(component
  (core module $lib (memory (export "memory") 2))
  (core instance $lib (instantiate $lib))
  (alias core export $lib "memory" (core memory $memory))
  (type $bytes (stream u8))
  (core func $new (canon stream.new $bytes))
  (core func $write (canon stream.write $bytes (memory $memory)))
  (core func $read (canon stream.read $bytes (memory $memory)))
  (core func $close (canon stream.drop-writable $bytes))
  (core func $drop (canon stream.drop-readable $bytes))
  (core func $return (canon task.return (result $bytes)))
  (core func $return-count (canon task.return (result u32)))
  (core module $m
    (import "" "new" (func $new (result i64)))
    (import "" "write" (func $write (param i32 i32 i32) (result i32)))
    (import "" "read" (func $read (param i32 i32 i32) (result i32)))
    (import "" "close" (func $close (param i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "return" (func $return (param i32)))
    (import "" "return-count" (func $return-count (param i32)))
    (func (export "give") (param $n i32) (local $ends i64) (local $writer i32)
      (local.set $ends (call $new))
      (call $return (i32.wrap_i64 (local.get $ends)))
      (local.set $writer (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
      (loop $more
        (local.set $n (i32.sub (local.get $n)
          (i32.shr_u (call $write (local.get $writer) (i32.const 0) (i32.const 65536)) (i32.const 4))))
        (br_if $more (i32.gt_s (local.get $n) (i32.const 0))))
      (call $close (local.get $writer)))
    (func (export "take") (param $stream i32) (local $sum i32) (local $got i32)
      (loop $more
        (local.set $got (call $read (local.get $stream) (i32.const 0) (i32.const 65536)))
        (local.set $sum (i32.add (local.get $sum) (i32.shr_u (local.get $got) (i32.const 4))))
        (br_if $more (i32.eqz (i32.and (local.get $got) (i32.const 15)))))
      (call $drop (local.get $stream))
      (call $return-count (local.get $sum))))
  (core instance $m (instantiate $m (with "" (instance
    (export "new" (func $new)) (export "write" (func $write)) (export "read" (func $read)) (export "close" (func $close))
    (export "drop" (func $drop)) (export "return" (func $return)) (export "return-count" (func $return-count))))))
  (func (export "give") async (param "n" u32) (result $bytes) (canon lift (core func $m "give") async))
  (func (export "take") async (param "bytes" $bytes) (result u32) (canon lift (core func $m "take") async)))"#;

/// Streams out of a component, and into one.
pub fn streams(bench: &mut Bench) -> anyhow::Result<()> {
    if !bench.wants("stream_") {
        return Ok(());
    }
    let js = Js::new(&format!(
        r#"
        const component = await compileComponent(text(`{STREAMS}`));
        const {{ exports }} = await instantiateComponent(component);
        const part = new Uint8Array(65536).fill(1);
        globalThis.give = async (n) => {{
            let read = 0;
            for await (const bytes of await exports.give({STREAM})) read += bytes.length;
            if (read !== {STREAM}) throw new Error(`${{read}} bytes`);
        }};
        globalThis.take = async (n) => {{
            async function* parts() {{
                for (let i = 0; i < {STREAM}; i += part.length) yield part;
            }}
            if (await exports.take(parts()) !== {STREAM}) throw new Error("not all");
        }};
        globalThis.copy = async (n) => {{ for (let i = 0; i < {STREAM}; i += {MIB}) ops.op_bench_copy(); }};
        "#
    ))?;
    for name in ["give", "take"] {
        let subject = Subject {
            name: &format!("stream_{name}_16mib"),
            target: None,
            against: "ops that copy as much, one MiB at a time",
            per_round: 1,
        };
        let run = |name: &str| js.time_promise(&format!("{name}(1)"));
        bench.compare(&subject, || run(name), || run("copy"))?;
    }
    Ok(())
}

pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    if !bench.wants("component_") {
        return Ok(());
    }
    let js = Js::new(&format!(
        r#"
        const add = "(module (func (export \"add\") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))";
        const module = await instantiate(await compile(text(add)));
        const imports = `{imports}`;
        const looping = await instantiate(await compile(text(imports)), {{ env: {{ f: (n) => n }} }});
        const component = await compileComponent(text(`{COMPONENT}`));
        const instance = await instantiateComponent(component, {{ next: (n) => n }});
        const {{ exports }} = instance;
        const func = module.func("add"), loop = looping.func("loop");
        const counter = new exports.Counter();
        const kib = "x".repeat(1024), mib = new Uint8Array({MIB}).fill(1);
        const record = {{ a: 1, b: 2, c: 3n, d: 4.5, e: true, f: 6, g: -7, h: 8.5 }};
        const records = Array.from({{ length: 1000 }}, () => ({{ ...record }}));
        const plain = records.map((record) => ({{ ...record, c: 3 }}));
        const times = (n, f) => {{ for (let i = 0; i < n; i++) f(i); }};
        globalThis.component_add = (n) => {{ for (let i = 0; i < n; i++) exports.add(i, 1); }};
        globalThis.func_add = (n) => {{ for (let i = 0; i < n; i++) func(i, 1); }};
        globalThis.component_import = (n) => exports.loop(n);
        globalThis.func_import = (n) => loop(n);
        globalThis.component_method = (n) => {{ for (let i = 0; i < n; i++) counter.read(); }};
        globalThis.component_text = (n) => times(n, () => exports.text(kib));
        globalThis.copy_text = (n) => times(n, () => Deno.core.decode(text(kib)));
        globalThis.component_bytes = (n) => times(n, () => exports.bytes(mib));
        globalThis.copy_bytes = (n) => times(2 * n, () => ops.op_bench_copy());
        globalThis.component_records = (n) => times(n, () => exports.records(records));
        globalThis.json_records = (n) => times(n, () => JSON.parse(JSON.stringify(plain)));
        "#,
        imports = crate::calls::IMPORTS,
    ))?;
    let run = |name: &str, n: u32| js.time(&format!("{name}({n})"));
    for (name, ours, reference, target, against, n) in [
        (
            "component_add",
            "component_add",
            "func_add",
            None,
            "instance.func of a module",
            CALLS,
        ),
        (
            "component_import",
            "component_import",
            "func_import",
            None,
            "an import of a module",
            CALLS,
        ),
        (
            "component_method",
            "component_method",
            "component_add",
            None,
            "component_add",
            CALLS,
        ),
        (
            "component_text_1kib",
            "component_text",
            "copy_text",
            None,
            "UTF-8 of the text, and back",
            SLOW_CALLS,
        ),
        (
            "component_list_1mib",
            "component_bytes",
            "copy_bytes",
            Some(2.0),
            "two ops that copy as much into fresh buffers",
            LARGE_CALLS,
        ),
        (
            "component_1000_records",
            "component_records",
            "json_records",
            None,
            "JSON of the records, and back",
            LARGE_CALLS,
        ),
    ] {
        let subject = Subject {
            name,
            target,
            against,
            per_round: n,
        };
        bench.compare(&subject, || run(ours, n), || run(reference, n))?;
    }
    Ok(())
}
