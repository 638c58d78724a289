//! The buffer of a memory shows the memory itself, until the memory grows or is dropped.

use serde_json::json;

use crate::support::js::Js;

#[test]
fn writes_of_the_guest_and_of_a_view_are_seen_by_both() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("memory");
        const view = new Uint8Array(instance.memory().buffer);
        instance.call("store", [100, 7]);
        view[101] = 8;
        return [view[100], instance.call("load", [101]), instance.readMemory(100, 2).join(),
            instance.memory().buffer === view.buffer, view.length];
        "#,
    );
    assert_eq!(result, json!([7, 8, "7,8", true, 65536]));
}

#[test]
fn a_view_is_detached_when_its_memory_grows_whoever_grows_it() {
    let result = Js::new().run(
        r#"
        const results = [];
        const instance = await fixture("memory");
        const check = (grow) => {
            const before = instance.memory().buffer;
            const length = before.byteLength;
            grow();
            const after = instance.memory().buffer;
            results.push([length, before.byteLength, after.byteLength, before === after]);
        };
        check(() => instance.call("grow", [0]));
        check(() => instance.call("grow", [1]));
        check(() => instance.memory().grow(1));
        check(() => instance.call("grow", [1]));
        return results;
        "#,
    );
    let page = 65536;
    assert_eq!(
        result,
        json!([
            [page, page, page, true],
            [page, 0, 2 * page, false],
            [2 * page, 0, 3 * page, false],
            [3 * page, 3 * page, 3 * page, true],
        ])
    );
}

#[test]
fn only_the_memory_that_grew_loses_its_view() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("multi_memory");
        const a = instance.memory("a").buffer;
        const b = instance.memory("b").buffer;
        instance.call("grow_a", [1]);
        const results = [a.byteLength, b.byteLength];
        instance.call("grow_b", [1]);
        results.push(b.byteLength, instance.memory("b").buffer.byteLength);
        return results;
        "#,
    );
    assert_eq!(result, json!([0, 131072, 0, 196608]));
}

#[test]
fn growth_before_a_trap_detaches_the_view_too() {
    let result = Js::new().run(
        r#"
        const instance = await load(`(module (memory (export "memory") 1)
            (func (export "f") (drop (memory.grow (i32.const 1))) unreachable))`);
        const { buffer } = instance.memory();
        const code = await codeOf(() => instance.call("f"));
        return [code, buffer.byteLength, instance.memory().buffer.byteLength];
        "#,
    );
    assert_eq!(result, json!([5002, 0, 131072]));
}

#[test]
fn an_import_sees_growth_before_the_call_returns() {
    let result = Js::new().run(
        r#"
        let seen;
        const instance = await load(`(module (import "env" "f" (func $f))
            (memory (export "memory") 1)
            (func (export "g") (drop (memory.grow (i32.const 1))) (call $f)))`,
            { env: { f: () => seen = buffer.byteLength } });
        const { buffer } = instance.memory();
        instance.call("g");
        return seen;
        "#,
    );
    assert_eq!(result, json!(0));
}

#[test]
fn a_view_is_detached_when_its_store_is_dropped() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("memory");
        const memory = instance.memory();
        const { buffer } = memory;
        instance.drop();
        return [buffer.byteLength, await codeOf(() => memory.buffer),
            await codeOf(() => memory.read(0, 1))];
        "#,
    );
    assert_eq!(result, json!([0, 5002, 5002]));
}

#[test]
fn the_buffer_of_a_memory_cannot_be_transferred() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("memory");
        const { buffer } = instance.memory();
        const results = [];
        for (const name of ["transfer", "transferToFixedLength", "transferToImmutable"]) {
            if (!(name in buffer)) continue;
            results.push((await caught(() => buffer[name]())).name);
            results.push((await caught(() => buffer[name](10))).name);
        }
        const mine = new Uint8Array([1, 2, 3]).buffer;
        return [results.every((name) => name === "TypeError"), results.length >= 4,
            mine.transfer(2).byteLength, mine.byteLength, buffer.byteLength];
        "#,
    );
    assert_eq!(result, json!([true, true, 2, 0, 65536]));
}

/// deno_core's QuickJS backend remembers the addresses of external pointers. Another object can have the same address
/// later, and must not be taken for such a pointer.
#[test]
fn buffers_are_transferred_in_every_runtime_of_a_thread() {
    for runtime in 0..30 {
        let result = Js::new().run(&format!(
            r#"
            globalThis.kept = [];
            for (let i = 0; i < {}; i++) kept.push({{ i }}, [i], () => i);
            const {{ primordials }} = globalThis.__bootstrap;
            const buffer = () => new Uint8Array([1, 2, 3]).buffer;
            return [buffer().transfer(2), buffer().transferToFixedLength(4),
                primordials.ArrayBufferPrototypeTransfer(buffer())].map((moved) => moved?.byteLength);
            "#,
            runtime * 13
        ));
        assert_eq!(result, json!([2, 4, 3]), "{runtime}");
    }
}

#[test]
fn a_buffer_that_the_host_detached_is_replaced() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("memory");
        const { buffer } = instance.memory();
        Deno.core.ops.op_host_detach(buffer);
        const again = instance.memory().buffer;
        return [buffer.byteLength, new Uint8Array(again)[16]];
        "#,
    );
    assert_eq!(result, json!([0, 104]));
}

#[test]
fn a_memory_without_pages_has_a_buffer_without_bytes() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("growth");
        const { buffer } = instance.memory();
        const same = instance.memory().buffer === buffer;
        instance.call("fill", [2]);
        return [same, buffer.byteLength, instance.memory().buffer.byteLength];
        "#,
    );
    assert_eq!(result, json!([true, 0, 131072]));
}

#[test]
fn a_shared_memory_has_a_shared_buffer_that_is_never_detached() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("shared_memory");
        const { buffer } = instance.memory();
        new Int32Array(buffer)[1] = 5;
        const results = [buffer instanceof SharedArrayBuffer, instance.call("add", [4, 6]),
            Atomics.load(new Int32Array(buffer), 1), instance.memory().grow(1)];
        instance.writeMemory(65536, new Uint8Array([9]));
        results.push(buffer.byteLength, instance.memory().buffer.byteLength);
        instance.drop();
        results.push(buffer.byteLength, new Int32Array(buffer)[1]);
        return results;
        "#,
    );
    assert_eq!(result, json!([true, 5, 11, 1, 65536, 131072, 65536, 11]));
}

#[test]
fn a_memory_too_large_for_a_buffer_is_read_and_written() {
    let result = Js::new().run(
        r#"
        const instance = await load("(module (memory (export \"memory\") 32768))");
        const memory = instance.memory();
        memory.write(2 ** 31 - 2, new Uint8Array([1, 2]));
        const results = [memory.byteLength, [...memory.read(2 ** 31 - 3, 3)]];
        const error = await caught(() => { results.push(memory.buffer.byteLength); });
        return [...results, error.code, error.message];
        "#,
    );
    let bytes = 1u64 << 31;
    // QuickJS counts the bytes of a buffer in 31 bits.
    let expected = if cfg!(feature = "quickjs") {
        json!([
            bytes,
            [0, 1, 2],
            5003,
            "a memory of 2147483648 bytes is too large for a buffer of this JavaScript engine"
        ])
    } else {
        json!([bytes, [0, 1, 2], bytes, null, null])
    };
    assert_eq!(result, expected);
}
