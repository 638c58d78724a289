//! Compiling and instantiating modules.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use ext_wasm::InstancePool;
use wasmtime::{Linker, Module, Store};

use crate::js::Js;
use crate::measure::{Bench, Subject};
use crate::raw::{self, ok};

/// The compiled modules: the name of the row, a program of `tests/programs/fetch.sh`, and the number of functions in
/// a generated module of similar size, which is used if the program is missing.
const PROGRAMS: [(&str, &str, u32); 3] = [
    ("compile_10kb", "highwayhasher", 150),
    ("compile_200kb", "tree-sitter", 3_000),
    ("compile_2mb", "resvg", 30_000),
];

/// The number of times that one round compiles a module again.
const AGAIN: u32 = 20;
/// The number of instances in one round.
const INSTANCES: u32 = 200;

pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    for (name, program, functions) in PROGRAMS {
        if bench.wants(name) || bench.wants("compile_again") {
            compile(bench, name, program, functions)?;
        }
    }
    for (pool, name) in [
        (None, "instantiate"),
        (Some(InstancePool::default()), "instantiate_pooled"),
    ] {
        instantiate(bench, name, 0, 0, pool)?;
        instantiate(bench, &format!("{name}_10_imports"), 10, 0, pool)?;
        instantiate(bench, &format!("{name}_4_pages"), 0, 4, pool)?;
    }
    Ok(())
}

fn compile(bench: &mut Bench, name: &str, program: &str, functions: u32) -> anyhow::Result<()> {
    let (wasm, description) = module(program, functions)?;
    let js = Js::new(
        "// Different bytes each time, so that no cache has the code.
         const fresh = (bytes) => {
             const source = new Uint8Array(bytes.byteLength + 6 + 4);
             source.set(new Uint8Array(bytes));
             source.set([0, 8, 3, 0x62, 0x62, 0x62], bytes.byteLength);
             new DataView(source.buffer).setUint32(bytes.byteLength + 6, count++);
             return source;
         };
         let count = 0;
         let kept, next;
         globalThis.prepare = (n) => { next = Array.from({ length: n }, () => fresh(bytes)); };
         globalThis.first = async () => {
             for (const bytes of next) (await compile(bytes)).drop();
         };
         globalThis.keep = async () => { kept = await compile(bytes); };
         globalThis.again = async (n) => {
             for (let i = 0; i < n; i++) (await compile(bytes)).drop();
         };",
    )?;
    js.put("bytes", wasm.clone())?;
    let engine = raw::engine()?;
    let reference = |times: u32| {
        let start = Instant::now();
        for _ in 0..times {
            ok(Module::from_binary(&engine, &wasm))?;
        }
        anyhow::Ok(start.elapsed())
    };
    // The number of modules that take some milliseconds.
    let times = u32::try_from(100_000 / wasm.len())
        .unwrap_or(u32::MAX)
        .clamp(1, 20);
    let against = format!("Module::new of {description}");
    let subject = Subject {
        name,
        target: Some(1.05),
        against: &against,
        per_round: times,
    };
    let first = || {
        js.time(&format!("prepare({times})"))?;
        js.time_promise("first()")
    };
    bench.compare(&subject, first, || reference(times))?;
    js.time_promise("keep()")?;
    let subject = Subject {
        name: &name.replace("compile", "compile_again"),
        target: Some(0.02),
        per_round: AGAIN,
        ..subject
    };
    // The reference compiles once for all repetitions, because the large module takes most of a second.
    let again = || js.time_promise(&format!("again({AGAIN})"));
    bench.compare(&subject, again, || Ok(reference(1)? * AGAIN))
}

/// A module, and its description.
fn module(program: &str, functions: u32) -> anyhow::Result<(Vec<u8>, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/programs");
    if let Ok(wasm) = std::fs::read(root.join(program).with_extension("wasm")) {
        let description = format!("{program}, {} kB", wasm.len().div_ceil(1000));
        return Ok((wasm, description));
    }
    eprintln!(
        "{program}.wasm is missing, tests/programs/fetch.sh downloads it: a generated module is used"
    );
    let wasm = generated(functions)?;
    let description = format!("{} generated kB", wasm.len().div_ceil(1000));
    Ok((wasm, description))
}

/// A module of `functions` functions, each a loop over some arithmetic.
fn generated(functions: u32) -> anyhow::Result<Vec<u8>> {
    let mut text = String::from("(module (memory 1)");
    for i in 0..functions {
        write!(
            text,
            "(func (param $n i32) (result i32) (local $sum i32)
                (loop $more
                    (i32.store (local.get $n) (local.get $sum))
                    (local.set $sum (i32.add (local.get $sum)
                        (i32.mul (local.get $n) (i32.const {i}))))
                    (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (local.get $sum))"
        )?;
    }
    text.push(')');
    Ok(wat::parse_str(text)?)
}

/// Instances of a small module, each in a store of its own. The start function writes to the first `pages` pages of
/// 4 KiB, since the first writes to four pages take the system longer than the rest of the instantiation.
fn instantiate(
    bench: &mut Bench,
    name: &str,
    imports: usize,
    pages: usize,
    pool: Option<InstancePool>,
) -> anyhow::Result<()> {
    if !bench.wants(name) {
        return Ok(());
    }
    let mut text = String::from("(module ");
    for i in 0..imports {
        write!(
            text,
            "(import \"env\" \"f{i}\" (func (param i32) (result i32)))"
        )?;
    }
    text.push_str(
        r#"(memory (export "memory") 1)
        (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))"#,
    );
    if pages > 0 {
        text.push_str("(func $start");
        for page in 0..pages {
            write!(text, "(i32.store (i32.const {}) (i32.const 1))", page << 12)?;
        }
        text.push_str(") (start $start)");
    }
    text.push(')');
    let script = format!(
        "const module = await compile(text(`{text}`));
         const env = {{}};
         for (let i = 0; i < {imports}; i++) env['f' + i] = (x) => x;
         globalThis.run = async (n) => {{
             for (let i = 0; i < n; i++) (await instantiate(module, {{ env }})).drop();
         }};"
    );
    let js = Js::with(pool, &script)?;
    let engine = raw::engine()?;
    let module = ok(Module::new(&engine, wat::parse_str(&text)?))?;
    let mut linker = Linker::new(&engine);
    for i in 0..imports {
        ok(linker.func_wrap("env", &format!("f{i}"), |x: i32| x))?;
    }
    let pre = RefCell::new(ok(linker.instantiate_pre(&module))?);
    let reference = || {
        let start = Instant::now();
        for _ in 0..INSTANCES {
            let mut store = Store::new(&engine, ());
            std::hint::black_box(ok(pre.borrow().instantiate(&mut store))?);
        }
        anyhow::Ok(start.elapsed())
    };
    let subject = Subject {
        name,
        target: Some(match (pool, cfg!(feature = "v8")) {
            (None, _) => 1.5,
            (Some(_), true) => 1.0,
            (Some(_), false) => 2.0,
        }),
        against: "InstancePre::instantiate in a new store, without a pool",
        per_round: INSTANCES,
    };
    bench.compare(
        &subject,
        || js.time_promise(&format!("run({INSTANCES})")),
        reference,
    )
}
