//! The walk over a module, section by section.

use wasmparser::{
    CompositeInnerType, ConstExpr, DataKind, Element, ElementItems, ElementKind, Encoding,
    FunctionBody, GlobalType, MemoryType, Operator, Parser, Payload, TableInit, TypeRef, ValType,
};

use super::body::{Bodies, ModuleContext};
use super::code::{Code, Division, Function, Module};
use super::cost::{self, Bound, Cost, Total};
use super::images::Images;
use super::profile::{ModuleProfile, VALIDATION_STEP_NS};
use super::searches;
use super::startup::Startup;
use super::types::{Types, is_collected};
use crate::runtime::rewrite::{Object, constant_offset};

/// The state of the walk.
#[derive(Default)]
pub(super) struct Walk<'a> {
    profile: ModuleProfile,
    types: Types,
    code: Code<'a>,
    /// The cost of all except for the code.
    total: Total,
    context: ModuleContext,
    /// Whether the function with each index is exported, started, or referenced by a table or `ref.func`: the
    /// compiler makes a second entry point for it. The list ends with the last of these functions.
    escaping: Vec<bool>,
    /// The number of imported functions.
    imported_functions: usize,
    next_body: usize,
    /// Whether bodies are not analysed.
    skips_bodies: bool,
    imported_tables: u64,
    images: Images,
    shares: bool,
    startup: Startup,
    /// Whether the module is in a component. Then it is compiled as it is, with its own data segments and its own order
    /// of exports.
    is_nested: bool,
}

impl<'a> Walk<'a> {
    /// Makes a walk for a module that is refused if its compilation exceeds `bound`: see [`Bodies::new`].
    pub(super) fn new(bound: Option<Bound>) -> Self {
        Self::with_code(Code::new(Bodies::new(bound), Division::default()))
    }

    /// Makes a walk that reads no bodies.
    pub(super) fn without_bodies() -> Self {
        Self {
            skips_bodies: true,
            ..Self::default()
        }
    }

    /// Makes a walk with this analysis of bodies.
    pub(super) fn with_code(code: Code<'a>) -> Self {
        Self {
            code,
            ..Self::default()
        }
    }

    /// Makes a walk for a module in a component that is refused if its compilation exceeds `bound`.
    pub(super) fn nested(bound: Bound) -> Self {
        Self {
            is_nested: true,
            ..Self::new(Some(bound))
        }
    }

    /// Returns the profile of a binary. The walk ends at the first error. The compiler reports it, and compiles
    /// nothing after it. `original_bytes` is the number of bytes of the binary that `wasm` was made from, by which the
    /// cost is judged.
    pub(super) fn through(mut self, wasm: &'a [u8], original_bytes: u64) -> ModuleProfile {
        self.profile.binary_bytes = original_bytes;
        for payload in Parser::new(0).parse_all(wasm) {
            let Ok(payload) = payload else { break };
            if self.payload(payload).is_none() {
                break;
            }
        }
        self.finish(wasm)
    }

    fn payload(&mut self, payload: Payload<'a>) -> Option<()> {
        if !matches!(payload, Payload::CodeSectionEntry(_)) {
            self.finish_code();
        }
        match payload {
            // A component is refused. It could contain modules and components, nested without a bound.
            Payload::Version {
                encoding: Encoding::Component,
                ..
            } => return None,
            Payload::TypeSection(groups) => {
                for group in groups {
                    for ty in group.ok()?.into_types() {
                        self.ty(&ty.composite_type.inner);
                        self.types.push_type(ty);
                    }
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import.ok()?;
                    self.profile.imports += 1;
                    self.profile.name_bytes += (import.module.len() + import.name.len()) as u64;
                    self.total.add(Cost::of_items(1, 2_000, 300));
                    self.import(import.ty);
                }
            }
            Payload::FunctionSection(functions) => {
                for ty in functions {
                    self.types.push_function(ty.ok()?);
                    self.profile.functions += 1;
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    let table = table.ok()?;
                    self.profile.tables += 1;
                    self.types.push_table(table.ty.element_type);
                    if let TableInit::Expr(expr) = table.init {
                        self.startup.code(45_000, 6);
                        self.expression(&expr)?;
                    }
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let memory = memory.ok()?;
                    self.profile.memories += 1;
                    self.shares |= memory.shared;
                    self.images.define(&memory);
                    let growth = growth(&memory);
                    let sum = self.profile.shared_growth.saturating_add(growth);
                    self.profile.shared_growth = sum;
                }
            }
            Payload::TagSection(tags) => {
                for tag in tags {
                    self.types.push_tag(tag.ok()?.func_type_idx);
                    self.total.add(Cost::of_items(1, 1_000, 200));
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    let global = global.ok()?;
                    self.profile.globals += 1;
                    self.types.push_global(&global.ty.content_type);
                    self.global(&global.ty, &global.init_expr)?;
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export.ok()?;
                    self.profile.exports += 1;
                    self.profile.name_bytes += export.name.len() as u64;
                    self.total.add(Cost::of_items(1, 1_000, 280));
                    if let wasmparser::ExternalKind::Func | wasmparser::ExternalKind::FuncExact =
                        export.kind
                    {
                        self.escape(export.index);
                    }
                }
            }
            Payload::StartSection { func, .. } => {
                self.escape(func);
                self.startup.code(4_000, 0);
            }
            Payload::ElementSection(segments) => {
                for segment in segments {
                    self.element_segment(segment.ok()?)?;
                }
            }
            Payload::DataSection(segments) => {
                for segment in segments {
                    let segment = segment.ok()?;
                    self.profile.data_segments += 1;
                    self.profile.data_bytes += segment.data.len() as u64;
                    self.total.add(Cost::of_items(1, 500, 150));
                    self.total
                        .add(Cost::of_items(segment.data.len() as u64, 1, 3));
                    if let DataKind::Active {
                        memory_index,
                        offset_expr,
                    } = segment.kind
                    {
                        self.active_data(memory_index, &offset_expr, segment.data.len())?;
                    }
                }
            }
            Payload::CodeSectionEntry(body) => self.body(body),
            Payload::CustomSection(section) => {
                self.profile.custom_sections += 1;
                let bytes = section.name().len() + section.data().len();
                self.profile.custom_section_bytes += bytes as u64;
                if section.name() == "name" {
                    self.total.add(Cost::of_items(bytes as u64, 20, 60));
                }
            }
            _ => {}
        }
        Some(())
    }

    fn ty(&mut self, ty: &CompositeInnerType) {
        let mut cost = Cost::of_items(1, 5_000, 700);
        match ty {
            CompositeInnerType::Func(ty) => {
                let (params, results) = (ty.params().len() as u64, ty.results().len() as u64);
                self.profile.params = self.profile.params.max(params);
                self.profile.results = self.profile.results.max(results);
                self.operands(params + results);
                // The compiler makes a trampoline for each signature, through which the host calls functions.
                cost.add(Cost::of_function());
                cost.add(Cost::of_code((params + results) * 4_000));
            }
            CompositeInnerType::Struct(ty) => {
                let fields = ty.fields.len() as u64;
                self.profile.fields = self.profile.fields.max(fields);
                self.operands(fields);
                cost.add(Cost::of_items(fields, 100, 100));
            }
            // An instruction can make an array of thousands of operands.
            CompositeInnerType::Array(_) | CompositeInnerType::Cont(_) => self.operands(u64::MAX),
        }
        self.total.add(cost);
    }

    fn operands(&mut self, count: u64) {
        self.profile.most_operands = self.profile.most_operands.max(count);
    }

    fn import(&mut self, ty: TypeRef) {
        match ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                self.types.push_function(ty);
                self.profile.functions += 1;
                self.imported_functions += 1;
            }
            TypeRef::Table(ty) => {
                self.types.push_table(ty.element_type);
                self.profile.tables += 1;
                self.imported_tables += 1;
            }
            TypeRef::Memory(memory) => {
                self.profile.memories += 1;
                self.images.import();
                self.shares |= memory.shared;
            }
            TypeRef::Global(ty) => {
                self.types.push_global(&ty.content_type);
                self.code.bodies.accesses.push_global(false);
                self.profile.globals += 1;
            }
            TypeRef::Tag(ty) => self.types.push_tag(ty.func_type_idx),
        }
    }

    fn global(&mut self, ty: &GlobalType, init: &ConstExpr<'_>) -> Option<()> {
        self.total.add(Cost::of_items(1, 1_000, 200));
        let needs_code = self.expression(init)? > 0 || is_collected(&ty.content_type);
        if needs_code {
            self.startup.code(1_500, 0);
            self.startup.globals += 1;
        }
        let index = u32::try_from(self.profile.globals - 1).ok()?;
        self.code
            .bodies
            .accesses
            .push_global(!ty.mutable && !needs_code);
        self.code.bodies.accesses.add(Object::Global(index), 1);
        Some(())
    }

    /// Analyses an expression that is evaluated at instantiation. Returns the number of its instructions that are
    /// not constants.
    fn expression(&mut self, expr: &ConstExpr<'_>) -> Option<u64> {
        let mut non_constant = 0;
        for operator in expr.get_operators_reader() {
            let operator = operator.ok()?;
            self.profile.validation_steps = self.profile.validation_steps.saturating_add(1);
            match operator {
                Operator::End
                | Operator::I32Const { .. }
                | Operator::I64Const { .. }
                | Operator::F32Const { .. }
                | Operator::F64Const { .. }
                | Operator::V128Const { .. }
                | Operator::RefNull { .. } => {
                    self.total.add(Cost::of_items(1, 200, 100));
                    continue;
                }
                Operator::RefFunc { function_index } => {
                    self.escape(function_index);
                    self.startup.code(3_000, 0);
                }
                Operator::ArrayNewFixed { array_size, .. } => {
                    self.startup.types += 1;
                    self.startup
                        .code(75_000 + 12_000 * u64::from(array_size), 9);
                }
                Operator::StructNew { struct_type_index }
                | Operator::StructNewDefault { struct_type_index } => {
                    let fields = self.types.fields(struct_type_index).unwrap_or(0);
                    self.startup.types += 1;
                    self.startup.code(28_000 + 900 * fields, 4);
                }
                Operator::ArrayNew { .. } | Operator::ArrayNewDefault { .. } => {
                    self.startup.types += 1;
                    self.startup.code(75_000, 9);
                }
                _ => self.startup.code(1_500, 0),
            }
            non_constant += 1;
        }
        self.startup.alive = self.startup.alive.max(non_constant);
        Some(non_constant)
    }

    fn element_segment(&mut self, segment: Element<'_>) -> Option<()> {
        self.profile.element_segments += 1;
        let before = self.profile.elements;
        self.total.add(Cost::of_items(1, 2_000, 300));
        // Function elements of a table that the module defines are initialised without code.
        let mut needs_code = !matches!(segment.kind, ElementKind::Declared);
        let mut table = None;
        if let ElementKind::Active {
            table_index,
            offset_expr,
        } = &segment.kind
        {
            let non_constant = self.expression(offset_expr)?;
            let own = u64::from(table_index.unwrap_or(0)) >= self.imported_tables;
            needs_code = non_constant > 0 || !own;
            self.startup.code(25_000, 4);
            table = Some(Object::Table(table_index.unwrap_or(0)));
        }
        if let ElementKind::Passive = segment.kind {
            self.startup.code(4_000, 0);
        }
        match segment.items {
            ElementItems::Functions(functions) => {
                self.profile.elements += u64::from(functions.count());
                for function in functions {
                    self.escape(function.ok()?);
                    self.element(needs_code);
                }
            }
            ElementItems::Expressions(ty, expressions) => {
                self.profile.elements += u64::from(expressions.count());
                needs_code |= is_collected(&ValType::Ref(ty));
                for expression in expressions {
                    self.expression(&expression.ok()?)?;
                    self.element(needs_code);
                }
            }
        }
        if let Some(table) = table {
            let accesses = &mut self.code.bodies.accesses;
            accesses.add(table, self.profile.elements - before);
        }
        Some(())
    }

    fn element(&mut self, needs_code: bool) {
        self.total.add(Cost::of_items(1, 100, 60));
        if needs_code {
            self.startup.code(8_500, 1);
        }
    }

    fn active_data(&mut self, memory: u32, offset: &ConstExpr<'_>, bytes: usize) -> Option<()> {
        self.expression(offset)?;
        self.code.bodies.accesses.add(Object::Memory(memory), 1);
        self.images
            .add_segment(memory, constant_offset(offset), bytes as u64);
        Some(())
    }

    fn escape(&mut self, function: u32) {
        // A higher index is not valid, or too high to be recorded.
        if u64::from(function) >= self.profile.functions.min(Types::KEPT) {
            return;
        }
        let function = function as usize;
        if function >= self.escaping.len() {
            self.escaping.resize(function + 1, false);
        }
        self.escaping[function] = true;
    }

    fn body(&mut self, body: FunctionBody<'a>) {
        if self.next_body == 0 {
            let places = self.profile.memories + self.profile.tables;
            self.context = ModuleContext { places };
        }
        let index = self.imported_functions + self.next_body;
        self.next_body += 1;
        self.profile.largest_body = self.profile.largest_body.max(body.range().len() as u64);
        let ty = u32::try_from(index)
            .ok()
            .and_then(|index| self.types.type_of(index));
        let Some(ty) = ty.filter(|_| !self.skips_bodies) else {
            return;
        };
        let module = Module {
            types: &self.types,
            escaping: &self.escaping,
            context: self.context,
        };
        self.code.push(module, Function { index, ty, body });
    }

    /// Analyses the bodies that wait for it.
    fn finish_code(&mut self) {
        self.code.finish(Module {
            types: &self.types,
            escaping: &self.escaping,
            context: self.context,
        });
    }

    fn finish(mut self, wasm: &[u8]) -> ModuleProfile {
        self.finish_code();
        let code = &self.code.profile;
        self.profile.locals = code.locals;
        self.profile.nesting = code.nesting;
        self.profile.regions = code.regions;
        let steps = self.profile.validation_steps;
        self.profile.validation_steps = steps.saturating_add(code.validation_steps);
        self.profile.catches = code.catches;
        self.profile.waits = code.waits && self.shares;
        self.profile.legacy_exceptions = code.legacy_exceptions;
        match code.legacy_exceptions {
            true => self.total = Total::default(),
            false => self.total.merge(&code.total),
        }
        // Segments are merged if their image is not larger than this.
        let max_image = match self.is_nested {
            true => 0,
            false => self.profile.binary_bytes,
        };
        let contents = self.images.finish(max_image);
        for _ in 0..contents.copies {
            self.startup.code(42_000, 6);
        }
        self.total.add(Cost::of_items(contents.image_bytes, 1, 3));
        self.profile.merges_data = contents.merges;
        if contents.merges {
            let merged = self.profile.binary_bytes + contents.image_bytes;
            self.total.add(Cost::of_items(merged, 1, 1));
        }
        self.total.add(self.startup.cost());
        let made = self.startup.types.min(self.types.count());
        let regions = self.startup.globals + made + self.startup.alive;
        self.profile.regions = self.profile.regions.max(regions);
        self.profile.types = self.types.count();
        self.profile.tags = self.types.tags();
        // The compiler also validates the module.
        let steps = self.profile.validation_steps;
        let validation = steps.saturating_mul(VALIDATION_STEP_NS);
        let accesses = &self.code.bodies.accesses;
        let searches = match self.is_nested {
            true => accesses.searches_in_own_order(wasm),
            false => accesses.searches(wasm),
        };
        // One function may have all accesses, so the second core may not help.
        let fixed_ns = validation.saturating_add(searches::time_of(searches.steps));
        self.profile.export_order = searches.order;
        let binary_bytes = self.profile.binary_bytes;
        let ns = |ns: u64| cost::with_margin(ns.saturating_add(fixed_ns), binary_bytes);
        self.profile.compile_ns = ns(self.total.wall_ns());
        self.profile.sequential_ns = ns(self.total.sequential_ns());
        self.profile.memory = self.total.memory(binary_bytes);
        self.profile
    }
}

fn growth(memory: &MemoryType) -> u64 {
    if !memory.shared {
        return 0;
    }
    let maximum = memory.maximum.unwrap_or(u64::MAX);
    let page = 1u64.checked_shl(memory.page_size_log2.unwrap_or(16));
    let pages = maximum.saturating_sub(memory.initial);
    pages.saturating_mul(page.unwrap_or(u64::MAX))
}
