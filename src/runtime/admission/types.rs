//! What the types of a module say of how many values its instructions move.

use wasmparser::{
    BlockType, CompositeInnerType, ContType, FrameKind, FuncType, ModuleArity, Operator, RefType,
    SubType, ValType,
};

/// The types of a module, and of its functions and tags.
#[derive(Default)]
pub(super) struct Types {
    types: Vec<Type>,
    type_count: u64,
    /// The type of each function, by its index.
    functions: Vec<u32>,
    /// The type of each tag, by its index.
    tags: Vec<u32>,
    tag_count: u64,
    /// Whether each global, by its index, holds a reference that a collector follows.
    collected_globals: Vec<bool>,
    /// The same of each table.
    collected_tables: Vec<bool>,
}

struct Type {
    ty: SubType,
    /// Whether it is a function's that takes references which a collector follows. It may take a thousand
    /// values, which are looked at once, and not for each call.
    takes_collected: bool,
    /// Whether it is a function's that returns some.
    returns_collected: bool,
}

impl Types {
    /// How many types, functions, tags, globals or tables are kept, each: as many as a module can have. More are counted,
    /// but take no memory.
    pub const KEPT: u64 = 1_000_000;

    pub fn push_type(&mut self, ty: SubType) {
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

    pub fn push_function(&mut self, ty: u32) {
        if (self.functions.len() as u64) < Self::KEPT {
            self.functions.push(ty);
        }
    }

    pub fn push_tag(&mut self, ty: u32) {
        self.tag_count += 1;
        if (self.tags.len() as u64) < Self::KEPT {
            self.tags.push(ty);
        }
    }

    pub fn push_global(&mut self, ty: &ValType) {
        if (self.collected_globals.len() as u64) < Self::KEPT {
            self.collected_globals.push(is_collected(ty));
        }
    }

    pub fn push_table(&mut self, ty: RefType) {
        if (self.collected_tables.len() as u64) < Self::KEPT {
            self.collected_tables.push(is_collected(&ValType::Ref(ty)));
        }
    }

    /// Whether the instruction reads a reference that a collector follows.
    pub fn reads_collected(&self, operator: &Operator<'_>) -> bool {
        let (list, index) = match operator {
            Operator::GlobalGet { global_index } => (&self.collected_globals, *global_index),
            Operator::TableGet { table } => (&self.collected_tables, *table),
            _ => return false,
        };
        list.get(index as usize) == Some(&true)
    }

    /// The type of the function of this index.
    pub fn type_of(&self, function: u32) -> Option<u32> {
        self.type_index_of_function(function)
    }

    pub fn count(&self) -> u64 {
        self.type_count
    }

    pub fn tags(&self) -> u64 {
        self.tag_count
    }

    /// The type of this index, if it is a function's.
    pub fn function_type(&self, index: u32) -> Option<&FuncType> {
        match &self.sub_type_at(index)?.composite_type.inner {
            CompositeInnerType::Func(ty) => Some(ty),
            _ => None,
        }
    }

    /// Whether a function of this type takes references that a collector follows.
    pub fn takes_collected(&self, ty: u32) -> bool {
        self.types
            .get(ty as usize)
            .is_some_and(|ty| ty.takes_collected)
    }

    /// Whether a function of this type returns references that a collector follows.
    pub fn returns_collected(&self, ty: u32) -> bool {
        self.types
            .get(ty as usize)
            .is_some_and(|ty| ty.returns_collected)
    }

    /// How many parameters and results a function of this type has.
    pub fn arity(&self, ty: u32) -> Option<(u64, u64)> {
        let ty = self.function_type(ty)?;
        Some((ty.params().len() as u64, ty.results().len() as u64))
    }

    /// How many values an exception with the tag of this index has.
    pub fn tag(&self, index: u32) -> Option<u64> {
        let ty = *self.tags.get(usize::try_from(index).ok()?)?;
        Some(self.arity(ty)?.0)
    }

    /// How many parameters and results a block has.
    pub fn block(&self, ty: BlockType) -> Option<(u64, u64)> {
        match ty {
            BlockType::Empty => Some((0, 0)),
            BlockType::Type(_) => Some((0, 1)),
            BlockType::FuncType(ty) => self.arity(ty),
        }
    }

    /// How many fields a structure of this type has.
    pub fn fields(&self, ty: u32) -> Option<u64> {
        match &self.sub_type_at(ty)?.composite_type.inner {
            CompositeInnerType::Struct(ty) => Some(ty.fields.len() as u64),
            _ => None,
        }
    }
}

/// Whether values of this type are references that a collector follows.
pub(super) fn is_collected(ty: &ValType) -> bool {
    matches!(ty, ValType::Ref(ty) if !ty.is_func_ref())
}

/// What [`Operator::operator_arity`](wasmparser::Operator::operator_arity) asks for, except control
/// instructions and continuations, which it is not asked about.
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
