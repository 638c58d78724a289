//! The standard `WebAssembly` beside the strict API.

use crate::calls::{CALLS, FUNCTIONS, IMPORTS};
use crate::js::Js;
use crate::measure::{Bench, Subject};

/// The number of objects that one round makes.
const OBJECTS: u32 = 200;
/// The number of uses of an object in one round.
const USES: u32 = 20_000;

pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    // Each row has a loop function of its own, so that the engine does not optimise two rows together.
    let js = Js::new(
        "globalThis.setUp = async () => {
            const W = createWebAssembly();
            const standard = new W.Instance(new W.Module(functions)).exports;
            const strict = await instantiate(await compile(functions));
            const [i32, i64, mixed8] = ['i32', 'i64', 'mixed8'].map((name) => strict.func(name));
            const { i32: standardI32, i64: standardI64, mixed8: standardMixed8 } = standard;
            globalThis.i32 = (n) => { for (let i = 0; i < n; i++) i32(i, 1); };
            globalThis.standardI32 = (n) => { for (let i = 0; i < n; i++) standardI32(i, 1); };
            globalThis.i64 = (n) => { for (let i = 0; i < n; i++) i64(0x1_2345_6789n, 1n); };
            globalThis.standardI64 = (n) => { for (let i = 0; i < n; i++) standardI64(0x1_2345_6789n, 1n); };
            globalThis.mixed8 = (n) => { for (let i = 0; i < n; i++) mixed8(i, 2n, 3.5, 4.5, 5, 6n, 7.5, 8.5); };
            globalThis.standardMixed8 = (n) => {
                for (let i = 0; i < n; i++) standardMixed8(i, 2n, 3.5, 4.5, 5, 6n, 7.5, 8.5);
            };

            const env = { f: (x) => x + 1 };
            const standardLoop = new W.Instance(new W.Module(imports), { env }).exports.loop;
            const strictLoop = (await instantiate(await compile(imports), { env })).func('loop');
            globalThis.importing = strictLoop;
            globalThis.standardImporting = standardLoop;

            const module = await compile(memoryModule);
            const standardModule = new W.Module(memoryModule);
            globalThis.instantiating = async (n) => {
                for (let i = 0; i < n; i++) (await instantiate(module)).func('f');
            };
            globalThis.standardInstantiating = async (n) => {
                for (let i = 0; i < n; i++) (await W.instantiate(standardModule)).exports.f;
            };

            const store = new WasmStore();
            // Memories are freed with their store.
            globalThis.memories = (n) => {
                const store = new WasmStore();
                for (let i = 0; i < n; i++) new WasmMemory(store, { minimum: 1 });
                store.drop();
            };
            globalThis.standardMemories = (n) => { for (let i = 0; i < n; i++) new W.Memory({ initial: 1 }); };
            const memory = new WasmMemory(store, { minimum: 1 });
            const standardMemory = new W.Memory({ initial: 1 });
            globalThis.buffers = (n) => { for (let i = 0; i < n; i++) memory.buffer; };
            globalThis.standardBuffers = (n) => { for (let i = 0; i < n; i++) standardMemory.buffer; };
            globalThis.growing = (n) => {
                const store = new WasmStore();
                const grown = new WasmMemory(store, { minimum: 1 });
                for (let i = 0; i < n; i++) grown.grow(1);
                store.drop();
            };
            globalThis.standardGrowing = (n) => {
                const grown = new W.Memory({ initial: 1 });
                for (let i = 0; i < n; i++) grown.grow(1);
            };
        };",
    )?;
    js.put("functions", wat::parse_str(FUNCTIONS)?)?;
    js.put("imports", wat::parse_str(IMPORTS)?)?;
    js.put(
        "memoryModule",
        wat::parse_str(r#"(module (memory 1) (func (export "f")))"#)?,
    )?;
    js.time_promise("setUp()")?;
    let call_target = if cfg!(feature = "quickjs") { 1.1 } else { 1.05 };
    for (name, ours, reference, per_round, target, against) in [
        (
            "standard_call_i32",
            "standardI32",
            "i32",
            CALLS,
            call_target,
            "instance.func",
        ),
        (
            "standard_call_i64",
            "standardI64",
            "i64",
            CALLS,
            call_target,
            "instance.func",
        ),
        (
            "standard_call_mixed8",
            "standardMixed8",
            "mixed8",
            CALLS,
            call_target,
            "instance.func",
        ),
        (
            "standard_import",
            "standardImporting",
            "importing",
            CALLS,
            call_target,
            "an import of a strict instance",
        ),
        (
            "standard_memory",
            "standardMemories",
            "memories",
            OBJECTS,
            1.2,
            "new WasmMemory",
        ),
        (
            "standard_buffer",
            "standardBuffers",
            "buffers",
            USES,
            1.2,
            "WasmMemory.buffer",
        ),
        (
            "standard_grow",
            "standardGrowing",
            "growing",
            OBJECTS,
            1.2,
            "WasmMemory.grow",
        ),
    ] {
        let subject = Subject {
            name,
            target: Some(target),
            against,
            per_round,
        };
        let run = |name: &str| js.time(&format!("{name}({per_round})"));
        bench.compare(&subject, || run(ours), || run(reference))?;
    }
    let subject = Subject {
        name: "standard_instantiate",
        target: None,
        against: "instantiate, and one func",
        per_round: OBJECTS,
    };
    let run = |name: &str| js.time_promise(&format!("{name}({OBJECTS})"));
    bench.compare(
        &subject,
        || run("standardInstantiating"),
        || run("instantiating"),
    )
}
