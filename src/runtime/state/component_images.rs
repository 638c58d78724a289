//! Calls of components whose values cross as images.

use std::cell::Cell;

use wasmtime::ValRaw;

use crate::runtime::base::error::WasmError;
use crate::runtime::base::options::CallOptions;
use crate::runtime::codec;
use crate::runtime::component::images::{ImageCall, check_reply};
use crate::runtime::component::instance::ComponentInstance;
use crate::runtime::component::types::Interface;
use crate::runtime::state::WasmState;
use crate::runtime::store::{RunningCall, WasmStore};

impl WasmState {
    /// Prepares a call of an exported function with the image of its arguments.
    ///
    /// # Errors
    /// `TypeMismatch` if its values do not cross by the codec; otherwise as [`ComponentInstance::call`].
    pub(crate) fn image_call(
        &self,
        instance: &ComponentInstance,
        function: u32,
        image: Vec<u8>,
    ) -> Result<ImageCall, WasmError> {
        let max_bytes = self.capabilities.max_component_value_bytes;
        instance.prepare_image(function, image, max_bytes)
    }

    /// As [`WasmState::image_call`], with an image that is no more than its head, in slots.
    ///
    /// # Errors
    /// As [`WasmState::image_call`].
    pub(crate) fn slots_call(
        &self,
        instance: &ComponentInstance,
        function: u32,
        slots: &[Cell<ValRaw>],
    ) -> Result<ImageCall, WasmError> {
        let length = codec::head_bytes(instance.head_of_arguments(function)?);
        let image = codec::unpack(slots.iter().map(Cell::get), length);
        self.image_call(instance, function, image)
    }

    /// Starts an asynchronous call of an exported function with the image of its arguments, as [`WasmState::start_call`]
    /// does. Its results are what came out of the component last when it has ended.
    ///
    /// # Errors
    /// As [`WasmState::start_call`] and [`WasmState::image_call`].
    pub(crate) fn start_image_call(
        &self,
        store: u32,
        function: u32,
        image: &[u8],
        options: CallOptions,
    ) -> Result<RunningCall, WasmError> {
        let instance = self.component_instance(store)?;
        let call = self.image_call(&instance, function, image.to_vec())?;
        let checks = self.checks(store)?;
        let (timeout, running) = self.begin_call(instance.store(), checks, options)?;
        instance.start_image(call, timeout, running)
    }

    /// Takes the results of an import that crosses by the codec, which was called last.
    ///
    /// # Errors
    /// `TypeMismatch` if the image does not fit.
    pub(super) fn set_reply(
        &self,
        store: &WasmStore,
        interface: &Interface,
        import: u32,
        image: &[u8],
    ) -> Result<(), WasmError> {
        let mut image = image.to_vec();
        let max_bytes = self.capabilities.max_component_value_bytes;
        check_reply(interface, import, &mut image, max_bytes)?;
        store.put_reply(image);
        Ok(())
    }
}
