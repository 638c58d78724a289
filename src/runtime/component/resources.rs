//! Handles of resources.
//!
//! wasmtime refuses an instance for ever if a handle in an argument is not valid. So the host has numbers only, which are
//! checked before the component is entered:
//!
//! - A resource of the component has a number in [`ComponentHandles`]. Whoever passes it as `own` gives the number up.
//! - A resource of the host has a number that the host chose. The runtime passes it on.

use std::sync::Arc;

use wasmtime::component::{ResourceAny, ResourceDynamic, Val};
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::transmit::{self, EndType};
use super::types::{Interface, ResourceIndex, TypeIndex, ValueType};
use crate::runtime::base::error::WasmError;
use crate::runtime::store::StoreData;
use crate::runtime::store::component_handles::ComponentHandles;
use crate::runtime::store::concurrent::stream::EndKind;

/// A kind of handle in a value.
#[derive(Clone, Copy)]
enum Place {
    Resource(ResourcePlace),
    /// The readable end of a stream or future.
    End(EndType),
}

/// The place of a handle of a resource.
#[derive(Clone, Copy)]
struct ResourcePlace {
    resource: ResourceIndex,
    is_own: bool,
}

/// Calls `f` for each handle in a value.
fn visit<E>(
    interface: &Interface,
    ty: TypeIndex,
    value: &mut Val,
    f: &mut impl FnMut(Place, &mut Val) -> Result<(), E>,
) -> Result<(), E> {
    if !interface.traits(ty).has_handles {
        return Ok(());
    }
    match (interface.ty(ty), value) {
        (ValueType::Own { resource }, value) => f(
            Place::Resource(ResourcePlace {
                resource: *resource,
                is_own: true,
            }),
            value,
        ),
        (ValueType::Borrow { resource }, value) => f(
            Place::Resource(ResourcePlace {
                resource: *resource,
                is_own: false,
            }),
            value,
        ),
        (ValueType::Stream { element }, value) => f(
            Place::End(EndType {
                kind: EndKind::Stream,
                element: *element,
            }),
            value,
        ),
        (ValueType::Future { value: part }, value) => f(
            Place::End(EndType {
                kind: EndKind::Future,
                element: *part,
            }),
            value,
        ),
        (ValueType::List { element }, Val::List(values))
        | (ValueType::FixedLengthList { element, .. }, Val::FixedLengthList(values)) => {
            let mut values = values.iter_mut();
            values.try_for_each(|value| visit(interface, *element, value, f))
        }
        (ValueType::Map { key, value }, Val::Map(pairs)) => {
            pairs.iter_mut().try_for_each(|(own_key, own_value)| {
                visit(interface, *key, own_key, f)?;
                visit(interface, *value, own_value, f)
            })
        }
        (ValueType::Record { fields }, Val::Record(values)) => {
            let mut pairs = fields.iter().zip(values);
            pairs.try_for_each(|((_, ty), (_, value))| visit(interface, *ty, value, f))
        }
        (ValueType::Tuple { types }, Val::Tuple(values)) => {
            let mut pairs = types.iter().zip(values);
            pairs.try_for_each(|(ty, value)| visit(interface, *ty, value, f))
        }
        (ValueType::Variant { cases }, Val::Variant(name, Some(value))) => {
            let case = cases.iter().find(|(case, _)| **case == **name);
            match case.and_then(|(_, ty)| *ty) {
                Some(ty) => visit(interface, ty, value, f),
                None => Ok(()),
            }
        }
        (ValueType::Option { some }, Val::Option(Some(value))) => visit(interface, *some, value, f),
        (ValueType::Result { ok: Some(ty), .. }, Val::Result(Ok(Some(value))))
        | (ValueType::Result { err: Some(ty), .. }, Val::Result(Err(Some(value)))) => {
            visit(interface, *ty, value, f)
        }
        _ => Ok(()),
    }
}

/// Checks the numbers of the component's own resources in values: each exists, and one that is given up is there once.
///
/// # Errors
/// `TypeMismatch` if they cannot be passed.
pub(super) fn check(
    handles: &ComponentHandles,
    interface: &Interface,
    types: impl Iterator<Item = TypeIndex>,
    values: &mut [Val],
) -> Result<(), WasmError> {
    let mut given_up = Vec::new();
    let mut lent = Vec::new();
    for (ty, value) in types.zip(values) {
        visit(interface, ty, value, &mut |place, value| {
            let (Place::Resource(place), Val::U32(number)) = (place, value) else {
                return Ok(());
            };
            if is_of_host(interface, place) {
                return Ok(());
            }
            handles.get(*number, place.resource)?;
            match place.is_own {
                true => given_up.push(*number),
                false => lent.push(*number),
            }
            Ok(())
        })?;
    }
    given_up.sort_unstable();
    let twice = given_up.windows(2).any(|pair| pair[0] == pair[1]);
    let is_given_up = |number: &u32| given_up.binary_search(number).is_ok();
    if twice || lent.iter().any(is_given_up) {
        return Err(WasmError::mismatch(
            "a resource that is given up is passed more than once",
        ));
    }
    Ok(())
}

fn is_of_host(interface: &Interface, place: ResourcePlace) -> bool {
    place.resource < interface.imported_resources
}

/// Puts wasmtime's handles in place of the numbers in values that go into the component. Returns the handles of the host's
/// own resources that the component only borrows: wasmtime can lend nothing but what the host owns.
///
/// # Errors
/// As [`check`], of values that were not checked; an error of wasmtime's.
pub(super) fn lower(
    store: &mut StoreContextMut<'_, StoreData>,
    interface: &Arc<Interface>,
    types: impl Iterator<Item = TypeIndex>,
    values: &mut [Val],
) -> wasmtime::Result<Vec<ResourceAny>> {
    let mut loans = Vec::new();
    for (ty, value) in types.zip(values) {
        visit(interface, ty, value, &mut |place,
                                          value|
         -> wasmtime::Result<()> {
            let Val::U32(number) = *value else {
                return Ok(());
            };
            let place = match place {
                Place::Resource(place) => place,
                Place::End(end) => {
                    *value = transmit::to_component(store, interface, end, number)?;
                    return Ok(());
                }
            };
            let any = if is_of_host(interface, place) {
                let host = ResourceDynamic::new_own(number, place.resource);
                let any = host.try_into_resource_any(store.as_context_mut())?;
                if !place.is_own {
                    loans.push(any);
                }
                any
            } else {
                let handles = &mut store.data_mut().component_handles;
                let any = handles.get(number, place.resource)?;
                if place.is_own {
                    handles.take(number);
                }
                any
            };
            *value = Val::Resource(any);
            Ok(())
        })?;
    }
    Ok(loans)
}

/// Takes back the host's own resources that the component borrowed.
///
/// # Errors
/// An error of wasmtime's.
pub(super) fn end_loans(
    store: &mut StoreContextMut<'_, StoreData>,
    loans: Vec<ResourceAny>,
) -> wasmtime::Result<()> {
    for any in loans {
        any.try_into_resource_dynamic(store.as_context_mut())?;
    }
    Ok(())
}

/// Puts numbers in place of wasmtime's handles in values that come out of the component. Returns the numbers of the
/// component's own resources that are only lent.
///
/// # Errors
/// An error of wasmtime's, or too many handles.
pub(super) fn lift(
    store: &mut StoreContextMut<'_, StoreData>,
    interface: &Arc<Interface>,
    types: impl Iterator<Item = TypeIndex>,
    values: &mut [Val],
) -> wasmtime::Result<Vec<u32>> {
    let mut lent = Vec::new();
    for (ty, value) in types.zip(values) {
        visit(interface, ty, value, &mut |place,
                                          value|
         -> wasmtime::Result<()> {
            let place = match place {
                Place::Resource(place) => place,
                Place::End(end) => {
                    let number = transmit::to_host(store, interface, end, value.clone())?;
                    *value = Val::U32(number);
                    return Ok(());
                }
            };
            let Val::Resource(any) = *value else {
                return Ok(());
            };
            let number = if is_of_host(interface, place) {
                any.try_into_resource_dynamic(store.as_context_mut())?.rep()
            } else {
                let handles = &mut store.data_mut().component_handles;
                let number = handles.add(any, place.resource)?;
                if !place.is_own {
                    lent.push(number);
                }
                number
            };
            *value = Val::U32(number);
            Ok(())
        })?;
    }
    Ok(lent)
}

/// Ends the use of resources that the component has only lent.
///
/// # Errors
/// An error of wasmtime's.
pub(super) fn end_borrows(
    store: &mut StoreContextMut<'_, StoreData>,
    lent: Vec<u32>,
) -> wasmtime::Result<()> {
    for number in lent {
        if let Some(any) = store.data_mut().component_handles.take(number) {
            any.resource_drop(store.as_context_mut())?;
        }
    }
    Ok(())
}
