//! The outcomes of calls of guest code.

use wasmtime::component::ResourceTableError;
use wasmtime::{AsContextMut, RootScope, StoreContextMut, ThrownException, Val};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::text;
use crate::runtime::base::value::RefHandle;
use crate::runtime::engine::interrupt::Aborted;
use crate::runtime::store::StoreData;
use crate::runtime::store::references;

/// The outcome of a call that did not fail with an error of the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The call returned.
    Returned(T),
    /// A host function threw the host value with this number, and the guest did not catch it.
    Threw(u32),
    /// The guest threw an exception that was not caught. The handle keeps it alive.
    Exception(RefHandle),
    /// A host function ended the call with [`Stop::Abort`](crate::runtime::Stop::Abort), or the host aborted it.
    Aborted,
}

impl Outcome<()> {
    /// Converts the result of a call.
    ///
    /// # Errors
    /// The error that ended the call or prevented it, if it was not an exception or an abort.
    pub fn of(called: Result<(), Stopped>) -> Result<Self, WasmError> {
        match called {
            Ok(()) => Ok(Self::Returned(())),
            Err(Stopped(ended)) => *ended,
        }
    }
}

impl<T> Outcome<T> {
    /// Returns the value, for callers that treat every other outcome as an error.
    ///
    /// # Errors
    /// `RuntimeError` if the call did not return.
    pub fn returned(self) -> Result<T, WasmError> {
        Err(WasmError::runtime(match self {
            Self::Returned(value) => return Ok(value),
            Self::Threw(index) => format!("a function of the host threw its value {index}"),
            Self::Exception(_) => "uncaught WebAssembly exception".to_owned(),
            Self::Aborted => "the call was aborted".to_owned(),
        }))
    }

    /// Returns this outcome with the value changed by `f`.
    pub fn map<R>(self, f: impl FnOnce(T) -> R) -> Outcome<R> {
        match self {
            Self::Returned(value) => Outcome::Returned(f(value)),
            Self::Threw(index) => Outcome::Threw(index),
            Self::Exception(handle) => Outcome::Exception(handle),
            Self::Aborted => Outcome::Aborted,
        }
    }
}

/// The result of a call that did not return: see [`Outcome::of`]. Boxed, so that a call that returns does not pay
/// for its size.
#[derive(Debug)]
pub struct Stopped(Box<Result<Outcome<()>, WasmError>>);

impl From<Result<Outcome<()>, WasmError>> for Stopped {
    #[cold]
    fn from(outcome: Result<Outcome<()>, WasmError>) -> Self {
        Self(Box::new(outcome))
    }
}

impl From<WasmError> for Stopped {
    #[cold]
    #[inline(never)]
    fn from(error: WasmError) -> Self {
        Err(error).into()
    }
}

/// Whether guest code was running when the error occurred.
pub(crate) fn ran(error: &wasmtime::Error) -> bool {
    error.is::<ThrownException>() || error.is::<Aborted>() || WasmError::from_guest(error).is_some()
}

/// Whether wasmtime's own table for an asynchronous component is full. Those of WASI have the same error.
fn has_full_table(store: &mut StoreContextMut<'_, StoreData>) -> bool {
    let Some(table) = store.concurrent_resource_table() else {
        return false;
    };
    match table.push(()) {
        Ok(entry) => table.delete(entry).is_err(),
        Err(_) => true,
    }
}

/// Converts the error of a call of guest code to an outcome or an error.
pub(crate) fn outcome<T>(
    mut store: StoreContextMut<'_, StoreData>,
    error: &wasmtime::Error,
) -> Result<Outcome<T>, WasmError> {
    if error.is::<ThrownException>() {
        let mut scope = RootScope::new(&mut store);
        let mut store = scope.as_context_mut();
        if let Some(exn) = store.take_pending_exception() {
            let tag = exn.tag(&mut store).ok();
            if tag.is_some_and(|tag| store.data().host_tags.have(&tag, &store))
                && let Ok(Val::ExternRef(Some(thrown))) = exn.field(&mut store, 0)
                && let Some(index) = references::host_index(&store, &thrown)
            {
                return Ok(Outcome::Threw(index));
            }
            return references::keep_exn(store, exn).map(Outcome::Exception);
        }
    }
    if error.is::<Aborted>() {
        return Ok(Outcome::Aborted);
    }
    let mut ended = match error.downcast_ref() {
        Some(ResourceTableError::Full) if has_full_table(&mut store) => WasmError::runtime(
            "too many tasks, streams and calls of WASI have not ended: max_component_calls and max_component_streams bound them",
        ),
        _ => WasmError::from_guest(error)
            .unwrap_or_else(|| WasmError::runtime(text::one_line(error))),
    };
    // An error that came through this guest has the frames of the guest that failed.
    if ended.frames.is_empty() {
        ended.frames = store.data().frames(error);
    }
    tracing::debug!(code = ended.code.code(), trap = ended.trap, "guest stopped");
    Err(ended)
}
