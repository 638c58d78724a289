//! The types of a module, as far as the analysis of its instructions needs them.

use wasmparser::{
    BlockType, CompositeInnerType, ContType, FrameKind, FuncType, ModuleArity, Operator, RefType,
    SubType, ValType,
};

/// The types of a module, of its functions and its tags.
#[derive(Default)]
pub(super) struct Types {
    types: Vec<Type>,
    type_count: u64,
    /// The type index of each function.
    functions: Vec<u32>,
    /// The type index of each tag.
    tags: Vec<u32>,
    tag_count: u64,
    /// Whether each global holds a garbage-collected reference.
    collected_globals: Vec<bool>,
    /// Whether each table holds garbage-collected references.
    collected_tables: Vec<bool>,
}

struct Type {
    ty: SubType,
    /// Whether it is a function type with a garbage-collected parameter. Computed once, not for each call, since a
    /// type can have a thousand parameters.
    takes_collected: bool,
    /// Whether it is a function type with a garbage-collected result.
    returns_collected: bool,
}

impl Types {
    /// The maximum number of types, functions, tags, globals and tables that are recorded, each: as many as a
    /// module can have. More are counted, but take no memory.
    pub(super) const KEPT: u64 = 1_000_000;

    pub(super) fn push_type(&mut self, ty: SubType) {
        self.type_count += 1;
        if self.types.len() as u64 >= Self::KEPT {
            return;
        }
        let (takes_collected, returns_collected) = match &ty.composite_type.inner {
            CompositeInnerType::Func(ty) => (
                ty.params().iter().any(is_collected),
                ty.results().iter().any(is_collected),
            ),
            _ => (false, false),
        };
        self.types.push(Type {
            ty,
            takes_collected,
            returns_collected,
        });
    }

    pub(super) fn push_function(&mut self, ty: u32) {
        if (self.functions.len() as u64) < Self::KEPT {
            self.functions.push(ty);
        }
    }

    pub(super) fn push_tag(&mut self, ty: u32) {
        self.tag_count += 1;
        if (self.tags.len() as u64) < Self::KEPT {
            self.tags.push(ty);
        }
    }

    pub(super) fn push_global(&mut self, ty: &ValType) {
        if (self.collected_globals.len() as u64) < Self::KEPT {
            self.collected_globals.push(is_collected(ty));
        }
    }

    pub(super) fn push_table(&mut self, ty: RefType) {
        if (self.collected_tables.len() as u64) < Self::KEPT {
            self.collected_tables.push(is_collected(&ValType::Ref(ty)));
        }
    }

    /// Whether the instruction reads a garbage-collected reference.
    pub(super) fn reads_collected(&self, operator: &Operator<'_>) -> bool {
        let (list, index) = match operator {
            Operator::GlobalGet { global_index } => (&self.collected_globals, *global_index),
            Operator::TableGet { table } => (&self.collected_tables, *table),
            _ => return false,
        };
        list.get(index as usize) == Some(&true)
    }

    /// Returns the type index of a function.
    pub(super) fn type_of(&self, function: u32) -> Option<u32> {
        self.type_index_of_function(function)
    }

    pub(super) fn count(&self) -> u64 {
        self.type_count
    }

    pub(super) fn tags(&self) -> u64 {
        self.tag_count
    }

    /// Returns the function type with this index; `None` for other types.
    pub(super) fn function_type(&self, index: u32) -> Option<&FuncType> {
        match &self.sub_type_at(index)?.composite_type.inner {
            CompositeInnerType::Func(ty) => Some(ty),
            _ => None,
        }
    }

    /// Whether a function of this type has a garbage-collected parameter.
    pub(super) fn takes_collected(&self, ty: u32) -> bool {
        self.types
            .get(ty as usize)
            .is_some_and(|ty| ty.takes_collected)
    }

    /// Whether a function of this type has a garbage-collected result.
    pub(super) fn returns_collected(&self, ty: u32) -> bool {
        self.types
            .get(ty as usize)
            .is_some_and(|ty| ty.returns_collected)
    }

    /// Returns the numbers of parameters and results of a function type.
    pub(super) fn arity(&self, ty: u32) -> Option<(u64, u64)> {
        let ty = self.function_type(ty)?;
        Some((ty.params().len() as u64, ty.results().len() as u64))
    }

    /// Returns the number of values of an exception with this tag.
    pub(super) fn tag(&self, index: u32) -> Option<u64> {
        let ty = *self.tags.get(usize::try_from(index).ok()?)?;
        Some(self.arity(ty)?.0)
    }

    /// Returns the numbers of parameters and results of a block.
    pub(super) fn block(&self, ty: BlockType) -> Option<(u64, u64)> {
        match ty {
            BlockType::Empty => Some((0, 0)),
            BlockType::Type(_) => Some((0, 1)),
            BlockType::FuncType(ty) => self.arity(ty),
        }
    }

    /// Returns the number of fields of a struct type.
    pub(super) fn fields(&self, ty: u32) -> Option<u64> {
        match &self.sub_type_at(ty)?.composite_type.inner {
            CompositeInnerType::Struct(ty) => Some(ty.fields.len() as u64),
            _ => None,
        }
    }
}

/// Whether values of this type are garbage-collected references.
pub(super) fn is_collected(ty: &ValType) -> bool {
    matches!(ty, ValType::Ref(ty) if !ty.is_func_ref())
}

/// The information that [`Operator::operator_arity`](wasmparser::Operator::operator_arity) needs. The methods for
/// control instructions and continuations are never called.
impl ModuleArity for Types {
    fn sub_type_at(&self, index: u32) -> Option<&SubType> {
        Some(&self.types.get(usize::try_from(index).ok()?)?.ty)
    }

    fn tag_type_arity(&self, index: u32) -> Option<(u32, u32)> {
        let ty = *self.tags.get(usize::try_from(index).ok()?)?;
        self.sub_type_arity(self.sub_type_at(ty)?)
    }

    fn type_index_of_function(&self, index: u32) -> Option<u32> {
        self.functions.get(usize::try_from(index).ok()?).copied()
    }

    fn func_type_of_cont_type(&self, _: &ContType) -> Option<&FuncType> {
        None
    }

    fn sub_type_of_ref_type(&self, _: &RefType) -> Option<&SubType> {
        None
    }

    fn control_stack_height(&self) -> u32 {
        0
    }

    fn label_block(&self, _: u32) -> Option<(BlockType, FrameKind)> {
        None
    }
}
