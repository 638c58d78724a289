//! Functions, as the host calls them.

use std::cell::Cell;

use wasmtime::ValRaw;

use crate::runtime::base::error::WasmError;
use crate::runtime::base::types::{ExternInfo, type_name};
use crate::runtime::base::value::WasmValue;
use crate::runtime::store::{FuncEntry, Outcome, Signature, Stopped, WasmStore, call_in};

/// How many slots a call copies to its own stack; more go to the heap.
const FEW: usize = 8;

/// A function of a store.
#[derive(Clone)]
pub struct WasmFunc {
    store: WasmStore,
    handle: u32,
    pub(crate) entry: FuncEntry,
}

impl WasmStore {
    /// The function of this handle.
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
    /// Its number in the store.
    pub fn handle(&self) -> u32 {
        self.handle
    }

    /// The store that it belongs to.
    pub fn store(&self) -> &WasmStore {
        &self.store
    }

    /// Its type.
    pub fn signature(&self) -> &Signature {
        &self.entry.signature
    }

    /// Its type, as data.
    pub fn info(&self) -> ExternInfo {
        let names = |types: &[wasmtime::ValType]| types.iter().map(type_name).collect();
        ExternInfo::Function {
            params: names(&self.signature().params),
            results: names(&self.signature().results),
        }
    }

    /// Calls it with values.
    ///
    /// # Errors
    /// `TypeMismatch` if the arguments do not fit its parameters; otherwise as
    /// [`WasmFunc::call_frame`].
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

    /// Calls it with arguments in the first slots of `frame`, which its results then replace.
    /// References travel as the bits of their [`RefHandle`].
    ///
    /// # Errors
    /// Of the [`Outcome`]: `TypeMismatch` if a reference does not fit its parameter or the frame is
    /// too short, `RuntimeError` for traps and a store that is busy, `FuelExhausted`.
    ///
    /// [`RefHandle`]: crate::runtime::RefHandle
    #[inline]
    pub fn call_frame(&self, frame: &mut [ValRaw]) -> Result<(), Stopped> {
        self.store.run(|store| call_in(store, &self.entry, frame))
    }

    /// As [`WasmFunc::call_frame`], with slots that host functions may use meanwhile: where there are
    /// any, the arguments are copied out first, and the results put back last.
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
        let mut few = [ValRaw::u64(0); FEW];
        let mut many = Vec::new();
        let frame = match few.get_mut(..count) {
            Some(frame) => frame,
            None => {
                many.resize(count, ValRaw::u64(0));
                &mut many[..]
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
