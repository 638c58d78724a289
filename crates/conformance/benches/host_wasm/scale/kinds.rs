//! Costs of one more of a kind: stores, components, instances with WASI, linked ones, asynchronous calls.

use super::instances::MODULE;
use super::{COUNTS, Line, median, nanoseconds};
use crate::js::Js;

/// How many are made and dropped in one round.
const MADE: u32 = 20;
/// The largest number of asynchronous calls at a time: each has a thread.
const MOST_CALLS: u32 = 1_000;

const COMPONENT: &str = r#"(component
    (core module $m (memory (export "memory") 1)
        (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
    (core instance $i (instantiate $m))
    (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#;

/// A function that calls the one that it imports.
const LINK: &str = r#"(module (import "e" "f" (func $f (param i32 i32) (result i32)))
    (func (export "add") (param i32 i32) (result i32) (call $f (local.get 0) (local.get 1))))"#;

/// Makes one of each kind: `kinds.NAME()`.
const KINDS: &str = r#"
    const module = await compile(text(MODULE)), component = await compileComponent(text(COMPONENT));
    const link = await compile(text(LINK));
    const kinds = {
        plain: () => instantiate(module),
        store: () => new WasmStore(),
        component: () => instantiateComponent(component),
        wasi: () => instantiate(module, {}, { wasi: {} }),
        limited: () => instantiate(module, {}, { fuel: 1_000_000, timeoutMs: 60_000 }),
    };
    let kept = [];
    globalThis.keep = async (kind, n) => { while (kept.length < n) kept.push(await kinds[kind]()); };
    globalThis.more = async (kind, n) => { for (let i = 0; i < n; i++) kept.push(await kinds[kind]()); };
    globalThis.drop = () => { for (const one of kept) one.drop(); kept = []; };
    globalThis.make = async (kind, n) => { for (let i = 0; i < n; i++) (await kinds[kind]()).drop(); };
    // Each imports the function of the one before, so that all are in one store.
    globalThis.chain = async (n) => {
        let last = await instantiate(module);
        for (let i = 1; i < n; i++) last = await instantiate(link, { e: { f: last.func("add") } });
        last.drop();
    };
    globalThis.callAll = async (n) => {
        const calls = [];
        for (let i = 0; i < n; i++) calls.push(kept[i].callAsync("add", [i, 1]));
        await Promise.all(calls);
    };
"#;

pub fn js() -> anyhow::Result<Js> {
    Js::new(&format!(
        "const MODULE = `{MODULE}`, COMPONENT = `{COMPONENT}`, LINK = `{LINK}`;{KINDS}"
    ))
}

/// The time to make and drop one more, in microseconds, beside many of the same kind.
pub fn made() -> anyhow::Result<Vec<Line>> {
    let js = js()?;
    let mut lines = Vec::new();
    for (kind, name) in [
        ("store", "a store"),
        ("component", "a component"),
        ("wasi", "with WASI"),
        ("limited", "with fuel and a deadline"),
    ] {
        let mut line = Line::new(name);
        for count in COUNTS {
            js.time_promise(&format!("keep(\"{kind}\", {count})"))?;
            let make = median(|| js.time_promise(&format!("make(\"{kind}\", {MADE})")))?;
            line.points.push((count, nanoseconds(make, MADE) / 1e3));
        }
        js.time("drop()")?;
        lines.push(line);
    }
    Ok(lines)
}

/// The time for each instance of a chain of linked instances in one store, in microseconds.
pub fn linked() -> anyhow::Result<Line> {
    let js = js()?;
    let mut line = Line::new("linked instances");
    for count in COUNTS {
        let made = median(|| js.time_promise(&format!("chain({count})")))?;
        line.points.push((count, nanoseconds(made, count) / 1e3));
    }
    Ok(line)
}

/// The time for each of many asynchronous calls that begin at once, in microseconds.
pub fn calls_at_once() -> anyhow::Result<Line> {
    let js = js()?;
    js.time_promise(&format!("keep(\"limited\", {MOST_CALLS})"))?;
    let mut line = Line::new("callAsync");
    for count in COUNTS.into_iter().filter(|count| *count <= MOST_CALLS) {
        let called = median(|| js.time_promise(&format!("callAll({count})")))?;
        line.points.push((count, nanoseconds(called, count) / 1e3));
    }
    Ok(line)
}
