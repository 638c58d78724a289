//! Functions for the imports of components: they call the functions of the host that an instance was given.

use std::sync::Arc;

use wasmtime::component::{Component, InstancePre, Linker, LinkerInstance, ResourceType, Val};
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::types::{Interface, Item, ItemType, ResourceIndex};
use super::{concurrent, images, refusal, resources, values, wasi};
use crate::runtime::base::error::WasmError;
use crate::runtime::base::text;
use crate::runtime::engine::EngineKind;
use crate::runtime::store::{StoreData, call_component_import};
use crate::runtime::wasi::p2::{ProvisionKind, WasiScope};

/// Links a component with what its store has of WASI.
///
/// # Errors
/// `InstantiateError` if it imports something that the host does not provide.
pub(super) fn link(
    component: &Component,
    interface: &Arc<Interface>,
    scope: WasiScope,
    kind: EngineKind,
) -> Result<InstancePre<StoreData>, WasmError> {
    let mut linker = Linker::new(component.engine());
    let has_wasi = scope.has_wasi();
    type Add = fn(&mut Linker<StoreData>) -> wasmtime::Result<()>;
    let mut add_both = |of_02: Add, of_03: Add| {
        let mut added = of_02(&mut linker);
        if kind == EngineKind::Async {
            added = added.and_then(|()| of_03(&mut linker));
        }
        added.map_err(|error| failed(&error))
    };
    if has_wasi {
        add_both(wasi::add_to_linker, wasi::add_03_to_linker)?;
    }
    let has_sockets = scope == WasiScope::All;
    if has_sockets {
        add_both(wasi::add_network_to_linker, wasi::add_network_03_to_linker)?;
    }
    let is_handler = |is_async| interface.http_handler(is_async).is_some();
    let has_http = has_sockets || has_wasi && (is_handler(false) || is_handler(true));
    if has_http {
        add_both(wasi::add_http_to_linker, wasi::add_http_03_to_linker)?;
    }
    for item in &interface.imports.items {
        let provision = has_wasi.then_some(item.provision).flatten();
        match (provision.map(|of| of.kind), &item.ty) {
            (Some(ProvisionKind::Provided), ItemType::Instance { .. }) => {}
            (Some(ProvisionKind::Sockets), ItemType::Instance { .. }) if has_sockets => {}
            (Some(ProvisionKind::Http), ItemType::Instance { .. }) if has_http => {}
            (Some(_), ItemType::Instance { items }) => {
                let mut instance = linker
                    .instance(&item.name)
                    .map_err(|error| failed(&error))?;
                refusal::add(&mut instance, items, interface)?;
            }
            _ => add(
                &mut linker.root(),
                std::slice::from_ref(item),
                interface,
                has_wasi,
                kind,
            )?,
        }
    }
    linker
        .instantiate_pre(component)
        .map_err(|error| failed(&error))
}

fn add(
    linker: &mut LinkerInstance<'_, StoreData>,
    items: &[Item],
    interface: &Arc<Interface>,
    has_wasi: bool,
    kind: EngineKind,
) -> Result<(), WasmError> {
    for Item { name, ty, .. } in items {
        let what = match ty {
            ItemType::Function { number } => {
                check_function(name, *number, interface, has_wasi)?;
                match kind {
                    EngineKind::Plain => add_function(linker, name, *number, interface)?,
                    EngineKind::Async => {
                        concurrent::add_function(linker, name, *number, interface)?;
                    }
                }
                continue;
            }
            ItemType::Instance { items } => {
                let mut instance = linker.instance(name).map_err(|error| failed(&error))?;
                add(&mut instance, items, interface, has_wasi, kind)?;
                continue;
            }
            ItemType::Type { .. } => continue,
            ItemType::Resource { resource } => {
                match kind {
                    EngineKind::Plain => add_resource(linker, name, *resource, interface)?,
                    EngineKind::Async => {
                        concurrent::add_resource(linker, name, *resource, interface)?;
                    }
                }
                continue;
            }
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

/// Adds a resource of the host. It has the number of the resource in the interface as its type.
fn add_resource(
    linker: &mut LinkerInstance<'_, StoreData>,
    name: &str,
    resource: ResourceIndex,
    interface: &Interface,
) -> Result<(), WasmError> {
    // The functions that drop resources follow those of the imports.
    let number = interface.imports.functions.len() as u32 + resource;
    let dropped = move |mut store: StoreContextMut<'_, StoreData>, rep: u32| {
        call_component_import(store.as_context_mut(), number, vec![Val::U32(rep)])?;
        wasmtime::Result::Ok(())
    };
    let ty = ResourceType::host_dynamic(resource);
    linker
        .resource(name, ty, dropped)
        .map_err(|error| failed(&error))
}

/// Checks that the host can provide a function.
fn check_function(
    name: &str,
    number: u32,
    interface: &Interface,
    has_wasi: bool,
) -> Result<(), WasmError> {
    let function = &interface.imports.functions[number as usize];
    let traits = interface.traits_of(&function.ty);
    if has_wasi && traits.has_wasi_handles {
        return Err(WasmError::instantiate(format!(
            "import {}: a function of the host's cannot have a resource of WASI",
            text::quote(name)
        )));
    }
    if let Some(ty) = traits.uncrossable {
        return Err(WasmError::instantiate(format!(
            "import {}: the host provides no function with values of type {ty}",
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
    if let Some(plan) = interface.plans.import(number) {
        return images::add_import(linker, name, number, plan, interface)
            .map_err(|error| failed(&error));
    }
    let interface = interface.clone();
    let run = move |mut store: StoreContextMut<'_, StoreData>,
                    _: wasmtime::component::types::ComponentFunc,
                    args: &[Val],
                    results: &mut [Val]| {
        let ty = &interface.imports.functions[number as usize].ty;
        let (params, result) = (ty.params.iter().map(|(_, ty)| *ty), ty.result.iter());
        let mut args = args.to_vec();
        let lent = resources::lift(&mut store, &interface, params, &mut args)?;
        let mut returned = call_component_import(store.as_context_mut(), number, args)?;
        values::check_results(&interface, ty, &returned)?;
        resources::end_borrows(&mut store, lent)?;
        resources::lower(&mut store, &interface, result.copied(), &mut returned)?;
        for (slot, result) in results.iter_mut().zip(returned) {
            *slot = result;
        }
        wasmtime::Result::Ok(())
    };
    linker.func_new(name, run).map_err(|error| failed(&error))
}

pub(super) fn failed(error: &wasmtime::Error) -> WasmError {
    WasmError::instantiate(format!("cannot link: {}", text::one_line(error)))
}
