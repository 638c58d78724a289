//! Functions for the imports of components: they call the functions of the host that an instance was given.

use std::sync::Arc;

use wasmtime::component::{Component, InstancePre, Linker, LinkerInstance, Val};
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::types::{Interface, Item, ItemType};
use super::values;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::text;
use crate::runtime::store::{StoreData, call_component_import};

/// Links a component.
///
/// # Errors
/// `InstantiateError` if it imports something that the host does not provide.
pub(super) fn link(
    component: &Component,
    interface: &Arc<Interface>,
) -> Result<InstancePre<StoreData>, WasmError> {
    let mut linker = Linker::new(component.engine());
    add(&mut linker.root(), &interface.imports.items, interface)?;
    linker
        .instantiate_pre(component)
        .map_err(|error| failed(&error))
}

fn add(
    linker: &mut LinkerInstance<'_, StoreData>,
    items: &[Item],
    interface: &Arc<Interface>,
) -> Result<(), WasmError> {
    for Item { name, ty } in items {
        let what = match ty {
            ItemType::Function { number } => {
                add_function(linker, name, *number, interface)?;
                continue;
            }
            ItemType::Instance { items } => {
                let mut instance = linker.instance(name).map_err(|error| failed(&error))?;
                add(&mut instance, items, interface)?;
                continue;
            }
            ItemType::Type => continue,
            ItemType::Resource => "resource",
            ItemType::Module => "module",
            ItemType::Component => "component",
            ItemType::Value => "value",
        };
        return Err(WasmError::instantiate(format!(
            "import {}: the host provides no {what}",
            text::quote(name)
        )));
    }
    Ok(())
}

fn add_function(
    linker: &mut LinkerInstance<'_, StoreData>,
    name: &str,
    number: u32,
    interface: &Arc<Interface>,
) -> Result<(), WasmError> {
    let function = &interface.imports.functions[number as usize];
    if let Some(ty) = interface.uncrossable(&function.ty) {
        return Err(WasmError::instantiate(format!(
            "import {}: the host provides no function with values of type {ty}",
            text::quote(name)
        )));
    }
    let interface = interface.clone();
    let run = move |mut store: StoreContextMut<'_, StoreData>,
                    _: wasmtime::component::types::ComponentFunc,
                    args: &[Val],
                    results: &mut [Val]| {
        let returned = call_component_import(store.as_context_mut(), number, args.to_vec())?;
        let function = &interface.imports.functions[number as usize];
        values::check_results(&interface, &function.ty, &returned)?;
        for (slot, result) in results.iter_mut().zip(returned) {
            *slot = result;
        }
        wasmtime::Result::Ok(())
    };
    linker.func_new(name, run).map_err(|error| failed(&error))
}

fn failed(error: &wasmtime::Error) -> WasmError {
    WasmError::instantiate(format!("cannot link: {}", text::one_line(error)))
}
