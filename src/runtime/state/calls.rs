//! Calls that have not ended when the method that starts them returns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use wasmtime::ValRaw;

use crate::runtime::base::error::WasmError;
use crate::runtime::base::options::{CallOptions, Checks};
use crate::runtime::objects::func::WasmFunc;
use crate::runtime::state::WasmState;
use crate::runtime::store::{RunningCall, SuspendableCall, Turn, WasmStore};

impl WasmState {
    /// Starts an asynchronous call of a function of a store: it runs while its caller does other work. `frame`
    /// holds the arguments, as for [`WasmFunc::call_frame`](crate::runtime::WasmFunc::call_frame).
    ///
    /// # Errors
    /// `RuntimeError` if the store was dropped or is busy, too many calls run, or the options ask for an
    /// interruptible call and the guest code of the store does not check for interrupts.
    pub fn start_call(
        &self,
        store: u32,
        func: u32,
        frame: Vec<ValRaw>,
        options: CallOptions,
    ) -> Result<RunningCall, WasmError> {
        let (store, checks) = self.store_and_checks(store)?;
        let (timeout, running) = self.begin_call(&store, checks, options)?;
        store.start(func, frame, timeout, running)
    }

    /// Checks that an asynchronous call can start in a store with these checks. Returns its timeout, and a value that
    /// counts the call until it is dropped.
    ///
    /// # Errors
    /// `RuntimeError` if too many calls run, or the options ask for an interruptible call and the guest code of the
    /// store does not check for interrupts.
    pub(super) fn begin_call(
        &self,
        store: &WasmStore,
        checks: Checks,
        options: CallOptions,
    ) -> Result<(Option<Duration>, Counted), WasmError> {
        let timeout = self.call_timeout(store, checks, options)?;
        Ok((timeout, self.count_call()?))
    }

    /// Returns the timeout of an asynchronous call in a store with these checks.
    ///
    /// # Errors
    /// `RuntimeError` if the options ask for an interruptible call and the guest code of the store does not check for
    /// interrupts.
    pub(super) fn call_timeout(
        &self,
        store: &WasmStore,
        checks: Checks,
        options: CallOptions,
    ) -> Result<Option<Duration>, WasmError> {
        let CallOptions {
            timeout_ms,
            abortable,
        } = options;
        if (abortable || timeout_ms.is_some()) && !checks.interrupt {
            return Err(WasmError::uninterruptible());
        }
        let cap_ms = self.capabilities.max_timeout_ms.unwrap_or(u64::MAX);
        let timeout = timeout_ms.map(|timeout_ms| Duration::from_millis(timeout_ms.min(cap_ms)));
        Ok(timeout.or(store.timeout()))
    }

    /// Runs a function of a store until it ends or is suspended. `frame` holds the arguments, as for
    /// [`WasmFunc::call_frame`](crate::runtime::WasmFunc::call_frame).
    ///
    /// Returns `None`, without a call, if a call of the store is running that is not suspended.
    ///
    /// # Errors
    /// As [`WasmFunc::call_frame`](crate::runtime::WasmFunc::call_frame); `RuntimeError` if too many calls run or are
    /// suspended.
    pub fn start_suspendable_call(
        &self,
        func: &WasmFunc,
        frame: Vec<ValRaw>,
    ) -> Result<Option<(SuspendableCall, Turn)>, WasmError> {
        let counted = self.count_call()?;
        func.store()
            .start_suspendable(func.handle(), frame, counted)
    }

    /// Counts a call until the returned value is dropped.
    pub(super) fn count_call(&self) -> Result<Counted, WasmError> {
        let cap = self.capabilities.max_running_calls;
        let counted = Counted::new(&self.running_calls);
        if self.running_calls.load(Ordering::Relaxed) > cap {
            return Err(WasmError::runtime(format!(
                "too many calls run at the same time: the cap is {cap}"
            )));
        }
        Ok(counted)
    }
}

/// Adds one to a counter for the life of this value.
pub(super) struct Counted(Arc<AtomicU32>);

impl Counted {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
