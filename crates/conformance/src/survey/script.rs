//! Runs a module through the TypeScript API, with stand-ins for its imports.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;

use anyhow::Context as _;
use deno_core::{OpState, op2};
use ext_wasm::{WasmModule, WasmState};
use serde::{Deserialize, Serialize};

use super::imports::given_by_wasi;
use super::report::{Call, Ended, Fence, Run};
use super::stand_ins::{INITIALIZE, callable};
use super::text::show;
use crate::js::Js;

/// What the ops of `survey.js` exchange with the survey.
#[derive(Clone, Default)]
struct Exchange(Rc<RefCell<ExchangeData>>);

#[derive(Default)]
struct ExchangeData {
    source: Vec<u8>,
    request: String,
    answer: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    fuel: u64,
    timeout_ms: u64,
    /// The numbers of the imports that are WASI's.
    wasi: Vec<usize>,
    /// The export to call.
    call: Option<&'a str>,
}

#[derive(Deserialize)]
struct Answer {
    instantiation: Option<ScriptError>,
    /// One element if the export was called.
    called: Vec<Option<ScriptError>>,
}

/// The fields of an error that `host:wasm` threw.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScriptError {
    code: u16,
    trap: Option<String>,
    exit_code: Option<i32>,
    message: String,
}

#[op2]
#[buffer]
fn op_survey_source(state: &mut OpState) -> Vec<u8> {
    mem::take(&mut state.borrow::<Exchange>().0.borrow_mut().source)
}

#[op2]
#[string]
fn op_survey_request(state: &mut OpState) -> String {
    state.borrow::<Exchange>().0.borrow().request.clone()
}

#[op2(fast)]
fn op_survey_answer(state: &mut OpState, #[string] answer: String) {
    state.borrow::<Exchange>().0.borrow_mut().answer = Some(answer);
}

deno_core::extension!(
    survey,
    ops = [op_survey_source, op_survey_request, op_survey_answer],
    options = { exchange: Exchange },
    state = |state, options| state.put(options.exchange)
);

/// Runs a module in a JavaScript runtime with this state. `module` is the same one in another state: the process keeps
/// its code, and does not compile it again.
///
/// # Errors
///
/// When JavaScript does not start, or the module is not compiled.
pub fn run(
    state: WasmState,
    source: Vec<u8>,
    module: &WasmModule,
    fence: Fence,
) -> anyhow::Result<Run> {
    let wasi = given_by_wasi(&module.imports).into_iter().enumerate();
    let call = callable(&module.exports);
    let request = Request {
        fuel: fence.fuel,
        timeout_ms: fence.timeout_ms,
        wasi: wasi
            .filter(|(_, is_wasi)| *is_wasi)
            .map(|(index, _)| index)
            .collect(),
        // It has been called by then, and may be called only once.
        call: call.filter(|name| *name != INITIALIZE),
    };
    let exchange = Exchange(Rc::new(RefCell::new(ExchangeData {
        source,
        request: serde_json::to_string(&request)?,
        answer: None,
    })));
    let mut js = Js::new(state, survey::init(exchange.clone()))?;
    js.evaluate(
        "conformance:survey.js",
        include_str!("survey.js").to_owned(),
    )?;
    let answer = exchange.0.borrow_mut().answer.take();
    let answer: Answer = serde_json::from_str(&answer.context("the script has no answer")?)?;
    let instantiate = ended(answer.instantiation);
    let called = match call {
        Some(INITIALIZE) if instantiate == Ended::Returned => Some(None),
        _ => answer.called.into_iter().next(),
    };
    Ok(Run {
        instantiate,
        call: call.zip(called).map(|(name, error)| Call {
            name: show(name),
            ended: ended(error),
        }),
    })
}

fn ended(error: Option<ScriptError>) -> Ended {
    let Some(ScriptError {
        code,
        trap,
        exit_code,
        message,
    }) = error
    else {
        return Ended::Returned;
    };
    Ended::of_parts(code, trap.as_deref(), exit_code, &message)
}
