//! Guests that wait inside the event loop, and guests and JavaScript that call each other.

use serde_json::json;

use super::{granting, js};

#[test]
fn a_guest_waits_inside_the_event_loop() {
    let mut js = js(granting(vec![]));
    let result = js.run(
        "const g = await guest({});
         const time = () => (g.call('clock_time_get', 1, 0n, 0), new DataView(g.instance.memory().buffer).getBigUint64(0, true));
         const before = time();
         const slept = [g.sleep(5_000_000), g.sleep(0)];
         await Deno.core.ops.op_wasm_yield_now();
         slept.push(g.sleep(1_000_000));
         return [slept, time() - before >= 6_000_000n];",
    );
    assert_eq!(result, json!([[0, 0, 0], true]));
}

/// A guest that writes to its standard output and then calls JavaScript.
const CALLBACK: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "env" "back" (func $back (param i32) (result i32)))
    (memory (export "memory") 1)
    (global $depth (mut i32) (i32.const 0))
    (data (i32.const 100) "x")
    (func (export "down") (param i32) (result i32)
        (i32.store (i32.const 0) (i32.const 100))
        (i32.store (i32.const 4) (i32.const 1))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $back (local.get 0)))
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))
    (func (export "trap") unreachable))"#;

#[test]
fn imports_run_where_javascript_does_and_call_back() {
    let mut js = js(granting(vec![]));
    let result = js.run(&format!(
        "const seen = [];
         const env = {{ back: (n) => {{
             seen.push(instance.stdout().length);
             const view = new Uint8Array(instance.memory().buffer);
             view[200] = n;
             const grown = instance.call('grow');
             if (view.length !== 0) throw 'the view is not detached';
             if (instance.readMemory(200, 1)[0] !== n) throw 'the write is lost';
             const trapped = (() => {{ try {{ instance.call('trap'); }} catch (error) {{ return error.trap; }} }})();
             if (trapped !== 'unreachable') throw 'no trap';
             return n === 0 ? grown : instance.call('down', [n - 1]);
         }} }};
         const instance = await load({}, {{ env }}, {{ wasi: {{ stdout: 'piped' }} }});
         return [instance.call('down', [5]), seen, instance.stdout().length];",
        json!(CALLBACK)
    ));
    assert_eq!(result, json!([6, [1, 2, 3, 4, 5, 6], 6]));
}

#[test]
fn an_exception_of_an_import_passes_a_guest_with_wasi() {
    let mut js = js(granting(vec![]));
    let result = js.run(&format!(
        "const thrown = {{}};
         let instance;
         const env = {{ back: (n) => {{
             if (n === 0) throw thrown;
             if (n === 1) instance.drop();
             if (n === 2) return 'no number';
             return instance.call('down', [n]);
         }} }};
         const start = async () => {{ instance = await load({}, {{ env }}, {{ wasi: {{}} }}); }};
         await start();
         const cause = (await caught(() => instance.call('down', [0]))).cause === thrown;
         const mismatch = await codeOf(() => instance.call('down', [2]));
         const deep = (await caught(() => instance.call('down', [3]))).code;
         const usable = instance.call('grow');
         const dropped = await codeOf(() => instance.call('down', [1]));
         const gone = await codeOf(() => instance.call('grow'));
         await start();
         return [cause, mismatch, deep, usable, dropped, gone, instance.call('grow')];",
        json!(CALLBACK)
    ));
    let result = result.as_array().unwrap();
    assert_eq!(result[..2], [json!(true), json!(5005)]);
    assert_eq!(result[2], 5002, "recursion without end");
    assert_eq!(result[3], 1);
    assert_eq!(result[5..], [json!(5002), json!(1)]);
}

#[test]
fn an_exit_deep_in_a_program_is_one_of_all_of_it() {
    let mut js = js(granting(vec![]));
    let result = js.run(
        "const program = (back) => load(`(module
             (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
             (import \"env\" \"back\" (func $back))
             (memory (export \"memory\") 1)
             (func (export \"exit\") (call $exit (i32.const 9)))
             (func (export \"_start\")
                 (block $caught (try_table (catch_all $caught) (call $back)))))`, { env: { back } }, { wasi: {} });
         const nests = await program(() => nests.call('exit'));
         const waits = await program(async () => { await 0; nests.call('exit'); });
         const same = await program(async () => { await 0; same.call('exit'); });
         const other = await caught(() => waits.startAsync());
         return [nests.start(), await same.startAsync(), other.code, other.exitCode, other.cause.exitCode];",
    );
    assert_eq!(result, json!([9, 9, 5002, null, 9]));
}

#[test]
fn an_event_may_overlap_its_subscription() {
    let mut js = js(granting(vec![]));
    let result = js.run(
        "const g = await guest({});
         const view = () => new DataView(g.instance.memory().buffer);
         const poll = (events) => {
             for (let i = 0; i < 96; i++) view().setUint8(256 + i, 0);
             view().setBigUint64(256, 5n, true);
             view().setUint32(272, 1, true);
             view().setBigUint64(280, 3_000_000n, true);
             const errno = g.call('poll_oneoff', 256, events, 1, 0);
             const event = [0, 8, 10, 24].map((at) => at === 0 ? Number(view().getBigUint64(events, true)) : view().getUint16(events + at, true));
             return [errno, g.u32(0), ...event, Number(view().getBigUint64(280, true))];
         };
         return [poll(512), poll(256)];",
    );
    assert_eq!(result[0], json!([0, 1, 5, 0, 0, 0, 3_000_000]));
    assert_eq!(
        result[1].as_array().unwrap()[..6],
        result[0].as_array().unwrap()[..6]
    );
}

#[test]
fn random_bytes_fill_any_buffer_inside_the_memory() {
    let mut js = js(granting(vec![]));
    let result = js.run(
        "const g = await guest({});
         const size = g.instance.memory().byteLength;
         const asked = [[1024, 0], [1024, size - 1024], [0, size], [1024, size - 1023], [size, 1], [0, -1], [-1, -1], [-1, 2], [size, 0]];
         const errnos = asked.map(([at, length]) => g.call('random_get', at, length));
         const bytes = g.instance.readMemory(0, size);
         return [errnos, new Set(bytes).size > 100, bytes.slice(-100).some((byte) => byte !== 0)];",
    );
    assert_eq!(
        result,
        json!([[0, 0, 0, 21, 21, 21, 21, 21, 0], true, true])
    );
}

#[test]
fn wasi_works_with_a_shared_memory() {
    let result = js(granting(vec![])).run(
        "const shared = await load(`(module
             (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result i32)))
             (import \"wasi_snapshot_preview1\" \"args_sizes_get\" (func $sizes (param i32 i32) (result i32)))
             (memory (export \"memory\") 1 1 shared)
             (func (export \"random\") (result i32) (call $random (i32.const 64) (i32.const 32)))
             (func (export \"sizes\") (result i32) (call $sizes (i32.const 0) (i32.const 4))))`,
             {}, { wasi: { args: ['a', 'bc'] } });
         const results = [shared.call('random'), shared.call('sizes')];
         const random = shared.readMemory(64, 32).some((byte) => byte !== 0);
         return [results, random, [...new Uint32Array(shared.readMemory(0, 8).buffer)]];",
    );
    assert_eq!(result, json!([[0, 0], true, [2, 5]]));
}

#[test]
fn a_captured_stream_is_no_terminal() {
    let mut js = js(granting(vec![]));
    let result = js.run(
        "const g = await guest({ stdout: 'piped', stderr: 'piped', stdin: 'text' });
         return [0, 1, 2].map((fd) => [g.call('fd_fdstat_get', fd, 256), g.instance.readMemory(256, 1)[0]]);",
    );
    // A file type of 0 is unknown: a captured stream is not a character device.
    assert_eq!(result, json!([[0, 0], [0, 0], [0, 0]]));
}
