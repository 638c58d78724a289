//! Host access to functions.

use std::cell::Cell;
use std::sync::Arc;

use wasmtime::{Engine, ValRaw};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::types::{ExternInfo, type_name};
use crate::runtime::base::value::WasmValue;
use crate::runtime::store::host_function::HostFunction;
use crate::runtime::store::{
    FuncEntry, HostType, Outcome, Signature, Stopped, StoreData, WasmStore, call_in,
};

/// The number of slots up to which a call copies them to its own stack instead of the heap.
const INLINE_SLOTS: usize = 8;

/// A function of a store.
#[derive(Clone)]
pub struct WasmFunc {
    store: WasmStore,
    handle: u32,
    pub(crate) entry: FuncEntry,
}

impl WasmStore {
    /// Returns the function with this handle.
    ///
    /// # Errors
    /// `FunctionNotFound` if there is none.
    pub fn func(&self, handle: u32) -> Result<WasmFunc, WasmError> {
        let entry = self.func_entry(handle)?;
        Ok(WasmFunc {
            store: self.clone(),
            handle,
            entry,
        })
    }
}

impl WasmFunc {
    /// Returns the handle of the function in its store.
    pub fn handle(&self) -> u32 {
        self.handle
    }

    /// Returns the store of the function.
    pub fn store(&self) -> &WasmStore {
        &self.store
    }

    /// Returns the type of the function.
    pub fn signature(&self) -> &Signature {
        &self.entry.signature
    }

    /// Makes a function of another store with the type of this function, which runs `host`. Returns its handle there.
    ///
    /// # Errors
    /// `InstantiateError` if that store knows too many functions, `RuntimeError` if a store is busy.
    pub(crate) fn host_twin(
        &self,
        store: &WasmStore,
        host: Arc<dyn HostFunction>,
    ) -> Result<u32, WasmError> {
        let func = self.entry.func;
        let (ty, engine) = self
            .store
            .with(|own| Ok((HostType::new(func.ty(&own)), own.engine().clone())))?;
        store.with(|store| {
            if !Engine::same(store.engine(), &engine) {
                return Err(WasmError::instantiate("the stores have different engines"));
            }
            // wasmtime frees functions only together with their store.
            store.data().funcs.check_room()
        })?;
        let func = store.host_func(&ty, host)?;
        store.with(|store| StoreData::func_handle(store, func))
    }

    /// Returns the type of the function, as data.
    pub fn info(&self) -> ExternInfo {
        let names = |types: &[wasmtime::ValType]| types.iter().map(type_name).collect();
        ExternInfo::Function {
            params: names(&self.signature().params),
            results: names(&self.signature().results),
        }
    }

    /// Calls the function with values.
    ///
    /// # Errors
    /// `TypeMismatch` if the arguments do not fit the parameters; otherwise as [`WasmFunc::call_frame`].
    pub fn call(&self, args: &[WasmValue]) -> Result<Outcome<Vec<WasmValue>>, WasmError> {
        let Signature {
            params, results, ..
        } = self.signature();
        if args.len() != params.len() {
            return Err(WasmError::mismatch(format!(
                "expected {} arguments, got {}",
                params.len(),
                args.len()
            )));
        }
        let mut frame = vec![ValRaw::u64(0); self.signature().slots()];
        for ((slot, arg), ty) in frame.iter_mut().zip(args).zip(params) {
            *slot = arg.to_slot(ty)?;
        }
        let called = Outcome::of(self.call_frame(&mut frame))?;
        let read = |(slot, ty)| WasmValue::from_slot(slot, ty);
        Ok(called.map(|()| frame.iter().zip(results).map(read).collect()))
    }

    /// Calls the function. `frame` holds the arguments in its first slots, and afterwards the results. References
    /// are passed as the bits of their [`RefHandle`].
    ///
    /// # Errors
    /// The errors of [`Outcome::of`]: `TypeMismatch` if a reference does not fit its parameter or the frame is too
    /// short, `RuntimeError` if the guest trapped or the store is busy, `FuelExhausted` if the fuel ran out.
    ///
    /// [`RefHandle`]: crate::runtime::RefHandle
    #[inline]
    pub fn call_frame(&self, frame: &mut [ValRaw]) -> Result<(), Stopped> {
        self.store.run(|store| call_in(store, &self.entry, frame))
    }

    /// Calls the function like [`WasmFunc::call_frame`], with slots that host functions may access during the call.
    /// If the store has host functions, the arguments are copied out before the call, and the results are copied
    /// back after it.
    ///
    /// # Errors
    /// As [`WasmFunc::call_frame`].
    #[inline]
    pub fn call_slots(&self, slots: &[Cell<ValRaw>]) -> Result<(), Stopped> {
        let count = self.signature().slots();
        let slots = slots
            .get(..count)
            .ok_or_else(|| WasmError::mismatch("the call frame is too short for the function"))?;
        if !self.store.has_host_funcs() && !self.signature().refs {
            return self.store.call_in_place(&self.entry, slots);
        }
        let mut inline = [ValRaw::u64(0); INLINE_SLOTS];
        let mut heap = Vec::new();
        let frame = match inline.get_mut(..count) {
            Some(frame) => frame,
            None => {
                heap.resize(count, ValRaw::u64(0));
                &mut heap[..]
            }
        };
        for (slot, from) in frame.iter_mut().zip(slots) {
            *slot = from.get();
        }
        self.call_frame(frame)?;
        for (slot, to) in frame.iter().zip(slots) {
            to.set(*slot);
        }
        Ok(())
    }
}
