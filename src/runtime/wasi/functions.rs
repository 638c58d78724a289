//! The functions of WASI that may wait for the world outside, on the thread that the guest runs on.
//!
//! They are `wasmtime-wasi`'s asynchronous ones. Its synchronous ones wait by `tokio`'s `block_on`,
//! which panics on the thread of an event loop, and wait for as long as it takes; here the thread
//! itself waits, and no longer than its guest may run.

use std::io;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use wasmtime::{AsContextMut, Caller, Extern, Linker};
use wasmtime_wasi::p0::types as p0_types;
use wasmtime_wasi::p0::wasi_unstable as p0;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::types as p1_types;
use wasmtime_wasi::p1::wasi_snapshot_preview1 as p1;
use wiggle::{GuestMemory, GuestPtr};

use crate::runtime::error::WasmError;
use crate::runtime::store::StoreData;

/// What drives the timers and background work of WASI, whatever event loop the guest's caller has:
/// that one stands still while the caller waits.
///
/// # Errors
/// `RuntimeError` if there can be no thread for it.
pub(super) fn tokio() -> Result<&'static Runtime, WasmError> {
    static TOKIO: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("wasi").enable_all();
        builder.build()
    });
    let tokio = TOKIO.as_ref();
    tokio.map_err(|error| WasmError::runtime(format!("no event loop for WASI: {error}")))
}

/// Puts the functions in the place of those that are in the linker.
pub(super) fn add_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    macro_rules! add {
        ($from:literal, $module:ident, $($name:ident($($arg:ident: $ty:ty),*);)*) => {$(
            linker.func_wrap($from, stringify!($name), |mut caller: Caller<'_, StoreData>, $($arg: $ty),*| {
                call(&mut caller, async |wasi, memory| $module::$name(wasi, memory, $($arg),*).await)
            })?;
        )*};
    }
    macro_rules! add_all {
        ($from:literal, $module:ident, $types:ident, $timeout:literal) => {
            add! { $from, $module,
                fd_advise(fd: i32, offset: i64, len: i64, advice: i32);
                fd_close(fd: i32);
                fd_datasync(fd: i32);
                fd_fdstat_get(fd: i32, to: i32);
                fd_filestat_get(fd: i32, to: i32);
                fd_filestat_set_size(fd: i32, size: i64);
                fd_filestat_set_times(fd: i32, accessed: i64, modified: i64, flags: i32);
                fd_pread(fd: i32, iovs: i32, len: i32, offset: i64, to: i32);
                fd_pwrite(fd: i32, iovs: i32, len: i32, offset: i64, to: i32);
                fd_read(fd: i32, iovs: i32, len: i32, to: i32);
                fd_readdir(fd: i32, buf: i32, len: i32, cookie: i64, to: i32);
                fd_renumber(fd: i32, other: i32);
                fd_seek(fd: i32, offset: i64, whence: i32, to: i32);
                fd_sync(fd: i32);
                fd_write(fd: i32, iovs: i32, len: i32, to: i32);
                path_create_directory(fd: i32, path: i32, len: i32);
                path_filestat_get(fd: i32, flags: i32, path: i32, len: i32, to: i32);
                path_filestat_set_times(
                    fd: i32, flags: i32, path: i32, len: i32, accessed: i64, modified: i64, set: i32
                );
                path_link(
                    fd: i32, flags: i32, path: i32, len: i32, other: i32, link: i32, link_len: i32
                );
                path_open(
                    fd: i32, lookup: i32, path: i32, len: i32, flags: i32, rights: i64,
                    inheriting: i64, fd_flags: i32, to: i32
                );
                path_readlink(fd: i32, path: i32, len: i32, buf: i32, buf_len: i32, to: i32);
                path_remove_directory(fd: i32, path: i32, len: i32);
                path_rename(fd: i32, path: i32, len: i32, other: i32, new: i32, new_len: i32);
                path_symlink(target: i32, target_len: i32, fd: i32, path: i32, len: i32);
                path_unlink_file(fd: i32, path: i32, len: i32);
            }
            linker.func_wrap($from, "random_get", random_get)?;
            linker.func_wrap(
                $from,
                "poll_oneoff",
                |mut caller: Caller<'_, StoreData>,
                 subscriptions: i32,
                 events: i32,
                 count: i32,
                 to: i32| {
                    call(&mut caller, async |wasi, memory| {
                        // A single relative time `wasmtime-wasi` sleeps away, and nothing cuts that
                        // short: it is given what is left of it when we have waited.
                        let at = subscriptions.cast_unsigned();
                        let subscription = GuestPtr::<$types::Subscription>::new(at);
                        let subscription = memory.read(subscription).ok().filter(|_| count == 1);
                        if let Some($types::Subscription {
                            u: $types::SubscriptionU::Clock(clock),
                            ..
                        }) = subscription
                            && clock.flags == $types::Subclockflags::empty()
                        {
                            let timeout = GuestPtr::<u64>::new(at + $timeout);
                            memory.write(timeout, sleep(clock.timeout).await)?;
                            let polled = $module::poll_oneoff(
                                wasi,
                                memory,
                                subscriptions,
                                events,
                                count,
                                to,
                            )
                            .await;
                            // Unless the event is there now.
                            let event = events.cast_unsigned().into();
                            let timeout_at = u64::from(timeout.offset());
                            if timeout_at + 8 <= event || event + EVENT <= timeout_at {
                                memory.write(timeout, clock.timeout)?;
                            }
                            return polled;
                        }
                        $module::poll_oneoff(wasi, memory, subscriptions, events, count, to).await
                    })
                },
            )?;
        };
    }
    // Where the timeout is in a subscription to a clock.
    add_all!("wasi_snapshot_preview1", p1, p1_types, 24);
    add_all!("wasi_unstable", p0, p0_types, 32);
    Ok(())
}

/// The size of an event of `poll_oneoff`, in bytes.
const EVENT: u64 = 32;

/// The most random bytes that are made before it is asked again whether the guest has to end.
const RANDOM: u32 = 64 << 10;

/// `random_get`, as large as a guest's memory: `wasmtime-wasi` makes all bytes before it looks at
/// where they go.
fn random_get(mut caller: Caller<'_, StoreData>, to: i32, len: i32) -> wasmtime::Result<i32> {
    let (to, len) = (to.cast_unsigned(), len.cast_unsigned());
    let size = match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => memory.data_size(&caller),
        Some(Extern::SharedMemory(memory)) => memory.data_size(),
        _ => wasmtime::bail!("missing required memory export"),
    };
    if u64::from(to) + u64::from(len) > size as u64 {
        return Ok(p1_types::Errno::Fault as i32);
    }
    for start in (0..len).step_by(RANDOM as usize) {
        let piece = RANDOM.min(len - start).cast_signed();
        let at = (to + start).cast_signed();
        let errno = call(&mut caller, async |wasi, memory| {
            p1::random_get(wasi, memory, at, piece)
        })?;
        if errno != 0 {
            return Ok(errno);
        }
    }
    Ok(0)
}

/// Waits for most of `time`, in nanoseconds, and returns what is left of it. tokio wakes up in whole
/// milliseconds; the system is more exact.
async fn sleep(time: u64) -> u64 {
    const EXACTLY: Duration = Duration::from_millis(2);
    let time = Duration::from_nanos(time);
    let start = Instant::now();
    if time > EXACTLY {
        tokio::time::sleep(time - EXACTLY).await;
    }
    let rest = time.saturating_sub(start.elapsed()).as_nanos();
    u64::try_from(rest).unwrap_or(u64::MAX)
}

/// Calls `function`, and waits for it until the guest has to end.
fn call(
    caller: &mut Caller<'_, StoreData>,
    function: impl AsyncFnOnce(&mut WasiP1Ctx, &mut GuestMemory<'_>) -> wasmtime::Result<i32>,
) -> wasmtime::Result<i32> {
    let exported = caller.get_export("memory");
    let fuel = caller.as_context_mut().hostcall_fuel();
    let (mut memory, data) = match &exported {
        Some(Extern::Memory(memory)) => {
            let (bytes, data) = memory.data_and_store_mut(caller);
            (GuestMemory::Unshared(bytes), data)
        }
        Some(Extern::SharedMemory(memory)) => {
            (GuestMemory::Shared(memory.data()), caller.data_mut())
        }
        _ => wasmtime::bail!("missing required memory export"),
    };
    let interrupt = data.interrupt.clone();
    let wasi = super::context(data);
    p1::WasiSnapshotPreview1::set_hostcall_fuel(wasi, fuel);
    wait(tokio()?, interrupt.unless_due(function(wasi, &mut memory)))?
}

/// Waits for a future on this thread.
fn wait<R>(tokio: &Runtime, future: impl Future<Output = R>) -> R {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let _entered = tokio.enter();
    // This may be inside of a task of another event loop, whose turn must not end here.
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}
