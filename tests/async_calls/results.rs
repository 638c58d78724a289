//! Results of asynchronous calls, and other work that runs beside them.

use serde_json::json;

use super::{run, run_with, with_wasi};

#[test]
fn the_promise_resolves_to_the_result_of_the_call() {
    let body = "
        const object = {};
        const results = [];
        for (const options of [{}, { interruptible: true }, { fuel: 1e6 }, ...more]) {
            const g = await guest(options);
            const promise = g.callAsync('add', [2, 3]);
            if (!(promise instanceof Promise)) throw 'no promise';
            const [float, same, long] = await g.callAsync('swap', [-5n, object, 1.5]);
            results.push([await promise, float, same === object, long, await g.callAsync('nothing') === undefined]);
        }
        return results;";
    // A second call would find the store busy while the first call runs.
    let body = body.replace(
        "const [float",
        "await promise;
            const [float",
    );
    let row = json!([5, 1.5, true, "-5n", true]);
    assert_eq!(
        run(&body.replace("...more", "")),
        json!([row.clone(), row.clone(), row.clone()])
    );
    assert_eq!(
        run_with(with_wasi(), &body.replace("...more", "{ wasi: {} }")),
        json!(vec![row; 4])
    );
}

#[test]
fn the_promise_rejects_with_the_error_of_the_call() {
    let result = run("
        const g = await guest({ fuel: 1000 });
        const thrown = {};
        const failing = await guest({}, () => { throw thrown; });
        const [trap, threw] = [await caught(() => g.callAsync('trap')), await caught(() => failing.callAsync('ask', [1]))];
        const same = async (name, args) => [await codeOf(() => g.callAsync(name, args)), await codeOf(() => g.call(name, args))];
        return [
            tell(trap), trap.wasmStack !== undefined, threw.code, threw.cause === thrown,
            await same('none'), await same('memory'), await same('add', [1]), await same('add', ['1', 2]),
            await same('add', 5), await same('mark_and_spin', [1]),
            g.fuel,
        ];");
    let trap = json!({
        "code": 5002, "kind": "RuntimeError", "trap": "unreachable",
        "message": "wasm trap: unreachable",
    });
    assert_eq!(
        result,
        json!([
            trap,
            true,
            5002,
            true,
            [5004, 5004],
            [5004, 5004],
            [5005, 5005],
            [5005, 5005],
            [5005, 5005],
            [5006, 5006],
            0
        ])
    );
}

#[test]
fn invalid_options_are_refused() {
    let result = run("
        const g = await guest({ timeoutMs: 1e6 });
        const options = [null, 1, 'no', { timeoutMs: -1 }, { timeoutMs: 1.5 }, { timeoutMs: '1' }, { signal: 1 }, { signal: {} }];
        const codes = await Promise.all(options.map((o) => codeOf(() => g.callAsync('add', [1, 2], o))));
        const stores = await Promise.all([1, 'yes', null].map((interruptible) => codeOf(() => guest({ interruptible }))));
        return [codes, stores, await g.callAsync('add', [1, 2], { signal: undefined, timeoutMs: undefined })];");
    assert_eq!(result, json!([vec![5005; 8], vec![5001; 3], 3]));
}

#[test]
fn the_event_loop_runs_while_several_guests_run() {
    let result = run("
        const controllers = [], calls = [];
        for (let i = 0; i < 3; i++) {
            controllers.push(new AbortController());
            await new Promise(async (begun) => {
                const g = await guest({ interruptible: true }, (n) => (begun(), n));
                calls.push(g.callAsync('ask_and_spin', [i], { signal: controllers[i].signal }).catch(tell));
            });
        }
        const other = await guest({});
        const codes = [];
        for (let i = 0; i < 20; i++) {
            await turn();
            codes.push(other.call('add', [i, 1]), await other.callAsync('add', [i, 2]));
        }
        // All of the guests run, and none has ended.
        for (const controller of controllers) controller.abort();
        const ended = await Promise.all(calls);
        return [codes.length, ended.map((error) => error.code)];");
    assert_eq!(result, json!([40, [5002, 5002, 5002]]));
}

#[test]
fn a_busy_store_says_so() {
    let result = run("
        let begun;
        let inner;
        const g = await guest({ interruptible: true, fuel: 1e12 }, (n) => {
            inner = new Uint8Array(g.memory().buffer);
            begun(inner.length);
            return n;
        });
        const { store } = g, memory = g.memory();
        const add = g.func('add');
        const view = new Uint8Array(memory.buffer);
        const controller = new AbortController();
        const { signal } = controller;
        let spinning;
        let length;
        const innerLength = await new Promise((resolve) => {
            begun = resolve;
            spinning = g.callAsync('ask_and_spin', [7], { signal }).catch(() => 'ended');
            length = view.length;
        });
        const lengths = [length, innerLength, inner.length];
        const uses = [
            () => g.call('add', [1, 2]), () => g.callAsync('add', [1, 2]), () => add(1, 2), () => memory.buffer,
            () => g.readMemory(0, 1), () => memory.write(0, new Uint8Array(1)), () => memory.grow(1), () => g.func('nothing'),
            () => g.fuel, () => g.setFuel(1), () => load('(module)', {}, { store }),
            () => new WasmGlobal(store, { value: 'i32' }, 1),
        ];
        const results = [];
        for (const use of uses) {
            const error = await caught(use);
            results.push(error.code === 5002 && /^busy: /.test(error.message) ? 'busy' : tell(error));
        }
        controller.abort();
        return [lengths, results, await spinning, add(1, 2), g.fuel > 0];");
    assert_eq!(
        result,
        json!([[0, 65536, 0], vec!["busy"; 12], "ended", 3, true])
    );
}

#[test]
fn two_hundred_calls_at_once() {
    let result = run("
        const guests = await Promise.all(Array.from({ length: 50 }, () => guest({ interruptible: true }, later)));
        const tally = { returned: 0, busy: 0, aborted: 0 };
        const reasons = [];
        const calls = Array.from({ length: 200 }, async (_, i) => {
            const controller = new AbortController();
            const { signal } = controller;
            const name = i % 3 === 0 ? 'mark_and_spin' : i % 3 === 1 ? 'ask' : 'grow';
            // The calls that spin are the ones that are aborted.
            if (i % 3 === 0) later().then(() => controller.abort(i));
            try {
                await guests[(i + (i / 50 | 0)) % 50].callAsync(name, name === 'grow' ? [] : [i], { signal });
                tally.returned++;
            } catch (error) {
                if (error.cause === i) tally.aborted++;
                else if (/^busy/.test(error.message)) tally.busy++;
                else reasons.push(tell(error));
            }
        });
        await Promise.all(calls);
        const { returned, busy, aborted } = tally;
        const usable = guests.filter((g) => g.call('add', [1, 1]) === 2).length;
        return [returned + busy + aborted, returned > 0, busy > 0, aborted > 0, reasons, usable];");
    assert_eq!(result, json!([200, true, true, true, [], 50]));
}

#[test]
fn the_number_of_running_calls_is_capped() {
    let mut capabilities = ext_wasm::WasmCapabilities::default();
    capabilities.max_running_calls = 2;
    let result = run_with(
        capabilities,
        "const controller = new AbortController();
        const guests = await Promise.all([1, 2, 3].map(() => guest({ interruptible: true })));
        const calls = guests.map((g) => caught(() => g.callAsync('mark_and_spin', [1], { signal: controller.signal })));
        const refused = await calls[2];
        controller.abort();
        await Promise.all(calls);
        return [tell(refused), await guests[2].callAsync('add', [1, 2])];",
    );
    let message = "too many calls run at the same time: the cap is 2";
    let refused = json!({ "code": 5002, "kind": "RuntimeError", "message": message });
    assert_eq!(result, json!([refused, 3]));
}

#[test]
fn a_command_that_was_refused_can_be_started_later() {
    let mut capabilities = with_wasi();
    capabilities.max_running_calls = 1;
    let result = run_with(
        capabilities,
        "const command = await load('(module (func (export \"_start\")))', {}, { interruptible: true });
        const controller = new AbortController();
        controller.abort();
        const results = [await codeOf(() => command.startAsync({ signal: controller.signal }))];
        let begun;
        const other = await guest({ interruptible: true }, (n) => (begun(), n));
        const ends = new AbortController();
        let spinning;
        await new Promise((resolve) => {
            begun = resolve;
            spinning = caught(() => other.callAsync('ask_and_spin', [1], { signal: ends.signal }));
        });
        results.push(await codeOf(() => command.startAsync()));
        ends.abort();
        await spinning;
        results.push(await command.startAsync(), await codeOf(() => command.startAsync()), await codeOf(() => command.start()));
        return results;",
    );
    assert_eq!(result, json!([5002, 5002, 0, 5002, 5002]));
    let result = run("const command = await load(`(module
             (import \"env\" \"begun\" (func $begun))
             (func (export \"_start\"))
             (func (export \"spin\") (call $begun) (loop $again (br $again))))`,
             { env: { begun: () => begun() } }, { interruptible: true });
        command.func('_start');
        const ends = new AbortController();
        let begun, spinning;
        await new Promise((resolve) => {
            begun = resolve;
            spinning = caught(() => command.callAsync('spin', [], { signal: ends.signal }));
        });
        const refused = await codeOf(() => command.start());
        ends.abort();
        await spinning;
        return [refused, command.start()];");
    assert_eq!(result, json!([5002, 0]));
}

#[test]
fn arguments_of_a_refused_call_are_freed() {
    let result = run("
        const g = await guest({ fuel: 1e6 }, () => 0, (value) => value);
        const refs = [];
        const { signal } = new AbortController();
        const ends = new AbortController();
        let begun, spinning;
        const busy = await guest({ interruptible: true }, (n) => (begun(), n));
        const give = busy.func('give');
        await new Promise((resolve) => {
            begun = resolve;
            spinning = caught(() => busy.callAsync('ask_and_spin', [0], { signal: ends.signal }));
        });
        for (let i = 0; i < 50; i++) {
            const values = [{}, {}];
            refs.push(...values.map((value) => new WeakRef(value)));
            // The first guest cannot be interrupted, and the second is busy.
            await codeOf(() => g.callAsync('give', [values[0]], { signal }));
            await codeOf(() => give(values[1]));
        }
        ends.abort();
        await spinning;
        await collect();
        return refs.filter((ref) => ref.deref() !== undefined).length < 10;");
    assert_eq!(result, json!(true));
}

#[test]
fn a_result_that_is_a_promise_is_awaited_after_the_call_has_ended() {
    let result = run("
        const g = await guest({ interruptible: true });
        const controller = new AbortController();
        const { signal } = controller;
        let open;
        const promise = new Promise((resolve) => open = resolve);
        const call = g.callAsync('give', [{ then: (resolve) => promise.then(resolve) }], { signal });
        while (signal.listeners.size > 0) await turn();
        const usable = g.call('add', [1, 2]);
        open('value');
        return [usable, await call];");
    assert_eq!(result, json!([3, "value"]));
}

#[test]
fn the_buffer_of_a_shared_memory_stays_attached() {
    let result = run("
        const g = await load(`(module (memory (export \"memory\") 1 1 shared)
            (func (export \"f\") (i32.store8 (i32.const 1) (i32.const 7))))`);
        const { buffer } = g.memory();
        await g.callAsync('f');
        return [buffer === g.memory().buffer, new Uint8Array(buffer)[1]];");
    assert_eq!(result, json!([true, 7]));
}
