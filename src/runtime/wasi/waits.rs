//! The functions of WASI in which a guest may wait for the world outside, until it has to end.
//!
//! They are `wasmtime-wasi`'s, waited for together with the guest's interruption. Its own
//! synchronous ones would wait for as long as it takes.

use std::time::{Duration, Instant};

use wasmtime::{AsContextMut, Caller, Extern, Linker};
use wasmtime_wasi::p0::types as p0_types;
use wasmtime_wasi::p0::wasi_unstable as p0;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::types as p1_types;
use wasmtime_wasi::p1::wasi_snapshot_preview1 as p1;
use wasmtime_wasi::runtime::in_tokio;
use wiggle::{GuestMemory, GuestPtr};

use crate::runtime::store::StoreData;

/// Puts them in the place of those that are in the linker.
pub(super) fn add_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    macro_rules! add {
        ($module:literal, $functions:ident, $types:ident) => {
            add(linker, $module, "fd_read", async |wasi, memory, args| {
                let [a, b, c, d] = args;
                $functions::fd_read(wasi, memory, a, b, c, d).await
            })?;
            add(linker, $module, "fd_write", async |wasi, memory, args| {
                let [a, b, c, d] = args;
                $functions::fd_write(wasi, memory, a, b, c, d).await
            })?;
            add(linker, $module, "poll_oneoff", async |wasi, memory, args| {
                let [a, b, c, d] = args;
                // A single relative time `wasmtime-wasi` sleeps away, and nothing cuts that short:
                // it is given what is left of it when we have waited.
                let at = GuestPtr::<$types::Subscription>::new(a.cast_unsigned());
                let subscription = memory.read(at).ok().filter(|_| c == 1);
                if let Some($types::Subscription {
                    userdata,
                    u: $types::SubscriptionU::Clock(clock),
                }) = subscription
                    && clock.flags == $types::Subclockflags::empty()
                {
                    let mut rest = clock.clone();
                    rest.timeout = wait(clock.timeout).await;
                    let u = $types::SubscriptionU::Clock(rest);
                    memory.write(at, $types::Subscription { userdata, u })?;
                    let polled = $functions::poll_oneoff(wasi, memory, a, b, c, d).await;
                    let u = $types::SubscriptionU::Clock(clock);
                    memory.write(at, $types::Subscription { userdata, u })?;
                    return polled;
                }
                $functions::poll_oneoff(wasi, memory, a, b, c, d).await
            })?;
        };
    }
    add!("wasi_snapshot_preview1", p1, p1_types);
    add!("wasi_unstable", p0, p0_types);
    Ok(())
}

/// Waits for most of `time`, in nanoseconds, and returns what is left of it. tokio wakes up in whole
/// milliseconds; the system is more exact.
async fn wait(time: u64) -> u64 {
    const EXACTLY: Duration = Duration::from_millis(2);
    let time = Duration::from_nanos(time);
    let start = Instant::now();
    if time > EXACTLY {
        tokio::time::sleep(time - EXACTLY).await;
    }
    let rest = time.saturating_sub(start.elapsed()).as_nanos();
    u64::try_from(rest).unwrap_or(u64::MAX)
}

/// Adds `function`, of four parameters and one result, as all of them have.
fn add<F>(
    linker: &mut Linker<StoreData>,
    module: &str,
    name: &str,
    function: F,
) -> wasmtime::Result<()>
where
    F: AsyncFn(&mut WasiP1Ctx, &mut GuestMemory<'_>, [i32; 4]) -> wasmtime::Result<i32>
        + Send
        + Sync
        + 'static,
{
    let call = move |mut caller: Caller<'_, StoreData>, a: i32, b: i32, c: i32, d: i32| {
        let exported = caller.get_export("memory");
        let fuel = caller.as_context_mut().hostcall_fuel();
        let (mut memory, data) = match &exported {
            Some(Extern::Memory(memory)) => {
                let (bytes, data) = memory.data_and_store_mut(&mut caller);
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
        let called = function(wasi, &mut memory, [a, b, c, d]);
        in_tokio(interrupt.unless_due(called))?
    };
    linker.func_wrap(module, name, call)?;
    Ok(())
}
