//! Commands and events.

use std::any::Any;
use std::pin::Pin;

use wasmtime::component::{Accessor, Val};

use crate::runtime::base::error::WasmError;
use crate::runtime::store::concurrent::stream::Chunk;
use crate::runtime::store::host_function::Stop;
use crate::runtime::store::{Outcome, StoreData};

/// The future of a call, which the driver polls.
pub(crate) type CallFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<Val>, CallError>> + 'a>>;

/// Starts a call.
pub(crate) type StartCall =
    Box<dyn for<'a> FnOnce(&'a Accessor<StoreData>) -> CallFuture<'a> + Send>;

/// The reason why a call did not return.
pub(crate) enum CallError {
    /// The component was not entered.
    Refused(WasmError),
    /// The instance has ended.
    Ended(wasmtime::Error),
}

impl From<wasmtime::Error> for CallError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Ended(error)
    }
}

/// What the thread of the store has the driver do.
pub(in super::super) enum Command {
    /// Start a call.
    Call(u32, StartCall),
    /// End all calls with this error.
    End(WasmError),
}

/// Something that the thread of the store has to handle.
pub(crate) enum Event {
    /// The component calls an import, and waits for its answer.
    Import(Request),
    /// A call has returned.
    Returned(u32, Vec<Val>),
    /// A call was refused before the component was entered.
    Refused(u32, WasmError),
    /// All calls have ended otherwise, and so has the instance.
    Ended(Result<Outcome<()>, WasmError>),
    /// The driver's thread has panicked.
    Panicked(Box<dyn Any + Send>),
    /// Nothing goes on before the thread of the store does something, or time passes.
    Quiet(Quiet),
    /// The driver has given the store back.
    AtRest,
    /// The component wants elements of a stream or the value of a future of the host: at most so many elements.
    Wanted(u32, u32),
    /// The component has dropped its end of a stream or future of the host.
    SourceDropped(u32),
    /// Elements of a stream, or the value of a future, of the component, and the number of their type.
    Chunk(u32, Option<u32>, Chunk),
    /// A stream or future of the component has ended.
    SinkEnded(u32),
}

/// How things stand when nothing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quiet {
    /// Whether only a function, a stream or a new call of the host could make anything go on, and no time or file.
    pub(crate) awaits_host: bool,
    /// Whether nothing but a new call could.
    pub(crate) is_stuck: bool,
    /// Whether a call has a deadline.
    pub(crate) has_deadline: bool,
    /// The number of commands that the driver had got.
    pub(crate) commands: u32,
}

/// The call of an import.
pub(crate) struct Request {
    /// The number to answer with.
    pub(crate) number: u32,
    /// The number of the import.
    pub(crate) import: u32,
    pub(crate) args: Vec<Val>,
}

/// The results of an import.
pub(crate) type Answer = Result<Vec<Val>, Stop>;
