//! Guests have the resources that the app passes, if the host grants them.

use serde_json::json;

use super::{granting, js};
use crate::support::js::Js;

#[test]
fn without_options_guests_have_nothing() {
    let mut js = js(granting(vec![]));
    let result = js.run(
        "const g = await guest({});
         return {
             args: g.strings('args'), env: g.strings('environ'),
             preopen: g.call('fd_prestat_get', 3, 0),
             stdin: g.read(0), stdout: g.write(1, 'gone'), stderr: g.write(2, 'gone'),
             output: [await caught(() => g.instance.stdout()), await caught(() => g.instance.stderr())].map(tell),
             socket: g.call('sock_accept', 3, 0, 0),
             open: g.open(3, 'etc/passwd').errno,
         };",
    );
    let refused = |name: &str| json!({ "code": 5002, "kind": "RuntimeError", "message": format!("{name} is not piped") });
    assert_eq!(
        result,
        json!({
            "args": [0, ""], "env": [0, ""],
            "preopen": 8, "stdin": "", "stdout": 4, "stderr": 4,
            "output": [refused("stdout"), refused("stderr")],
            "socket": 8, "open": 8,
        })
    );
}

#[test]
fn guests_have_the_arguments_and_streams_that_the_app_passes() {
    let mut js = js(granting(vec![]));
    let result = js.run(
        "const g = await guest({
             args: ['prog', '', 'ünï'], env: { A: '1', B: 'x=y' },
             stdin: 'all of it', stdout: 'piped', stderr: 'piped',
         });
         const bytes = await guest({ stdin: new Uint8Array([65, 66]).subarray(1) });
         const before = [...g.instance.stdout()];
         const written = [g.write(1, 'one '), g.write(1, 'two'), g.write(2, 'three')];
         return {
             args: [g.strings('args')[0], g.strings('args')[1].split('\\0')[0]], env: g.strings('environ'),
             stdin: [g.read(0, 4), g.read(0), g.read(0), bytes.read(0)], before, written,
             stdout: decode(g.instance.stdout()), stderr: decode(g.instance.stderr()),
         };
         function decode(bytes) { return String.fromCharCode(...bytes); }",
    );
    assert_eq!(
        result,
        json!({
            "args": [3, "prog"], "env": [2, "A=1\0B=x=y\0"],
            "stdin": ["all ", "of it", "", "B"], "before": [], "written": [4, 3, 5],
            "stdout": "one two", "stderr": "three",
        })
    );
}

#[test]
fn wasi_has_to_be_granted_and_requested() {
    let needs = "(module (import \"wasi_snapshot_preview1\" \"sched_yield\" (func (result i32))))";
    let script = format!(
        "const module = await compile(text({}));
         const own = {{ wasi_snapshot_preview1: {{ sched_yield: () => 0 }} }};
         return {{
             asked: tell(await caught(() => instantiate(module, {{}}, {{ wasi: {{}} }}))),
             not: tell(await caught(() => instantiate(module))),
             own: (await instantiate(module, own)).moduleId === module.id,
             unknown: tell(await caught(() => load('(module (import \"wasi_snapshot_preview1\" \"fd_fly\" (func)))', {{}}, {{ wasi: {{}} }}))),
             mistyped: await codeOf(() => load('(module (import \"wasi_snapshot_preview1\" \"sched_yield\" (func)))', {{}}, {{ wasi: {{}} }})),
             joined: tell(await caught(() => instantiate(module, {{}}, {{ store: new WasmStore(), wasi: {{}} }}))),
         }};",
        json!(needs)
    );
    let refusal =
        |message: &str| json!({ "code": 5001, "kind": "InstantiateError", "message": message });
    let not = "import \"wasi_snapshot_preview1\".\"sched_yield\" needs a function: the store has no WASI, \
               for which there is the option wasi";
    let result = Js::new().run(&script);
    assert_eq!(result["asked"], refusal("the host grants no WASI"));
    assert_eq!(result["not"], refusal(not));
    assert_eq!(result["own"], true);

    let result = Js::with(granting(vec![])).run(&script);
    assert_eq!(result["asked"], "not a WasmError: nothing was thrown");
    assert_eq!(result["not"], refusal(not));
    assert_eq!(
        result["unknown"],
        refusal("import \"wasi_snapshot_preview1\".\"fd_fly\": WASI has no such function")
    );
    assert_eq!(result["mistyped"], 5001);
}

#[test]
fn unusable_options_are_refused() {
    let mut js = js(granting(vec![]));
    let result = js.run(
        "const configs = [1, null, 'all', { args: 'a' }, { args: [1] }, { args: ['a\\0b'] }, { env: 1 },
             { env: { A: 1 } }, { env: { 'A=B': '1' } }, { env: { '': '1' } }, { env: { A: '\\0' } },
             { preopens: [1] }, { preopens: { '/': 1 } }, { preopens: { '/': {} } },
             { preopens: { '/': { path: '.', readonly: 'yes' } } },
             { stdin: 1 }, { stdout: 'all' }, { stderr: new Uint8Array(1) }, { stdout: { kind: 'piped' } }];
         const codes = await Promise.all(configs.map((wasi) => codeOf(() => guest(wasi))));
         const long = '\0ü'.repeat(100_000);
         const lengths = [];
         for (const wasi of [{ args: [long] }, { env: { [long + '=']: '1' } }, { env: { A: long } }, { env: { [long]: '1' } }, { preopens: { '/': long.slice(1) } }, { preopens: { '/': 'x'.repeat(9999) } }])
             lengths.push((await caught(() => guest(wasi))).message.length < 450);
         return [codes, lengths];",
    );
    assert_eq!(result, json!([vec![5001; 19], vec![true; 6]]));
}
