//! Ops on the requests that components handle. A store has one at a time.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, serde_json};

use crate::bridge::call_async::call_options;
use crate::bridge::state::Bridge;
use crate::bridge::unfinished_calls::UnfinishedCall;
use crate::runtime::{HttpExchange, HttpRequest, WasmError, WasmErrorCode};

/// Has the component of a store handle a request, and returns the number of the call. `head` is a list as JSON: the method, the
/// URL, and the names and values of the headers. The body is `body`, unless it is written part by part. A negative timeout
/// stands for none.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_handle_request(
    state: &mut OpState,
    store: u32,
    #[string] head: String,
    #[buffer] body: &[u8],
    is_written: bool,
    #[number] timeout_ms: i64,
    abortable: bool,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.check_room_for_call()?;
    let request = request(&head, body, is_written)?;
    let options = call_options(timeout_ms, abortable);
    let call = bridge.state.start_handling(store, request, options)?;
    Ok(bridge.calls.add(UnfinishedCall::Running(Rc::new(call))))
}

/// Has an asynchronous component handle a request beside its calls, as [`op_wasm_handle_request`] does, and returns the number
/// of the call.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_start_concurrent_request(
    state: &mut OpState,
    store: u32,
    #[string] head: String,
    #[buffer] body: &[u8],
    is_written: bool,
    #[number] timeout_ms: i64,
    abortable: bool,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let request = request(&head, body, is_written)?;
    let options = call_options(timeout_ms, abortable);
    bridge
        .state
        .start_handling_concurrently(store, request, options)
}

fn request(head: &str, body: &[u8], is_written: bool) -> Result<HttpRequest, WasmError> {
    let (method, url, headers) = serde_json::from_str(head).map_err(|error| {
        let message = format!("the request is unusable: {error}");
        WasmError::new(WasmErrorCode::TypeMismatch, message)
    })?;
    Ok(HttpRequest {
        method,
        url,
        headers,
        body: (!is_written).then(|| body.to_vec()),
    })
}

fn exchange(state: &Rc<RefCell<OpState>>, store: u32) -> Result<HttpExchange, WasmError> {
    Bridge::of(state).state.http_exchange(store)
}

/// Writes a part of the body of the request. Resolves when there is room for the next, to whether the component still reads.
#[op2(reentrant)]
pub(crate) async fn op_wasm_write_request(
    state: Rc<RefCell<OpState>>,
    store: u32,
    #[buffer(copy)] part: Vec<u8>,
) -> Result<bool, WasmError> {
    let exchange = exchange(&state, store)?;
    Ok(exchange.write(part).await)
}

/// Ends the body of the request, which may not be whole.
#[op2(fast)]
pub(crate) fn op_wasm_end_request(state: &mut OpState, store: u32, is_whole: bool) {
    if let Ok(exchange) = state.borrow::<Rc<Bridge>>().state.http_exchange(store) {
        exchange.end_request(is_whole);
    }
}

/// Resolves to the head of the response, a list as JSON: the status, and the names and values of the headers. The text is empty
/// if the component has ended without a response.
#[op2(reentrant)]
#[string]
pub(crate) async fn op_wasm_response_head(
    state: Rc<RefCell<OpState>>,
    store: u32,
) -> Result<String, WasmError> {
    let exchange = exchange(&state, store)?;
    let Some(head) = exchange.head().await? else {
        return Ok(String::new());
    };
    let json = serde_json::to_string(&(head.status, head.headers));
    json.map_err(|error| WasmError::new(WasmErrorCode::RuntimeError, error.to_string()))
}

/// Resolves to the next part of the body of the response; of no bytes at its end.
#[op2(reentrant)]
#[buffer]
pub(crate) async fn op_wasm_response_part(
    state: Rc<RefCell<OpState>>,
    store: u32,
) -> Result<Vec<u8>, WasmError> {
    let exchange = exchange(&state, store)?;
    Ok(exchange.read().await?.unwrap_or_default())
}

/// Says that the call of the component has ended, or that its response is not wanted any more.
#[op2(fast)]
pub(crate) fn op_wasm_end_exchange(state: &mut OpState, store: u32, is_unwanted: bool) {
    if let Ok(exchange) = state.borrow::<Rc<Bridge>>().state.http_exchange(store) {
        match is_unwanted {
            true => exchange.close(),
            false => exchange.finish(),
        }
    }
}
