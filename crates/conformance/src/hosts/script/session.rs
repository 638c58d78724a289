//! A JavaScript runtime with `host:wasm` and `script.js`.

use std::cell::RefCell;
use std::future::poll_fn;
use std::mem;
use std::rc::Rc;
use std::task::Poll;

use deno_core::{OpState, PollEventLoopOptions, op2, scope, v8};
use ext_wasm::WasmState;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::message::Response;
use crate::features::Features;
use crate::host::Failure;
use crate::hosts::runtime;
use crate::js::Js;

/// A JavaScript runtime that scripts run in, one after another.
pub(super) struct Session {
    js: Js,
    respond: v8::Global<v8::Function>,
    exchange: Exchange,
}

/// What the ops of `script.js` exchange with the harness.
#[derive(Clone, Default)]
struct Exchange(Rc<RefCell<ExchangeData>>);

#[derive(Default)]
struct ExchangeData {
    /// The bytes beside a request or a response.
    bytes: Vec<u8>,
    /// A response that came later.
    response: Option<String>,
}

#[op2]
#[buffer]
fn op_conformance_take_bytes(state: &mut OpState) -> Vec<u8> {
    mem::take(&mut state.borrow::<Exchange>().0.borrow_mut().bytes)
}

#[op2(fast)]
fn op_conformance_set_bytes(state: &mut OpState, #[buffer] bytes: &[u8]) {
    state.borrow::<Exchange>().0.borrow_mut().bytes = bytes.to_vec();
}

#[op2(fast)]
fn op_conformance_respond(state: &mut OpState, #[string] response: String) {
    state.borrow::<Exchange>().0.borrow_mut().response = Some(response);
}

deno_core::extension!(
    conformance,
    ops = [
        op_conformance_take_bytes,
        op_conformance_set_bytes,
        op_conformance_respond
    ],
    options = { exchange: Exchange },
    state = |state, options| state.put(options.exchange)
);

impl Session {
    /// A runtime whose engine has exactly these features.
    ///
    /// # Errors
    ///
    /// When wasmtime cannot have this set of features, or JavaScript does not start.
    pub(super) fn new(features: &Features) -> anyhow::Result<Self> {
        Self::with_state(runtime::state(features)?)
    }

    /// A runtime with this state.
    ///
    /// # Errors
    ///
    /// When JavaScript does not start.
    pub(super) fn with_state(wasm: WasmState) -> anyhow::Result<Self> {
        let exchange = Exchange::default();
        let mut js = Js::new(wasm, conformance::init(exchange.clone()))?;
        // `host:wasm` is the only WebAssembly here: see crates/no-wamr.
        js.runtime
            .execute_script("conformance:setup", "delete globalThis.WebAssembly;")?;
        js.evaluate(
            "conformance:script.js",
            include_str!("script.js").to_owned(),
        )?;
        let respond = js
            .runtime
            .execute_script("conformance:respond", "respond")?;
        let respond = {
            scope!(scope, js.runtime);
            let respond: v8::Local<v8::Function> = v8::Local::new(scope, respond).try_into()?;
            v8::Global::new(scope, respond)
        };
        Ok(Self {
            js,
            respond,
            exchange,
        })
    }

    /// The state that the runtime's scripts use.
    pub(super) fn wasm(&mut self) -> Rc<WasmState> {
        let state = ext_wasm::state(&self.js.runtime.op_state().borrow());
        state.expect("the runtime was made with the extension")
    }

    /// Puts bytes beside the next request.
    pub(super) fn set_bytes(&mut self, bytes: &[u8]) {
        self.exchange.0.borrow_mut().bytes = bytes.to_vec();
    }

    /// Takes the bytes beside the last response.
    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        mem::take(&mut self.exchange.0.borrow_mut().bytes)
    }

    /// The bits of the values that the last call returned.
    pub(super) fn frame_bits(&mut self, count: usize) -> Vec<u128> {
        ext_wasm::frame_bits(&self.js.runtime.op_state().borrow(), count)
    }

    /// Calls a function of `script.js` with a tuple of arguments.
    ///
    /// # Errors
    ///
    /// When it throws, or never answers.
    pub(super) fn request<T: DeserializeOwned>(
        &mut self,
        name: &str,
        args: impl Serialize,
    ) -> Result<T, Failure> {
        let request = serde_json::to_string(&(name, args));
        let request = request.map_err(|error| Failure::other(error.to_string()))?;
        let response = match self.respond(&request)? {
            Some(response) => response,
            None => self.later()?,
        };
        match serde_json::from_str(&response) {
            Ok(Response::Ok(value)) => Ok(value),
            Ok(Response::Error(error)) => Err(error.into()),
            Err(error) => Err(Failure::other(format!("{error} in {response}"))),
        }
    }

    /// The response to a request, unless it comes later.
    fn respond(&mut self, request: &str) -> Result<Option<String>, Failure> {
        // Compiling happens on the event loop's other threads.
        let _entered = self.js.event_loop.enter();
        scope!(scope, self.js.runtime);
        v8::tc_scope!(let scope, scope);
        let request = v8::String::new(scope, request);
        let request = request.ok_or_else(|| Failure::other("too long a request"))?;
        let respond = v8::Local::new(scope, &self.respond);
        let this = v8::undefined(scope).into();
        match respond.call(scope, this, &[request.into()]) {
            Some(later) if later.is_undefined() => Ok(None),
            Some(response) => Ok(Some(response.to_rust_string_lossy(scope))),
            None => {
                let thrown = scope.exception();
                let thrown = thrown.map(|value| value.to_rust_string_lossy(scope));
                Err(Failure::other(
                    thrown.unwrap_or_else(|| "no response".to_owned()),
                ))
            }
        }
    }

    /// Runs the event loop until the response to the last request comes.
    fn later(&mut self) -> Result<String, Failure> {
        let (runtime, exchange) = (&mut self.js.runtime, &self.exchange);
        let response = self.js.event_loop.block_on(poll_fn(|context| {
            let turn = runtime.poll_event_loop(context, PollEventLoopOptions::default());
            match (exchange.0.borrow_mut().response.take(), turn) {
                (Some(response), _) => Poll::Ready(Ok(response)),
                (None, Poll::Pending) => Poll::Pending,
                (None, Poll::Ready(ended)) => Poll::Ready(Err(match ended {
                    Ok(()) => "its promise is never settled".to_owned(),
                    Err(error) => error.to_string(),
                })),
            }
        }));
        response.map_err(Failure::other)
    }
}
