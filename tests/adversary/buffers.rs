//! Scripts cannot move the bytes of a memory, and no script sees them while another thread writes them.

use serde_json::json;

use super::{Attack, attacks};

attacks! {
    fn no_memory_can_be_transferred() {
        Attack::new(r#"
            const { ops, serialize, structuredClone } = Deno.core;
            const instance = await load(`(module (memory (export "m") 1) (data (i32.const 0) "abc")
                (func (export "f") (param i64 i64 i64) (result i64 i64 i64) (local.get 0) (local.get 1) (local.get 2)))`);
            const buffer = () => instance.memory("m").buffer;
            const { primordials } = globalThis.__bootstrap;
            const transfers = { clone: () => structuredClone(buffer()), frame: () => ops.op_wasm_call_frame(), dispatcher: () => ops.op_wasm_set_import_dispatcher(() => 0),
                resize: () => ArrayBuffer.prototype.resize.call(buffer(), 10),
                resized: () => primordials.ArrayBufferPrototypeResize(buffer(), 10),
                serialize: () => serialize(buffer(), { transferredArrayBuffers: [buffer()] }),
                raw: () => ops.op_wasm_memory_view(1, ops.op_wasm_get_export(1, "m")).transfer(10) };
            for (const name of ["transfer", "transferToFixedLength", "transferToImmutable"]) {
                const copy = `ArrayBufferPrototype${name[0].toUpperCase()}${name.slice(1)}`;
                for (const length of [[], [10], [1 << 20], [0]]) {
                    transfers[`${name} ${length}`] = () => ArrayBuffer.prototype[name].call(buffer(), ...length);
                    transfers[`${copy} ${length}`] = () => primordials[copy](buffer(), ...length);
                }
            }
            const wrong = [];
            for (const [name, transfer] of Object.entries(transfers)) {
                let threw;
                try { transfer(); } catch (error) { threw = error; }
                const kept = ["clone", "serialize"].includes(name);
                if (!kept && threw === undefined) wrong.push(name);
                if (String(instance.readMemory(0, 3)) !== "97,98,99" || new Uint8Array(buffer())[1] !== 98) wrong.push([name, "bytes"]);
                if (String(instance.call("f", [1n, -2n, 7n])) !== "1,-2,7") wrong.push([name, "frame"]);
            }
            // Other buffers can still be transferred.
            const own = new ArrayBuffer(8);
            const moved = own.transfer(16);
            return [wrong, own.byteLength, moved.byteLength, primordials.ArrayBufferPrototypeTransfer(moved, 4).byteLength,
                Object.isFrozen(primordials), await caught(() => ArrayBuffer.prototype.transfer.call({})) instanceof TypeError];"#)
            => json!([[], 0, 16, 4, true, true])
    }

    fn no_view_is_attached_while_a_guest_runs_beside_javascript() {
        Attack::new(r#"
            const { ops } = Deno.core;
            const module = await compile(text(`(module (import "e" "f" (func $f)) (memory (export "memory") 1)
                (func (export "spin") (loop (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (br 0)))
                (func (export "ask") (call $f) (loop (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (br 0))))`));
            const results = [];
            const instance = await instantiate(module, { e: { f() {} } }, { timeoutMs: 60 });
            const handle = ops.op_wasm_get_export(instance.id, "memory");
            Object.defineProperty(Array.prototype, "0", { configurable: true, get() {}, set() {} });
            const view = new Uint32Array(instance.memory().buffer);
            delete Array.prototype[0];
            // A view that is not made through TypeScript is the same buffer.
            const raw = ops.op_wasm_memory_view(1, handle);
            results.push(raw === view.buffer);
            const call = instance.callAsync("spin").catch((error) => error.code);
            results.push(view.length, raw.byteLength, await codeOf(() => ops.op_wasm_memory_view(1, handle)), await call);
            // A view that is made while the guest waits for an import, and kept when the guest continues.
            let inside;
            const asks = async (f) => {
                const guest = await instantiate(module, { e: { f: () => { inside = new Uint8Array(guest.memory().buffer); return f(); } } }, { timeoutMs: 60 });
                const code = guest.callAsync("ask").catch((error) => error.code);
                while (inside === undefined) await ops.op_wasm_yield_now();
                const during = inside.length;
                const codes = [during, await code];
                inside = undefined;
                return codes;
            };
            results.push(await asks(() => 1), await asks(async () => { for (let i = 0; i < 3; i++) await ops.op_wasm_yield_now(); }));
            return results;"#)
            => json!([true, 0, 0, 5002, 5002, [0, 5002], [65536, 5002]])
    }

    fn patched_type_checks_do_not_hide_views() {
        // deno_core's QuickJS backend calls `Object.prototype.toString` to find the type of a value.
        Attack::new(r#"
            const module = await compile(text(`(module (memory (export "memory") 1 3)
                (func (export "grow") (drop (memory.grow (i32.const 1))))
                (func (export "spin") (loop (i32.store (i32.const 0) (i32.const 7)) (br 0))))`));
            const { toString } = Object.prototype;
            const isBuffer = (value) => value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
            let views = [], reentered = 0, instance;
            const lies = {
                none: () => "[object Object]",
                shared: () => "[object SharedArrayBuffer]",
                array: () => "[object Uint8Array]",
                number: () => 5,
                throws() { throw new Error("no"); },
                reenters() { reentered++; views.push(instance.memory().buffer); instance.call("grow"); return "[object ArrayBuffer]"; },
            };
            const wrong = [];
            for (const [name, lie] of Object.entries(lies)) {
                for (const tag of ["toString", "toStringTag"]) {
                    instance = await instantiate(module, {}, { timeoutMs: 60 });
                    views = [];
                    let lying = false, within = false;
                    const answer = (value) => {
                        if (!lying || within || !isBuffer(value)) return;
                        within = true;
                        try { return lie(); } finally { within = false; }
                    };
                    if (tag === "toString") Object.prototype.toString = function () { return answer(this) ?? toString.call(this); };
                    else for (const { prototype } of [ArrayBuffer, SharedArrayBuffer, Uint8Array]) {
                        Object.defineProperty(prototype, Symbol.toStringTag, { configurable: true, get() { return answer(this) ?? "Object"; } });
                    }
                    lying = true;
                    const steps = [
                        ["grow", () => instance.call("grow")],
                        ["grow of JavaScript", () => instance.memory().grow(1)],
                        ["call beside JavaScript", () => instance.callAsync("spin")],
                        ["transfer", () => instance.memory().buffer.transfer(9)],
                        ["drop", () => instance.drop()],
                    ];
                    for (const [step, run] of steps) {
                        await caught(() => views.push(instance.memory().buffer));
                        // A view that the step left attached shows here, while the guest of an asynchronous call
                        // still runs.
                        const ended = caught(run);
                        for (const view of views) {
                            const should = step === "transfer";
                            if (isBuffer(view) && (view.byteLength !== 0) !== should) wrong.push([name, tag, step, view.byteLength]);
                        }
                        await ended;
                        if (step !== "transfer") views = [];
                    }
                    lying = false;
                }
            }
            return [wrong, reentered];"#)
            => json!([[], 0])
    }

    fn a_guest_does_not_run_beside_another_user_of_its_bytes() {
        Attack::new(r#"
            const { ops } = Deno.core;
            const instance = await load(`(module (memory (export "memory") 1) (func (export "f") (result i32) (i32.load8_u (i32.const 0))))`,
                {}, { interruptible: true });
            // A pending op of the host may read the bytes on another thread.
            const done = ops.op_host_hold(new Uint8Array(instance.memory().buffer));
            const code = await codeOf(() => instance.callAsync("f"));
            const synchronous = instance.call("f");
            ops.op_host_release();
            await done;
            return [code, synchronous, await instance.callAsync("f")];"#)
            => json!([5002, 0, 0])
    }

    #[cfg(feature = "quickjs")]
    fn a_copy_that_is_too_long_for_the_engine_is_refused() {
        Attack::new(r#"
            const instance = await load(`(module (memory (export "memory") 65536) (data (i32.const 0x7fffffff) "c"))`);
            const results = [instance.readMemory(2 ** 31 - 1, 1)[0], await codeOf(() => instance.memory().buffer)];
            for (const length of [2 ** 31, 2 ** 31 + 1, 2 ** 32]) results.push(await codeOf(() => instance.readMemory(0, length)));
            return results;"#)
            => json!([99, 5003, 5003, 5003, 5003])
    }
}
