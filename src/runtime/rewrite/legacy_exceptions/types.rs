//! The function types of the blocks that handlers need.

use std::collections::HashMap;

use wasm_encoder::reencode::{Reencode as _, RoundtripReencoder};
use wasm_encoder::{BlockType, Encode as _, ValType};
use wasmparser::{CompositeInnerType, FuncType, SubType};

/// The number of values of added types that a module of any size may have. Each byte of the module allows one more.
const BASE_VALUES: usize = 10_000;

/// The function types of a module, and those that are added to them.
pub(super) struct Types {
    types: Vec<Option<FuncType>>,
    /// The type index of each function.
    functions: Vec<u32>,
    /// The type index of each tag.
    tags: Vec<u32>,
    /// The indices of the added types, by their contents.
    added: HashMap<Contents, u32>,
    /// The added types, as they follow the last type of the type section.
    encoded: Vec<u8>,
    /// The number of parameters and results that added types may still have, so that a module with large types stays
    /// linear in size: each pair of a block type and a tag is a type of its own.
    values_left: usize,
}

/// What a block takes and leaves.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Contents {
    /// The index of the function type whose parameters the block takes.
    takes: Option<u32>,
    /// The index of the function type whose parameters the block leaves.
    leaves: Option<u32>,
    /// Whether the block leaves an exception reference after these.
    leaves_exception: bool,
}

impl Types {
    pub(super) fn new(module_bytes: usize) -> Self {
        Self {
            types: Vec::new(),
            functions: Vec::new(),
            tags: Vec::new(),
            added: HashMap::new(),
            encoded: Vec::new(),
            values_left: module_bytes + BASE_VALUES,
        }
    }

    pub(super) fn push_type(&mut self, ty: SubType) {
        self.types.push(match ty.composite_type.inner {
            CompositeInnerType::Func(ty) => Some(ty),
            _ => None,
        });
    }

    pub(super) fn push_function(&mut self, ty: u32) {
        self.functions.push(ty);
    }

    pub(super) fn push_tag(&mut self, ty: u32) {
        self.tags.push(ty);
    }

    /// Returns the number of parameters of a function.
    pub(super) fn params_of_function(&self, function: usize) -> Option<u32> {
        let params = self.function_type(*self.functions.get(function)?)?.params();
        u32::try_from(params.len()).ok()
    }

    /// Returns the type of a block that starts with the parameters of `block`, and ends with the values of the tag, if
    /// there is one, and an exception reference, if it `leaves_exception`. `None` if the types are not valid, or the
    /// added types get too large.
    pub(super) fn handler(
        &mut self,
        block: wasmparser::BlockType,
        tag: Option<u32>,
        leaves_exception: bool,
    ) -> Option<BlockType> {
        let takes = match block {
            wasmparser::BlockType::FuncType(ty) => Some(ty),
            wasmparser::BlockType::Empty | wasmparser::BlockType::Type(_) => None,
        };
        let leaves = match tag {
            Some(tag) => Some(*self.tags.get(tag as usize)?),
            None => None,
        };
        let (params, values) = (self.params(takes)?, self.params(leaves)?);
        if params.is_empty() {
            match (values, leaves_exception) {
                ([], false) => return Some(BlockType::Empty),
                ([], true) => return Some(BlockType::Result(ValType::EXNREF)),
                (&[value], false) => {
                    let value = RoundtripReencoder.val_type(value).ok()?;
                    return Some(BlockType::Result(value));
                }
                _ => {}
            }
        }
        let contents = Contents {
            takes: takes.filter(|_| !params.is_empty()),
            leaves: leaves.filter(|_| !values.is_empty()),
            leaves_exception,
        };
        if let Some(&index) = self.added.get(&contents) {
            return Some(BlockType::FunctionType(index));
        }
        let count = params.len() + values.len() + usize::from(leaves_exception);
        let left = self.values_left.checked_sub(count)?;
        let encode = |types: &[wasmparser::ValType]| {
            let types = types.iter().map(|ty| RoundtripReencoder.val_type(*ty));
            types.collect::<Result<Vec<_>, _>>().ok()
        };
        let (params, mut values) = (encode(params)?, encode(values)?);
        values.extend(leaves_exception.then_some(ValType::EXNREF));
        const FUNCTION: u8 = 0x60;
        self.encoded.push(FUNCTION);
        params.as_slice().encode(&mut self.encoded);
        values.as_slice().encode(&mut self.encoded);
        self.values_left = left;
        let index = u32::try_from(self.types.len() + self.added.len()).ok()?;
        self.added.insert(contents, index);
        Some(BlockType::FunctionType(index))
    }

    /// Returns the number of types that were added, and their bytes.
    pub(super) fn added(&self) -> (u32, &[u8]) {
        (self.added.len() as u32, &self.encoded)
    }

    fn params(&self, ty: Option<u32>) -> Option<&[wasmparser::ValType]> {
        Some(match ty {
            Some(ty) => self.function_type(ty)?.params(),
            None => &[],
        })
    }

    fn function_type(&self, ty: u32) -> Option<&FuncType> {
        self.types.get(ty as usize)?.as_ref()
    }
}
