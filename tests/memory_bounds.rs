//! Host access to memory against a vector of bytes as the model.

use std::cell::RefCell;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::js::Js;
use crate::marshalling::runner;

/// One page.
const SIZE: u64 = 65536;

/// An offset or length: anything, and often near the end of the memory or of the numbers.
fn number() -> impl Strategy<Value = u64> {
    const MAX: u64 = (1 << 53) - 1;
    prop_oneof![
        4 => 0..SIZE,
        4 => SIZE - 8..=SIZE + 8,
        2 => 0..64u64,
        1 => 0..=MAX,
        1 => MAX - 4..=MAX,
        1 => (1u64 << 32) - 4..(1 << 32) + 4,
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Read {
        offset: u64,
        len: u64,
    },
    Write {
        offset: u64,
        data: Vec<u8>,
    },
    /// By the guest, one byte.
    Store {
        offset: u32,
        byte: u8,
    },
    View {
        offset: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (number(), number()).prop_map(|(offset, len)| Step::Read { offset, len }),
        (number(), proptest::collection::vec(any::<u8>(), 0..32))
            .prop_map(|(offset, data)| Step::Write { offset, data }),
        (0..SIZE as u32 + 8, any::<u8>()).prop_map(|(offset, byte)| Step::Store { offset, byte }),
        number().prop_map(|offset| Step::View { offset }),
    ]
}

/// What a step does to the model and returns: bytes, or the code of the error.
fn expect(model: &mut [u8], step: &Step) -> Value {
    let range = |offset: u64, len: u64| {
        let end = offset.checked_add(len).filter(|end| *end <= SIZE)?;
        Some(offset as usize..end as usize)
    };
    match step {
        Step::Read { offset, len } => match range(*offset, *len) {
            Some(range) => json!(model[range]),
            None => json!(5003),
        },
        Step::Write { offset, data } => match range(*offset, data.len() as u64) {
            Some(range) => {
                model[range].copy_from_slice(data);
                Value::Null
            }
            None => json!(5003),
        },
        Step::Store { offset, byte } => match model.get_mut(*offset as usize) {
            Some(slot) => {
                *slot = *byte;
                Value::Null
            }
            None => json!(5002),
        },
        Step::View { offset } => json!(model.get(*offset as usize)),
    }
}

fn script(step: &Step) -> String {
    match step {
        Step::Read { offset, len } => format!("Array.from(memory.readMemory({offset}, {len}))"),
        Step::Write { offset, data } => {
            format!("memory.writeMemory({offset}, new Uint8Array({data:?}))")
        }
        Step::Store { offset, byte } => format!("memory.call('store', [{offset}, {byte}])"),
        Step::View { offset } => format!("new Uint8Array(memory.memory().buffer)[{offset}]"),
    }
}

#[test]
fn reads_and_writes_are_those_of_a_vector() {
    let js = RefCell::new(Js::new());
    let run = |steps: Vec<Step>| {
        let mut js = js.borrow_mut();
        js.run("globalThis.memory = await fixture('memory')");
        let mut model = vec![0; SIZE as usize];
        model[16..21].copy_from_slice(b"hello");
        for step in &steps {
            let got = js.eval(&format!(
                "(() => {{
                    try {{ return JSON.stringify({} ?? null); }}
                    catch (error) {{ return JSON.stringify(error.code ?? String(error)); }}
                }})()",
                script(step)
            ));
            prop_assert_eq!(got, expect(&mut model, step), "{:?}", step);
        }
        let all = js.eval("JSON.stringify(Array.from(memory.readMemory(0, 65536)))");
        prop_assert!(all == json!(model), "the memories differ");
        js.run("memory.drop()");
        Ok(())
    };
    let steps = proptest::collection::vec(step(), 1..24);
    runner().run(&steps, run).unwrap();
}

#[test]
fn any_bytes_may_be_written_from_any_buffer_source() {
    let told = Js::new().run(
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
        told,
        json!([
            "12345678", "12345678", "34500000", "23000000", "34560000", "00000000", "00000000",
            "99990000"
        ])
    );
}

#[test]
fn a_memory_can_be_written_from_itself() {
    let told = Js::new().run(
        r#"
        const instance = await fixture("memory");
        const view = new Uint8Array(instance.memory().buffer);
        instance.writeMemory(18, view.subarray(16, 21));
        return Deno.core.decode(view.subarray(16, 23));
        "#,
    );
    assert_eq!(told, json!("hehello"));
}
