//! Host functions for guests.

use std::sync::Arc;

use wasmtime::{AsContext, ExnRef, ExnRefPre, ExnType, FuncType, Rooted, StoreContextMut, Tag};
use wasmtime::{TagType, Val, ValRaw, ValType};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::value::{RefHandle, WasmValue};
use crate::runtime::store::references;
use crate::runtime::store::{Signature, StoreData, WasmStore};

/// A function of the host.
///
/// It may call back into `store`, as deep as the stack allows. It always runs on the thread of the store, even if
/// the guest runs on another one.
pub trait HostFunction: Send + Sync + 'static {
    /// Runs the function. `frame` holds the arguments in its first slots; the function replaces them with its
    /// results. References are the bits of their [`RefHandle`].
    ///
    /// # Errors
    /// A [`Stop`] ends the guest's call, or throws an exception in it.
    fn call(&self, store: &WasmStore, frame: &mut [ValRaw]) -> Result<(), Stop>;

    /// Whether the function may answer [later](Stop::Later). A [`SuspendableCall`] is then suspended before the
    /// function is called, so that the function can start other calls that are suspended.
    ///
    /// [`SuspendableCall`]: crate::runtime::store::SuspendableCall
    fn suspends(&self) -> bool {
        false
    }

    /// Returns the number of the function, if the host numbers its functions. A store makes only one wasmtime
    /// function for each number and type, and runs the host function that it got first.
    fn number(&self) -> Option<u32> {
        None
    }
}

/// A host function that takes and returns values.
pub(crate) type ValuesFn =
    dyn Fn(&WasmStore, &[WasmValue]) -> Result<Vec<WasmValue>, Stop> + Send + Sync;

/// A [`ValuesFn`] with its type.
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

/// The reason why a host function does not return.
#[derive(Clone, Debug)]
pub enum Stop {
    /// It throws an exception with this host value. The guest may catch it with `catch_all`.
    Throw(u32),
    /// As [`Stop::Throw`], of a tag that no guest can import: the guest can catch it with `catch_all` only.
    ThrowPrivately(u32),
    /// It ends the call, and the guest cannot catch this. The host knows the reason.
    Abort,
    /// It throws an exception again that came out of the same store.
    Rethrow(RefHandle),
    /// It fails with an error that the guest cannot catch.
    Error(WasmError),
    /// It will provide its results later, with [`RunningCall::answer`] or [`SuspendableCall::resume`]. Only allowed
    /// directly in such a call, not in a call nested in it.
    ///
    /// [`RunningCall::answer`]: crate::runtime::store::RunningCall::answer
    /// [`SuspendableCall::resume`]: crate::runtime::store::SuspendableCall::resume
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

/// The tags of exceptions that carry a host value. Each is made on first use.
#[derive(Default)]
pub(crate) struct HostTags {
    public: Option<Tag>,
    private: Option<Tag>,
}

impl HostTags {
    /// Whether `tag` is one of them.
    pub(super) fn have(&self, tag: &Tag, store: impl AsContext) -> bool {
        let mut tags = self.public.iter().chain(&self.private);
        tags.any(|own| Tag::eq(tag, own, &store))
    }
}

/// Returns the tag of exceptions that carry a host value: the private one, which guests cannot import, or the other one.
pub(crate) fn host_tag(
    store: &mut StoreContextMut<'_, StoreData>,
    is_private: bool,
) -> wasmtime::Result<Tag> {
    let HostTags { public, private } = &store.data().host_tags;
    if let Some(tag) = if is_private { private } else { public } {
        return Ok(*tag);
    }
    let ty = TagType::new(FuncType::new(store.engine(), [ValType::EXTERNREF], []));
    let tag = Tag::new(&mut *store, &ty)?;
    let HostTags { public, private } = &mut store.data_mut().host_tags;
    *(if is_private { private } else { public }) = Some(tag);
    Ok(tag)
}

/// Makes an exception with the host value `index`.
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
