//! Calls of host functions by guests.
//!
//! Guests and the host can call each other a thousand levels deep. Code that most calls do not need is in functions
//! that are not inlined, so that it takes no stack at each level.

use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::sync::Arc;

use wasmtime::component::Val as ComponentVal;
use wasmtime::{AsContextMut, Caller, RootScope, StoreContextMut, Val, ValRaw};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::value::RefHandle;
use crate::runtime::codec::Lifted;
use crate::runtime::engine::group::Group;
use crate::runtime::engine::interrupt::Aborted;
use crate::runtime::store::cell::{GuestLink, HostCalls};
use crate::runtime::store::component_values::ComponentValues;
use crate::runtime::store::group_fuel::{self, FuelShare};
use crate::runtime::store::host_function::{self, HostFunction, Stop};
use crate::runtime::store::raw::{lift, lower};
use crate::runtime::store::references;
use crate::runtime::store::{Signature, StoreData, WasmStore, running};

/// The function that wasmtime calls for every host function.
pub(super) fn host_call(
    mut caller: Caller<'_, StoreData>,
    slots: &mut [MaybeUninit<ValRaw>],
    signature: &Signature,
    host: &Arc<dyn HostFunction>,
) -> wasmtime::Result<()> {
    for slot in &mut slots[signature.params.len()..] {
        slot.write(ValRaw::u64(0));
    }
    // SAFETY: wasmtime initialised the slots of the parameters, and the loop above the other slots.
    let frame = unsafe { &mut *(std::ptr::from_mut(slots) as *mut [ValRaw]) };

    let mut context = caller.as_context_mut();
    // SAFETY: the pointer comes from the `Arc` that holds this store. The caller that runs this guest holds a clone
    // of the `Arc` until the guest has ended. The `Arc` made here was not counted, so it is not dropped: to
    // increment and decrement the count atomically would take a fifth of an import's time.
    let store = ManuallyDrop::new(WasmStore {
        cell: unsafe { Arc::from_raw(context.data().cell.as_ptr()) },
        one_thread: PhantomData,
    });
    if signature.refs {
        lift_params(context.as_context_mut(), frame, signature)?;
    }
    let link = store.cell.guest.borrow().clone();
    let group = store.cell.group.as_deref();
    let metered = group.filter(|group| group.is_metered());
    if let Some(group) = metered {
        group_fuel::give_back(&mut context, group)?;
    }
    let called = store.lend(&mut context, || match &link {
        None => host.call(&store, frame),
        Some(link) => call_back(&store, link, host, frame),
    });
    if let Some(group) = metered {
        take_fuel(&mut context, group, link.as_ref())?;
    }
    // The guest may run for a long time before its code checks for an interrupt.
    if link.is_some() || store.cell.interruptible {
        check_interrupt(&store)?;
    }
    match called {
        Ok(()) if signature.refs => lower_results(context, frame, signature),
        Ok(()) => Ok(()),
        Err(stop) => stopped(context, stop),
    }
}

/// Takes fuel from the group again after a host function has run.
#[inline(never)]
fn take_fuel(
    context: &mut StoreContextMut<'_, StoreData>,
    group: &Group,
    link: Option<&GuestLink>,
) -> wasmtime::Result<()> {
    let is_asynchronous =
        link.is_some_and(|link| matches!(link.host_calls, HostCalls::Requested(_)));
    let share = if is_asynchronous {
        FuelShare::Half
    } else {
        FuelShare::All
    };
    Ok(group_fuel::take(context, group, share)?)
}

#[inline(never)]
fn lift_params(
    store: StoreContextMut<'_, StoreData>,
    frame: &mut [ValRaw],
    signature: &Signature,
) -> wasmtime::Result<()> {
    Ok(lift(store, frame, &signature.params)?)
}

#[inline(never)]
fn lower_results(
    store: StoreContextMut<'_, StoreData>,
    frame: &mut [ValRaw],
    signature: &Signature,
) -> wasmtime::Result<()> {
    Ok(lower(store, frame, &signature.results)?)
}

/// Checks for an interrupt. Returns the error that ends the guest.
#[inline(never)]
fn check_interrupt(store: &WasmStore) -> wasmtime::Result<()> {
    store.cell.interrupt.due().map_or(Ok(()), Err)
}

/// Ends the guest's call, or throws an exception in it.
#[cold]
#[inline(never)]
fn stopped(store: StoreContextMut<'_, StoreData>, stop: Stop) -> wasmtime::Result<()> {
    match stop {
        Stop::Throw(index) => throw(store, index, false),
        Stop::ThrowPrivately(index) => throw(store, index, true),
        Stop::Rethrow(handle) => rethrow(store, handle),
        Stop::Abort => Err(Aborted.into()),
        Stop::Error(error) => Err(error.into()),
        Stop::Later => {
            let message = "a function of the host answers later, for which the call does not wait";
            Err(WasmError::runtime(message).into())
        }
    }
}

/// Runs a host function on the caller's thread. Called on the guest's own thread.
#[inline(never)]
fn call_back(
    store: &WasmStore,
    GuestLink {
        channel,
        host_calls,
    }: &GuestLink,
    host: &Arc<dyn HostFunction>,
    frame: &mut [ValRaw],
) -> Result<(), Stop> {
    match host_calls {
        HostCalls::Requested(events) => {
            running::request_host_call(&store.cell, channel, events, host, frame)
        }
        HostCalls::Suspending(exchange) if host.suspends() => {
            exchange.suspend(channel, host, frame)
        }
        HostCalls::OnCaller | HostCalls::Suspending(_) => {
            channel.run_back(|| host.call(store, frame))
        }
    }
}

/// Throws an exception with the host value `index` in the guest, which may catch it.
fn throw(
    mut store: StoreContextMut<'_, StoreData>,
    index: u32,
    is_private: bool,
) -> wasmtime::Result<()> {
    let tag = host_function::host_tag(&mut store, is_private)?;
    let mut scope = RootScope::new(&mut store);
    let mut store = scope.as_context_mut();
    let exn = host_function::exception(&mut store, &tag, index)?;
    store.throw(exn)
}

/// Throws an exception that this store's guest threw before.
fn rethrow(mut store: StoreContextMut<'_, StoreData>, handle: RefHandle) -> wasmtime::Result<()> {
    let mut scope = RootScope::new(&mut store);
    let mut store = scope.as_context_mut();
    let exnref = wasmtime::RefType::new(false, wasmtime::HeapType::Exn);
    match references::resolve(store.as_context_mut(), handle, &exnref)? {
        Val::ExnRef(Some(exn)) => store.throw(exn),
        _ => Err(WasmError::runtime("not an exception of this store").into()),
    }
}

/// Calls the function of the host for the import of this number of a component, and returns its results.
pub(crate) fn call_component_import(
    context: StoreContextMut<'_, StoreData>,
    import: u32,
    args: Vec<ComponentVal>,
) -> wasmtime::Result<Vec<ComponentVal>> {
    let store = call_import(context, import, args, Vec::new(), &mut [])?;
    Ok(store.take_component_values().values)
}

/// As [`call_component_import`], of an import whose values cross by the codec. The head of the arguments is in the slots,
/// and so is the head of the results, unless a whole image is returned.
pub(crate) fn call_codec_import(
    context: StoreContextMut<'_, StoreData>,
    import: u32,
    heap: Vec<u8>,
    slots: &mut [ValRaw],
) -> wasmtime::Result<Option<Vec<u8>>> {
    let store = call_import(context, import, Vec::new(), heap, slots)?;
    store.take_component_values();
    Ok(store.take_reply())
}

fn call_import(
    mut context: StoreContextMut<'_, StoreData>,
    import: u32,
    values: Vec<ComponentVal>,
    heap: Vec<u8>,
    slots: &mut [ValRaw],
) -> wasmtime::Result<WasmStore> {
    let data = context.data();
    let Some(host) = data.component_imports.get(import as usize).cloned() else {
        return Err(WasmError::runtime("an import that was not given").into());
    };
    let Some(cell) = data.cell.upgrade() else {
        return Err(WasmError::given_up().into());
    };
    let store = WasmStore {
        cell,
        one_thread: PhantomData,
    };
    store.put_component_values(ComponentValues {
        import: Some(import),
        values,
    });
    store.put_lifted(Lifted {
        head: Vec::new(),
        heap,
    });
    let link = store.cell.guest.borrow().clone();
    let called = store.lend(&mut context, || match &link {
        None => host.call(&store, slots),
        Some(link) => call_back(&store, link, &host, slots),
    });
    if link.is_some() || store.cell.interruptible {
        check_interrupt(&store)?;
    }
    match called {
        Ok(()) => Ok(store),
        // A component cannot catch anything.
        Err(Stop::Abort) => Err(Aborted.into()),
        Err(Stop::Error(error)) => Err(error.into()),
        Err(_) => Err(WasmError::runtime("a function of the host ended in an unknown way").into()),
    }
}
