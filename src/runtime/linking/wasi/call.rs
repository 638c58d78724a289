//! Calls of WASI functions by guests.

use wasmtime::{Caller, Extern};
use wiggle::GuestMemory;

use crate::runtime::store::StoreData;
use crate::runtime::wasi::call::{Call, Preview, tokio, wait};
use crate::runtime::wasi::errno::{Failure, Result};
use crate::runtime::wasi::memory::Memory;

/// Calls a function that does not wait.
pub(super) fn call_sync(
    caller: &mut Caller<'_, StoreData>,
    preview: Preview,
    function: impl FnOnce(&mut Call<'_>) -> Result<()>,
) -> wasmtime::Result<i32> {
    with_call(caller, preview, |mut call| {
        to_guest_result(function(&mut call))
    })
}

/// Calls a function that may wait, until it returns or the guest has to end.
pub(super) fn call_async(
    caller: &mut Caller<'_, StoreData>,
    preview: Preview,
    function: impl AsyncFnOnce(&mut Call<'_>) -> Result<()>,
) -> wasmtime::Result<i32> {
    with_call(caller, preview, |mut call| {
        let interrupt = call.interrupt;
        to_guest_result(wait(tokio()?, interrupt.unless_due(function(&mut call)))?)
    })
}

/// Returns the error number for the guest, or the error that ends the guest.
fn to_guest_result(result: Result<()>) -> wasmtime::Result<i32> {
    match result {
        Ok(()) => Ok(0),
        Err(Failure::Errno(errno)) => Ok(errno as i32),
        Err(Failure::End(error)) => Err(error),
    }
}

fn with_call<R>(
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
