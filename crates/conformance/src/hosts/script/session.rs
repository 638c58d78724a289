//! A JavaScript runtime with `host:wasm`, and the functions of `script.js` in it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use anyhow::Context as _;
use deno_core::{OpState, PollEventLoopOptions, op2, scope, v8};
use serde::Deserialize;

use crate::features::Features;
use crate::host::{Failure, FailureKind};
use crate::hosts::runtime;
use crate::js::Js;

/// A JavaScript runtime that scripts run in, one after another.
pub(super) struct Session {
    js: Js,
    functions: HashMap<&'static str, v8::Global<v8::Function>>,
    mail: Mail,
}

/// The functions of `script.js`.
const FUNCTIONS: [&str; 10] = [
    "begin",
    "end",
    "help",
    "compile",
    "instantiate",
    "register",
    "adapt",
    "invoke",
    "get",
    "memory",
];

/// An argument of such a function.
#[derive(Clone, Copy)]
pub(super) enum Argument<'a> {
    Number(usize),
    Text(&'a str),
    Flag(bool),
}

/// What is on its way between Rust and JavaScript.
#[derive(Clone, Default)]
struct Mail(Rc<RefCell<Letters>>);

#[derive(Default)]
struct Letters {
    /// A module that is to be compiled, or what is in a memory.
    bytes: Vec<u8>,
    /// What a promise ended with.
    answer: Option<String>,
}

#[op2]
#[buffer]
fn op_conformance_source(state: &mut OpState) -> Vec<u8> {
    std::mem::take(&mut state.borrow::<Mail>().0.borrow_mut().bytes)
}

#[op2(fast)]
fn op_conformance_memory(state: &mut OpState, #[buffer] memory: &[u8]) {
    state.borrow::<Mail>().0.borrow_mut().bytes = memory.to_vec();
}

#[op2(fast)]
fn op_conformance_answer(state: &mut OpState, #[string] answer: String) {
    state.borrow::<Mail>().0.borrow_mut().answer = Some(answer);
}

deno_core::extension!(
    conformance,
    ops = [
        op_conformance_source,
        op_conformance_memory,
        op_conformance_answer
    ],
    options = { mail: Mail },
    state = |state, options| state.put(options.mail)
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
        let wasm = runtime::state(features)?;
        let mail = Mail::default();
        let mut this = Self {
            js: Js::new(wasm, conformance::init(mail.clone()))?,
            functions: HashMap::new(),
            mail,
        };
        // `host:wasm` is the only WebAssembly here: see crates/no-wamr.
        this.js
            .runtime
            .execute_script("conformance:setup", "delete globalThis.WebAssembly;")?;
        this.js.evaluate(
            "conformance:script.js",
            include_str!("script.js").to_owned(),
        )?;
        for name in FUNCTIONS {
            let function = this.function(name).with_context(|| name.to_owned())?;
            this.functions.insert(name, function);
        }
        Ok(this)
    }

    fn function(&mut self, name: &str) -> anyhow::Result<v8::Global<v8::Function>> {
        let value = self
            .js
            .runtime
            .execute_script("conformance:function", format!("host.{name}"))?;
        scope!(scope, self.js.runtime);
        let function: v8::Local<v8::Function> = v8::Local::new(scope, value).try_into()?;
        Ok(v8::Global::new(scope, function))
    }

    /// Leaves a module where `compile` finds it.
    pub(super) fn leave_source(&mut self, bytes: &[u8]) {
        self.mail.0.borrow_mut().bytes = bytes.to_vec();
    }

    /// Takes what `memory` has left.
    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.mail.0.borrow_mut().bytes)
    }

    /// The bits of the values that the last call returned.
    pub(super) fn frame_bits(&mut self, count: usize) -> Vec<u128> {
        ext_wasm::frame_bits(&self.js.runtime.op_state().borrow(), count)
    }

    /// Calls a function that answers at once.
    pub(super) fn ask(&mut self, function: &str, args: &[Argument<'_>]) -> Result<String, Failure> {
        let answer = self.call(function, args)?;
        scope!(scope, self.js.runtime);
        read(v8::Local::new(scope, answer).to_rust_string_lossy(scope))
    }

    /// Calls a function that answers later, by `op_conformance_answer`.
    pub(super) fn wait(
        &mut self,
        function: &str,
        args: &[Argument<'_>],
    ) -> Result<String, Failure> {
        self.call(function, args)?;
        let (runtime, mail) = (&mut self.js.runtime, &self.mail);
        let answer = self.js.event_loop.block_on(poll_fn(|context| {
            let turn = runtime.poll_event_loop(context, PollEventLoopOptions::default());
            match (mail.0.borrow_mut().answer.take(), turn) {
                (Some(answer), _) => Poll::Ready(Ok(answer)),
                (None, Poll::Pending) => Poll::Pending,
                (None, Poll::Ready(ended)) => Poll::Ready(Err(match ended {
                    Ok(()) => "its promise is never settled".to_owned(),
                    Err(error) => error.to_string(),
                })),
            }
        }));
        read(answer.map_err(Failure::other)?)
    }

    fn call(
        &mut self,
        function: &str,
        args: &[Argument<'_>],
    ) -> Result<v8::Global<v8::Value>, Failure> {
        // Compiling happens on the event loop's other threads.
        let _entered = self.js.event_loop.enter();
        scope!(scope, self.js.runtime);
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
}

/// An answer, unless it is that of an error.
fn read(answer: String) -> Result<String, Failure> {
    if !answer.starts_with('{') {
        return Ok(answer);
    }
    let error: Result<JsError, _> = serde_json::from_str(&answer);
    Err(error.map_or_else(
        |error| Failure::other(format!("{error} in {answer}")),
        Failure::from,
    ))
}
