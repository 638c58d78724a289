//! Calls of imports.

use std::sync::Arc;

use tokio::sync::oneshot;
use wasmtime::component::Val;

use super::{Event, Exchange, Request};
use crate::runtime::base::error::WasmError;
use crate::runtime::engine::interrupt::Aborted;
use crate::runtime::store::host_function::Stop;

impl Exchange {
    /// Calls an import, and waits for its results.
    ///
    /// # Errors
    /// The error with which the instance has to end.
    pub(crate) async fn request(
        self: &Arc<Self>,
        import: u32,
        args: Vec<Val>,
    ) -> wasmtime::Result<Vec<Val>> {
        let (sender, answer) = oneshot::channel();
        let number = {
            let mut state = self.state();
            let cap = self.limits.calls;
            if state.requests.len() >= cap as usize {
                return Err(WasmError::runtime(format!(
                    "too many calls of imports have not ended: the cap is {cap} (max_component_calls)"
                ))
                .into());
            }
            let number = state.next_request;
            state.next_request = number.wrapping_add(1);
            state.requests.insert(number, sender);
            number
        };
        self.push(Event::Import(Request {
            number,
            import,
            args,
        }));
        let _guard = GiveUp(self, number);
        match answer.await {
            Ok(Ok(values)) => Ok(values),
            // A component cannot catch anything.
            Ok(Err(Stop::Abort)) => Err(Aborted.into()),
            Ok(Err(Stop::Error(error))) => Err(error.into()),
            Ok(Err(_)) => {
                Err(WasmError::runtime("a function of the host ended in an unknown way").into())
            }
            Err(_) => Err(WasmError::given_up().into()),
        }
    }
}

/// Forgets the call of an import for whose answer nothing waits any more.
struct GiveUp<'a>(&'a Exchange, u32);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.state().requests.remove(&self.1);
    }
}
