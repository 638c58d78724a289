//! Commands and reactors, and their output.

use serde_json::json;

use super::{granting, js};

#[test]
fn a_command_runs_once_and_returns_its_status() {
    let mut js = js(granting(vec![]));
    let result = js.run(
        "const command = (body) => load(`(module
             (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
             (memory (export \"memory\") 1)
             (func (export \"_start\") ${body})
             (func (export \"exit\") (call $exit (i32.const 3))))`, {}, { wasi: {} });
         const exits = await command('(call $exit (i32.const 7))');
         const large = [];
         for (const status of [126, 255, 256, -1, 2 ** 31 - 1, -(2 ** 31)]) large.push((await command(`(call $exit (i32.const ${status}))`)).start());
         const returns = await command('');
         const traps = await command('unreachable');
         const exited = await caught(() => exits.call('exit'));
         const failure = async (f) => {
             const error = await caught(f);
             return { ...tell(error), hasStack: typeof error.wasmStack === 'string' };
         };
         return {
             statuses: [exits.start(), returns.start(), ...large],
             atStart: await codeOf(() => load('(module (import \"wasi_unstable\" \"proc_exit\" (func $e (param i32))) (func $s (call $e (i32.const 1))) (start $s))', {}, { wasi: {} })),
             noMemory: await failure(async () => (await load('(module (import \"wasi_unstable\" \"random_get\" (func $r (param i32 i32) (result i32))) (func (export \"f\") (drop (call $r (i32.const 0) (i32.const 1)))))', {}, { wasi: {} })).call('f')),
             again: tell(await caught(() => returns.start())),
             trap: tell(await caught(() => traps.start())),
             exit: [tell(exited), exited.exitCode],
             noCommand: await codeOf(async () => (await guest({})).instance.start()),
         };",
    );
    assert_eq!(
        result,
        json!({
            "statuses": [7, 0, 126, 255, 256, -1, i32::MAX, i32::MIN],
            "atStart": 5002,
            "noMemory": { "code": 5002, "kind": "RuntimeError", "message": "missing required memory export", "hasStack": true },
            "again": { "code": 5002, "kind": "RuntimeError", "message": "the command was started before" },
            "trap": { "code": 5002, "kind": "RuntimeError", "message": "wasm trap: unreachable", "trap": "unreachable" },
            "exit": [{ "code": 5002, "kind": "RuntimeError", "message": "the guest exited with status 3" }, 3],
            "noCommand": 5004,
        })
    );
}

#[test]
fn a_reactor_is_ready_when_it_is_instantiated() {
    let mut js = js(granting(vec![]));
    let result = js.run(
        "const reactor = (body) => load(`(module
             (import \"wasi_unstable\" \"sched_yield\" (func $yield (result i32)))
             (global $ready (export \"ready\") (mut i32) (i32.const 0))
             (memory (export \"memory\") 1)
             (func (export \"_initialize\") (global.set $ready (i32.const 1)) ${body})
             (func (export \"yield\") (result i32) (call $yield)))`, {}, { wasi: {} });
         const good = await reactor('');
         const before = Deno.core.ops.op_wasm_live_instances();
         const bad = await codeOf(() => reactor('unreachable'));
         await load('(module (func (export \"_initialize\") (param i32)))', {}, { wasi: {} }).then((instance) => instance.drop());
         return [good.global('ready').value, good.call('yield'), bad,
                 Deno.core.ops.op_wasm_live_instances() - before];",
    );
    assert_eq!(result, json!([1, 0, 5002, 0]));
}

#[test]
fn captured_output_is_capped() {
    let mut capabilities = granting(vec![]);
    capabilities.max_output_bytes = 10;
    let result = js(capabilities).run(
        "const g = await guest({ stdout: 'piped', stderr: 'piped' });
         const first = g.write(1, '12345678');
         const more = tell(await caught(() => g.write(1, '90abc')));
         return [first, more, String.fromCharCode(...g.instance.stdout()), g.write(2, 'usable')];",
    );
    assert_eq!(
        result,
        json!([
            8,
            {
                "code": 5002, "kind": "RuntimeError",
                "message": "the guest wrote more to stdout than 10 bytes"
            },
            "1234567890",
            6
        ])
    );
}
