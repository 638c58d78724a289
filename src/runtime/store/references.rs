//! References, between wasmtime's and the host's numbers for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;
use wasmtime::{AnyRef, ExnRef, ExternRef, HeapType, OwnedRooted, RefType, Rooted};
use wasmtime::{StoreContextMut, Val, ValType};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::types::type_name;
use crate::runtime::base::value::RefHandle;
use crate::runtime::store::StoreData;

/// The references of one store that the host holds, or that hold something of the host's.
pub(crate) struct Refs {
    objects: Slab<Object>,
    held: Held,
    /// The most objects, and the most values of the host, that there may be.
    cap: usize,
}

/// The host's values that references of guests hold, by number, each with the count of these references.
type Held = Arc<Mutex<HashMap<u32, u32>>>;

/// A guest object that the host keeps alive.
enum Object {
    /// Also what the guest turned into an `externref`: passed back, it becomes what is asked for.
    Any(OwnedRooted<AnyRef>),
    Exn(OwnedRooted<ExnRef>),
}

/// What an `externref` holds: the number of a value of the host. Dropped by the collector.
struct HostValue {
    index: u32,
    held: Held,
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

fn lock(held: &Held) -> MutexGuard<'_, HashMap<u32, u32>> {
    // The map is whole whatever panicked while it was locked.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Refs {
    /// No references; later there may be so many objects, and so many values of the host.
    pub(crate) fn new(cap: u32) -> Self {
        Self {
            objects: Slab::new(),
            held: Held::default(),
            cap: cap as usize,
        }
    }

    /// Forgets the host's hold on an object. Unknown numbers are ignored.
    pub(crate) fn release_object(&mut self, index: u32) {
        self.objects.try_remove(index as usize);
    }

    /// The numbers below `count` of host values that no reference of the guest's holds.
    ///
    /// # Errors
    /// `RuntimeError` if `count` is far more than the host can have numbered: it keeps at most twice
    /// as many numbers as guests hold values, and a few thousand that it has yet to look at.
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

/// The wasmtime value that `handle` stands for, as a value of type `ty`.
///
/// May allocate on the guest's heap, and so collect: no raw reference may be held across it.
///
/// # Errors
/// `TypeMismatch` if the handle is unknown or what it stands for is not of that type.
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

/// The handle for a reference that came out of the guest.
///
/// # Errors
/// `RuntimeError` if the store holds more references than there are numbers.
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

/// A handle that keeps `exn` alive, to be thrown again or looked at.
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

/// A new `externref` that holds the host's value number `index`.
///
/// # Errors
/// `RuntimeError` if the guests hold as many values of the host's as they may, or their heap is full.
pub(crate) fn host_value(
    store: &mut StoreContextMut<'_, StoreData>,
    index: u32,
) -> Result<Rooted<ExternRef>, WasmError> {
    let Refs { held, cap, .. } = &store.data().refs;
    let (held, cap) = (held.clone(), *cap);
    let is_full = |held: &Held| {
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

/// The number of the host's value that `external` holds, if it holds one.
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
