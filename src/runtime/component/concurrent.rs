//! Calls of asynchronous components, and the functions for their imports.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wasmtime::component::{Accessor, LinkerInstance, ResourceAny, ResourceType, Val};
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::instance::ComponentCall;
use super::linking::failed;
use super::types::{FunctionType, Interface, ResourceIndex};
use super::{resources, values};
use crate::runtime::base::error::WasmError;
use crate::runtime::store::StoreData;
use crate::runtime::store::concurrent::exchange::{CallError, Exchange};

/// Adds the function for an import. It asks the thread of the store for its results.
///
/// # Errors
/// `InstantiateError`, an error of wasmtime's.
pub(super) fn add_function(
    linker: &mut LinkerInstance<'_, StoreData>,
    name: &str,
    number: u32,
    interface: &Arc<Interface>,
) -> Result<(), WasmError> {
    let import = Import {
        interface: interface.clone(),
        number,
    };
    // While a synchronous function waits for the host, nothing else goes on in the store.
    let added = match import.ty().is_async {
        true => linker.func_new_concurrent(name, move |accessor, _, args, results| {
            let (import, args) = (import.clone(), args.to_vec());
            Box::pin(async move { import.call_concurrently(accessor, args, results).await })
        }),
        false => linker.func_new_async(name, move |store, _, args, results| {
            let (import, args) = (import.clone(), args.to_vec());
            Box::new(async move { import.call(store, args, results).await })
        }),
    };
    added.map_err(|error| failed(&error))
}

/// Adds a resource of the host: see `linking`.
///
/// # Errors
/// As [`add_function`].
pub(super) fn add_resource(
    linker: &mut LinkerInstance<'_, StoreData>,
    name: &str,
    resource: ResourceIndex,
    interface: &Interface,
) -> Result<(), WasmError> {
    let number = interface.imports.functions.len() as u32 + resource;
    let ty = ResourceType::host_dynamic(resource);
    let added = linker.resource_async(name, ty, move |store, rep| {
        let exchange = exchange_of(&store);
        Box::new(async move {
            exchange?.request(number, vec![Val::U32(rep)]).await?;
            Ok(())
        })
    });
    added.map_err(|error| failed(&error))
}

/// Returns the exchange with the driver of a store.
///
/// # Errors
/// `RuntimeError` if the store is not for an asynchronous component.
pub(super) fn exchange_of(
    store: &StoreContextMut<'_, StoreData>,
) -> wasmtime::Result<Arc<Exchange>> {
    let exchange = store.data().exchange.clone();
    Ok(exchange.ok_or_else(|| WasmError::runtime("the store has no driver"))?)
}

/// An import of a component.
#[derive(Clone)]
struct Import {
    interface: Arc<Interface>,
    number: u32,
}

impl Import {
    fn ty(&self) -> &FunctionType {
        &self.interface.imports.functions[self.number as usize].ty
    }

    async fn call(
        self,
        mut store: StoreContextMut<'_, StoreData>,
        mut args: Vec<Val>,
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let lent = self.lift(&mut store, &mut args)?;
        let returned = exchange_of(&store)?.request(self.number, args).await?;
        self.lower(&mut store, lent, returned, results)
    }

    async fn call_concurrently(
        self,
        accessor: &Accessor<StoreData>,
        mut args: Vec<Val>,
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let (exchange, lent) = accessor.with(|mut access| {
            let mut store = access.as_context_mut();
            let lent = self.lift(&mut store, &mut args)?;
            wasmtime::error::Ok((exchange_of(&store)?, lent))
        })?;
        let returned = exchange.request(self.number, args).await?;
        accessor.with(|mut access| {
            let mut store = access.as_context_mut();
            self.lower(&mut store, lent, returned, results)
        })
    }

    /// Puts numbers in place of handles in the arguments. Returns those of the resources that are only lent.
    fn lift(
        &self,
        store: &mut StoreContextMut<'_, StoreData>,
        args: &mut [Val],
    ) -> wasmtime::Result<Vec<u32>> {
        let params = self.ty().params.iter().map(|(_, ty)| *ty);
        resources::lift(store, &self.interface, params, args)
    }

    /// Puts the results into their places.
    fn lower(
        &self,
        store: &mut StoreContextMut<'_, StoreData>,
        lent: Vec<u32>,
        mut returned: Vec<Val>,
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        values::check_results(&self.interface, self.ty(), &returned)?;
        for number in lent {
            if let Some(any) = store.data_mut().component_handles.take(number) {
                end_borrow(store, any)?;
            }
        }
        let types = self.ty().result.iter().copied();
        resources::lower(store, &self.interface, types, &mut returned)?;
        for (slot, result) in results.iter_mut().zip(returned) {
            *slot = result;
        }
        Ok(())
    }
}

/// Ends the use of a resource that the component has only lent. It runs no destructor, so that it is done at once.
fn end_borrow(
    store: &mut StoreContextMut<'_, StoreData>,
    any: ResourceAny,
) -> wasmtime::Result<()> {
    let dropped = pin!(any.resource_drop_async(store.as_context_mut()));
    match dropped.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(dropped) => dropped,
        Poll::Pending => Err(WasmError::runtime("the end of a borrow has to wait").into()),
    }
}

/// Calls a function of a component in its store, beside other calls.
///
/// # Errors
/// [`CallError::Refused`] if the arguments do not fit: the component was not entered.
pub(super) async fn call(
    accessor: &Accessor<StoreData>,
    call: ComponentCall,
) -> Result<Vec<Val>, CallError> {
    let ComponentCall {
        func,
        number,
        interface,
        mut args,
        late_drops: _,
    } = call;
    let ty = &interface.exports.functions[number as usize].ty;
    let params = || ty.params.iter().map(|(_, ty)| *ty);
    let mut results = vec![Val::Bool(false); ty.result.iter().len()];
    let loans = accessor.with(|mut access| {
        let mut store = access.as_context_mut();
        let handles = &store.data().component_handles;
        resources::check(handles, &interface, params(), &mut args).map_err(CallError::Refused)?;
        Ok::<_, CallError>(resources::lower(
            &mut store,
            &interface,
            params(),
            &mut args,
        )?)
    })?;
    func.call_concurrent(accessor, &args, &mut results).await?;
    accessor.with(|mut access| {
        let mut store = access.as_context_mut();
        resources::end_loans(&mut store, loans)?;
        let types = ty.result.iter().copied();
        resources::lift(&mut store, &interface, types, &mut results)
    })?;
    Ok(results)
}

/// Calls a function of a component in its store, alone.
///
/// # Errors
/// The error that ended the instance.
pub(super) async fn call_alone(
    store: &mut StoreContextMut<'_, StoreData>,
    call: ComponentCall,
) -> wasmtime::Result<Vec<Val>> {
    let ComponentCall {
        func,
        number,
        interface,
        mut args,
        late_drops,
    } = call;
    for resource in late_drops.take(store.data_mut()) {
        resource.resource_drop_async(store.as_context_mut()).await?;
    }
    let ty = &interface.exports.functions[number as usize].ty;
    let params = ty.params.iter().map(|(_, ty)| *ty);
    let mut results = vec![Val::Bool(false); ty.result.iter().len()];
    let loans = resources::lower(store, &interface, params, &mut args)?;
    func.call_async(store.as_context_mut(), &args, &mut results)
        .await?;
    resources::end_loans(store, loans)?;
    let types = ty.result.iter().copied();
    resources::lift(store, &interface, types, &mut results)?;
    Ok(results)
}
