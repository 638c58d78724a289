//! How runs of guest code end.

use wasmtime::{AsContextMut, RootScope, StoreContextMut, Tag, ThrownException, Val};

use super::StoreData;
use crate::runtime::error::WasmError;
use crate::runtime::refs;
use crate::runtime::text;
use crate::runtime::value::RefHandle;

/// What a call left behind, when it was not an error of the runtime's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It returned.
    Returned(T),
    /// A host function threw the host's value of this number, and the guest did not catch it.
    Threw(u32),
    /// The guest threw an exception of its own, kept under this handle.
    Exception(RefHandle),
    /// A host function ended it with [`Stop::Abort`](crate::runtime::host::Stop::Abort).
    Aborted,
}

impl Outcome<()> {
    /// That of a call.
    ///
    /// # Errors
    /// What stopped the guest, or kept it from being called, if that was no host function.
    pub fn of(called: Result<(), Stopped>) -> Result<Self, WasmError> {
        match called {
            Ok(()) => Ok(Self::Returned(())),
            Err(Stopped(ended)) => *ended,
        }
    }
}

impl<T> Outcome<T> {
    /// This outcome, with what it returned changed by `f`.
    pub fn map<R>(self, f: impl FnOnce(T) -> R) -> Outcome<R> {
        match self {
            Self::Returned(value) => Outcome::Returned(f(value)),
            Self::Threw(index) => Outcome::Threw(index),
            Self::Exception(handle) => Outcome::Exception(handle),
            Self::Aborted => Outcome::Aborted,
        }
    }
}

/// What became of a call that did not return: see [`Outcome::of`]. In a box, so that a call that does
/// return does not pay for its size.
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

/// Whether guest code ran into this error, rather than never having been started.
pub(crate) fn ran(error: &wasmtime::Error) -> bool {
    error.is::<ThrownException>() || error.is::<Aborted>() || WasmError::from_guest(error).is_some()
}

/// What ended a run of guest code that did not return: an exception, or an error.
pub(crate) fn outcome<T>(
    mut store: StoreContextMut<'_, StoreData>,
    error: &wasmtime::Error,
) -> Result<Outcome<T>, WasmError> {
    if error.is::<ThrownException>() {
        let mut scope = RootScope::new(&mut store);
        let mut store = scope.as_context_mut();
        if let Some(exn) = store.take_pending_exception() {
            let tag = exn.tag(&mut store).ok();
            let host_tag = store.data().host_tag;
            if let (Some(tag), Some(host_tag)) = (tag, host_tag)
                && Tag::eq(&tag, &host_tag, &store)
                && let Ok(Val::ExternRef(Some(thrown))) = exn.field(&mut store, 0)
                && let Some(index) = refs::host_index(&store, &thrown)
            {
                return Ok(Outcome::Threw(index));
            }
            return refs::keep_exn(store, exn).map(Outcome::Exception);
        }
    }
    if error.is::<Aborted>() {
        return Ok(Outcome::Aborted);
    }
    let error =
        WasmError::from_guest(error).unwrap_or_else(|| WasmError::runtime(text::one_line(error)));
    tracing::debug!(code = error.code.code(), trap = error.trap, "guest stopped");
    Err(error)
}

/// The host ended the call, and knows why.
#[derive(Debug, thiserror::Error)]
#[error("the host ended the call")]
pub(crate) struct Aborted;
