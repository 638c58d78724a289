//! The state of a WASI function call, and waiting for its future.
//!
//! A guest is called synchronously, or has its own thread. So a WASI function runs on the guest's thread, and if it
//! waits, this thread waits, no longer than the guest may run.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use super::Wasi;
use super::errno::Result;
use super::memory::Memory;
use crate::runtime::base::error::WasmError;
use crate::runtime::engine::interrupt::Interrupt;
use tokio::runtime::{Builder, Runtime};

/// The first and the longest interval after which a future is polled again although nothing woke it; the interval
/// doubles each time. A future may yield to the scheduler of the event loop from which the guest was called. That
/// scheduler would wake it up later, but it is blocked until the future is done.
const POLL_INTERVALS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(1));

/// The WASI preview of a function. Both previews have the same functions. They differ in the layout of a few
/// records, and in one enumeration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preview {
    /// `wasi_unstable`.
    Zero,
    /// `wasi_snapshot_preview1`.
    One,
}

/// The state of a call of a WASI function.
pub(crate) struct Call<'a> {
    pub(crate) preview: Preview,
    pub(crate) wasi: &'a mut Wasi,
    pub(crate) memory: Memory<'a>,
    pub(crate) interrupt: &'a Interrupt,
}

/// Converts an integer to flags of this type.
///
/// # Errors
/// `EINVAL` if the integer has undefined bits.
macro_rules! flags {
    ($type:ident($value:expr)) => {
        $type::try_from($value.cast_signed())?
    };
}
pub(crate) use flags;

/// Returns the event loop for the timers and descriptors of WASI. It is not the event loop of the guest's caller,
/// which is blocked while the caller waits.
///
/// # Errors
/// `RuntimeError` if its thread cannot be started.
pub(crate) fn tokio() -> Result<&'static Runtime, WasmError> {
    static TOKIO: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("wasi").enable_all();
        builder.build()
    });
    let tokio = TOKIO.as_ref();
    tokio.map_err(|error| WasmError::runtime(format!("no event loop for WASI: {error}")))
}

/// Blocks this thread until the future is done.
pub(crate) fn wait<R>(tokio: &Runtime, future: impl Future<Output = R>) -> R {
    let _entered = tokio.enter();
    // This may run in a task of another event loop. Its cooperative budget must not make the future yield.
    let mut future = pin!(tokio::task::unconstrained(future));
    let unpark = Unpark::this_thread();
    let waker = Waker::from(unpark.clone());
    let mut context = Context::from_waker(&waker);
    let (mut interval, max_interval) = POLL_INTERVALS;
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
        thread::park_timeout(interval);
        interval = if unpark.take_woken() {
            POLL_INTERVALS.0
        } else {
            max_interval.min(interval * 2)
        };
    }
}

/// Wakes a thread that sleeps.
pub(crate) struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Unpark {
    pub(crate) fn this_thread() -> Arc<Self> {
        Arc::new(Self {
            thread: thread::current(),
            woken: AtomicBool::new(false),
        })
    }

    /// Whether the thread was woken since this was asked last.
    pub(crate) fn take_woken(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_that_yields_to_a_blocked_event_loop_is_polled_again() {
        let outer = Builder::new_current_thread().build().unwrap();
        let yielded = outer.block_on(async {
            wait(tokio().unwrap(), async {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                3
            })
        });
        assert_eq!(yielded, 3);
    }
}
