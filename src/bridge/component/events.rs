//! Ops on the calls of asynchronous components, which run beside each other. TypeScript takes their events.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2};
use wasmtime::ValRaw;

use crate::bridge::call_async::call_options;
use crate::bridge::protocol::{
    EVENT_AT_REST, EVENT_CHUNK, EVENT_ENDED, EVENT_IMPORT, EVENT_NONE, EVENT_QUIET, EVENT_REFUSED,
    EVENT_RETURNED, EVENT_SINK_ENDED, EVENT_SOURCE_DROPPED, EVENT_WANTED, QUIET, QUIET_FOR_APP,
    QUIET_STUCK, RETURNED,
};
use crate::bridge::state::Bridge;
use crate::runtime::{ComponentEvent, ComponentInstance, Outcome, WasmError};

fn instance(state: &OpState, store: u32) -> Result<Rc<ComponentInstance>, WasmError> {
    state.borrow::<Rc<Bridge>>().state.component_instance(store)
}

/// Starts a call of an exported function beside other calls of the instance, and returns its number. A negative timeout
/// stands for none.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_start_concurrent_call(
    state: &mut OpState,
    store: u32,
    function: u32,
    #[buffer] args: &[u8],
    #[number] timeout_ms: i64,
    abortable: bool,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let options = call_options(timeout_ms, abortable);
    bridge
        .state
        .start_concurrent_call(store, function, args, options)
}

/// Whether calls of the component run, or there are events.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_component_active(state: &mut OpState, store: u32) -> Result<bool, WasmError> {
    instance(state, store)?.is_active()
}

/// Resolves when there is an event.
#[op2(reentrant)]
pub(crate) async fn op_wasm_component_ready(
    state: Rc<RefCell<OpState>>,
    store: u32,
) -> Result<(), WasmError> {
    let ready = {
        let bridge = Bridge::of(&state);
        bridge.state.component_instance(store)?.event_ready()?
    };
    ready.await;
    Ok(())
}

/// Takes the next event. Its kind and its numbers are then in the first words of the first slots of the call frame. Returns
/// its values as bytes. Throws the error of an event that has one.
#[op2(reentrant)]
#[buffer]
pub(crate) fn op_wasm_next_component_event(
    state: &mut OpState,
    store: u32,
) -> Result<Vec<u8>, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let event = bridge.state.next_component_event(store)?;
    let (kind, numbers, values) = match event {
        None => (EVENT_NONE, [0, 0], Ok(Vec::new())),
        Some(ComponentEvent::Import(request, import, bytes)) => {
            (EVENT_IMPORT, [request, import], Ok(bytes))
        }
        Some(ComponentEvent::Returned(call, bytes)) => (EVENT_RETURNED, [call, 0], Ok(bytes)),
        Some(ComponentEvent::Refused(call, error)) => (EVENT_REFUSED, [call, 0], Err(error)),
        // TypeScript has the reason of an abort.
        Some(ComponentEvent::Ended(Ok(Outcome::Aborted))) => (EVENT_ENDED, [0, 0], Ok(Vec::new())),
        Some(ComponentEvent::Ended(Ok(_))) => {
            let error = WasmError::runtime("the component ended in an unknown way");
            (EVENT_ENDED, [0, 0], Err(error))
        }
        Some(ComponentEvent::Ended(Err(error))) => (EVENT_ENDED, [0, 0], Err(error)),
        Some(ComponentEvent::Quiet(quiet)) => {
            let waits = match quiet.is_stuck {
                true => QUIET_STUCK,
                false if quiet.awaits_host && !quiet.has_deadline => QUIET_FOR_APP,
                false => QUIET,
            };
            (EVENT_QUIET, [waits, quiet.commands], Ok(Vec::new()))
        }
        Some(ComponentEvent::AtRest) => (EVENT_AT_REST, [0, 0], Ok(Vec::new())),
        Some(ComponentEvent::Wanted(source, max)) => (EVENT_WANTED, [source, max], Ok(Vec::new())),
        Some(ComponentEvent::SourceDropped(source)) => {
            (EVENT_SOURCE_DROPPED, [source, 0], Ok(Vec::new()))
        }
        Some(ComponentEvent::Chunk(sink, bytes)) => (EVENT_CHUNK, [sink, 0], Ok(bytes)),
        Some(ComponentEvent::SinkEnded(sink)) => (EVENT_SINK_ENDED, [sink, 0], Ok(Vec::new())),
    };
    let words = [kind, numbers[0], numbers[1]];
    let slots = words.map(|word| ValRaw::u64(word.into()));
    bridge.context.frame.write(&slots);
    values
}

/// Ends a component if each of its calls waits for something that only a new call could bring, and there was none since it
/// had got so many commands. Returns whether it did.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_end_deadlocked(
    state: &mut OpState,
    store: u32,
    commands: u32,
) -> Result<bool, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.end_deadlocked(store, commands)
}

/// Has a component pause that goes on by itself after its calls have returned, or go on after such a pause.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_settle_component(
    state: &mut OpState,
    store: u32,
    pauses: bool,
) -> Result<(), WasmError> {
    let instance = instance(state, store)?;
    if pauses {
        instance.settle();
        return Ok(());
    }
    instance.resume()
}

/// Answers the call of an import: with its results, as bytes, if the status says that it returned. Otherwise the instance ends.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_answer_component_import(
    state: &mut OpState,
    store: u32,
    request: u32,
    import: u32,
    status: u32,
    #[buffer] results: &[u8],
) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let results = (status == RETURNED).then_some(results);
    bridge
        .state
        .answer_component_import(store, request, import, results)
}

/// Ends all calls of a component, and the instance, as soon as possible. TypeScript keeps the reason.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_abort_component(state: &mut OpState, store: u32) {
    // A store that is not found was dropped.
    if let Ok(instance) = instance(state, store) {
        instance.abort_calls();
    }
}

/// Gives the component elements of a stream of the app, or the value of a promise.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_put_elements(
    state: &mut OpState,
    store: u32,
    source: u32,
    #[buffer] elements: &[u8],
) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.put_elements(store, source, elements)
}

/// Ends a stream of the app.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_close_source(
    state: &mut OpState,
    store: u32,
    source: u32,
) -> Result<(), WasmError> {
    instance(state, store)?.with_source(source, |source| {
        source.close();
        Ok(())
    })
}

/// Asks for elements of a stream of the component.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_want_elements(
    state: &mut OpState,
    store: u32,
    sink: u32,
) -> Result<(), WasmError> {
    instance(state, store)?.with_sink(sink, |sink| sink.want())
}

/// Takes no more elements of a stream of the component.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_cancel_sink(
    state: &mut OpState,
    store: u32,
    sink: u32,
) -> Result<(), WasmError> {
    instance(state, store)?.with_sink(sink, |sink| sink.cancel())
}
