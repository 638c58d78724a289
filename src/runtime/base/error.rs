//! The error type of the runtime, and the conversion of wasmtime's errors to it.

use std::fmt;
use std::time::Duration;

use wasmtime::component::ResourceTableError;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::runtime::base::frame::WasmFrame;
use crate::runtime::base::text;
use crate::runtime::base::types::ImportInfo;

/// The kind of an error, as a number that apps may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum WasmErrorCode {
    /// The source is not valid WebAssembly or uses an unsupported feature, or a file may not or cannot be read.
    CompileError = 5000,
    /// A module could not be instantiated, because of its imports, a cap, or the options.
    InstantiateError = 5001,
    /// A trap, an exception that was not caught, or an instance that cannot run.
    RuntimeError = 5002,
    /// A host access to memory that is out of bounds, or to a memory that does not exist.
    MemoryError = 5003,
    /// There is no export of this name, or it is not a function.
    FunctionNotFound = 5004,
    /// A value does not fit the WebAssembly type that is expected.
    TypeMismatch = 5005,
    /// The fuel budget ran out.
    FuelExhausted = 5006,
}

impl WasmErrorCode {
    /// All codes, in ascending order.
    pub const ALL: [Self; 7] = [
        Self::CompileError,
        Self::InstantiateError,
        Self::RuntimeError,
        Self::MemoryError,
        Self::FunctionNotFound,
        Self::TypeMismatch,
        Self::FuelExhausted,
    ];

    /// Returns the number of the code, 5000 to 5006.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Returns the name of the code.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::CompileError => "CompileError",
            Self::InstantiateError => "InstantiateError",
            Self::RuntimeError => "RuntimeError",
            Self::MemoryError => "MemoryError",
            Self::FunctionNotFound => "FunctionNotFound",
            Self::TypeMismatch => "TypeMismatch",
            Self::FuelExhausted => "FuelExhausted",
        }
    }
}

impl fmt::Display for WasmErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

/// The maximum number of characters of a message.
const MAX_MESSAGE: usize = 500;

/// An error of the runtime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct WasmError {
    /// The kind of the error.
    pub code: WasmErrorCode,
    /// A description of the error, with names and numbers, in at most 500 characters.
    pub message: String,
    /// The name of the trap as in the tests of the WebAssembly specification, if the guest trapped.
    pub trap: Option<&'static str>,
    /// The guest's call stack, innermost frame first: up to 20 frames. Empty if no guest was running.
    pub frames: Vec<WasmFrame>,
    /// The status that the guest passed to WASI's `proc_exit`, if it exited.
    pub exit_code: Option<i32>,
}

impl WasmError {
    /// Returns an error without trap and stack. A message that is too long is cut.
    pub fn new(code: WasmErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: text::cut(message.into(), MAX_MESSAGE),
            trap: None,
            frames: Vec::new(),
            exit_code: None,
        }
    }

    pub(crate) fn compile(message: impl Into<String>) -> Self {
        Self::new(WasmErrorCode::CompileError, message)
    }

    pub(crate) fn instantiate(message: impl Into<String>) -> Self {
        Self::new(WasmErrorCode::InstantiateError, message)
    }

    /// Returns this error with a prefix before its message.
    fn after(mut self, prefix: &str) -> Self {
        let message = format!("{prefix}: {}", self.message);
        self.message = text::cut(message, MAX_MESSAGE);
        self
    }

    /// Returns this error with the name of the import before its message.
    pub(crate) fn of_import(self, ImportInfo { module, name, .. }: &ImportInfo) -> Self {
        self.after(&format!(
            "import {}.{}",
            text::quote(module),
            text::quote(name)
        ))
    }

    pub(crate) fn runtime(message: impl Into<String>) -> Self {
        Self::new(WasmErrorCode::RuntimeError, message)
    }

    /// The error of an operation on a store in which a call is running.
    #[cold]
    #[inline(never)]
    pub(crate) fn busy() -> Self {
        Self::runtime("busy: a call is running in the store")
    }

    /// The error of a call that is interrupted because its store was dropped.
    pub(crate) fn given_up() -> Self {
        Self::runtime("the call was given up: its store was dropped")
    }

    /// The error of a request to interrupt a guest whose code does not check for interrupts.
    pub(crate) fn uninterruptible() -> Self {
        Self::runtime(
            "the guest cannot be interrupted: make its store interruptible, or give it a timeoutMs",
        )
    }

    pub(crate) fn memory(message: impl Into<String>) -> Self {
        Self::new(WasmErrorCode::MemoryError, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(WasmErrorCode::FunctionNotFound, message)
    }

    pub(crate) fn mismatch(message: impl Into<String>) -> Self {
        Self::new(WasmErrorCode::TypeMismatch, message)
    }

    /// Returns this error with the index of the argument or result before its message.
    pub(crate) fn at(self, index: usize) -> Self {
        self.after(&format!("value {index}"))
    }

    /// The error of a call for which the thread's native stack has not enough space left.
    #[cold]
    #[inline(never)]
    pub(crate) fn stack_exhausted() -> Self {
        let name = trap_name(Trap::StackOverflow);
        Self {
            trap: Some(name),
            ..Self::runtime(format!(
                "{name}: the thread's stack has no room left for the call"
            ))
        }
    }

    /// The error of a call that exceeded its timeout.
    pub(crate) fn deadline(timeout: Duration) -> Self {
        let message = format!(
            "the deadline passed: a call may take {} ms",
            timeout.as_millis()
        );
        Self {
            trap: Some(trap_name(Trap::Interrupt)),
            ..Self::runtime(message)
        }
    }

    /// Returns the [frames](Self::frames) as text, one frame per line. `None` if no guest was running.
    pub fn wasm_stack(&self) -> Option<String> {
        let lines: Vec<_> = self.frames.iter().map(WasmFrame::to_string).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// The error of a guest that has used up its fuel.
    pub(crate) fn out_of_fuel() -> Self {
        Self::new(WasmErrorCode::FuelExhausted, "the fuel budget ran out")
    }

    /// Converts an error that ended guest code, without its frames. Returns `None` if no guest code ran: then wasmtime
    /// refused to start it, and the caller knows the reason.
    pub(crate) fn from_guest(error: &wasmtime::Error) -> Option<Self> {
        if let Some(own) = error.downcast_ref::<WasmError>() {
            return Some(own.clone());
        }
        if let Some(I32Exit(status)) = error.downcast_ref() {
            return Some(Self {
                exit_code: Some(*status),
                ..Self::runtime(format!("the guest exited with status {status}"))
            });
        }
        if let Some(ResourceTableError::Full) = error.downcast_ref() {
            return Some(Self::runtime(
                "the guest has too many files, streams and events of WASI: the cap is max_wasi_descriptors",
            ));
        }
        let Some(&trap) = error.downcast_ref::<Trap>() else {
            // A WASI function failed with an error that has no WASI error number.
            let is_guests = error.is::<WasmBacktrace>();
            return is_guests.then(|| Self::runtime(error.root_cause().to_string()));
        };
        if trap == Trap::OutOfFuel {
            return Some(Self::out_of_fuel());
        }
        Some(Self::trapped(trap))
    }

    fn trapped(trap: Trap) -> Self {
        let name = trap_name(trap);
        Self {
            trap: Some(name),
            ..Self::runtime(format!("wasm trap: {name}"))
        }
    }

    /// The calls of a component wait for something that nothing can bring.
    pub(crate) fn deadlock() -> Self {
        Self::trapped(Trap::AsyncDeadlock)
    }
}

/// Returns the specification's name for a trap. wasmtime is in places less precise than the specification's tests
/// (it has one trap for a null function and a null struct, for example); then the name is wasmtime's more general
/// one.
fn trap_name(trap: Trap) -> &'static str {
    match trap {
        Trap::StackOverflow => "call stack exhausted",
        Trap::MemoryOutOfBounds => "out of bounds memory access",
        Trap::HeapMisaligned => "unaligned atomic",
        Trap::TableOutOfBounds => "undefined element: out of bounds table access",
        Trap::IndirectCallToNull => "uninitialized element",
        Trap::BadSignature => "indirect call type mismatch",
        Trap::IntegerOverflow => "integer overflow",
        Trap::IntegerDivisionByZero => "integer divide by zero",
        Trap::BadConversionToInteger => "invalid conversion to integer",
        Trap::UnreachableCodeReached => "unreachable",
        Trap::Interrupt => "interrupt",
        Trap::AtomicWaitNonSharedMemory => "expected shared memory",
        Trap::NullReference => "null reference",
        Trap::ArrayOutOfBounds => "out of bounds array access",
        Trap::AllocationTooLarge => "allocation size too large",
        Trap::CastFailure => "cast failure",
        Trap::UnhandledTag => "unhandled tag",
        Trap::ContinuationAlreadyConsumed => "continuation already consumed",
        Trap::CannotEnterComponent => "cannot enter component instance",
        Trap::CannotLeaveComponent => "cannot leave component instance",
        Trap::InvalidChar => "invalid `char` bit pattern",
        Trap::StringOutOfBounds => "string content out-of-bounds",
        Trap::ListOutOfBounds => "list content out-of-bounds",
        Trap::InvalidDiscriminant => "invalid variant discriminant",
        Trap::UnalignedPointer => "unaligned pointer",
        Trap::NoAsyncResult => "async-lifted export failed to produce a result",
        Trap::AsyncDeadlock => "deadlock detected: event loop cannot make further progress",
        Trap::CannotBlockSyncTask => "cannot block a synchronous task before returning",
        Trap::TaskCancelNotCancelled => "`task.cancel` called by task which has not been cancelled",
        Trap::TaskCancelOrReturnTwice => {
            "`task.return` or `task.cancel` called more than once for current task"
        }
        Trap::SubtaskCancelAfterTerminal => {
            "`subtask.cancel` called after terminal status delivered"
        }
        Trap::TaskReturnInvalid => {
            "invalid `task.return` signature and/or options for current task"
        }
        Trap::WaitableSetDropHasWaiters => "cannot drop waitable set with waiters",
        Trap::SubtaskDropNotResolved => "cannot drop a subtask which has not yet resolved",
        Trap::ThreadNewIndirectInvalidType => "start function does not match expected type",
        Trap::ThreadNewIndirectUninitialized => {
            "the start function index points to an uninitialized function"
        }
        Trap::BackpressureOverflow => "backpressure counter overflow",
        Trap::UnsupportedCallbackCode => "unsupported callback code",
        Trap::CannotResumeThread => "cannot resume thread which is not suspended",
        Trap::ConcurrentFutureStreamOp => {
            "cannot have concurrent operations active on a future/stream"
        }
        Trap::ReferenceCountOverflow => "reference count overflow",
        Trap::StreamOpTooBig => "stream read/write count too large",
        Trap::WaitableSyncAndAsync => {
            "waitable cannot be used synchronously while added to a waitable set"
        }
        Trap::UncaughtException => "uncaught exception propagated out of component",
        _ => "trap",
    }
}
