//! Costs by the number of live instances, and by the number of exports.

use std::time::Instant;

use wasmtime::{Engine, Instance, Module, Store};

use super::{COUNTS, Line, median, nanoseconds};
use crate::js::Js;
use crate::raw::{self, ok};

const CALLS: u32 = 20_000;
const INSTANCES: u32 = 20;
const COPIES: u32 = 20;

pub const MODULE: &str = r#"(module (memory (export "memory") 32)
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"#;

/// wasmtime alone, with the same module.
pub struct Raw {
    engine: Engine,
    module: Module,
}

impl Raw {
    pub fn new() -> anyhow::Result<Self> {
        let engine = raw::engine()?;
        let module = ok(Module::new(&engine, wat::parse_str(MODULE)?))?;
        Ok(Self { engine, module })
    }

    pub fn instance(&self) -> anyhow::Result<Store<()>> {
        let mut store = Store::new(&self.engine, ());
        ok(Instance::new(&mut store, &self.module, &[]))?;
        Ok(store)
    }
}

/// A script that keeps instances, and makes and drops others.
const MANY: &str = r#"
    const module = await compile(text(MODULE));
    const kept = [];
    globalThis.keep = async (n) => { while (kept.length < n) kept.push(await instantiate(module)); };
    globalThis.call = (n) => {
        const add = kept[0].func("add");
        for (let i = 0; i < n; i++) add(i, 1);
    };
    globalThis.make = async (n) => { for (let i = 0; i < n; i++) (await instantiate(module)).drop(); };
    const bytes = new Uint8Array(2 ** 20).fill(1);
    globalThis.write = (n) => { for (let i = 0; i < n; i++) kept[0].writeMemory(0, bytes); };
"#;

fn many() -> anyhow::Result<Js> {
    Js::new(&format!("const MODULE = `{MODULE}`;{MANY}"))
}

pub fn instances() -> anyhow::Result<[Line; 4]> {
    let js = many()?;
    let raw = Raw::new()?;
    let mut kept = Vec::new();
    let mut calls = Line::new("func");
    let mut made = Line::new("instantiate");
    let mut made_raw = Line::new("wasmtime alone");
    let mut copies = Line::new("writeMemory");
    for count in COUNTS {
        js.time_promise(&format!("keep({count})"))?;
        let call = median(|| js.time(&format!("call({CALLS})")))?;
        calls.points.push((count, nanoseconds(call, CALLS)));
        let make = median(|| js.time_promise(&format!("make({INSTANCES})")))?;
        made.points
            .push((count, nanoseconds(make, INSTANCES) / 1e3));
        // The same number of instances in wasmtime alone.
        while kept.len() < count as usize {
            kept.push(raw.instance()?);
        }
        let make = median(|| {
            let start = Instant::now();
            for _ in 0..INSTANCES {
                drop(raw.instance()?);
            }
            Ok(start.elapsed())
        })?;
        made_raw
            .points
            .push((count, nanoseconds(make, INSTANCES) / 1e3));
        kept.clear();
        let copy = median(|| js.time(&format!("write({COPIES})")))?;
        copies.points.push((count, nanoseconds(copy, COPIES) / 1e3));
    }
    Ok([calls, made, made_raw, copies])
}

pub fn exports() -> anyhow::Result<(Line, Line)> {
    let js = Js::new(
        r#"
        let module, instance, name;
        globalThis.exporting = async (n) => {
            let source = "(module";
            for (let i = 0; i < n; i++) {
                source += `(func (export "f${i}") (param i32 i32) (result i32)
                    (i32.add (local.get 0) (i32.const ${i})))`;
            }
            module = await compile(text(source + ")"));
            instance = await instantiate(module);
            name = `f${n - 1}`;
        };
        globalThis.call = (n) => { for (let i = 0; i < n; i++) instance.call(name, [i, 1]); };
        globalThis.make = async (n) => { for (let i = 0; i < n; i++) (await instantiate(module)).drop(); };
        "#,
    )?;
    let (mut calls, mut made) = (Line::new("call"), Line::new("instantiate"));
    for count in &COUNTS[1..] {
        js.time_promise(&format!("exporting({count})"))?;
        let call = median(|| js.time(&format!("call({CALLS})")))?;
        calls.points.push((*count, nanoseconds(call, CALLS)));
        let make = median(|| js.time_promise(&format!("make({INSTANCES})")))?;
        made.points
            .push((*count, nanoseconds(make, INSTANCES) / 1e3));
    }
    Ok((calls, made))
}
