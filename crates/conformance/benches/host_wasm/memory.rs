//! Copies and views of memories.

use crate::js::{Js, MIB};
use crate::measure::{Bench, Subject};

/// The number of copies in one round.
const COPIES: u32 = 50;
/// The number of views in one round.
const VIEWS: u32 = 1_000;

pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let js = Js::new(&format!(
        r#"
        const instance = await instantiate(
            await compile(text('(module (memory (export "memory") 32))')),
        );
        const bytes = new Uint8Array({MIB}).fill(1);
        const plain = {{ buffer: new ArrayBuffer({MIB}) }};
        const memory = instance.memory();
        instance.writeMemory(0, bytes);
        globalThis.read = (n) => {{
            for (let i = 0; i < n; i++) instance.readMemory(0, {MIB});
        }};
        globalThis.write = (n) => {{
            for (let i = 0; i < n; i++) instance.writeMemory(0, bytes);
        }};
        globalThis.copy = (n) => {{ for (let i = 0; i < n; i++) ops.op_bench_copy(); }};
        globalThis.view = (n) => {{
            let sum = 0;
            for (let i = 0; i < n; i++) sum += new Uint8Array(memory.buffer)[i];
            return sum;
        }};
        globalThis.plainView = (n) => {{
            let sum = 0;
            for (let i = 0; i < n; i++) sum += new Uint8Array(plain.buffer)[i];
            return sum;
        }};
        "#
    ))?;
    let run = |name: &str, n: u32| js.time(&format!("{name}({n})"));
    for (name, ours) in [("read_1mib", "read"), ("write_1mib", "write")] {
        let subject = Subject {
            name,
            target: Some(1.2),
            against: "an op that copies as much into a fresh buffer",
            per_round: COPIES,
        };
        bench.compare(&subject, || run(ours, COPIES), || run("copy", COPIES))?;
    }
    let subject = Subject {
        name: "view",
        target: Some(2.0),
        against: "a view of an ArrayBuffer",
        per_round: VIEWS,
    };
    bench.compare(&subject, || run("view", VIEWS), || run("plainView", VIEWS))
}
