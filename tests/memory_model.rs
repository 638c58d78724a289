//! Memories and their views, compared with vectors of bytes as the model.

use std::cell::RefCell;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::marshalling::runner;
use crate::support::js::Js;

const PAGE: u64 = 65536;

/// The memories: minimum and maximum in pages, and whether the memory is shared.
const MEMORIES: [(u64, u64, bool); 4] = [(1, 4, false), (1, 3, false), (1, 3, true), (0, 2, false)];

/// A guest with these memories. The second memory has 64-bit addresses.
const GUEST: &str = r#"(module
    (memory (export "m0") 1 4)
    (memory (export "m1") i64 1 3)
    (memory (export "m2") 1 3 shared)
    (memory (export "m3") 0 2)
    (func (export "load0") (param i32) (result i32) (i32.load8_u 0 (local.get 0)))
    (func (export "load1") (param i64) (result i32) (i32.load8_u 1 (local.get 0)))
    (func (export "load2") (param i32) (result i32) (i32.load8_u 2 (local.get 0)))
    (func (export "load3") (param i32) (result i32) (i32.load8_u 3 (local.get 0)))
    (func (export "store0") (param i32 i32) (i32.store8 0 (local.get 0) (local.get 1)))
    (func (export "store1") (param i64 i32) (i32.store8 1 (local.get 0) (local.get 1)))
    (func (export "store2") (param i32 i32) (i32.store8 2 (local.get 0) (local.get 1)))
    (func (export "store3") (param i32 i32) (i32.store8 3 (local.get 0) (local.get 1)))
    (func (export "grow0") (param i32) (result i32) (memory.grow 0 (local.get 0)))
    (func (export "grow1") (param i64) (result i64) (memory.grow 1 (local.get 0)))
    (func (export "grow2") (param i32) (result i32) (memory.grow 2 (local.get 0)))
    (func (export "grow3") (param i32) (result i32) (memory.grow 3 (local.get 0))))"#;

/// Runs steps. Returns the outcome of each step, and hashes of all memories at the end.
const RUN: &str = r#"
    const module = await compile(text(GUEST));
    const hash = (bytes) => {
        let hash = 0;
        const { length } = bytes;
        for (let i = 0; i < length; i += 8) {
            // Most bytes are zero. To skip them saves time in an interpreter.
            for (let j = i; j < i + 8; j++) if (bytes[j] !== 0) hash = (hash * 31 + j * 257 + bytes[j]) % 1000003;
        }
        return [length, hash];
    };
    globalThis.run = async (steps) => {
        const guest = await instantiate(module);
        const slots = [];
        const address = (m, n) => m === 1 ? BigInt(n) : n;
        const step = {
            read: (m, offset, length) => Array.from(guest.readMemory(offset, length, `m${m}`)),
            write: (m, offset, data) => guest.writeMemory(offset, new Uint8Array(data), `m${m}`),
            load: (m, at) => guest.call(`load${m}`, [address(m, at)]),
            store: (m, at, byte) => guest.call(`store${m}`, [address(m, at), byte]),
            grow: (m, pages) => guest.memory(`m${m}`).grow(pages),
            guestGrow: (m, pages) => Number(guest.call(`grow${m}`, [address(m, pages)])),
            take: (m, slot) => (slots[slot] = new Uint8Array(guest.memory(`m${m}`).buffer)).length,
            look: (slot, at) => slots[slot]?.[at],
            poke: (slot, at, byte) => { if (slots[slot] !== undefined) slots[slot][at] = byte; },
            length: (slot) => slots[slot]?.length,
        };
        const results = steps.map(([name, ...args]) => {
            try {
                return step[name](...args) ?? null;
            } catch (error) {
                return { code: error.code ?? String(error) };
            }
        });
        const all = [0, 1, 2, 3].map((m) => {
            const memory = guest.memory(`m${m}`);
            return hash(memory.read(0, memory.byteLength));
        });
        guest.drop();
        return [results, all];
    };"#;

/// A view: the first `len` bytes of a memory. A detached view has no bytes.
#[derive(Clone, Copy)]
struct View {
    memory: usize,
    len: usize,
}

#[derive(Default)]
struct Model {
    memories: [Vec<u8>; 4],
    slots: [Option<View>; 3],
}

#[derive(Clone, Debug)]
enum Step {
    Read(usize, u64, u64),
    Write(usize, u64, Vec<u8>),
    Load(usize, u32),
    Store(usize, u32, u8),
    Grow(usize, u64),
    GuestGrow(usize, u32),
    Take(usize, usize),
    Look(usize, u32),
    Poke(usize, u32, u8),
    Length(usize),
}

/// Any offset. Offsets near the ends of memories and of number ranges are frequent.
fn offset() -> impl Strategy<Value = u64> {
    const MAX: u64 = (1 << 53) - 1;
    prop_oneof![
        4 => (0..5u64, 0..16u64).prop_map(|(page, near)| (page * PAGE + near).saturating_sub(8)),
        2 => 0..4 * PAGE,
        1 => 0..=MAX,
        1 => MAX - 4..=MAX,
        1 => (1u64 << 32) - 4..(1 << 32) + 4,
    ]
}

fn length() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..32u64, 1 => offset().prop_filter("few bytes", |len| *len > 4 * PAGE)]
}

/// An address in a guest.
fn address() -> impl Strategy<Value = u32> {
    offset().prop_map(|offset| offset.min(u32::MAX.into()) as u32)
}

fn step() -> impl Strategy<Value = Step> {
    let (m, s) = (|| 0..4usize, || 0..3usize);
    let data = proptest::collection::vec(any::<u8>(), 0..32);
    let pages = || prop_oneof![3 => 0..3u64, 1 => 0..=u64::from(u32::MAX)];
    prop_oneof![
        3 => (m(), offset(), length()).prop_map(|(m, at, len)| Step::Read(m, at, len)),
        3 => (m(), offset(), data).prop_map(|(m, at, data)| Step::Write(m, at, data)),
        2 => (m(), address()).prop_map(|(m, at)| Step::Load(m, at)),
        2 => (m(), address(), any::<u8>()).prop_map(|(m, at, byte)| Step::Store(m, at, byte)),
        1 => (m(), pages()).prop_map(|(m, pages)| Step::Grow(m, pages)),
        1 => (m(), pages()).prop_map(|(m, pages)| Step::GuestGrow(m, pages as u32)),
        2 => (m(), s()).prop_map(|(m, slot)| Step::Take(m, slot)),
        2 => (s(), address()).prop_map(|(slot, at)| Step::Look(slot, at)),
        2 => (s(), address(), any::<u8>()).prop_map(|(slot, at, byte)| Step::Poke(slot, at, byte)),
        1 => s().prop_map(Step::Length),
    ]
}

impl Step {
    fn to_json(&self) -> Value {
        match self {
            Self::Read(m, at, len) => json!(["read", m, at, len]),
            Self::Write(m, at, data) => json!(["write", m, at, data]),
            Self::Load(m, at) => json!(["load", m, at]),
            Self::Store(m, at, byte) => json!(["store", m, at, byte]),
            Self::Grow(m, pages) => json!(["grow", m, pages]),
            Self::GuestGrow(m, pages) => json!(["guestGrow", m, pages]),
            Self::Take(m, slot) => json!(["take", m, slot]),
            Self::Look(slot, at) => json!(["look", slot, at]),
            Self::Poke(slot, at, byte) => json!(["poke", slot, at, byte]),
            Self::Length(slot) => json!(["length", slot]),
        }
    }
}

impl Model {
    fn new() -> Self {
        let memories = MEMORIES.map(|(pages, ..)| vec![0; (pages * PAGE) as usize]);
        Self {
            memories,
            ..Self::default()
        }
    }

    /// The bytes of a memory in this range, if it has all of them.
    fn range(&mut self, memory: usize, offset: u64, len: u64) -> Option<&mut [u8]> {
        let end = usize::try_from(offset.checked_add(len)?).ok()?;
        self.memories[memory].get_mut(offset as usize..end)
    }

    /// Grows a memory and returns its old number of pages; `None` if the maximum does not allow it.
    fn grow(&mut self, memory: usize, pages: u64) -> Option<u64> {
        let (_, maximum, shared) = MEMORIES[memory];
        let bytes = &mut self.memories[memory];
        let before = bytes.len() as u64 / PAGE;
        let after = before + pages;
        if after > maximum {
            return None;
        }
        bytes.resize((after * PAGE) as usize, 0);
        if pages > 0 && !shared {
            for slot in self.slots.iter_mut().flatten() {
                if slot.memory == memory {
                    slot.len = 0;
                }
            }
        }
        Some(before)
    }

    /// The byte that a view shows at this index.
    fn viewed(&mut self, slot: usize, at: u32) -> Option<&mut u8> {
        let view = self.slots[slot]?;
        self.memories[view.memory][..view.len].get_mut(at as usize)
    }

    fn step(&mut self, step: &Step) -> Value {
        let host = |done: Option<Value>| done.unwrap_or(json!({ "code": 5003 }));
        let guest = |done: Option<Value>| done.unwrap_or(json!({ "code": 5002 }));
        match step {
            Step::Read(m, at, len) => host(self.range(*m, *at, *len).map(|bytes| json!(bytes))),
            Step::Write(m, at, data) => {
                let range = self.range(*m, *at, data.len() as u64);
                host(range.map(|bytes| {
                    bytes.copy_from_slice(data);
                    Value::Null
                }))
            }
            Step::Load(m, at) => guest(self.range(*m, (*at).into(), 1).map(|byte| json!(byte[0]))),
            Step::Store(m, at, byte) => guest(self.range(*m, (*at).into(), 1).map(|bytes| {
                bytes[0] = *byte;
                Value::Null
            })),
            Step::Grow(m, pages) => host(self.grow(*m, *pages).map(Value::from)),
            Step::GuestGrow(m, pages) => match self.grow(*m, (*pages).into()) {
                Some(before) => json!(before),
                None => json!(-1),
            },
            Step::Take(m, slot) => {
                let len = self.memories[*m].len();
                self.slots[*slot] = Some(View { memory: *m, len });
                json!(len)
            }
            Step::Look(slot, at) => json!(self.viewed(*slot, *at)),
            Step::Poke(slot, at, byte) => {
                if let Some(shown) = self.viewed(*slot, *at) {
                    *shown = *byte;
                }
                Value::Null
            }
            Step::Length(slot) => json!(self.slots[*slot].map(|view| view.len)),
        }
    }

    fn hashes(&self) -> Value {
        let hash = |bytes: &Vec<u8>| {
            let mut hash = 0u64;
            for (at, byte) in bytes.iter().enumerate().filter(|(_, byte)| **byte != 0) {
                hash = (hash * 31 + at as u64 * 257 + u64::from(*byte)) % 1_000_003;
            }
            json!([bytes.len(), hash])
        };
        self.memories.iter().map(hash).collect()
    }
}

#[test]
fn memories_and_views_match_the_model() {
    let mut js = Js::new();
    js.run(&format!("const GUEST = {};\n{RUN}", json!(GUEST)));
    let js = RefCell::new(js);
    let run = |steps: Vec<Step>| {
        let list: Vec<Value> = steps.iter().map(Step::to_json).collect();
        let result = js.borrow_mut().run(&format!("return run({})", json!(list)));
        let mut model = Model::new();
        for (index, step) in steps.iter().enumerate() {
            prop_assert_eq!(
                &result[0][index],
                &model.step(step),
                "step {}: {:?}",
                index,
                step
            );
        }
        prop_assert_eq!(&result[1], &model.hashes());
        Ok(())
    };
    runner()
        .run(&proptest::collection::vec(step(), 1..48), run)
        .unwrap();
}
