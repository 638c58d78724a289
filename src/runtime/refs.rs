//! References, between wasmtime's and the host's numbers for them.

use std::sync::{Arc, Mutex, PoisonError};

use slab::Slab;
use wasmtime::{AnyRef, ExnRef, ExternRef, HeapType, OwnedRooted, RefType, Rooted};
use wasmtime::{StoreContextMut, Val, ValType};

use super::error::WasmError;
use super::store::StoreData;
use super::types::type_name;
use super::value::RefHandle;

/// The references of one store that the host holds, or that hold something of the host's.
#[derive(Default)]
pub(crate) struct Refs {
    objects: Slab<Object>,
    /// Numbers of host values that the guest's collector found dead.
    released: Arc<Mutex<Vec<u32>>>,
}

/// A guest object that the host keeps alive.
enum Object {
    /// Also what the guest turned into an `externref`: passed back, it becomes what is asked for.
    Any(OwnedRooted<AnyRef>),
    Exn(OwnedRooted<ExnRef>),
}

/// What an `externref` holds: the number of a value of the host. Dropped by the collector.
struct HostValue {
    index: u32,
    released: Arc<Mutex<Vec<u32>>>,
}

impl Drop for HostValue {
    fn drop(&mut self) {
        lock(&self.released).push(self.index);
    }
}

fn lock(released: &Mutex<Vec<u32>>) -> std::sync::MutexGuard<'_, Vec<u32>> {
    // A list of numbers is whole whatever panicked while it was locked.
    released.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Refs {
    /// Forgets the host's hold on an object. Unknown numbers are ignored.
    pub(crate) fn release_object(&mut self, index: u32) {
        self.objects.try_remove(index as usize);
    }

    /// The numbers of host values that no guest reference holds any more, each once for every
    /// time it was passed in.
    pub(crate) fn take_released(&mut self) -> Vec<u32> {
        std::mem::take(&mut lock(&self.released))
    }

    fn keep(&mut self, object: Object) -> Result<RefHandle, WasmError> {
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
            Ok(RefHandle::Func(StoreData::intern_func(store, func)?))
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
pub(crate) fn host_value(
    store: &mut StoreContextMut<'_, StoreData>,
    index: u32,
) -> Result<Rooted<ExternRef>, WasmError> {
    let released = store.data().refs.released.clone();
    ExternRef::new(store, HostValue { index, released }).map_err(out_of_heap)
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
