//! References between guests and the host: conversion between wasmtime's values and handles.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;
use wasmtime::{AnyRef, ExnRef, ExternRef, HeapType, OwnedRooted, RefType, Rooted};
use wasmtime::{StoreContextMut, Val, ValType};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::types::type_name;
use crate::runtime::base::value::RefHandle;
use crate::runtime::store::StoreData;

/// The guest objects that the host holds, and the host values that guests hold, of one store.
pub(crate) struct Refs {
    objects: Slab<Object>,
    held: HeldCounts,
    /// The maximum number of objects, and of host values.
    cap: usize,
}

/// The numbers of the host values that guest references hold, each with the number of these references.
type HeldCounts = Arc<Mutex<HashMap<u32, u32>>>;

/// A guest object that the host keeps alive.
enum Object {
    /// Includes objects that the guest converted to an `externref`. When passed back, they are converted to the
    /// expected type.
    Any(OwnedRooted<AnyRef>),
    Exn(OwnedRooted<ExnRef>),
}

/// The content of an `externref`: the number of a host value. The garbage collector drops it.
struct HostValue {
    index: u32,
    held: HeldCounts,
}

impl Drop for HostValue {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        if let Some(count) = held.get_mut(&self.index) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.index);
            }
        }
    }
}

fn lock(held: &HeldCounts) -> MutexGuard<'_, HashMap<u32, u32>> {
    // A panic while the lock was held leaves the map consistent.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Refs {
    /// Makes an empty set of references with this cap on objects and on host values.
    pub(crate) fn new(cap: u32) -> Self {
        Self {
            objects: Slab::new(),
            held: HeldCounts::default(),
            cap: cap as usize,
        }
    }

    /// Returns the number of objects that the host keeps alive, and of host values that guests hold.
    pub(crate) fn len(&self) -> usize {
        self.objects.len() + lock(&self.held).len()
    }

    /// Releases an object of the host. Unknown numbers are ignored.
    pub(crate) fn release_object(&mut self, index: u32) {
        self.objects.try_remove(index as usize);
    }

    /// Returns the numbers below `count` of host values that no guest reference holds.
    ///
    /// # Errors
    /// `RuntimeError` if `count` is far above any number that the host can have used: it keeps at most twice as
    /// many numbers as guests hold values, and a few thousand that it has not checked yet.
    pub(crate) fn unheld(&self, count: u32) -> Result<Vec<u32>, WasmError> {
        let most = self.cap.saturating_mul(4).saturating_add(8192);
        if count as usize > most {
            return Err(WasmError::runtime(format!(
                "{count} values of the host's exceed the cap of {most}"
            )));
        }
        let held = lock(&self.held);
        Ok((0..count)
            .filter(|index| !held.contains_key(index))
            .collect())
    }

    fn keep(&mut self, object: Object) -> Result<RefHandle, WasmError> {
        if self.objects.len() >= self.cap {
            return Err(too_many(self.cap, "objects of the guests'"));
        }
        let index = u32::try_from(self.objects.insert(object))
            .map_err(|_| WasmError::runtime("too many references held by the host"))?;
        Ok(RefHandle::Object(index))
    }
}

/// Returns the wasmtime value of `handle`, as a value of type `ty`.
///
/// May allocate on the guest's heap, and so collect garbage: no raw reference may be held across the call.
///
/// # Errors
/// `TypeMismatch` if the handle is unknown or its value does not have the type.
pub(crate) fn resolve(
    mut store: StoreContextMut<'_, StoreData>,
    handle: RefHandle,
    ty: &RefType,
) -> Result<Val, WasmError> {
    let wanted = ty.heap_type();
    let value = match (handle, wanted.top()) {
        (RefHandle::Null, _) => Val::null_ref(wanted),
        (RefHandle::Host(index), HeapType::Extern) => {
            Val::ExternRef(Some(host_value(&mut store, index)?))
        }
        (RefHandle::Func(index), HeapType::Func) => {
            Val::FuncRef(Some(store.data().funcs.get(index)?.func))
        }
        (RefHandle::Object(index), top) => {
            let object = store.data().refs.objects.get(index as usize);
            match (object, top) {
                (Some(Object::Any(any)), HeapType::Any) => {
                    let any = any.clone().to_rooted(&mut store);
                    Val::AnyRef(Some(any))
                }
                (Some(Object::Any(any)), HeapType::Extern) => {
                    let any = any.clone().to_rooted(&mut store);
                    let converted = ExternRef::convert_any(&mut store, any);
                    Val::ExternRef(Some(converted.map_err(out_of_heap)?))
                }
                (Some(Object::Exn(exn)), HeapType::Exn) => {
                    let exn = exn.clone().to_rooted(&mut store);
                    Val::ExnRef(Some(exn))
                }
                _ => return Err(mismatch(ty)),
            }
        }
        _ => return Err(mismatch(ty)),
    };
    match value.matches_ty(&store, &ValType::Ref(ty.clone())) {
        Ok(true) => Ok(value),
        _ => Err(mismatch(ty)),
    }
}

/// Returns the handle of a reference that came from the guest.
///
/// # Errors
/// `RuntimeError` if the host holds too many references of the store.
pub(crate) fn handle(
    mut store: StoreContextMut<'_, StoreData>,
    value: &Val,
) -> Result<RefHandle, WasmError> {
    match value {
        Val::FuncRef(Some(func)) => {
            let func = *func;
            Ok(RefHandle::Func(StoreData::func_handle(store, func)?))
        }
        Val::ExternRef(Some(external)) => {
            if let Some(index) = host_index(&store, external) {
                return Ok(RefHandle::Host(index));
            }
            let any = AnyRef::convert_extern(&mut store, *external).map_err(out_of_heap)?;
            keep_any(store, any)
        }
        Val::AnyRef(Some(any)) => keep_any(store, *any),
        Val::ExnRef(Some(exn)) => keep_exn(store, *exn),
        _ => Ok(RefHandle::Null),
    }
}

/// Returns a handle that keeps `exn` alive, so that the host can throw or inspect it.
pub(crate) fn keep_exn(
    mut store: StoreContextMut<'_, StoreData>,
    exn: Rooted<ExnRef>,
) -> Result<RefHandle, WasmError> {
    let exn = exn.to_owned_rooted(&mut store).map_err(out_of_heap)?;
    store.data_mut().refs.keep(Object::Exn(exn))
}

fn keep_any(
    mut store: StoreContextMut<'_, StoreData>,
    any: Rooted<AnyRef>,
) -> Result<RefHandle, WasmError> {
    let any = any.to_owned_rooted(&mut store).map_err(out_of_heap)?;
    store.data_mut().refs.keep(Object::Any(any))
}

/// Makes an `externref` with the host value `index`.
///
/// # Errors
/// `RuntimeError` if the guests hold too many host values, or their heap is full.
pub(crate) fn host_value(
    store: &mut StoreContextMut<'_, StoreData>,
    index: u32,
) -> Result<Rooted<ExternRef>, WasmError> {
    let Refs { held, cap, .. } = &store.data().refs;
    let (held, cap) = (held.clone(), *cap);
    let is_full = |held: &HeldCounts| {
        let held = lock(held);
        held.len() >= cap && !held.contains_key(&index)
    };
    if is_full(&held) {
        store.gc(None).map_err(out_of_heap)?;
        if is_full(&held) {
            return Err(too_many(cap, "values of the host's"));
        }
    }
    *lock(&held).entry(index).or_default() += 1;
    ExternRef::new(store, HostValue { index, held }).map_err(out_of_heap)
}

fn too_many(cap: usize, what: &str) -> WasmError {
    WasmError::runtime(format!(
        "too many references between host and guest: the cap is {cap} {what}"
    ))
}

/// Returns the number of the host value in `external`, if it has one.
pub(crate) fn host_index(
    store: &StoreContextMut<'_, StoreData>,
    external: &Rooted<ExternRef>,
) -> Option<u32> {
    let data = external.data(store).ok()??;
    Some(data.downcast_ref::<HostValue>()?.index)
}

fn mismatch(ty: &RefType) -> WasmError {
    WasmError::mismatch(format!(
        "the reference is not a {} of this store",
        type_name(&ValType::Ref(ty.clone()))
    ))
}

fn out_of_heap(error: wasmtime::Error) -> WasmError {
    WasmError::runtime(format!("the guest's reference heap: {error:#}"))
}
