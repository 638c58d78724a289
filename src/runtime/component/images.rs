//! Calls whose values cross as [images](crate::runtime::codec).

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Func, LinkerInstance, Val};
use wasmtime::{AsContextMut as _, StoreContextMut, ValRaw};

use super::instance::{ComponentFunction, ComponentInstance, LateDrops, ended_by};
use super::plans::FunctionPlan;
use super::types::{Function, FunctionType, Interface};
use super::{image_values, values};
use crate::runtime::base::error::WasmError;
use crate::runtime::codec::{self, Lifted, Misfit};
use crate::runtime::store::component_values::ComponentMailbox;
use crate::runtime::store::host_function::{HostFunction, Stop};
use crate::runtime::store::{Outcome, RunningCall, StoreData, WasmStore, call_codec_import};

/// A call of a function of a component, with an image that was checked.
pub(crate) struct ImageCall {
    func: Func,
    image: Vec<u8>,
    late_drops: Arc<LateDrops>,
}

impl ImageCall {
    fn run(self, mut store: StoreContextMut<'_, StoreData>) -> Result<Outcome<Lifted>, WasmError> {
        let dropped = self.late_drops.run(&mut store);
        let called =
            dropped.and_then(|()| codec::call(&self.func, store.as_context_mut(), &self.image));
        match called {
            Ok(results) => Ok(Outcome::Returned(results)),
            Err(error) => ended_by(store, &error),
        }
    }
}

impl ComponentInstance {
    /// The size of the head of the arguments of an exported function.
    ///
    /// # Errors
    /// `FunctionNotFound` if there is no such function; `TypeMismatch` if its values do not cross by the codec.
    pub(crate) fn head_of_arguments(&self, number: u32) -> Result<u32, WasmError> {
        let (_, plan) = self.plan(number)?;
        Ok(plan.params_size())
    }

    fn plan(&self, number: u32) -> Result<(&Function, &FunctionPlan), WasmError> {
        let interface = self.interface();
        let function = interface.exports.functions.get(number as usize);
        let function = function.ok_or_else(|| WasmError::not_found("no such function"))?;
        let plan = interface.plans.export(number).ok_or_else(not_by_codec)?;
        Ok((function, plan))
    }

    /// Checks the image of the arguments of a function before the component is entered. It may take `max_bytes`.
    ///
    /// # Errors
    /// `TypeMismatch` if it does not fit; otherwise as [`ComponentInstance::call`].
    pub(crate) fn prepare_image(
        &self,
        number: u32,
        mut image: Vec<u8>,
        max_bytes: u64,
    ) -> Result<ImageCall, WasmError> {
        let (function, plan) = self.plan(number)?;
        let [params, _] = plan.heads(self.interface(), &function.ty);
        check(params, &mut image, max_bytes)?;
        self.check_usable()?;
        Ok(ImageCall {
            func: self.func(number)?,
            image,
            late_drops: self.late_drops.clone(),
        })
    }

    /// Calls a function with values that fit its parameters.
    pub(super) fn call_by_codec(
        &self,
        number: u32,
        ty: &FunctionType,
        plan: &FunctionPlan,
        args: &[Val],
    ) -> Result<Option<Val>, WasmError> {
        let params = ty.params.iter().map(|(_, ty)| *ty);
        let image = image_values::write(self.interface(), params, plan.params_size(), args);
        let call = self.prepare_image(number, image, u64::MAX)?;
        let Lifted { head, heap } = self.run_image(call)?.returned()?;
        Ok(image_values::read(self.interface(), ty.result, &head, &heap).pop())
    }

    /// Calls the exported function of this number with an image. Returns the two parts of the image of its results.
    ///
    /// # Errors
    /// `TypeMismatch` if the image does not fit, or the function has none; otherwise as [`ComponentInstance::call`].
    #[cfg(feature = "testing")]
    pub fn call_image(&self, number: u32, image: Vec<u8>) -> Result<(Vec<u8>, Vec<u8>), WasmError> {
        let call = self.prepare_image(number, image, u64::MAX)?;
        let Lifted { head, heap } = self.run_image(call)?.returned()?;
        Ok((head, heap))
    }

    /// Runs a call on this thread.
    ///
    /// # Errors
    /// As [`ComponentInstance::call`].
    pub(crate) fn run_image(&self, call: ImageCall) -> Result<Outcome<Lifted>, WasmError> {
        self.enter(|store| call.run(store))
    }

    /// Starts a call as [`ComponentInstance::start`] does. Its results are what came out of the component last when it has
    /// ended.
    ///
    /// # Errors
    /// As [`ComponentInstance::start`].
    pub(crate) fn start_image(
        &self,
        call: ImageCall,
        timeout: Option<Duration>,
        held: impl Send + 'static,
    ) -> Result<RunningCall, WasmError> {
        let mailbox: Arc<ComponentMailbox> = self.store().component_mailbox();
        self.start_entering(timeout, held, move |store| {
            let called = call.run(store)?;
            Ok(called.map(|lifted| mailbox.put_lifted(lifted)))
        })
    }
}

fn not_by_codec() -> WasmError {
    WasmError::mismatch("the values of the function do not cross as bytes of a guest")
}

/// Checks an image that comes from outside.
fn check(head: &codec::Element, image: &mut [u8], max_bytes: u64) -> Result<(), WasmError> {
    if image.len() as u64 > max_bytes {
        return Err(WasmError::mismatch(format!(
            "the values take more than {max_bytes} bytes of memory (max_component_value_bytes)"
        )));
    }
    head.check(image).map_err(|Misfit(why)| {
        WasmError::mismatch(format!(
            "the bytes of values for a component do not fit: {why}"
        ))
    })
}

/// Checks the image of the results of an import.
///
/// # Errors
/// `TypeMismatch` if it does not fit.
pub(crate) fn check_reply(
    interface: &Interface,
    number: u32,
    image: &mut [u8],
    max_bytes: u64,
) -> Result<(), WasmError> {
    let function = interface.imports.functions.get(number as usize);
    let (Some(function), Some(plan)) = (function, interface.plans.import(number)) else {
        return Err(not_by_codec());
    };
    let [_, result] = plan.heads(interface, &function.ty);
    check(result, image, max_bytes)
}

/// Adds a function for an import whose values cross by the codec.
pub(super) fn add_import(
    linker: &mut LinkerInstance<'_, StoreData>,
    name: &str,
    number: u32,
    plan: &FunctionPlan,
    interface: &Arc<Interface>,
) -> wasmtime::Result<()> {
    let interface = interface.clone();
    let result_size = plan.result_size();
    let run = move |store: StoreContextMut<'_, StoreData>, Lifted { head, heap }: Lifted| {
        let count = codec::head_bytes(result_size).div_ceil(size_of::<ValRaw>());
        let mut slots = codec::pack(&head, count);
        if let Some(image) = call_codec_import(store, number, heap, &mut slots)? {
            return Ok(image);
        }
        let mut image = codec::unpack(slots, codec::head_bytes(result_size));
        check_reply(&interface, number, &mut image, u64::MAX)?;
        wasmtime::Result::Ok(image)
    };
    codec::add_import(linker, name, plan.flat_counts(), run)
}

/// A function of the host in Rust, for the import of this number.
pub(crate) struct ValuesImport {
    pub(crate) interface: Arc<Interface>,
    pub(crate) number: u32,
    pub(crate) run: Box<ComponentFunction>,
}

impl HostFunction for ValuesImport {
    fn call(&self, store: &WasmStore, slots: &mut [ValRaw]) -> Result<(), Stop> {
        let interface = &*self.interface;
        let values = store.take_component_values();
        let function = interface.imports.functions.get(self.number as usize);
        let (Some(plan), Some(Function { ty, .. })) =
            (interface.plans.import(self.number), function)
        else {
            let returned = (self.run)(store, &values.values)?;
            store.put_component_values(values.with(returned));
            return Ok(());
        };
        let head = codec::unpack(slots.iter().copied(), codec::head_bytes(plan.params_size()));
        let heap = store.take_component_heap();
        let params = ty.params.iter().map(|(_, ty)| *ty);
        let args: Vec<Val> = image_values::read(interface, params, &head, &heap);
        let returned = (self.run)(store, &args)?;
        values::check_results(interface, ty, &returned).map_err(Stop::Error)?;
        let mut image = image_values::write(interface, ty.result, plan.result_size(), &returned);
        check_reply(interface, self.number, &mut image, u64::MAX).map_err(Stop::Error)?;
        store.put_reply(image);
        Ok(())
    }
}
