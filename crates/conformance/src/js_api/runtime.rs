//! The JavaScript runtime that a test file runs in.

use std::cell::Cell;
use std::future::poll_fn;
use std::path::Path;
use std::rc::Rc;
use std::task::Poll;

use anyhow::{Context as _, ensure};
use deno_core::{OpState, PollEventLoopOptions, op2, scope, v8};
use ext_wasm::{ModuleLimits, WasmCapabilities, WasmState};

use super::event::Event;
use super::folder::Metadata;
use super::worker::Request;
use crate::files;
use crate::js::Js;
use crate::lane::Lane;
use crate::process;

/// Makes `WebAssembly` as `host:wasm` has it.
const STANDARD: &str = r#"
    import { createWebAssembly } from "host:wasm";
    Object.defineProperty(globalThis, "WebAssembly", {
        value: createWebAssembly(),
        writable: true,
        enumerable: false,
        configurable: true,
    });
"#;

/// The harness: a function that its files are the body of. It returns the function that says that all scripts have run.
const HARNESS: &str = concat!(
    "(() => {\n\"use strict\";\n",
    include_str!("harness/format.js"),
    include_str!("harness/web.js"),
    include_str!("harness/assertions.js"),
    include_str!("harness/subtests.js"),
    include_str!("harness/main.js"),
    "})()"
);

/// The file that runs, as its ops see it.
#[derive(Clone, Default)]
struct Running(Rc<RunningData>);

#[derive(Default)]
struct RunningData {
    label: String,
    subtests: Cell<u32>,
    is_done: Cell<bool>,
}

/// Returns the name of the file in stacks.
#[op2]
#[string]
fn op_js_api_file(state: &mut OpState) -> String {
    state.borrow::<Running>().0.label.clone()
}

/// Reports a new subtest, and returns its number.
#[op2(fast)]
#[smi]
fn op_js_api_subtest(state: &mut OpState, #[string] name: String, #[smi] line: u32) -> u32 {
    let subtests = &state.borrow::<Running>().0.subtests;
    let number = subtests.replace(subtests.get() + 1);
    send(&Event::Subtest { name, line });
    number
}

#[op2(fast)]
fn op_js_api_began(#[smi] subtest: u32) {
    send(&Event::Began { subtest });
}

#[op2(fast)]
fn op_js_api_ended(#[smi] subtest: u32, #[string] message: String) {
    send(&Event::Ended { subtest, message });
}

#[op2(fast)]
fn op_js_api_error(#[smi] line: u32, #[string] message: String) {
    send(&Event::Error { line, message });
}

#[op2(fast)]
fn op_js_api_done(state: &mut OpState) {
    state.borrow::<Running>().0.is_done.set(true);
}

fn send(event: &Event) {
    // It fails when nobody reads any more, and then nobody misses the event.
    let _ = process::send(event);
}

deno_core::extension!(
    js_api,
    ops = [
        op_js_api_began,
        op_js_api_done,
        op_js_api_ended,
        op_js_api_error,
        op_js_api_file,
        op_js_api_subtest,
    ],
    options = { running: Running },
    state = |state, options| state.put(options.running)
);

/// Runs a file, and sends events to standard output. Returns whether it ran to its end.
///
/// # Errors
///
/// When the lane has no `WebAssembly`, or JavaScript does not start.
pub(super) fn run(request: &Request) -> anyhow::Result<bool> {
    let running = Running(Rc::new(RunningData {
        label: request.label.clone(),
        ..RunningData::default()
    }));
    let wasm = WasmState::new(capabilities())?;
    let mut js = Js::new(wasm, js_api::init(running.clone()))?;
    provide_webassembly(&mut js, request.lane)?;
    // Compiling happens on the event loop's other threads.
    let event_loop = js.event_loop.handle().clone();
    let entered = event_loop.enter();
    let load = js.runtime.execute_script("conformance:js-api", HARNESS)?;
    match run_scripts(&mut js, request) {
        Ok(()) => call(&mut js, &load)?,
        Err(error) => send(&Event::Error {
            line: 1,
            message: format!("{error:#}"),
        }),
    }
    drop(entered);
    run_event_loop(&mut js, &running.0.is_done);
    Ok(running.0.is_done.get())
}

fn provide_webassembly(js: &mut Js, lane: Lane) -> anyhow::Result<()> {
    match lane {
        Lane::Own => {
            ensure!(
                has_own_webassembly(),
                "this JavaScript engine has no `WebAssembly` of its own"
            );
            Ok(())
        }
        _ => js.evaluate("conformance:standard.js", STANDARD.to_owned()),
    }
}

/// Whether the JavaScript engine of this program has a `WebAssembly` of its own.
pub(super) fn has_own_webassembly() -> bool {
    cfg!(feature = "v8")
}

/// The capabilities of the lane `standard`: the caps are the limits of the JavaScript API, which a file tests.
fn capabilities() -> WasmCapabilities {
    let mut limits = ModuleLimits::default();
    limits.max_binary_bytes = 1 << 30;
    limits.max_types = 1_000_000;
    limits.max_imports = 1_000_000;
    limits.max_exports = 1_000_000;
    limits.max_functions = 1_000_000;
    limits.max_function_body_bytes = 7_654_321;
    limits.max_globals = 1_000_000;
    limits.max_element_segments = 10_000_000;
    limits.max_tables = 100_000;
    limits.max_custom_section_bytes = 1 << 30;
    limits.max_compile_ms = 100_000;
    limits.max_compile_bytes = 8 << 30;
    limits.max_validation_steps = 2_000_000_000;
    let mut capabilities = WasmCapabilities::default();
    capabilities.module_limits = limits;
    capabilities.max_table_elements = 10_000_000;
    capabilities
}

/// Runs the scripts that the file needs, and then the file.
///
/// # Errors
///
/// When one of them cannot be read.
fn run_scripts(js: &mut Js, request: &Request) -> anyhow::Result<()> {
    let text = read(&request.path)?;
    for script in Metadata::parse(&text).scripts {
        let path = request.folder.resolve(&request.path, &script);
        let script = read(&path)?;
        let name = path.display().to_string();
        run_script(js, name, script, request);
    }
    run_script(js, request.label.clone(), text, request);
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    files::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Runs a script, and reports an error that it throws. What follows runs still, as in a browser.
fn run_script(js: &mut Js, name: String, text: String, request: &Request) {
    let Err(error) = js.runtime.execute_script(name.clone(), text) else {
        return;
    };
    let mut frames = error.frames.iter();
    let frame = frames.find(|frame| frame.file_name.as_deref() == Some(&request.label));
    let line = frame.and_then(|frame| frame.line_number);
    let message = match name == request.label {
        true => error.exception_message,
        false => format!("{} in {name}", error.exception_message),
    };
    send(&Event::Error {
        line: line.and_then(|line| u32::try_from(line).ok()).unwrap_or(0),
        message,
    });
}

/// Calls a function without arguments.
fn call(js: &mut Js, function: &v8::Global<v8::Value>) -> anyhow::Result<()> {
    scope!(scope, js.runtime);
    let function: v8::Local<v8::Function> = v8::Local::new(scope, function).try_into()?;
    let this = v8::undefined(scope).into();
    function.call(scope, this, &[]).context("it threw")?;
    Ok(())
}

/// Runs the event loop until the file is done, or there is nothing left to do.
fn run_event_loop(js: &mut Js, is_done: &Cell<bool>) {
    let runtime = &mut js.runtime;
    js.event_loop.block_on(poll_fn(|context| {
        let turn = runtime.poll_event_loop(context, PollEventLoopOptions::default());
        match turn {
            Poll::Pending if !is_done.get() => Poll::Pending,
            Poll::Ready(Err(error)) => {
                send(&Event::Error {
                    line: 0,
                    message: error.to_string(),
                });
                Poll::Ready(())
            }
            Poll::Pending | Poll::Ready(Ok(())) => Poll::Ready(()),
        }
    }));
}
