//! Functions that the host gives to guests.

use std::sync::Arc;

use wasmtime::{Engine, ExnRef, ExnRefPre, ExnType, FuncType, Rooted, StoreContextMut, Tag};
use wasmtime::{TagType, Val, ValRaw, ValType};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::value::{RefHandle, WasmValue};
use crate::runtime::store::references;
use crate::runtime::store::{Signature, StoreData, WasmStore};

/// A function of the host.
///
/// It may call back into `store`, to any depth that the guest's stack allows. Wherever the guest
/// runs, it runs on the thread that the store belongs to.
pub trait HostFunction: Send + Sync + 'static {
    /// Reads its arguments from the first slots of `frame` and leaves its results in their place.
    /// References are the bits of their [`RefHandle`].
    ///
    /// # Errors
    /// A [`Stop`] ends the guest's call instead.
    fn call(&self, store: &WasmStore, frame: &mut [ValRaw]) -> Result<(), Stop>;

    /// What tells it from the other functions that the host gives to guests of one store, if the host numbers
    /// them: a store makes one function for all of the same number and type, whichever it was given first.
    fn number(&self) -> Option<u32> {
        None
    }
}

/// A function of the host that takes and returns values.
pub(crate) type ValuesFn =
    dyn Fn(&WasmStore, &[WasmValue]) -> Result<Vec<WasmValue>, Stop> + Send + Sync;

/// A [`ValuesFn`] of this type.
pub(crate) struct ValuesFunction {
    pub(crate) signature: Arc<Signature>,
    pub(crate) run: Box<ValuesFn>,
}

impl HostFunction for ValuesFunction {
    fn call(&self, store: &WasmStore, frame: &mut [ValRaw]) -> Result<(), Stop> {
        let Signature {
            params, results, ..
        } = &*self.signature;
        let args: Vec<WasmValue> = frame
            .iter()
            .zip(params)
            .map(|(slot, ty)| WasmValue::from_slot(slot, ty))
            .collect();
        let returned = (self.run)(store, &args)?;
        if returned.len() != results.len() {
            let message = format!(
                "a function of the host has {} results, and returned {}",
                results.len(),
                returned.len()
            );
            return Err(Stop::Error(WasmError::mismatch(message)));
        }
        let typed = returned.into_iter().zip(results).enumerate();
        for (slot, (index, (value, ty))) in frame.iter_mut().zip(typed) {
            let value = value.to_slot(ty);
            *slot = value.map_err(|error| Stop::Error(error.at(index)))?;
        }
        Ok(())
    }
}

/// Why a host function does not return.
#[derive(Clone, Debug)]
pub enum Stop {
    /// It throws the host's value of this number. The guest may catch it with `catch_all`.
    Throw(u32),
    /// It ends the call in a way that the guest cannot catch. The host knows why.
    Abort,
    /// It throws an exception on that came out of the same store.
    Rethrow(RefHandle),
    /// It fails in a way that the guest cannot catch.
    Error(WasmError),
    /// It will answer later, with [`RunningCall::answer`]. Only where the call that it is part of is
    /// a [`RunningCall`], and not one inside of it.
    ///
    /// [`RunningCall`]: crate::runtime::store::RunningCall
    /// [`RunningCall::answer`]: crate::runtime::store::RunningCall::answer
    Later,
}

impl<F> HostFunction for F
where
    F: Fn(&WasmStore, &mut [ValRaw]) -> Result<(), Stop> + Send + Sync + 'static,
{
    fn call(&self, store: &WasmStore, frame: &mut [ValRaw]) -> Result<(), Stop> {
        self(store, frame)
    }
}

/// The type of the tag under which a host's value travels through a guest.
pub(crate) fn tag_type(engine: &Engine) -> TagType {
    TagType::new(payload(engine))
}

fn payload(engine: &Engine) -> FuncType {
    FuncType::new(engine, [ValType::EXTERNREF], [])
}

/// A new exception that carries the host's value `index`.
pub(crate) fn exception(
    store: &mut StoreContextMut<'_, StoreData>,
    tag: &Tag,
    index: u32,
) -> wasmtime::Result<Rooted<ExnRef>> {
    let value = references::host_value(store, index)?;
    let ty = ExnType::from_tag_type(&tag.ty(&*store))?;
    let pre = ExnRefPre::new(&mut *store, ty);
    ExnRef::new(store, &pre, tag, &[Val::ExternRef(Some(value))])
}
