//! JavaScript runtimes for programs. Several programs run in one runtime, one after another.

use std::cell::RefCell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use deno_core::error::{CoreError, CoreErrorKind};
use deno_core::{OpState, op2, v8};
use ext_wasm::{WasmCapabilities, WasmState};
use serde_json::json;

use super::guest::GUESTS;
use super::{Finding, Program, Tally};
use crate::js::Js;
use crate::run::panic_message;

/// The report of the running program. Its ops write the report, and the sandbox reads it.
#[derive(Clone, Default)]
struct SharedReport(Rc<RefCell<Report>>);

/// The first violation that a program saw, and the counts of a program that ended.
#[derive(Default)]
struct Report {
    finding: Option<String>,
    tally: Option<Tally>,
}

/// Reports a violation. Only the first report of a program counts.
#[op2(fast)]
fn op_conformance_finding(state: &mut OpState, #[string] text: String) {
    let report = &mut state.borrow::<SharedReport>().0.borrow_mut();
    report.finding.get_or_insert(text);
}

/// Reports the counts of a program at its end.
#[op2(fast)]
fn op_conformance_tally(state: &mut OpState, attempts: u32, returned: u32, refused: u32) {
    state.borrow::<SharedReport>().0.borrow_mut().tally = Some(Tally {
        programs: 1,
        attempts: attempts.into(),
        returned: returned.into(),
        refused: refused.into(),
    });
}

/// Waits a little, to give other threads time.
#[op2]
async fn op_conformance_pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

deno_core::extension!(
    conformance_fuzz,
    ops = [
        op_conformance_finding,
        op_conformance_pause,
        op_conformance_tally
    ],
    options = { report: SharedReport },
    state = |state, options| state.put(options.report)
);

/// The most programs that run in one runtime. Starting a runtime takes as long as running several programs.
const MAX_PROGRAMS: u32 = 50;

/// The most programs with raw calls of ops that run in one runtime.
const MAX_PROGRAMS_OF_OPS: u32 = 10;

/// Runs programs on this thread.
pub struct Sandboxes {
    /// The number of runtimes that were started for programs.
    pub started: u32,
    /// The runtime of the last program, and of the next one. V8 requires that it is dropped before `bystander`.
    sandbox: Option<Sandbox>,
    /// A runtime of the same thread that no program may reach.
    bystander: Js,
    /// A folder that programs may preopen for their guests.
    folder: PathBuf,
}

/// A runtime for programs.
struct Sandbox {
    js: Js,
    report: SharedReport,
    programs: u32,
    uses_ops: bool,
}

/// The script of the bystander. It makes an instance that must give the same answer after each program, and an
/// instance of each guest, which keeps the guest's code in the cache so that programs need not compile it again.
const BYSTANDER: &str = r#"
    import { compile, compileComponent, instantiate, WasmGlobal, WasmMemory, WasmStore, WasmTable, WasmTag } from "host:wasm";
    const text = `(module
        (memory (export "memory") 1)
        (data (i32.const 7) "*")
        (func (export "answer") (result i32) (i32.load8_u (i32.const 7))))`;
    const bystander = await instantiate(await compile(Deno.core.encode(text)));
    globalThis.check = () => {
        const answer = bystander.call("answer");
        if (answer !== 42) throw new Error(`another runtime's guest says ${answer}`);
    };
    const standIn = (store, type) => {
        switch (type.kind) {
            case "memory": return new WasmMemory(store, type);
            case "table": return new WasmTable(store, type, null);
            case "global": return new WasmGlobal(store, type, 0);
            case "tag": return new WasmTag(store, type);
            default: return () => null;
        }
    };
    globalThis.kept = [];
    kept.push(await compileComponent(Deno.core.encode(componentText)));
    kept.push(await compileComponent(Deno.core.encode(commandText)));
    for (const [name, text] of Object.entries(guests)) {
        const module = await compile(Deno.core.encode(text));
        const store = new WasmStore({ wasi: {} });
        const imports = {};
        for (const { module: from, name, ...type } of module.imports) {
            if (!from.startsWith("wasi")) (imports[from] ??= {})[name] = standIn(store, type);
        }
        kept.push(module, await instantiate(module, imports, { store }).catch((error) => {
            // These two guests cannot be instantiated.
            if (name !== "outside" && name !== "waits") throw error;
        }));
    }
"#;

/// The capabilities of programs. They are small, so that programs reach the caps.
fn capabilities(folder: PathBuf) -> WasmCapabilities {
    let mut this = WasmCapabilities::default();
    this.allow_wasi = true;
    this.preopen_paths = vec![folder];
    this.max_fuel = Some(200_000);
    this.max_timeout_ms = Some(100);
    this.max_memory_bytes = Some(4 << 20);
    this.max_output_bytes = 1 << 16;
    this.max_pending_compiles = 16;
    this.max_modules = 64;
    this.max_stores = 64;
    this.max_instances = 64;
    this.max_running_calls = 8;
    this.max_references = 1_000;
    this.max_table_elements = 10_000;
    this.max_wasi_descriptors = 16;
    this
}

/// The texts of the components that programs use.
const COMPONENT: &str = include_str!("guests/component.wat");
const COMMAND: &str = include_str!("guests/command.wat");

/// The texts of the guests by their names, as JSON.
fn guests() -> serde_json::Value {
    let guests = GUESTS
        .iter()
        .map(|guest| (guest.name.to_owned(), guest.text.into()));
    serde_json::Value::Object(guests.collect())
}

/// The binaries of the guests by their names, as JSON.
fn binaries() -> serde_json::Value {
    let guests = GUESTS
        .iter()
        .map(|guest| (guest.name.to_owned(), guest.binary.clone().into()));
    serde_json::Value::Object(guests.collect())
}

impl Sandboxes {
    /// Starts the bystander. No program has run yet.
    ///
    /// # Errors
    ///
    /// If JavaScript does not start, or the folder for the guests cannot be made.
    pub fn new() -> anyhow::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("conformance-fuzz-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).context("cannot make a folder")?;
        fs::write(folder.join("hello"), "in a file").context("cannot write a file")?;
        let wasm = WasmState::new(capabilities(folder.clone()))?;
        let mut bystander = Js::new(wasm, conformance_fuzz::init(SharedReport::default()))?;
        let guests = format!(
            "globalThis.guests = {};\nglobalThis.componentText = {};\nglobalThis.commandText = {};",
            guests(),
            json!(COMPONENT),
            json!(COMMAND)
        );
        bystander.evaluate("fuzz:guests", guests)?;
        bystander.evaluate("fuzz:bystander", BYSTANDER.to_owned())?;
        Ok(Self {
            started: 0,
            sandbox: None,
            bystander,
            folder,
        })
    }

    /// Runs a program. A panic is a finding.
    ///
    /// # Errors
    ///
    /// If JavaScript does not start.
    pub fn run(&mut self, program: &Program) -> anyhow::Result<Result<Tally, Finding>> {
        let ran = catch_unwind(AssertUnwindSafe(|| self.run_here(program)));
        ran.unwrap_or_else(|panic| Ok(Err(Finding::Panic(panic_message(&*panic)))))
    }

    fn run_here(&mut self, program: &Program) -> anyhow::Result<Result<Tally, Finding>> {
        // Raw calls of ops leave a runtime in a state that other programs do not expect.
        let is_fit = |sandbox: &Sandbox| program.uses_ops() || !sandbox.uses_ops;
        // The sandbox is kept for the next program if nothing was found.
        let mut sandbox = match self.sandbox.take().filter(is_fit) {
            Some(sandbox) => sandbox,
            None => {
                self.started += 1;
                Sandbox::new(&self.folder)?
            }
        };
        let ran = sandbox.run(program);
        let most = if sandbox.uses_ops {
            MAX_PROGRAMS_OF_OPS
        } else {
            MAX_PROGRAMS
        };
        let has_more = sandbox.programs < most;
        if ran.is_ok() && has_more {
            self.sandbox = Some(sandbox);
            return Ok(ran);
        }
        drop(sandbox);
        Ok(match self.check_bystander() {
            Ok(()) => ran,
            Err(finding) => ran.and(Err(finding)),
        })
    }

    fn check_bystander(&mut self) -> Result<(), Finding> {
        let _entered = self.bystander.event_loop.enter();
        let checked = self
            .bystander
            .runtime
            .execute_script("fuzz:check", "check()");
        checked
            .map(drop)
            .map_err(|error| Finding::Seen(error.to_string()))
    }
}

impl Sandbox {
    fn new(folder: &Path) -> anyhow::Result<Self> {
        let report = SharedReport::default();
        let wasm = WasmState::new(capabilities(folder.to_owned()))?;
        let mut js = Js::new(wasm, conformance_fuzz::init(report.clone()))?;
        let prelude = format!(
            "{}\nglobalThis.guests = {};\nglobalThis.componentText = {};\nglobalThis.commandText = {};\n\
             setBinaries({});\nglobalThis.folder = {};\n",
            include_str!("prelude.js"),
            guests(),
            json!(COMPONENT),
            json!(COMMAND),
            binaries(),
            json!(folder)
        );
        js.evaluate("fuzz:prelude", prelude)?;
        Ok(Self {
            js,
            report,
            programs: 0,
            uses_ops: false,
        })
    }

    fn run(&mut self, program: &Program) -> Result<Tally, Finding> {
        self.programs += 1;
        self.uses_ops |= program.uses_ops();
        let name = format!("fuzz:program-{}", self.programs);
        let ended = self.js.evaluate(&name, program.source());
        let report = self.report.0.take();
        match (report.finding, ended, report.tally) {
            (Some(finding), ..) => Err(Finding::Seen(finding)),
            // A program reports its tally last. The QuickJS backend of deno_core sometimes does not settle a module
            // that has run to its end.
            (None, Err(error), Some(tally)) if is_unsettled(&error) => Ok(tally),
            (None, Err(error), _) => {
                let unsettled = self.unsettled();
                Err(Finding::Seen(format!(
                    "the program threw {error:#}{unsettled}"
                )))
            }
            (None, Ok(()), None) => Err(Finding::Seen("the program did not end".to_owned())),
            (None, Ok(()), Some(tally)) => Ok(tally),
        }
    }
}

/// Whether a module was not settled when the event loop had no more work.
fn is_unsettled(error: &anyhow::Error) -> bool {
    let core = error.downcast_ref::<CoreError>();
    core.is_some_and(|error| matches!(error.as_kind(), CoreErrorKind::ModuleEvaluationDeadlock))
}

impl Sandbox {
    /// The attempts that the program still waits for, as text.
    fn unsettled(&mut self) -> String {
        let _entered = self.js.event_loop.enter();
        let runtime = &mut self.js.runtime;
        let Ok(texts) = runtime.execute_script("fuzz:unsettled", "unsettledAttempts()") else {
            return String::new();
        };
        deno_core::scope!(scope, runtime);
        let texts = v8::Local::new(scope, texts).to_rust_string_lossy(scope);
        match texts.is_empty() {
            true => texts,
            false => format!("; not settled:{texts}"),
        }
    }
}

impl Drop for Sandboxes {
    fn drop(&mut self) {
        // A folder that cannot be removed is not a finding.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
