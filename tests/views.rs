//! The buffer of a memory is the memory itself, for as long as it is all of it.

use serde_json::json;

use crate::js::Js;

#[test]
fn a_view_shows_what_the_guest_does_and_the_other_way_round() {
    let told = Js::new().run(
        r#"
        const instance = await fixture("memory");
        const view = new Uint8Array(instance.memory().buffer);
        instance.call("store", [100, 7]);
        view[101] = 8;
        return [view[100], instance.call("load", [101]), instance.readMemory(100, 2).join(),
            instance.memory().buffer === view.buffer, view.length];
        "#,
    );
    assert_eq!(told, json!([7, 8, "7,8", true, 65536]));
}

#[test]
fn a_view_is_detached_when_its_memory_grows_whoever_grows_it() {
    let told = Js::new().run(
        r#"
        const told = [];
        const instance = await fixture("memory");
        const check = (grow) => {
            const before = instance.memory().buffer;
            const length = before.byteLength;
            grow();
            const after = instance.memory().buffer;
            told.push([length, before.byteLength, after.byteLength, before === after]);
        };
        check(() => instance.call("grow", [0]));
        check(() => instance.call("grow", [1]));
        check(() => instance.memory().grow(1));
        check(() => instance.call("grow", [1]));
        return told;
        "#,
    );
    let page = 65536;
    assert_eq!(
        told,
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
    let told = Js::new().run(
        r#"
        const instance = await fixture("multi_memory");
        const a = instance.memory("a").buffer;
        const b = instance.memory("b").buffer;
        instance.call("grow_a", [1]);
        const told = [a.byteLength, b.byteLength];
        instance.call("grow_b", [1]);
        told.push(b.byteLength, instance.memory("b").buffer.byteLength);
        return told;
        "#,
    );
    assert_eq!(told, json!([0, 131072, 0, 196608]));
}

#[test]
fn growth_before_a_trap_is_seen_too() {
    let told = Js::new().run(
        r#"
        const instance = await load(`(module (memory (export "memory") 1)
            (func (export "f") (drop (memory.grow (i32.const 1))) unreachable))`);
        const { buffer } = instance.memory();
        const code = await codeOf(() => instance.call("f"));
        return [code, buffer.byteLength, instance.memory().buffer.byteLength];
        "#,
    );
    assert_eq!(told, json!([5002, 0, 131072]));
}

#[test]
fn growth_is_seen_by_an_import_that_runs_before_the_call_returns() {
    let told = Js::new().run(
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
    assert_eq!(told, json!(0));
}

#[test]
fn a_view_is_detached_when_its_store_is_dropped() {
    let told = Js::new().run(
        r#"
        const instance = await fixture("memory");
        const memory = instance.memory();
        const { buffer } = memory;
        instance.drop();
        return [buffer.byteLength, await codeOf(() => memory.buffer),
            await codeOf(() => memory.read(0, 1))];
        "#,
    );
    assert_eq!(told, json!([0, 5002, 5002]));
}

#[test]
fn a_memorys_buffer_cannot_be_given_away() {
    let told = Js::new().run(
        r#"
        const instance = await fixture("memory");
        const { buffer } = instance.memory();
        const told = [];
        for (const name of ["transfer", "transferToFixedLength", "transferToImmutable"]) {
            if (!(name in buffer)) continue;
            told.push((await caught(() => buffer[name]())).name);
            told.push((await caught(() => buffer[name](10))).name);
        }
        const mine = new Uint8Array([1, 2, 3]).buffer;
        return [told.every((name) => name === "TypeError"), told.length >= 4,
            mine.transfer(2).byteLength, mine.byteLength, buffer.byteLength];
        "#,
    );
    assert_eq!(told, json!([true, true, 2, 0, 65536]));
}

/// QuickJS's facade remembers by its address which object is an external pointer, when another has that address too.
#[test]
fn buffers_are_transferred_in_every_runtime_of_a_thread() {
    for runtime in 0..30 {
        let told = Js::new().run(&format!(
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
        assert_eq!(told, json!([2, 4, 3]), "{runtime}");
    }
}

#[test]
fn a_buffer_that_somebody_else_detached_is_replaced() {
    let told = Js::new().run(
        r#"
        const instance = await fixture("memory");
        const { buffer } = instance.memory();
        Deno.core.ops.op_host_detach(buffer);
        const again = instance.memory().buffer;
        return [buffer.byteLength, new Uint8Array(again)[16]];
        "#,
    );
    assert_eq!(told, json!([0, 104]));
}

#[test]
fn a_memory_without_pages_has_a_buffer_without_bytes() {
    let told = Js::new().run(
        r#"
        const instance = await fixture("growth");
        const { buffer } = instance.memory();
        const same = instance.memory().buffer === buffer;
        instance.call("fill", [2]);
        return [same, buffer.byteLength, instance.memory().buffer.byteLength];
        "#,
    );
    assert_eq!(told, json!([true, 0, 131072]));
}

#[test]
fn a_shared_memory_has_a_shared_buffer_that_is_never_detached() {
    let told = Js::new().run(
        r#"
        const instance = await fixture("shared_memory");
        const { buffer } = instance.memory();
        new Int32Array(buffer)[1] = 5;
        const told = [buffer instanceof SharedArrayBuffer, instance.call("add", [4, 6]),
            Atomics.load(new Int32Array(buffer), 1), instance.memory().grow(1)];
        instance.writeMemory(65536, new Uint8Array([9]));
        told.push(buffer.byteLength, instance.memory().buffer.byteLength);
        instance.drop();
        told.push(buffer.byteLength, new Int32Array(buffer)[1]);
        return told;
        "#,
    );
    assert_eq!(told, json!([true, 5, 11, 1, 65536, 131072, 65536, 11]));
}

#[test]
fn a_memory_that_no_buffer_can_show_is_read_and_written() {
    let told = Js::new().run(
        r#"
        const instance = await load("(module (memory (export \"memory\") 32768))");
        const memory = instance.memory();
        memory.write(2 ** 31 - 2, new Uint8Array([1, 2]));
        const told = [memory.byteLength, [...memory.read(2 ** 31 - 3, 3)]];
        const error = await caught(() => { told.push(memory.buffer.byteLength); });
        return [...told, error.code, error.message];
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
    assert_eq!(told, expected);
}
