//! The numbers that Rust and the TypeScript of `host:wasm` both know. `build.rs` makes `ts/constants.ts` of this file,
//! line by line: it holds constants with documentation, and nothing else.

// Status of a run of guest code, as the ops that run it return it. What was thrown is in the first slot of the call
// frame. The first four are also the status of a call of an import, as the import dispatcher returns it.

/// It returned.
pub(super) const RETURNED: u32 = 0;
/// It threw a JavaScript value.
pub(super) const THREW: u32 = 1;
/// It threw an exception of a guest.
pub(super) const EXCEPTION: u32 = 2;
/// It ended with an error that no guest can catch, and that JavaScript keeps.
pub(super) const ABORTED: u32 = 3;
/// An asynchronous call has not ended: its guest runs.
pub(super) const RUNNING: u32 = 4;
/// A call has not ended: its guest waits for the promise that an import returned.
pub(super) const WAITING: u32 = 5;
/// The call never began: an argument is no number that fits, or the op is not made for the function.
pub(super) const MISFIT: u32 = 6;
/// The call failed: `op_wasm_last_status` throws the error.
pub(super) const FAILED: u32 = 7;
/// The import has not ended: it returned a promise. Only the import dispatcher returns this status.
pub(super) const PENDING: u32 = 8;
/// The import threw a JavaScript value that no guest can catch by a tag. Only the import dispatcher returns this status.
pub(super) const THREW_PRIVATELY: u32 = 9;
/// A bit beside the status of a run of guest code: a memory of the store has grown since JavaScript last asked.
pub(super) const GROWN: u32 = 16;

// Tasks of the import dispatcher.

/// Call the import, with its arguments in the call frame.
pub(super) const CALL_IMPORT: u32 = 0;
/// The same, in a store where a memory has grown.
pub(super) const CALL_IMPORT_GROWN: u32 = 1;
/// Take the value that the import returned.
pub(super) const TAKE_RESULT: u32 = 2;
/// Take the value that the import threw.
pub(super) const TAKE_ERROR: u32 = 3;

// Steps before a module can be instantiated in a store, as `op_wasm_preparation` returns them.

/// There is nothing to do.
pub(super) const PREPARED: u32 = 0;
/// The module is not compiled for the engine of the store: `op_wasm_prepare` compiles it.
pub(super) const NOT_COMPILED: u32 = 1;
/// The event loop should have a turn: `op_wasm_yield_now` waits for it.
pub(super) const YIELD_DUE: u32 = 2;

// Kinds of imports, as `op_wasm_instantiate` takes them.

/// A function of a guest.
pub(super) const IMPORT_FUNCTION: u32 = 0;
/// A memory.
pub(super) const IMPORT_MEMORY: u32 = 1;
/// A global.
pub(super) const IMPORT_GLOBAL: u32 = 2;
/// A table.
pub(super) const IMPORT_TABLE: u32 = 3;
/// A tag.
pub(super) const IMPORT_TAG: u32 = 4;
/// A function of JavaScript, by its index among the imports of the store.
pub(super) const IMPORT_HOST_FUNCTION: u32 = 5;
/// A function of WASI, which the module names.
pub(super) const IMPORT_WASI_FUNCTION: u32 = 6;
/// A function of JavaScript whose promise the guest waits for, by its index among the imports of the store.
pub(super) const IMPORT_SUSPENDING_FUNCTION: u32 = 7;

// Uses of stores, as `op_wasm_new_store` takes them.

/// For instances of modules.
pub(super) const STORE_FOR_MODULES: u32 = 0;
/// For the instance of a component.
pub(super) const STORE_FOR_COMPONENT: u32 = 1;
/// For the instance of an asynchronous component.
pub(super) const STORE_FOR_ASYNC_COMPONENT: u32 = 2;

// Kinds of events of asynchronous components, as `op_wasm_next_component_event` has them. Two numbers follow in the frame.

/// There is none.
pub(super) const EVENT_NONE: u32 = 0;
/// The component calls an import: the number to answer with, and that of the import.
pub(super) const EVENT_IMPORT: u32 = 1;
/// A call has returned: its number.
pub(super) const EVENT_RETURNED: u32 = 2;
/// A call was refused before the component was entered: its number.
pub(super) const EVENT_REFUSED: u32 = 3;
/// The instance has ended, and with it all calls.
pub(super) const EVENT_ENDED: u32 = 4;
/// Nothing goes on: one of the numbers `QUIET…`, and the number of commands that the component had got.
pub(super) const EVENT_QUIET: u32 = 5;
/// Nothing runs any more.
pub(super) const EVENT_AT_REST: u32 = 6;
/// The component wants elements of a stream, or the value of a future, of the app: its number, and how many at most.
pub(super) const EVENT_WANTED: u32 = 7;
/// The component has dropped a stream or future of the app: its number.
pub(super) const EVENT_SOURCE_DROPPED: u32 = 8;
/// Elements of a stream, or the value of a future, of the component: its number.
pub(super) const EVENT_CHUNK: u32 = 9;
/// A stream or future of the component has ended: its number.
pub(super) const EVENT_SINK_ENDED: u32 = 10;

// What could make a component go on that is quiet.

/// Time or files, or a deadline may pass.
pub(super) const QUIET: u32 = 0;
/// Only the app, by an import, a stream or a new call.
pub(super) const QUIET_FOR_APP: u32 = 1;
/// Only a new call.
pub(super) const QUIET_STUCK: u32 = 2;

// Tags of references: the second 32 bits of a slot of the call frame. The first 32 bits are a number.

/// The null reference.
pub(super) const REF_NULL: u32 = 0;
/// A JavaScript value, by its number among the external references of the store.
pub(super) const REF_HOST: u32 = 1;
/// A function of a guest, by its handle.
pub(super) const REF_FUNC: u32 = 2;
/// Any other object of a guest, by its handle.
pub(super) const REF_OBJECT: u32 = 3;
/// A 31-bit number, in a store of a group. The first 32 bits are its value.
pub(super) const REF_I31: u32 = 4;
