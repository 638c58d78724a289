// Made by build.rs of src/bridge/protocol.rs: do not edit.

// Status of a run of guest code, as the ops that run it return it. What was thrown is in the first slot of the call
// frame. The first four are also the status of a call of an import, as the import dispatcher returns it.

/** It returned. */
export const RETURNED = 0;
/** It threw a JavaScript value. */
export const THREW = 1;
/** It threw an exception of a guest. */
export const EXCEPTION = 2;
/** It ended with an error that no guest can catch, and that JavaScript keeps. */
export const ABORTED = 3;
/** An asynchronous call has not ended: its guest runs. */
export const RUNNING = 4;
/** A call has not ended: its guest waits for the promise that an import returned. */
export const WAITING = 5;
/** The call never began: an argument is no number that fits, or the op is not made for the function. */
export const MISFIT = 6;
/** The call failed: `op_wasm_last_status` throws the error. */
export const FAILED = 7;
/** The import has not ended: it returned a promise. Only the import dispatcher returns this status. */
export const PENDING = 8;
/** The import threw a JavaScript value that no guest can catch by a tag. Only the import dispatcher returns this status. */
export const THREW_PRIVATELY = 9;
/** A bit beside the status of a run of guest code: a memory of the store has grown since JavaScript last asked. */
export const GROWN = 16;

// Tasks of the import dispatcher.

/** Call the import, with its arguments in the call frame. */
export const CALL_IMPORT = 0;
/** The same, in a store where a memory has grown. */
export const CALL_IMPORT_GROWN = 1;
/** Take the value that the import returned. */
export const TAKE_RESULT = 2;
/** Take the value that the import threw. */
export const TAKE_ERROR = 3;

// Steps before a module can be instantiated in a store, as `op_wasm_preparation` returns them.

/** There is nothing to do. */
export const PREPARED = 0;
/** The module is not compiled for the engine of the store: `op_wasm_prepare` compiles it. */
export const NOT_COMPILED = 1;
/** The event loop should have a turn: `op_wasm_yield_now` waits for it. */
export const YIELD_DUE = 2;

// Kinds of imports, as `op_wasm_instantiate` takes them.

/** A function of a guest. */
export const IMPORT_FUNCTION = 0;
/** A memory. */
export const IMPORT_MEMORY = 1;
/** A global. */
export const IMPORT_GLOBAL = 2;
/** A table. */
export const IMPORT_TABLE = 3;
/** A tag. */
export const IMPORT_TAG = 4;
/** A function of JavaScript, by its index among the imports of the store. */
export const IMPORT_HOST_FUNCTION = 5;
/** A function of WASI, which the module names. */
export const IMPORT_WASI_FUNCTION = 6;
/** A function of JavaScript whose promise the guest waits for, by its index among the imports of the store. */
export const IMPORT_SUSPENDING_FUNCTION = 7;

// Uses of stores, as `op_wasm_new_store` takes them.

/** For instances of modules. */
export const STORE_FOR_MODULES = 0;
/** For the instance of a component. */
export const STORE_FOR_COMPONENT = 1;
/** For the instance of an asynchronous component. */
export const STORE_FOR_ASYNC_COMPONENT = 2;

// Kinds of events of asynchronous components, as `op_wasm_next_component_event` has them. Two numbers follow in the frame.

/** There is none. */
export const EVENT_NONE = 0;
/** The component calls an import: the number to answer with, and that of the import. */
export const EVENT_IMPORT = 1;
/** A call has returned: its number. */
export const EVENT_RETURNED = 2;
/** A call was refused before the component was entered: its number. */
export const EVENT_REFUSED = 3;
/** The instance has ended, and with it all calls. */
export const EVENT_ENDED = 4;
/** Nothing goes on: one of the numbers `QUIET…`, and the number of commands that the component had got. */
export const EVENT_QUIET = 5;
/** Nothing runs any more. */
export const EVENT_AT_REST = 6;
/** The component wants elements of a stream, or the value of a future, of the app: its number, and how many at most. */
export const EVENT_WANTED = 7;
/** The component has dropped a stream or future of the app: its number. */
export const EVENT_SOURCE_DROPPED = 8;
/** Elements of a stream, or the value of a future, of the component: its number. */
export const EVENT_CHUNK = 9;
/** A stream or future of the component has ended: its number. */
export const EVENT_SINK_ENDED = 10;

// What could make a component go on that is quiet.

/** Time or files, or a deadline may pass. */
export const QUIET = 0;
/** Only the app, by an import, a stream or a new call. */
export const QUIET_FOR_APP = 1;
/** Only a new call. */
export const QUIET_STUCK = 2;

// Tags of references: the second 32 bits of a slot of the call frame. The first 32 bits are a number.

/** The null reference. */
export const REF_NULL = 0;
/** A JavaScript value, by its number among the external references of the store. */
export const REF_HOST = 1;
/** A function of a guest, by its handle. */
export const REF_FUNC = 2;
/** Any other object of a guest, by its handle. */
export const REF_OBJECT = 3;
/** A 31-bit number, in a store of a group. The first 32 bits are its value. */
export const REF_I31 = 4;
