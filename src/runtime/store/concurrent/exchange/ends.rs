//! The streams and futures that are open.

use std::sync::Arc;

use super::{Event, Exchange, State};
use crate::runtime::base::error::WasmError;
use crate::runtime::store::concurrent::stream::{Sink, Source};

impl Exchange {
    /// Opens a stream or future of the host under the number that the host has given it, with elements of this type.
    ///
    /// # Errors
    /// `RuntimeError` if there are too many, or the number is taken.
    pub(in super::super) fn open_source(
        &self,
        number: u32,
        element: Option<u32>,
    ) -> Result<Arc<Source>, WasmError> {
        let mut state = self.state();
        self.check_room(&state)?;
        if state.sources.contains_key(&number) {
            return Err(WasmError::runtime(
                "a stream or future of the host is passed twice",
            ));
        }
        let source = Arc::new(Source::new(element));
        state.sources.insert(number, source.clone());
        Ok(source)
    }

    /// Opens a stream or future of the component, and returns its number.
    ///
    /// # Errors
    /// `RuntimeError` if there are too many.
    pub(in super::super) fn open_sink(&self) -> Result<(u32, Arc<Sink>), WasmError> {
        let mut state = self.state();
        self.check_room(&state)?;
        let number = state.next_sink;
        state.next_sink = number.wrapping_add(1);
        let sink = Arc::<Sink>::default();
        state.sinks.insert(number, sink.clone());
        Ok((number, sink))
    }

    fn check_room(&self, state: &State) -> Result<(), WasmError> {
        let cap = self.limits.streams;
        if state.sources.len() + state.sinks.len() >= cap as usize {
            return Err(WasmError::runtime(format!(
                "too many streams and futures are open: the cap is {cap} (max_component_streams)"
            )));
        }
        Ok(())
    }

    /// Returns the open stream or future of the host with this number.
    pub(crate) fn source(&self, number: u32) -> Option<Arc<Source>> {
        self.state().sources.get(&number).cloned()
    }

    /// Returns the open stream or future of the component with this number.
    pub(crate) fn sink(&self, number: u32) -> Option<Arc<Sink>> {
        self.state().sinks.get(&number).cloned()
    }

    /// Forgets a stream or future of the host that the component has dropped.
    pub(in super::super) fn source_dropped(&self, number: u32) {
        if self.state().sources.remove(&number).is_some() {
            self.push(Event::SourceDropped(number));
        }
    }

    /// Forgets a stream or future of the component that has ended.
    pub(in super::super) fn sink_ended(&self, number: u32) {
        if self.state().sinks.remove(&number).is_some() {
            self.push(Event::SinkEnded(number));
        }
    }
}
