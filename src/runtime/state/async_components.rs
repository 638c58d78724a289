//! Calls of asynchronous components.

use crate::runtime::base::error::WasmError;
use crate::runtime::base::options::CallOptions;
use crate::runtime::component::encoding::{self, Reader};
use crate::runtime::component::transmit;
use crate::runtime::component::types::U32;
use crate::runtime::state::WasmState;
use crate::runtime::state::components::{Called, called};
use crate::runtime::store::Outcome;
use crate::runtime::store::concurrent::exchange::{Event, Quiet};
use crate::runtime::store::host_function::Stop;

/// An event of an asynchronous component, with its values as bytes.
pub(crate) enum ComponentEvent {
    /// The component calls an import: the number to answer with, and that of the import.
    Import(u32, u32, Vec<u8>),
    /// The call of this number has returned.
    Returned(u32, Vec<u8>),
    /// The call of this number was refused, and the instance has not ended.
    Refused(u32, WasmError),
    /// The instance has ended, and with it all calls.
    Ended(Result<Outcome<()>, WasmError>),
    /// Nothing goes on before the host does something, or time passes.
    Quiet(Quiet),
    /// Nothing runs any more.
    AtRest,
    /// The component wants at most so many elements of this stream or future of the host.
    Wanted(u32, u32),
    /// The component has dropped this stream or future of the host.
    SourceDropped(u32),
    /// Elements of this stream or future of the component.
    Chunk(u32, Vec<u8>),
    /// This stream or future of the component has ended.
    SinkEnded(u32),
}

impl WasmState {
    /// Starts a call of an exported function of an asynchronous component, which runs beside other calls of the instance.
    /// Returns its number.
    ///
    /// # Errors
    /// As [`WasmState::start_call`] and [`ComponentInstance::call`](crate::runtime::ComponentInstance::call).
    pub(crate) fn start_concurrent_call(
        &self,
        store: u32,
        function: u32,
        args: &[u8],
        options: CallOptions,
    ) -> Result<u32, WasmError> {
        let instance = self.component_instance(store)?;
        let args = self.read_arguments(&instance, function, args)?;
        let timeout = self.call_timeout(instance.store(), self.checks(store)?, options)?;
        let held = || Ok(Box::new(self.count_call()?) as _);
        instance.start_concurrently(function, args, timeout, held)
    }

    /// Takes the next event of an asynchronous component.
    ///
    /// # Errors
    /// `RuntimeError` if the store was dropped, or has no such component.
    pub(crate) fn next_component_event(
        &self,
        store: u32,
    ) -> Result<Option<ComponentEvent>, WasmError> {
        let instance = self.component_instance(store)?;
        let interface = &*instance.component().code.interface;
        let Some(event) = instance.next_event()? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        Ok(Some(match event {
            Event::Import(request) => {
                match called(interface, Some(request.import))? {
                    Called::Function(function) => {
                        for ((_, ty), arg) in function.ty.params.iter().zip(&request.args) {
                            encoding::write(interface, *ty, arg, &mut bytes);
                        }
                    }
                    Called::Drop => {
                        for arg in &request.args {
                            encoding::write(interface, U32, arg, &mut bytes);
                        }
                    }
                }
                ComponentEvent::Import(request.number, request.import, bytes)
            }
            Event::Returned(call, values) => {
                let function = instance.take_called(call);
                let function =
                    function.and_then(|number| interface.exports.functions.get(number as usize));
                if let Some(function) = function {
                    for (ty, value) in function.ty.result.iter().zip(&values) {
                        encoding::write(interface, *ty, value, &mut bytes);
                    }
                }
                ComponentEvent::Returned(call, bytes)
            }
            Event::Refused(call, error) => {
                instance.take_called(call);
                ComponentEvent::Refused(call, error)
            }
            Event::Ended(ended) => ComponentEvent::Ended(ended),
            Event::Quiet(quiet) => ComponentEvent::Quiet(quiet),
            Event::AtRest | Event::Panicked(_) => ComponentEvent::AtRest,
            Event::Wanted(source, max) => ComponentEvent::Wanted(source, max),
            Event::SourceDropped(source) => ComponentEvent::SourceDropped(source),
            Event::Chunk(sink, element, chunk) => {
                transmit::write_chunk(interface, element, &chunk, &mut bytes);
                ComponentEvent::Chunk(sink, bytes)
            }
            Event::SinkEnded(sink) => ComponentEvent::SinkEnded(sink),
        }))
    }

    /// Answers the call of an import with its results, or ends the instance with [`Outcome::Aborted`].
    ///
    /// # Errors
    /// `TypeMismatch` if the bytes do not fit; `RuntimeError` if the store was dropped.
    pub(crate) fn answer_component_import(
        &self,
        store: u32,
        request: u32,
        import: u32,
        results: Option<&[u8]>,
    ) -> Result<(), WasmError> {
        let instance = self.component_instance(store)?;
        let interface = &*instance.component().code.interface;
        let answer = match results {
            None => Err(Stop::Abort),
            Some(bytes) => {
                let types = match called(interface, Some(import))? {
                    Called::Function(function) => function.ty.result,
                    Called::Drop => None,
                };
                let max_room = self.capabilities.max_component_value_bytes;
                let types = types.into_iter();
                Ok(Reader::read_all(interface, types, bytes, max_room)?)
            }
        };
        instance.answer_import(request, answer)
    }

    /// Gives a component elements of a stream of the host, or the value of a future.
    ///
    /// # Errors
    /// `TypeMismatch` if the bytes do not fit; `RuntimeError` if the component wants none, or the store was dropped.
    pub(crate) fn put_elements(
        &self,
        store: u32,
        source: u32,
        bytes: &[u8],
    ) -> Result<(), WasmError> {
        let instance = self.component_instance(store)?;
        let interface = &*instance.component().code.interface;
        let max_room = self.capabilities.max_component_value_bytes;
        instance.with_source(source, |source| {
            let chunk = transmit::read_chunk(interface, source.element(), bytes, max_room)?;
            source.put(chunk)
        })
    }

    /// Ends an asynchronous component if each of its calls waits for something that only a new call could bring, and there
    /// was none since the driver had got so many commands. Returns whether it did.
    ///
    /// # Errors
    /// `RuntimeError` if the store was dropped.
    pub(crate) fn end_deadlocked(&self, store: u32, commands: u32) -> Result<bool, WasmError> {
        let instance = self.component_instance(store)?;
        let is_deadlocked = instance.is_deadlocked(commands);
        if is_deadlocked {
            instance.end_with(WasmError::deadlock())?;
        }
        Ok(is_deadlocked)
    }
}
