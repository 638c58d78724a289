//! Tags of exceptions.

use wasmtime::{FuncType, Tag, TagType, ValType};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::types::ExternInfo;
use crate::runtime::store::{StoreData, WasmStore};

impl WasmStore {
    /// Makes a tag for exceptions with values of the types `params`. Returns its handle.
    ///
    /// # Errors
    /// `InstantiateError` if the store has too many tags.
    pub fn new_tag(&self, params: Vec<ValType>) -> Result<u32, WasmError> {
        self.with(|mut store| {
            let ty = FuncType::new(store.engine(), params, []);
            let tag = Tag::new(&mut store, &TagType::new(ty))
                .map_err(|error| WasmError::instantiate(format!("{error:#}")))?;
            store.data_mut().tag_handle(tag)
        })
    }

    /// Returns the type of the tag with this handle, as data.
    ///
    /// # Errors
    /// `InstantiateError` if there is no such tag, `RuntimeError` if the store is busy.
    pub fn tag_info(&self, handle: u32) -> Result<ExternInfo, WasmError> {
        self.with(|store| {
            let tag = store.data().tags.get(handle)?;
            Ok(ExternInfo::tag(&tag.ty(&store)))
        })
    }
}

impl StoreData {
    /// Returns the handle of `tag`, which is the same each time.
    pub(crate) fn tag_handle(&mut self, tag: Tag) -> Result<u32, WasmError> {
        self.tags.insert(tag.debug_index_in_store(), || tag)
    }
}
