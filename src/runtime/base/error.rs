//! The one error type of the runtime, and how wasmtime's errors become it.

use std::fmt;
use std::time::Duration;

use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::runtime::base::text;
use crate::runtime::base::types::ImportInfo;

/// What went wrong, as a number that apps may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum WasmErrorCode {
    /// Not valid WebAssembly, an unsupported feature, or a file that may not or cannot be read.
    CompileError = 5000,
    /// A module could not become an instance: imports, caps, or options.
    InstantiateError = 5001,
    /// A trap, an exception that nobody caught, or an instance that cannot run.
    RuntimeError = 5002,
    /// A host access to a memory that is out of bounds or does not exist.
    MemoryError = 5003,
    /// No such export, or it is not a function.
    FunctionNotFound = 5004,
    /// A value that does not fit the WebAssembly type it is meant for.
    TypeMismatch = 5005,
    /// The fuel budget ran out.
    FuelExhausted = 5006,
}

impl WasmErrorCode {
    /// Every code, in ascending order.
    pub const ALL: [Self; 7] = [
        Self::CompileError,
        Self::InstantiateError,
        Self::RuntimeError,
        Self::MemoryError,
        Self::FunctionNotFound,
        Self::TypeMismatch,
        Self::FuelExhausted,
    ];

    /// The number, 5000 to 5006.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The name that stands for the number.
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

/// The most characters of a message.
const MAX_MESSAGE: usize = 500;

/// An error of the runtime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct WasmError {
    /// What kind of error it is.
    pub code: WasmErrorCode,
    /// What was wrong, with names and numbers, in at most 500 characters.
    pub message: String,
    /// The trap's name in the words of the WebAssembly specification, if the guest trapped.
    pub trap: Option<&'static str>,
    /// The guest's stack, innermost frame first, one frame a line.
    pub wasm_stack: Option<String>,
    /// The status that the guest exited with, if it called WASI's `proc_exit`.
    pub exit_code: Option<i32>,
}

impl WasmError {
    /// An error with neither trap nor stack. A long message is cut.
    pub fn new(code: WasmErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: text::cut(message.into(), MAX_MESSAGE),
            trap: None,
            wasm_stack: None,
            exit_code: None,
        }
    }

    pub(crate) fn compile(message: impl Into<String>) -> Self {
        Self::new(WasmErrorCode::CompileError, message)
    }

    pub(crate) fn instantiate(message: impl Into<String>) -> Self {
        Self::new(WasmErrorCode::InstantiateError, message)
    }

    /// This error with something before its message.
    fn after(mut self, prefix: &str) -> Self {
        let message = format!("{prefix}: {}", self.message);
        self.message = text::cut(message, MAX_MESSAGE);
        self
    }

    /// The same, of an import.
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

    /// The error of whoever wants a store in which something else is running.
    #[cold]
    #[inline(never)]
    pub(crate) fn busy() -> Self {
        Self::runtime("busy: a call is running in the store")
    }

    /// The error of a call that nobody waits for any more.
    pub(crate) fn given_up() -> Self {
        Self::runtime("the call was given up: its store was dropped")
    }

    /// The error of whoever wants to interrupt what cannot be.
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

    /// This error, about the argument or result of this index.
    pub(crate) fn at(self, index: usize) -> Self {
        self.after(&format!("value {index}"))
    }

    /// The error of a call that the thread's native stack has no room for.
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

    /// The error of a call that took longer than it may.
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

    /// What a failed run of guest code was, or `None` if the guest did not run into anything:
    /// then wasmtime refused to start it, and the caller knows what that means.
    pub(crate) fn from_guest(error: &wasmtime::Error) -> Option<Self> {
        let stack = || error.downcast_ref::<WasmBacktrace>().and_then(stack);
        if let Some(own) = error.downcast_ref::<WasmError>() {
            let mut own = own.clone();
            own.wasm_stack = own.wasm_stack.or_else(stack);
            return Some(own);
        }
        if let Some(I32Exit(status)) = error.downcast_ref() {
            return Some(Self {
                exit_code: Some(*status),
                ..Self::runtime(format!("the guest exited with status {status}"))
            });
        }
        let Some(&trap) = error.downcast_ref::<Trap>() else {
            // A function of WASI that fails otherwise than with an error number.
            let is_guests = error.is::<WasmBacktrace>();
            return is_guests.then(|| Self {
                wasm_stack: stack(),
                ..Self::runtime(error.root_cause().to_string())
            });
        };
        let mut this = if trap == Trap::OutOfFuel {
            Self::new(WasmErrorCode::FuelExhausted, "the fuel budget ran out")
        } else {
            let name = trap_name(trap);
            Self {
                trap: Some(name),
                ..Self::runtime(format!("wasm trap: {name}"))
            }
        };
        this.wasm_stack = stack();
        Some(this)
    }
}

/// The specification's name for a trap. Where wasmtime tells less than the specification's tests
/// (one trap for a null function and a null struct, say), its own more general words stay.
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
        _ => "trap",
    }
}

fn stack(backtrace: &WasmBacktrace) -> Option<String> {
    let lines: Vec<String> = backtrace
        .frames()
        .iter()
        .map(|frame| {
            let function = match frame.func_name() {
                Some(name) => text::show(name),
                None => format!("<function {}>", frame.func_index()),
            };
            match frame.module_offset() {
                Some(offset) => format!("{function} (@{offset:#x})"),
                None => function,
            }
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
