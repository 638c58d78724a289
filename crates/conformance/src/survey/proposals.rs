//! The proposals that a module uses, each named as its repository.
//!
//! A validator says whether a set of features is enough, not which of them are used. So the types and instructions are
//! looked at one by one, in the order of the module.

use wasmparser::{
    AbstractHeapType, BlockType, CompositeInnerType, ConstExpr, Element, ElementItems, ElementKind,
    ExternalKind, FieldType, FunctionBody, GlobalType, HeapType, MemoryType, Operator, Payload,
    RefType, StorageType, TableInit, TableType, TypeRef, ValType, WasmFeatures,
};

/// The proposals, and whether WebAssembly 2.0 has them.
const PROPOSALS: [(WasmFeatures, &str, bool); 22] = [
    (WasmFeatures::MUTABLE_GLOBAL, "mutable-global", true),
    (WasmFeatures::SIGN_EXTENSION, "sign-extension", true),
    (
        WasmFeatures::SATURATING_FLOAT_TO_INT,
        "saturating-float-to-int",
        true,
    ),
    (WasmFeatures::MULTI_VALUE, "multi-value", true),
    (BULK_MEMORY, "bulk-memory", true),
    (REFERENCE_TYPES, "reference-types", true),
    (WasmFeatures::SIMD, "simd", true),
    (WasmFeatures::RELAXED_SIMD, "relaxed-simd", false),
    (WasmFeatures::TAIL_CALL, "tail-call", false),
    (WasmFeatures::EXTENDED_CONST, "extended-const", false),
    (WasmFeatures::MULTI_MEMORY, "multi-memory", false),
    (WasmFeatures::MEMORY64, "memory64", false),
    (
        WasmFeatures::FUNCTION_REFERENCES,
        "function-references",
        false,
    ),
    (WasmFeatures::GC, "gc", false),
    (WasmFeatures::EXCEPTIONS, "exceptions", false),
    (WasmFeatures::LEGACY_EXCEPTIONS, "legacy-exceptions", false),
    (WasmFeatures::THREADS, "threads", false),
    (WasmFeatures::CUSTOM_PAGE_SIZES, "custom-page-sizes", false),
    (WasmFeatures::WIDE_ARITHMETIC, "wide-arithmetic", false),
    (WasmFeatures::STACK_SWITCHING, "stack-switching", false),
    (
        WasmFeatures::CUSTOM_DESCRIPTORS,
        "custom-descriptors",
        false,
    ),
    (
        WasmFeatures::SHARED_EVERYTHING_THREADS,
        "shared-everything-threads",
        false,
    ),
];

/// wasmparser's features include parts of these proposals that have flags of their own.
const BULK_MEMORY: WasmFeatures =
    WasmFeatures::BULK_MEMORY.difference(WasmFeatures::BULK_MEMORY_OPT);
const REFERENCE_TYPES: WasmFeatures =
    WasmFeatures::REFERENCE_TYPES.difference(WasmFeatures::CALL_INDIRECT_OVERLONG);

/// Whether WebAssembly 2.0 has a proposal, so that most modules use it.
pub fn is_common(name: &str) -> bool {
    PROPOSALS
        .iter()
        .any(|(_, proposal, is_common)| *proposal == name && *is_common)
}

/// The proposals that were seen so far.
pub struct Proposals {
    seen: WasmFeatures,
    /// Whether there was something that only the standard exceptions have.
    has_standard_exceptions: bool,
    memories: u32,
    tables: u32,
    imported_globals: u32,
    mutable_globals: Vec<bool>,
}

/// Returns the feature of the group of instructions with this name.
const fn of_group(name: &str) -> WasmFeatures {
    match name.as_bytes() {
        b"mvp" => WasmFeatures::empty(),
        b"sign_extension" => WasmFeatures::SIGN_EXTENSION,
        b"gc" => WasmFeatures::GC,
        b"custom_descriptors" => WasmFeatures::CUSTOM_DESCRIPTORS,
        b"saturating_float_to_int" => WasmFeatures::SATURATING_FLOAT_TO_INT,
        b"bulk_memory" => BULK_MEMORY,
        b"reference_types" => REFERENCE_TYPES,
        b"tail_call" => WasmFeatures::TAIL_CALL,
        b"memory_control" => WasmFeatures::MEMORY_CONTROL,
        b"threads" => WasmFeatures::THREADS,
        b"simd" => WasmFeatures::SIMD,
        b"relaxed_simd" => WasmFeatures::RELAXED_SIMD,
        b"exceptions" => WasmFeatures::EXCEPTIONS,
        b"legacy_exceptions" => WasmFeatures::LEGACY_EXCEPTIONS,
        b"shared_everything_threads" => WasmFeatures::SHARED_EVERYTHING_THREADS,
        b"function_references" => WasmFeatures::FUNCTION_REFERENCES,
        b"stack_switching" => WasmFeatures::STACK_SWITCHING,
        b"wide_arithmetic" => WasmFeatures::WIDE_ARITHMETIC,
        _ => panic!("a group of instructions that is new"),
    }
}

macro_rules! define_of_operator {
    ($(
        @$group:ident $operator:ident $({ $($field:ident: $type:ty),* })?
            => $visit:ident ($($arity:tt)*)
    )*) => {
        /// Returns the feature that an instruction came with.
        fn of_operator(operator: &Operator<'_>) -> WasmFeatures {
            match operator {
                $(Operator::$operator { .. } => const { of_group(stringify!($group)) },)*
                _ => WasmFeatures::empty(),
            }
        }
    };
}

wasmparser::for_each_operator!(define_of_operator);

impl Default for Proposals {
    fn default() -> Self {
        Self {
            seen: WasmFeatures::empty(),
            has_standard_exceptions: false,
            memories: 0,
            tables: 0,
            imported_globals: 0,
            mutable_globals: Vec::new(),
        }
    }
}

impl Proposals {
    /// Returns the names of the proposals.
    pub fn names(&self) -> Vec<&'static str> {
        let features = self.features();
        PROPOSALS
            .iter()
            .filter(|(feature, ..)| features.contains(*feature))
            .map(|(_, name, _)| *name)
            .collect()
    }

    /// Tags and `throw` are in both versions of exceptions.
    fn features(&self) -> WasmFeatures {
        let is_legacy = self.seen.contains(WasmFeatures::LEGACY_EXCEPTIONS);
        match is_legacy && !self.has_standard_exceptions {
            true => self.seen.difference(WasmFeatures::EXCEPTIONS),
            false => self.seen,
        }
    }

    fn see(&mut self, feature: WasmFeatures) {
        self.seen |= feature;
    }

    /// Looks at a part of the module, except for the code.
    ///
    /// # Errors
    ///
    /// When it is malformed.
    pub fn payload(&mut self, payload: &Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::TypeSection(groups) => {
                for group in groups.clone() {
                    let group = group?;
                    if group.is_explicit_rec_group() {
                        self.see(WasmFeatures::GC);
                    }
                    for ty in group.types() {
                        if !ty.is_final || ty.supertype_idx.is_some() {
                            self.see(WasmFeatures::GC);
                        }
                        if ty.composite_type.shared {
                            self.see(WasmFeatures::SHARED_EVERYTHING_THREADS);
                        }
                        if ty.composite_type.describes_idx.is_some()
                            || ty.composite_type.descriptor_idx.is_some()
                        {
                            self.see(WasmFeatures::CUSTOM_DESCRIPTORS);
                        }
                        self.composite(&ty.composite_type.inner);
                    }
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    match import?.ty {
                        TypeRef::Memory(ty) => self.memory(&ty),
                        TypeRef::Table(ty) => self.table(&ty),
                        TypeRef::Global(ty) => {
                            self.imported_globals += 1;
                            if ty.mutable {
                                self.see(WasmFeatures::MUTABLE_GLOBAL);
                            }
                            self.global(&ty);
                        }
                        TypeRef::Tag(_) => self.see(WasmFeatures::EXCEPTIONS),
                        TypeRef::FuncExact(_) => self.see(WasmFeatures::CUSTOM_DESCRIPTORS),
                        TypeRef::Func(_) => {}
                    }
                }
            }
            Payload::TableSection(tables) => {
                for table in tables.clone() {
                    let table = table?;
                    self.table(&table.ty);
                    if let TableInit::Expr(expr) = &table.init {
                        self.see(WasmFeatures::FUNCTION_REFERENCES);
                        self.constant(expr)?;
                    }
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories.clone() {
                    self.memory(&memory?);
                }
            }
            Payload::TagSection(_) => self.see(WasmFeatures::EXCEPTIONS),
            Payload::GlobalSection(globals) => {
                for global in globals.clone() {
                    let global = global?;
                    self.constant(&global.init_expr)?;
                    self.global(&global.ty);
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    let mut globals = self.mutable_globals.iter();
                    if export.kind == ExternalKind::Global
                        && globals.nth(export.index as usize) == Some(&true)
                    {
                        self.see(WasmFeatures::MUTABLE_GLOBAL);
                    }
                }
            }
            Payload::ElementSection(segments) => {
                for segment in segments.clone() {
                    self.elements(&segment?)?;
                }
            }
            Payload::DataCountSection { .. } => self.see(BULK_MEMORY),
            Payload::DataSection(segments) => {
                for segment in segments.clone() {
                    match segment?.kind {
                        wasmparser::DataKind::Passive => self.see(BULK_MEMORY),
                        wasmparser::DataKind::Active { offset_expr, .. } => {
                            self.constant(&offset_expr)?;
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Looks at the body of a function.
    ///
    /// # Errors
    ///
    /// When it is malformed.
    pub fn body(&mut self, body: &FunctionBody<'_>) -> wasmparser::Result<()> {
        for local in body.get_locals_reader()? {
            self.value(local?.1);
        }
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            self.operator(&operators.read()?);
        }
        Ok(())
    }

    fn operator(&mut self, operator: &Operator<'_>) {
        self.seen |= of_operator(operator);
        match operator {
            Operator::Block { blockty }
            | Operator::Loop { blockty }
            | Operator::If { blockty }
            | Operator::Try { blockty } => self.block(*blockty),
            Operator::TryTable { try_table } => {
                self.has_standard_exceptions = true;
                self.block(try_table.ty);
            }
            Operator::ThrowRef => self.has_standard_exceptions = true,
            Operator::CallIndirect { table_index, .. } if *table_index > 0 => {
                self.see(REFERENCE_TYPES);
            }
            Operator::TypedSelect { ty } => self.value(*ty),
            Operator::RefNull { hty }
            | Operator::RefTestNonNull { hty }
            | Operator::RefTestNullable { hty }
            | Operator::RefCastNonNull { hty }
            | Operator::RefCastNullable { hty } => self.heap(*hty),
            Operator::BrOnCast {
                from_ref_type,
                to_ref_type,
                ..
            }
            | Operator::BrOnCastFail {
                from_ref_type,
                to_ref_type,
                ..
            } => {
                self.reference(*from_ref_type);
                self.reference(*to_ref_type);
            }
            _ => {}
        }
    }

    /// Looks at an expression that is evaluated at instantiation.
    fn constant(&mut self, expr: &ConstExpr<'_>) -> wasmparser::Result<()> {
        for operator in expr.get_operators_reader() {
            let operator = operator?;
            match operator {
                Operator::I32Add
                | Operator::I32Sub
                | Operator::I32Mul
                | Operator::I64Add
                | Operator::I64Sub
                | Operator::I64Mul => self.see(WasmFeatures::EXTENDED_CONST),
                Operator::GlobalGet { global_index } if global_index >= self.imported_globals => {
                    self.see(WasmFeatures::GC);
                }
                _ => self.operator(&operator),
            }
        }
        Ok(())
    }

    fn elements(&mut self, segment: &Element<'_>) -> wasmparser::Result<()> {
        match &segment.kind {
            ElementKind::Passive | ElementKind::Declared => self.see(BULK_MEMORY),
            ElementKind::Active { offset_expr, .. } => self.constant(offset_expr)?,
        }
        if let ElementItems::Expressions(ty, expressions) = &segment.items {
            self.reference(*ty);
            for expression in expressions.clone() {
                self.constant(&expression?)?;
            }
        }
        Ok(())
    }

    fn composite(&mut self, ty: &CompositeInnerType) {
        match ty {
            CompositeInnerType::Func(ty) => {
                if ty.results().len() > 1 {
                    self.see(WasmFeatures::MULTI_VALUE);
                }
                for ty in ty.params().iter().chain(ty.results()) {
                    self.value(*ty);
                }
            }
            CompositeInnerType::Struct(ty) => {
                self.see(WasmFeatures::GC);
                for field in &ty.fields {
                    self.field(field);
                }
            }
            CompositeInnerType::Array(ty) => {
                self.see(WasmFeatures::GC);
                self.field(&ty.0);
            }
            CompositeInnerType::Cont(_) => self.see(WasmFeatures::STACK_SWITCHING),
        }
    }

    fn field(&mut self, field: &FieldType) {
        if let StorageType::Val(ty) = field.element_type {
            self.value(ty);
        }
    }

    fn block(&mut self, ty: BlockType) {
        match ty {
            BlockType::Empty => {}
            BlockType::Type(ty) => self.value(ty),
            BlockType::FuncType(_) => self.see(WasmFeatures::MULTI_VALUE),
        }
    }

    fn memory(&mut self, ty: &MemoryType) {
        self.memories += 1;
        for (is_used, feature) in [
            (self.memories > 1, WasmFeatures::MULTI_MEMORY),
            (ty.memory64, WasmFeatures::MEMORY64),
            (ty.shared, WasmFeatures::THREADS),
            (ty.page_size_log2.is_some(), WasmFeatures::CUSTOM_PAGE_SIZES),
        ] {
            if is_used {
                self.see(feature);
            }
        }
    }

    fn table(&mut self, ty: &TableType) {
        self.tables += 1;
        for (is_used, feature) in [
            (self.tables > 1, REFERENCE_TYPES),
            (ty.table64, WasmFeatures::MEMORY64),
            (ty.shared, WasmFeatures::SHARED_EVERYTHING_THREADS),
        ] {
            if is_used {
                self.see(feature);
            }
        }
        // Tables of functions have always been there.
        if ty.element_type != RefType::FUNCREF {
            self.reference(ty.element_type);
        }
    }

    fn global(&mut self, ty: &GlobalType) {
        self.mutable_globals.push(ty.mutable);
        if ty.shared {
            self.see(WasmFeatures::SHARED_EVERYTHING_THREADS);
        }
        self.value(ty.content_type);
    }

    fn value(&mut self, ty: ValType) {
        match ty {
            ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 => {}
            ValType::V128 => self.see(WasmFeatures::SIMD),
            ValType::Ref(ty) => self.reference(ty),
        }
    }

    fn reference(&mut self, ty: RefType) {
        if !ty.is_nullable() {
            self.see(WasmFeatures::FUNCTION_REFERENCES);
        }
        self.heap(ty.heap_type());
    }

    fn heap(&mut self, ty: HeapType) {
        let HeapType::Abstract { shared, ty } = ty else {
            self.see(WasmFeatures::FUNCTION_REFERENCES);
            return;
        };
        if shared {
            self.see(WasmFeatures::SHARED_EVERYTHING_THREADS);
        }
        let is_exception = matches!(ty, AbstractHeapType::Exn | AbstractHeapType::NoExn);
        self.has_standard_exceptions |= is_exception;
        self.see(match ty {
            AbstractHeapType::Func | AbstractHeapType::Extern => REFERENCE_TYPES,
            AbstractHeapType::Exn | AbstractHeapType::NoExn => WasmFeatures::EXCEPTIONS,
            AbstractHeapType::Cont | AbstractHeapType::NoCont => WasmFeatures::STACK_SWITCHING,
            _ => WasmFeatures::GC,
        });
    }
}

#[cfg(test)]
mod tests;
