//! Groups of stores: stores that have their limits together.

use std::sync::Arc;

use crate::runtime::base::error::WasmError;
use crate::runtime::base::options::{StoreOptions, WasiConfig};
use crate::runtime::engine::group::Group;
use crate::runtime::module::compiler::Compiler;
use crate::runtime::state::stores::StoreKind;
use crate::runtime::state::{WasmState, dropped, next_id};
use crate::runtime::store::WasmStore;

impl WasmState {
    /// Returns a compiler whose modules are ready for the stores of a group.
    ///
    /// # Errors
    /// `RuntimeError` if the group was dropped or never existed.
    pub(crate) fn group_compiler(&self, group: u32) -> Result<Compiler, WasmError> {
        Ok(self.compiler_for(self.group(group)?.options().checks()))
    }

    /// Makes a group of stores, which have the limits of `options` together, limited by the capabilities. Returns its
    /// handle. The WASI of the options is ignored: each store has its own.
    ///
    /// # Errors
    /// `InstantiateError` if there are as many groups as there may be stores, or no handles are left for them.
    pub fn new_group(&self, options: StoreOptions) -> Result<u32, WasmError> {
        let cap = self.capabilities.max_stores;
        let groups = &mut *self.groups.borrow_mut();
        if groups.len() >= cap as usize {
            return Err(WasmError::instantiate(format!(
                "too many groups of stores: the cap is {cap}"
            )));
        }
        let id = next_id(&self.next_group_id)
            .ok_or_else(|| WasmError::instantiate("too many groups of stores were made"))?;
        let mut options = options.capped(&self.capabilities);
        options.wasi = None;
        groups.insert(id, Arc::new(Group::new(options, &self.capabilities)));
        Ok(id)
    }

    /// Makes a store in the group with this handle. Returns its handle and the store.
    ///
    /// # Errors
    /// `RuntimeError` if the group was dropped or never existed; otherwise as [`WasmState::new_store`].
    pub fn new_grouped_store(
        &self,
        group: u32,
        wasi: Option<WasiConfig>,
    ) -> Result<(u32, WasmStore), WasmError> {
        let group = self.group(group)?;
        let mut options = group.options().clone();
        options.wasi = wasi;
        self.make_store(options, StoreKind::Grouped(group))
    }

    /// Returns the fuel that is left of a group's budget, without the fuel of guests that run. `None` if the group has
    /// no budget.
    ///
    /// # Errors
    /// `RuntimeError` if the group was dropped or never existed.
    pub fn group_fuel(&self, group: u32) -> Result<Option<u64>, WasmError> {
        Ok(self.group(group)?.fuel())
    }

    /// Uses up fuel of a group's budget, if it has one.
    ///
    /// # Errors
    /// `FuelExhausted` if there was not enough; then none is left. `RuntimeError` if the group was dropped or never
    /// existed.
    pub fn spend_fuel(&self, group: u32, fuel: u64) -> Result<(), WasmError> {
        match self.group(group)?.spend_fuel(fuel) {
            true => Ok(()),
            false => Err(WasmError::out_of_fuel()),
        }
    }

    /// Returns the most bytes of a group's memories together. `None` if there is no cap.
    ///
    /// # Errors
    /// `RuntimeError` if the group was dropped or never existed.
    pub fn group_memory_cap(&self, group: u32) -> Result<Option<u64>, WasmError> {
        Ok(self.group(group)?.options().max_memory_bytes)
    }

    /// Forgets the handle of a group, whose stores live on with its limits. Returns whether the group existed.
    pub fn drop_group(&self, id: u32) -> bool {
        self.groups.borrow_mut().remove(&id).is_some()
    }

    fn group(&self, id: u32) -> Result<Arc<Group>, WasmError> {
        let group = self.groups.borrow().get(&id).cloned();
        group.ok_or_else(|| dropped("group", id))
    }
}
