//! References between guests and the host: conversion between wasmtime's values and handles.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;
use wasmtime::{AnyRef, ExnRef, ExternRef, HeapType, I31, OwnedRooted, RefType, Rooted};
use wasmtime::{StoreContextMut, Val, ValType};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::types::type_name;
use crate::runtime::base::value::RefHandle;
use crate::runtime::store::StoreData;
use crate::runtime::store::object_numbers::{CollectionWatch, ObjectNumbers};

/// The guest objects that the host holds, and the host values that guests hold, of one store.
pub(crate) struct Refs {
    objects: Slab<Held>,
    /// The numbers of the objects by object, if each object has one number.
    numbers: ObjectNumbers,
    held: HeldCounts,
    /// The maximum number of objects, and of host values.
    cap: usize,
    /// Whether the store is in a group. Then an object has one number, and a host value that a guest has converted to an
    /// `anyref` is the host value: the standard JavaScript API needs both.
    is_grouped: bool,
}

/// The numbers of the host values that guest references hold, each with the number of these references.
type HeldCounts = Arc<Mutex<HashMap<u32, u32>>>;

/// A guest object with a number.
struct Held {
    object: Object,
    /// The place of the object when the places were looked up, if it has one number.
    place: u32,
}

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
    pub(crate) fn new(cap: u32, is_grouped: bool) -> Self {
        Self {
            objects: Slab::new(),
            numbers: ObjectNumbers::default(),
            held: HeldCounts::default(),
            cap: cap as usize,
            is_grouped,
        }
    }

    /// Returns the number of objects that the host keeps alive, and of host values that guests hold.
    pub(crate) fn len(&self) -> usize {
        self.objects.len() + lock(&self.held).len()
    }

    /// Releases an object of the host. Unknown numbers are ignored.
    pub(crate) fn release_object(&mut self, index: u32) {
        if let Some(held) = self.objects.try_remove(index as usize) {
            self.numbers.remove(held.place, index);
        }
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

    /// Returns the object with this number.
    fn object(&self, index: u32) -> Option<&Object> {
        Some(&self.objects.get(index as usize)?.object)
    }

    /// Adds an object. Returns its number.
    fn add(&mut self, object: Object, place: u32) -> Result<u32, WasmError> {
        if self.objects.len() >= self.cap {
            return Err(too_many(self.cap, "objects of the guests'"));
        }
        u32::try_from(self.objects.insert(Held { object, place }))
            .map_err(|_| WasmError::runtime("too many references held by the host"))
    }
}

impl Object {
    /// Returns the place of the object, which is the same until garbage is collected.
    fn place(&self, store: &mut StoreContextMut<'_, StoreData>) -> wasmtime::Result<u32> {
        match self {
            Self::Any(any) => any.to_raw(store),
            Self::Exn(exn) => exn.to_raw(store),
        }
    }
}

/// Returns a handle of `object`. In a group it is the same one as long as the host holds the object.
fn keep(mut store: StoreContextMut<'_, StoreData>, object: Object) -> Result<RefHandle, WasmError> {
    if !store.data().refs.is_grouped {
        let number = store.data_mut().refs.add(object, 0)?;
        return Ok(RefHandle::Object(number));
    }
    if !store.data().refs.numbers.are_current() {
        look_up_places(&mut store)?;
    }
    let place = object.place(&mut store).map_err(out_of_heap)?;
    let refs = &mut store.data_mut().refs;
    if let Some(number) = refs.numbers.get(place) {
        return Ok(RefHandle::Object(number));
    }
    let number = refs.add(object, place)?;
    refs.numbers.insert(place, number);
    Ok(RefHandle::Object(number))
}

/// Looks up the places of all objects after garbage was collected. A collection takes time for each of them too.
fn look_up_places(store: &mut StoreContextMut<'_, StoreData>) -> Result<(), WasmError> {
    // First, since it may collect garbage. Nothing below does.
    let watch = CollectionWatch::start(store)?;
    let mut objects = mem::take(&mut store.data_mut().refs.objects);
    let places = objects.iter_mut().map(|(number, held)| {
        held.place = held.object.place(store)?;
        Ok((held.place, number as u32))
    });
    let places: wasmtime::Result<Vec<_>> = places.collect();
    let refs = &mut store.data_mut().refs;
    refs.objects = objects;
    refs.numbers.reset(watch);
    for (place, number) in places.map_err(out_of_heap)? {
        refs.numbers.insert(place, number);
    }
    Ok(())
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
        (RefHandle::Host(index), HeapType::Any) if store.data().refs.is_grouped => {
            let value = host_value(&mut store, index)?;
            let any = AnyRef::convert_extern(&mut store, value).map_err(out_of_heap)?;
            Val::AnyRef(Some(any))
        }
        (RefHandle::I31(value), HeapType::Any) => Val::AnyRef(Some(i31(&mut store, value, ty)?)),
        (RefHandle::I31(value), HeapType::Extern) if store.data().refs.is_grouped => {
            let any = i31(&mut store, value, ty)?;
            let converted = ExternRef::convert_any(&mut store, any);
            Val::ExternRef(Some(converted.map_err(out_of_heap)?))
        }
        (RefHandle::Func(index), HeapType::Func) => {
            Val::FuncRef(Some(store.data().funcs.get(index)?.func))
        }
        (RefHandle::Object(index), top) => {
            let object = store.data().refs.object(index);
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

fn i31(
    store: &mut StoreContextMut<'_, StoreData>,
    value: i32,
    ty: &RefType,
) -> Result<Rooted<AnyRef>, WasmError> {
    let value = I31::new_i32(value).ok_or_else(|| mismatch(ty))?;
    Ok(AnyRef::from_i31(store, value))
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
        Val::AnyRef(Some(any)) => {
            if store.data().refs.is_grouped {
                let external = ExternRef::convert_any(&mut store, *any).map_err(out_of_heap)?;
                if let Some(index) = host_index(&store, &external) {
                    return Ok(RefHandle::Host(index));
                }
            }
            keep_any(store, *any)
        }
        Val::ExnRef(Some(exn)) => keep_exn(store, *exn),
        _ => Ok(RefHandle::Null),
    }
}

/// Returns the object with this number if it is an `anyref`; `None` if the host holds no such object.
pub(crate) fn any_object(
    store: &mut StoreContextMut<'_, StoreData>,
    object: u32,
) -> Option<Rooted<AnyRef>> {
    match store.data().refs.object(object)? {
        Object::Any(any) => Some(any.clone().to_rooted(store)),
        Object::Exn(_) => None,
    }
}

/// Returns the exception with this number; `None` if the host holds no such exception.
pub(crate) fn exception(
    store: &mut StoreContextMut<'_, StoreData>,
    object: u32,
) -> Option<Rooted<ExnRef>> {
    match store.data().refs.object(object)? {
        Object::Exn(exn) => Some(exn.clone().to_rooted(store)),
        Object::Any(_) => None,
    }
}

/// Returns a handle that keeps `exn` alive, so that the host can throw or inspect it.
pub(crate) fn keep_exn(
    mut store: StoreContextMut<'_, StoreData>,
    exn: Rooted<ExnRef>,
) -> Result<RefHandle, WasmError> {
    let exn = exn.to_owned_rooted(&mut store).map_err(out_of_heap)?;
    keep(store, Object::Exn(exn))
}

/// Returns a handle that keeps `any` alive.
pub(crate) fn keep_any(
    mut store: StoreContextMut<'_, StoreData>,
    any: Rooted<AnyRef>,
) -> Result<RefHandle, WasmError> {
    if store.data().refs.is_grouped
        && let Some(value) = any.as_i31(&store).map_err(out_of_heap)?
    {
        return Ok(RefHandle::I31(value.get_i32()));
    }
    let any = any.to_owned_rooted(&mut store).map_err(out_of_heap)?;
    keep(store, Object::Any(any))
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

pub(crate) fn out_of_heap(error: wasmtime::Error) -> WasmError {
    WasmError::runtime(format!("the guest's reference heap: {error:#}"))
}
