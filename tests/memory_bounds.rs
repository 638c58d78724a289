//! Writes to memory from every kind of buffer.

use serde_json::json;

use crate::support::js::Js;

#[test]
fn any_bytes_may_be_written_from_any_buffer_source() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("memory");
        const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
        const sources = [
            bytes, bytes.buffer, new DataView(bytes.buffer, 2, 3), bytes.subarray(1, 3),
            new Uint16Array(bytes.buffer, 2, 2), new Float64Array(1), new Uint8Array(),
            new Uint8Array(new SharedArrayBuffer(4)).fill(9),
        ];
        return sources.map((source) => {
            instance.writeMemory(100, new Uint8Array(8));
            instance.writeMemory(100, source);
            return Array.from(instance.readMemory(100, 8)).join("");
        });
        "#,
    );
    assert_eq!(
        result,
        json!([
            "12345678", "12345678", "34500000", "23000000", "34560000", "00000000", "00000000",
            "99990000"
        ])
    );
}

#[test]
fn a_memory_can_be_written_from_itself() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("memory");
        const view = new Uint8Array(instance.memory().buffer);
        instance.writeMemory(18, view.subarray(16, 21));
        return Deno.core.decode(view.subarray(16, 23));
        "#,
    );
    assert_eq!(result, json!("hehello"));
}
