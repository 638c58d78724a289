//! A JavaScript runtime with `host:wasm`, and the functions of `script.js` in it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use anyhow::Context as _;
use deno_core::{
    JsRuntime, ModuleSpecifier, OpState, PollEventLoopOptions, RuntimeOptions, op2, scope, v8,
};
use serde::Deserialize;

use crate::features::Features;
use crate::host::{Failure, FailureKind};
use crate::hosts::runtime;

/// A JavaScript runtime that scripts run in, one after another.
pub(super) struct Session {
    runtime: JsRuntime,
    event_loop: tokio::runtime::Runtime,
    functions: HashMap<&'static str, v8::Global<v8::Function>>,
}

/// The functions of `script.js`.
const FUNCTIONS: [&str; 9] = [
    "begin",
    "end",
    "help",
    "compile",
    "instantiate",
    "register",
    "adapt",
    "invoke",
    "get",
];

/// An argument of such a function.
#[derive(Clone, Copy)]
pub(super) enum Argument<'a> {
    Number(usize),
    Text(&'a str),
    Flag(bool),
}

/// The module that is to be compiled, on its way to JavaScript.
#[derive(Clone, Default)]
struct Pending(Rc<RefCell<Vec<u8>>>);

#[op2]
#[buffer]
fn op_conformance_source(state: &mut OpState) -> Vec<u8> {
    state.borrow::<Pending>().0.take()
}

deno_core::extension!(
    conformance,
    ops = [op_conformance_source],
    state = |state| state.put(Pending::default())
);

/// How `script.js` tells of an error.
#[derive(Deserialize)]
struct JsError {
    code: Option<u16>,
    message: String,
    trap: Option<String>,
    #[serde(default)]
    exception: bool,
}

impl From<JsError> for Failure {
    fn from(error: JsError) -> Self {
        if error.exception {
            return Failure::new(FailureKind::Exception, error.message);
        }
        match error.code {
            Some(code) => runtime::sort(code, error.trap.as_deref(), error.message),
            None => Failure::other(error.message),
        }
    }
}

impl Session {
    /// A runtime whose engine has exactly these features.
    ///
    /// # Errors
    ///
    /// When wasmtime cannot have this set of features, or JavaScript does not start.
    pub(super) fn new(features: &Features) -> anyhow::Result<Self> {
        let event_loop = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let wasm = runtime::state(features)?;
        let entered = event_loop.enter();
        let runtime = JsRuntime::new(RuntimeOptions {
            extensions: vec![ext_wasm::host_wasm::init(wasm), conformance::init()],
            ..Default::default()
        });
        drop(entered);
        let mut this = Self {
            runtime,
            event_loop,
            functions: HashMap::new(),
        };
        // `host:wasm` is the only WebAssembly here: see crates/no-wamr.
        this.runtime
            .execute_script("conformance:setup", "delete globalThis.WebAssembly;")?;
        this.evaluate(include_str!("script.js"))?;
        for name in FUNCTIONS {
            let function = this.function(name).with_context(|| name.to_owned())?;
            this.functions.insert(name, function);
        }
        Ok(this)
    }

    fn evaluate(&mut self, module: &'static str) -> anyhow::Result<()> {
        let specifier = ModuleSpecifier::parse("conformance:script.js")?;
        let runtime = &mut self.runtime;
        self.event_loop.block_on(async {
            let id = runtime
                .load_side_es_module_from_code(&specifier, module)
                .await
                .context("script.js")?;
            let evaluated = runtime.mod_evaluate(id);
            runtime
                .run_event_loop(PollEventLoopOptions::default())
                .await?;
            Ok(evaluated.await?)
        })
    }

    fn function(&mut self, name: &str) -> anyhow::Result<v8::Global<v8::Function>> {
        let value = self
            .runtime
            .execute_script("conformance:function", format!("host.{name}"))?;
        scope!(scope, self.runtime);
        let function: v8::Local<v8::Function> = v8::Local::new(scope, value).try_into()?;
        Ok(v8::Global::new(scope, function))
    }

    /// Leaves a module where `compile` finds it.
    pub(super) fn leave_source(&mut self, bytes: &[u8]) {
        let state = self.runtime.op_state();
        state.borrow().borrow::<Pending>().0.replace(bytes.to_vec());
    }

    /// The bits of the values that the last call returned.
    pub(super) fn frame_bits(&mut self, count: usize) -> Vec<u128> {
        ext_wasm::frame_bits(&self.runtime.op_state().borrow(), count)
    }

    /// Calls a function that answers at once.
    pub(super) fn ask(&mut self, function: &str, args: &[Argument<'_>]) -> Result<String, Failure> {
        let called = self.call(function, args)?;
        self.read(called)
    }

    /// Calls a function that answers with a promise.
    pub(super) fn wait(
        &mut self,
        function: &str,
        args: &[Argument<'_>],
    ) -> Result<String, Failure> {
        let promise = self.call(function, args)?;
        let resolved = Box::pin(self.runtime.resolve(promise));
        let options = PollEventLoopOptions::default();
        let waiting = self.runtime.with_event_loop_promise(resolved, options);
        let answer = self.event_loop.block_on(waiting);
        self.read(answer.map_err(|error| Failure::other(error.to_string()))?)
    }

    fn call(
        &mut self,
        function: &str,
        args: &[Argument<'_>],
    ) -> Result<v8::Global<v8::Value>, Failure> {
        // Compiling happens on the event loop's other threads.
        let _entered = self.event_loop.enter();
        scope!(scope, self.runtime);
        v8::tc_scope!(let scope, scope);
        let mut values: Vec<v8::Local<v8::Value>> = Vec::new();
        for arg in args {
            values.push(match *arg {
                Argument::Number(number) => v8::Number::new(scope, number as f64).into(),
                Argument::Flag(flag) => v8::Boolean::new(scope, flag).into(),
                Argument::Text(text) => v8::String::new(scope, text)
                    .ok_or_else(|| Failure::other("too long a text"))?
                    .into(),
            });
        }
        let function = v8::Local::new(scope, &self.functions[function]);
        let this = v8::undefined(scope).into();
        match function.call(scope, this, &values) {
            Some(value) => Ok(v8::Global::new(scope, value)),
            None => {
                let thrown = scope.exception();
                let thrown = thrown.map(|value| value.to_rust_string_lossy(scope));
                Err(Failure::other(
                    thrown.unwrap_or_else(|| "no answer".to_owned()),
                ))
            }
        }
    }

    fn read(&mut self, answer: v8::Global<v8::Value>) -> Result<String, Failure> {
        scope!(scope, self.runtime);
        let text = v8::Local::new(scope, answer).to_rust_string_lossy(scope);
        if !text.starts_with('{') {
            return Ok(text);
        }
        let error: Result<JsError, _> = serde_json::from_str(&text);
        Err(error.map_or_else(
            |error| Failure::other(format!("{error} in {text}")),
            Failure::from,
        ))
    }
}
