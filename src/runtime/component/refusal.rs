//! Functions that refuse what they are asked for: those of WASI that the store was not granted.

use std::sync::Arc;

use wasmtime::component::{LinkerInstance, ResourceDynamic, ResourceType, Val};
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::linking::failed;
use super::types::{Interface, Item, ItemType, ResourceIndex, ValueType};
use crate::runtime::base::error::WasmError;
use crate::runtime::base::text;
use crate::runtime::store::StoreData;
use crate::runtime::wasi::p2::{self, ProvisionKind};

/// The code of the errors that the functions return.
const ACCESS_DENIED: &str = "access-denied";

/// Adds functions and resources for the items of an interface. A function whose result can be the error
/// `access-denied` returns it; one that returns a resource returns one that is of no use; any other ends the component.
///
/// # Errors
/// `InstantiateError` if an item can be no item of such an interface.
pub(super) fn add(
    linker: &mut LinkerInstance<'_, StoreData>,
    items: &[Item],
    interface: &Arc<Interface>,
) -> Result<(), WasmError> {
    for Item { name, ty, .. } in items {
        match ty {
            ItemType::Type { .. } => {}
            ItemType::Resource { resource } => {
                let ty = resource_type(interface, *resource);
                let dropped = |_: StoreContextMut<'_, StoreData>, _| wasmtime::Result::Ok(());
                let added = linker.resource(name, ty, dropped);
                added.map_err(|error| failed(&error))?;
            }
            ItemType::Function { number } => add_function(linker, name, *number, interface)?,
            _ => {
                let name = text::quote(name);
                let message = format!("import {name}: WASI has no such item");
                return Err(WasmError::instantiate(message));
            }
        }
    }
    Ok(())
}

/// Returns the type of a resource: the one of the interface that it is of, if the host provides that.
fn resource_type(interface: &Interface, resource: ResourceIndex) -> ResourceType {
    let path = &interface.resources[resource as usize].path;
    let provided = match &**path {
        [of, name] if p2::provision(of).is_some_and(|of| of.kind == ProvisionKind::Provided) => {
            p2::resource_type(name)
        }
        _ => None,
    };
    provided.unwrap_or_else(|| ResourceType::host_dynamic(resource))
}

fn add_function(
    linker: &mut LinkerInstance<'_, StoreData>,
    name: &str,
    number: u32,
    interface: &Arc<Interface>,
) -> Result<(), WasmError> {
    let is_async = interface.imports.functions[number as usize].ty.is_async;
    let interface = interface.clone();
    let refuse = move |mut store: StoreContextMut<'_, StoreData>, results: &mut [Val]| {
        let function = &interface.imports.functions[number as usize];
        let result = function.ty.result.map(|ty| interface.ty(ty));
        let refused = match result {
            Some(ValueType::Result { err: Some(err), .. })
                if let Some(denied) = denial(interface.ty(*err)) =>
            {
                Val::Result(Err(Some(Box::new(denied))))
            }
            Some(ValueType::Own { resource }) => {
                let useless = ResourceDynamic::new_own(0, *resource);
                Val::Resource(useless.try_into_resource_any(store.as_context_mut())?)
            }
            _ => {
                let path = text::quote(&function.path.join("#"));
                let message = format!("the component called {path}, which the host does not grant");
                return Err(WasmError::runtime(message).into());
            }
        };
        results[0] = refused;
        wasmtime::Result::Ok(())
    };
    let added = match is_async {
        true => {
            let refuse = Arc::new(refuse);
            linker.func_new_concurrent(name, move |accessor, _, _, results| {
                let refuse = refuse.clone();
                Box::pin(async move {
                    accessor.with(|mut access| refuse(access.as_context_mut(), results))
                })
            })
        }
        false => linker.func_new(name, move |store, _, _, results| refuse(store, results)),
    };
    added.map_err(|error| failed(&error))
}

/// The value `access-denied` of the type of an error, if it has one.
fn denial(err: &ValueType) -> Option<Val> {
    match err {
        ValueType::Enum { names } => {
            let is_there = names.iter().any(|name| **name == *ACCESS_DENIED);
            is_there.then(|| Val::Enum(ACCESS_DENIED.to_owned()))
        }
        ValueType::Variant { cases } => {
            let mut cases = cases.iter();
            let is_there = cases.any(|(name, ty)| **name == *ACCESS_DENIED && ty.is_none());
            is_there.then(|| Val::Variant(ACCESS_DENIED.to_owned(), None))
        }
        _ => None,
    }
}
