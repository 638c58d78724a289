//! `poll_oneoff` returns as soon as an event is ready, and at once if one is ready already.

use std::io::pipe;
use std::process::Stdio;

use serde_json::json;

use super::{Folder, granting, js};
use crate::support::child::{self, Child, this_test};

/// A poll that waits wrongly would hang the whole test run. Scripts therefore have a late deadline, which they must
/// not reach.
const FAR: &str = "{ timeoutMs: 60_000 }";

#[test]
fn a_clock_that_is_due_is_an_event_at_once() {
    let result = js(granting(vec![])).run(&format!(
        "const results = [];
         for (const [options, poll] of [[{FAR}, (g, wanted) => g.poll(wanted)], [undefined, (g, wanted) => g.poll(wanted)]]) {{
             const g = await guest({{ stdin: 'text', stdout: 'piped' }}, options);
             const due = [{{ clock: 0 }}, {{ clock: 0, id: 0 }}, {{ clock: 0, absolute: true }}, {{ clock: 0, id: 0, absolute: true }}, {{ clock: 1, absolute: true }}];
             const never = {{ clock: 2n ** 64n - 1n }};
             const users = (events) => events.map(({{ userdata, error, type }}) => [userdata - 100, error, type].join());
             for (const one of due) results.push(users(poll(g, [one])), users(poll(g, [never, one])), users(poll(g, [one, one, never])));
             results.push(users(poll(g, [never, {{ read: 0 }}, {{ write: 1 }}, {{ clock: 0 }}])));
         }}
         return results;",
    ));
    let mut right = Vec::new();
    for _ in 0..2 {
        for _ in 0..5 {
            right.extend([
                json!(["0,0,0"]),
                json!(["1,0,0"]),
                json!(["0,0,0", "1,0,0"]),
            ]);
        }
        right.push(json!(["1,0,1", "2,0,2", "3,0,0"]));
    }
    assert_eq!(result, json!(right));
}

/// The same in a guest that runs on a thread of its own.
#[test]
fn a_clock_that_is_due_is_an_event_at_once_beside_javascript() {
    let result = js(granting(vec![])).run(
        "const command = await load(`(module
             (import \"wasi_snapshot_preview1\" \"poll_oneoff\" (func $poll (param i32 i32 i32 i32) (result i32)))
             (memory (export \"memory\") 1)
             (func (export \"poll\") (param $clock i32) (param $absolute i32) (result i32)
                 (i32.store (i32.const 16) (local.get $clock))
                 (i32.store (i32.const 40) (local.get $absolute))
                 (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512)))
                 (i32.load (i32.const 512))))`, {}, { wasi: {}, timeoutMs: 60_000 });
         const results = [];
         for (const clock of [0, 1]) for (const absolute of [0, 1])
             results.push(command.call('poll', [clock, absolute]), await command.callAsync('poll', [clock, absolute]));
         return results;",
    );
    assert_eq!(result, json!([1, 1, 1, 1, 1, 1, 1, 1]));
}

#[test]
fn a_wait_is_as_long_as_the_shortest_and_ends_with_the_deadline() {
    let result = js(granting(vec![])).run(
        "const g = await guest({}, { timeoutMs: 60_000 });
         const time = () => (g.call('clock_time_get', 1, 0n, 0), new DataView(g.instance.memory().buffer).getBigUint64(0, true));
         const start = time();
         const after = { clock: start + 20_000_000n, absolute: true };
         const events = g.poll([{ clock: 10n ** 12n }, after, { clock: 10n ** 18n, absolute: true }]);
         const waited = time() - start >= 20_000_000n;
         const ended = await guest({}, { timeoutMs: 20 });
         const never = [[{ clock: 10n ** 12n }], [{ clock: 2n ** 64n - 1n, absolute: true }], [{ clock: 2n ** 64n - 1n, id: 0, absolute: true }], [{ clock: 10n ** 12n }, { clock: 10n ** 12n, id: 0 }]];
         const errors = [];
         for (const wanted of never) errors.push((await caught(() => ended.poll(wanted))).trap);
         return [events.map(({ userdata }) => userdata), waited, errors];",
    );
    assert_eq!(
        result,
        json!([
            [101],
            true,
            ["interrupt", "interrupt", "interrupt", "interrupt"]
        ])
    );
}

/// The events, and the address of their number, may overlap the subscriptions at any offset.
#[test]
fn results_may_overlap_the_subscriptions() {
    let result = js(granting(vec![])).run(
        "const g = await guest({ stdin: 'text' });
         const wanted = [{ clock: 10n ** 18n }, { read: 0 }, { clock: 0 }];
         const right = JSON.stringify(g.poll(wanted)), wrong = [];
         const end = 4096 + 3 * 48;
         for (let events = 4096 - 96; events <= end; events += 8) {
             const result = JSON.stringify(g.poll(wanted, { events, to: 8000 }));
             if (result !== right) wrong.push(['events', events, result]);
         }
         for (let to = 4096; to < end; to += 4) {
             const result = JSON.stringify(g.poll(wanted, { to }));
             if (result !== right) wrong.push(['to', to, result]);
         }
         return [JSON.parse(right).map(({ userdata, type }) => [userdata, type]), wrong];",
    );
    assert_eq!(result, json!([[[101, 1], [102, 0]], []]));
}

#[test]
fn a_descriptor_that_cannot_be_polled_is_an_event_of_its_own() {
    let folder = Folder::new("polled");
    let result = folder.js().run(
        "const g = await guest({ preopens: { '/': root + 'granted' }, stdin: 'text' }, { timeoutMs: 60_000 });
         const file = g.open(3, 'file').fd, end = g.open(3, 'file').fd;
         g.read(end);
         const short = (events) => Array.isArray(events) ? events.map(({ userdata, error, bytes, hangup }) => [userdata - 100, error, bytes, hangup]) : events;
         const bad = short(g.poll([{ read: 99 }, { write: 0 }, { read: 1 }, { write: file }, { clock: 10n ** 18n }]));
         const good = short(g.poll([{ read: 0 }, { write: 1 }, { read: file }, { read: end }]));
         const malformed = [{ clock: 0, id: 2 }, { clock: 0, id: 4 }].map((one) => g.poll([one]));
         new DataView(g.instance.memory().buffer).setUint8(4096 + 8, 3);
         malformed.push(g.call('poll_oneoff', 4096, 8192, 1, 0));
         const outside = [[262140, 8192, 1, 0], [4096, 262140, 1, 0], [4096, 8192, 1, 262142], [100_000, 8192, 4096, 0]].map((args) => g.call('poll_oneoff', ...args));
         return { bad, good, malformed, outside };",
    );
    assert_eq!(
        result,
        json!({
            "bad": [[0, 8, 0, 0], [1, 8, 0, 0], [2, 8, 0, 0], [3, 8, 0, 0]],
            "good": [[0, 0, 4, 0], [1, 0, 1, 0], [2, 0, 6, 0], [3, 0, 0, 1]],
            "malformed": [28, 28, 28],
            "outside": [21, 21, 21, 21],
        })
    );
}

/// The standard input of the child process is a pipe to which no process writes.
#[test]
fn an_inherited_input_is_polled_without_a_wait() {
    const SCRIPT: &str = "
        const g = await guest({ stdin: 'inherit' }, { timeoutMs: 60_000 });
        const users = (events) => events.map(({ userdata }) => userdata);
        const ended = await guest({ stdin: 'inherit' }, { timeoutMs: 20 });
        return [
            users(g.poll([{ read: 0 }, { clock: 0 }])), users(g.poll([{ clock: 1_000_000 }, { read: 0 }])),
            (await caught(() => ended.poll([{ read: 0 }]))).trap, (await caught(() => ended.read(0))).trap,
            g.call('fd_read', 0, 0, 0, 16), g.call('fd_fdstat_set_flags', 0, 4), g.read(0),
        ];";
    if child::is_child() {
        child::answer(&js(granting(vec![])).run(SCRIPT));
        return;
    }
    let (reader, writer) = pipe().unwrap();
    let result = Child::new(this_test!()).stdin(Stdio::from(reader)).run();
    drop(writer);
    assert_eq!(
        result,
        json!([[101], [100], "interrupt", "interrupt", 0, 0, 6])
    );
}
