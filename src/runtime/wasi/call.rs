//! A call of a function of WASI, and waiting for its future.
//!
//! Guests are called synchronously, or have a thread of their own. So a function does what it does on
//! the thread of its guest, and where it waits, that thread waits, and no longer than its guest may
//! run.

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

/// How long a future that is waited for is left alone at first and at most, twice as long each time. One
/// may yield to the scheduler of the event loop that the guest was called from, which would wake it up
/// later, but stands still until it is done.
const AGAIN: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(1));

/// Which of the first previews of WASI a function is of. They have the same functions, and differ in
/// the layout of a few records and in one enumeration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preview {
    /// `wasi_unstable`.
    Zero,
    /// `wasi_snapshot_preview1`.
    One,
}

/// What a function of WASI works with.
pub(crate) struct Call<'a> {
    pub(crate) preview: Preview,
    pub(crate) wasi: &'a mut Wasi,
    pub(crate) memory: Memory<'a>,
    pub(crate) interrupt: &'a Interrupt,
}

/// Flags of a type, of a number that may be wider than they are.
///
/// # Errors
/// `EINVAL` for flags that there are not.
macro_rules! flags {
    ($type:ident($value:expr)) => {
        $type::try_from($value.cast_signed())?
    };
}
pub(crate) use flags;

/// What drives the timers of WASI and watches descriptors for it, whatever event loop the guest's
/// caller has: that one stands still while the caller waits.
///
/// # Errors
/// `RuntimeError` if there can be no thread for it.
pub(crate) fn tokio() -> Result<&'static Runtime, WasmError> {
    static TOKIO: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("wasi").enable_all();
        builder.build()
    });
    let tokio = TOKIO.as_ref();
    tokio.map_err(|error| WasmError::runtime(format!("no event loop for WASI: {error}")))
}

/// Waits for a future on this thread.
pub(crate) fn wait<R>(tokio: &Runtime, future: impl Future<Output = R>) -> R {
    struct Unpark {
        thread: Thread,
        woken: AtomicBool,
    }
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.woken.store(true, Ordering::Relaxed);
            self.thread.unpark();
        }
    }
    let _entered = tokio.enter();
    // This may be inside of a task of another event loop, whose turn must not end here.
    let mut future = pin!(tokio::task::unconstrained(future));
    let unpark = Arc::new(Unpark {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(unpark.clone());
    let mut context = Context::from_waker(&waker);
    let (mut again, most) = AGAIN;
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
        thread::park_timeout(again);
        again = if unpark.woken.swap(false, Ordering::Relaxed) {
            AGAIN.0
        } else {
            most.min(again * 2)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yields_to_an_event_loop_that_stands_still_is_polled_again() {
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
