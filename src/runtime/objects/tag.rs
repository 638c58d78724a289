//! Tags, which tell exceptions apart.

use wasmtime::{FuncType, Tag, TagType, ValType};

use crate::runtime::base::error::WasmError;
use crate::runtime::store::{StoreData, WasmStore};

impl WasmStore {
    /// A new tag whose exceptions carry values of the types `params`, and its handle.
    ///
    /// # Errors
    /// `InstantiateError` if the store holds too many.
    pub fn new_tag(&self, params: Vec<ValType>) -> Result<u32, WasmError> {
        self.with(|mut store| {
            let ty = FuncType::new(store.engine(), params, []);
            let tag = Tag::new(&mut store, &TagType::new(ty))
                .map_err(|error| WasmError::instantiate(format!("{error:#}")))?;
            store.data_mut().tag_handle(tag)
        })
    }
}

impl StoreData {
    /// The number of `tag`, the same each time for the same tag.
    pub(crate) fn tag_handle(&mut self, tag: Tag) -> Result<u32, WasmError> {
        self.tags.insert(tag.debug_index_in_store(), || tag)
    }
}
