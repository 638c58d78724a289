//! Imports of guests that are called asynchronously.

use serde_json::json;

use super::{run, run_with, with_wasi};

#[test]
fn imports_may_return_promises() {
    let body = "
        const object = {};
        const asked = [];
        const ask = (n) => { asked.push(n); return n % 2 ? later(n + 1) : n + 1; };
        const g = await guest(options, ask, async (value) => { await turn(); return value; });
        const results = [await g.callAsync('ask', [1]), await g.callAsync('ask', [2]), await g.callAsync('give', [object]) === object];
        const swapped = await guest(options, () => Promise.resolve(5));
        results.push(await swapped.callAsync('ask', [0]));
        return [results, asked];";
    for options in ["{}", "{ interruptible: true }", "{ wasi: {} }"] {
        let result = run_with(
            with_wasi(),
            &body.replace("options,", &format!("{options},")),
        );
        assert_eq!(result, json!([[2, 3, true, 5], [1, 2]]), "{options}");
    }
}

#[test]
fn a_promise_may_reject_or_resolve_to_a_value_of_the_wrong_type() {
    let result = run("
        const thrown = {};
        const outcomes = { 0: () => Promise.reject(thrown), 1: () => later('no number'), 2: () => later(), 3: () => later(3) };
        const g = await guest({}, (n) => outcomes[n]());
        const rejected = await caught(() => g.callAsync('ask', [0]));
        return [
            rejected.code, rejected.cause === thrown, await g.callAsync('catch', [0]),
            tell(await caught(() => g.callAsync('ask', [1]))), await codeOf(() => g.callAsync('catch', [2])), await g.callAsync('catch', [3]),
        ];");
    let misfit = json!({
        "code": 5005, "kind": "TypeMismatch",
        "message": "result 0 of import \"env\".\"ask\": expected i32, got a string",
    });
    assert_eq!(result, json!([5002, true, -1, misfit, 5005, 3]));
}

#[test]
fn a_synchronous_call_does_not_wait_for_promises() {
    let result = run("
        const promise = later(1);
        const g = await guest({}, () => promise, () => promise);
        const value = g.call('give', [null]) === promise;
        // A synchronous call inside an asynchronous call does not wait either.
        const nests = await guest({}, () => nests.call('give', [null]) instanceof Promise ? 1 : 0, () => promise);
        return [tell(await caught(() => g.call('ask', [1]))), value, await nests.callAsync('ask', [0])];");
    let message = "result 0 of import \"env\".\"ask\": expected i32, \
                   got a promise, which only callAsync waits for";
    let refused = json!({ "code": 5005, "kind": "TypeMismatch", "message": message });
    assert_eq!(result, json!([refused, true, 1]));
}

#[test]
fn imports_call_back_into_the_waiting_guest() {
    let body = "
        const lengths = [];
        const g = await guest(options, async (n) => {
            const view = new Uint8Array(g.memory().buffer);
            view[100] = n;
            if (g.call('add', [n, 1]) !== n + 1) throw 'wrong sum';
            await turn();
            if (g.readMemory(100, 1)[0] !== n) throw 'the write is lost';
            g.call('grow');
            lengths.push(view.length);
            const again = new Uint8Array(g.memory().buffer);
            await turn();
            lengths.push(again.length);
            const trap = (await caught(() => g.call('trap'))).trap;
            const busy = (await caught(() => g.callAsync('add', [1, 2]))).message;
            views.push(again);
            return trap === 'unreachable' && /^busy/.test(busy) ? n : -1;
        });
        const views = [];
        const result = await g.callAsync('ask', [9]);
        return [result, lengths, views[0].length, g.memory().byteLength];";
    for options in ["{}", "{ interruptible: true }", "{ wasi: {} }"] {
        let result = run_with(
            with_wasi(),
            &body.replace("options,", &format!("{options},")),
        );
        assert_eq!(result, json!([9, [0, 131072], 0, 131072]), "{options}");
    }
}

#[test]
fn imports_call_each_other_through_many_guests() {
    let result = run("
        const g = await guest({}, (n) => n === 0 ? 0 : g.call('ask', [n - 1]) + 1);
        const a = await guest({}, async (n) => { await turn(); return n === 0 ? 0 : await b.callAsync('ask', [n - 1]) + 1; });
        const b = await guest({}, (n) => n === 0 ? 0 : a.call('add', [n, 0]));
        // While a guest waits for an import, other code may use it.
        const waiting = await guest({}, () => gate);
        let open;
        const gate = new Promise((resolve) => open = resolve);
        const call = waiting.callAsync('ask_and_mark', [0]);
        await turn();
        await turn();
        while ((await codeOf(() => waiting.call('add', [1, 1]))) === 5002) await turn();
        const sum = waiting.call('add', [1, 1]);
        open(5);
        await call;
        return [await g.callAsync('ask', [20]), await a.callAsync('ask', [3]), sum, mark(waiting)];");
    assert_eq!(result, json!([20, 3, 2, 5]));
}

#[test]
fn an_import_of_a_synchronous_call_finds_the_store_busy() {
    let result = run("
        let promise;
        const g = await guest({}, () => {
            const view = new Uint8Array(g.memory().buffer);
            promise = caught(() => g.callAsync('add', [1, 2]));
            return view.length;
        });
        const length = g.call('ask', [1]);
        return [length, (await promise).code, (await promise).message.split(':')[0], await g.callAsync('add', [1, 2])];");
    assert_eq!(result, json!([65536, 5002, "busy", 3]));
}
