//! A call of a function of WASI by a guest.

use wasmtime::{Caller, Extern};
use wiggle::GuestMemory;

use crate::runtime::store::StoreData;
use crate::runtime::wasi::call::{Call, Preview, tokio, wait};
use crate::runtime::wasi::errno::{Failure, Result};
use crate::runtime::wasi::memory::Memory;

/// Calls a function that does not wait.
pub(super) fn now(
    caller: &mut Caller<'_, StoreData>,
    preview: Preview,
    function: impl FnOnce(&mut Call<'_>) -> Result<()>,
) -> wasmtime::Result<i32> {
    with(caller, preview, |mut call| answer(function(&mut call)))
}

/// Calls a function that may wait, and waits for it until the guest has to end.
pub(super) fn waiting(
    caller: &mut Caller<'_, StoreData>,
    preview: Preview,
    function: impl AsyncFnOnce(&mut Call<'_>) -> Result<()>,
) -> wasmtime::Result<i32> {
    with(caller, preview, |mut call| {
        let interrupt = call.interrupt;
        answer(wait(tokio()?, interrupt.unless_due(function(&mut call)))?)
    })
}

/// What the guest gets.
fn answer(result: Result<()>) -> wasmtime::Result<i32> {
    match result {
        Ok(()) => Ok(0),
        Err(Failure::Errno(errno)) => Ok(errno as i32),
        Err(Failure::End(error)) => Err(error),
    }
}

fn with<R>(
    caller: &mut Caller<'_, StoreData>,
    preview: Preview,
    function: impl FnOnce(Call<'_>) -> wasmtime::Result<R>,
) -> wasmtime::Result<R> {
    let exported = caller.get_export("memory");
    let (memory, data) = match &exported {
        Some(Extern::Memory(memory)) => {
            let (bytes, data) = memory.data_and_store_mut(caller);
            (GuestMemory::Unshared(bytes), data)
        }
        Some(Extern::SharedMemory(memory)) => {
            (GuestMemory::Shared(memory.data()), caller.data_mut())
        }
        _ => wasmtime::bail!("missing required memory export"),
    };
    let StoreData {
        wasi, interrupt, ..
    } = data;
    let Some(wasi) = wasi else {
        unreachable!("a store without WASI has none of its functions")
    };
    function(Call {
        preview,
        wasi,
        memory: Memory(memory),
        interrupt,
    })
}
