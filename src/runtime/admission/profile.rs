//! What a module holds, and whether it may be compiled.

use std::fmt;

use wasmparser::{
    CompositeInnerType, ConstExpr, DataKind, Element, ElementItems, ElementKind, FunctionBody,
    GlobalType, MemoryType, Operator, Parser, Payload, TableInit, TypeRef, ValType,
};

use super::body::{Bodies, Surroundings};
use super::cost::{Cost, Total};
use super::images::Images;
use super::types::{Types, is_collected};
use crate::runtime::error::WasmError;
use crate::runtime::module_limits::ModuleLimits;
use crate::runtime::rewrite::constant_offset;

/// What a module holds and costs, as far as it is valid. Most fields are counts that the limit of the same
/// name caps: see [`ModuleLimits`].
#[derive(Debug, Default)]
pub(crate) struct ModuleProfile {
    binary_bytes: u64,
    types: u64,
    imports: u64,
    exports: u64,
    name_bytes: u64,
    functions: u64,
    params: u64,
    results: u64,
    fields: u64,
    largest_body: u64,
    locals: u64,
    nesting: u64,
    regions: u64,
    memories: u64,
    tables: u64,
    globals: u64,
    tags: u64,
    element_segments: u64,
    elements: u64,
    data_segments: u64,
    data_bytes: u64,
    custom_sections: u64,
    custom_section_bytes: u64,
    compile_ns: u64,
    compile_bytes: u64,
    /// How much work it is to validate.
    pub(crate) validation_steps: u64,
    /// How many bytes the shared memories that it defines may grow by, beyond their minimum.
    pub(crate) shared_growth: u64,
    /// Whether its data segments are to be merged before it is compiled.
    pub(crate) merges_data: bool,
    /// Whether it waits on shared memories, with `memory.atomic.wait32` or `.wait64`. On others that
    /// traps, and is not looked for.
    pub(crate) waits: bool,
}

impl ModuleProfile {
    /// At most how many of its memories have initial contents.
    pub(crate) fn images(&self) -> u32 {
        u32::try_from(self.memories.min(self.data_segments)).unwrap_or(u32::MAX)
    }

    /// Looks through a binary. What is not valid is left to who compiles it: nothing that follows it is
    /// compiled.
    pub(crate) fn of(wasm: &[u8]) -> Self {
        let mut walk = Walk::default();
        walk.profile.binary_bytes = wasm.len() as u64;
        for payload in Parser::new(0).parse_all(wasm) {
            let Ok(payload) = payload else { break };
            if walk.payload(payload).is_none() {
                break;
            }
        }
        walk.finish()
    }

    /// Whether it may be compiled.
    ///
    /// # Errors
    /// `CompileError` if it exceeds a limit, with the name of the limit and both values.
    pub(crate) fn check(&self, limits: &ModuleLimits) -> Result<(), WasmError> {
        let counts = [
            (
                self.binary_bytes,
                "bytes",
                limits.max_binary_bytes,
                "max_binary_bytes",
            ),
            (self.types, "types", limits.max_types, "max_types"),
            (self.imports, "imports", limits.max_imports, "max_imports"),
            (self.exports, "exports", limits.max_exports, "max_exports"),
            (
                self.name_bytes,
                "bytes in the names of imports and exports",
                limits.max_name_bytes,
                "max_name_bytes",
            ),
            (
                self.functions,
                "functions",
                limits.max_functions,
                "max_functions",
            ),
            (
                self.params,
                "parameters in one type",
                limits.max_params,
                "max_params",
            ),
            (
                self.results,
                "results in one type",
                limits.max_results,
                "max_results",
            ),
            (
                self.fields,
                "fields in one type",
                limits.max_fields,
                "max_fields",
            ),
            (
                self.largest_body,
                "bytes in one function body",
                limits.max_function_body_bytes,
                "max_function_body_bytes",
            ),
            (
                self.locals,
                "locals in one function",
                limits.max_locals,
                "max_locals",
            ),
            (
                self.nesting,
                "nested blocks in one function",
                limits.max_nesting,
                "max_nesting",
            ),
            (
                self.regions,
                "globals, types and references for one function to keep apart",
                limits.max_function_regions,
                "max_function_regions",
            ),
            (
                self.memories,
                "memories",
                limits.max_memories,
                "max_memories",
            ),
            (self.tables, "tables", limits.max_tables, "max_tables"),
            (self.globals, "globals", limits.max_globals, "max_globals"),
            (self.tags, "tags", limits.max_tags, "max_tags"),
            (
                self.element_segments,
                "element segments",
                limits.max_element_segments,
                "max_element_segments",
            ),
            (
                self.elements,
                "elements in segments",
                limits.max_elements,
                "max_elements",
            ),
            (
                self.data_segments,
                "data segments",
                limits.max_data_segments,
                "max_data_segments",
            ),
            (
                self.data_bytes,
                "bytes of data",
                limits.max_data_bytes,
                "max_data_bytes",
            ),
            (
                self.custom_sections,
                "custom sections",
                limits.max_custom_sections,
                "max_custom_sections",
            ),
            (
                self.custom_section_bytes,
                "bytes in custom sections",
                limits.max_custom_section_bytes,
                "max_custom_section_bytes",
            ),
        ];
        for (value, what, cap, name) in counts {
            if value > cap {
                return Err(exceeds(format_args!("has {value} {what}"), cap, name));
            }
        }
        let by_size = |base: u64, per_byte: u64| {
            base.saturating_add(per_byte.saturating_mul(self.binary_bytes))
        };
        let ns = by_size(
            limits.max_compile_ms.saturating_mul(1_000_000),
            limits.max_compile_ns_per_byte,
        );
        if self.compile_ns > ns {
            let estimate = self.compile_ns / 1_000_000;
            return Err(exceeds(
                format_args!("would take an estimated {estimate} ms to compile"),
                ns / 1_000_000,
                "max_compile_ms and max_compile_ns_per_byte",
            ));
        }
        let bytes = by_size(limits.max_compile_bytes, limits.max_compile_bytes_per_byte);
        if self.compile_bytes > bytes {
            let estimate = self.compile_bytes;
            return Err(exceeds(
                format_args!("would take an estimated {estimate} bytes of memory to compile"),
                bytes,
                "max_compile_bytes and max_compile_bytes_per_byte",
            ));
        }
        Ok(())
    }
}

/// The error of a module that exceeds the limit called `name`.
pub(super) fn exceeds(what: fmt::Arguments<'_>, cap: u64, name: &str) -> WasmError {
    WasmError::compile(format!(
        "the module {what}, which exceeds the cap of {cap} ({name})"
    ))
}

/// The state of looking through a module.
#[derive(Default)]
struct Walk {
    profile: ModuleProfile,
    types: Types,
    bodies: Bodies,
    total: Total,
    around: Surroundings,
    /// Which functions the host may call, or tables may hold: each gets a second entry.
    escaping: Vec<bool>,
    /// How many functions are imported.
    imported_functions: usize,
    next_body: usize,
    imported_tables: u64,
    images: Images,
    shares: bool,
    startup: Startup,
}

/// The function that the compiler makes for what happens when a module is instantiated.
#[derive(Default)]
struct Startup {
    /// Data of the compiler's, in bytes.
    size: u64,
    /// Blocks, one after another.
    blocks: u64,
    /// Globals that are set there.
    globals: u64,
    /// Objects of some type that are made there.
    types: u64,
    /// References that may be alive at one time.
    alive: u64,
    /// Instructions whose effects are kept in order.
    effects: u64,
}

impl Startup {
    fn code(&mut self, size: u64, blocks: u64) {
        self.size = self.size.saturating_add(size);
        self.blocks += blocks;
        self.effects += 1;
    }

    fn cost(&self) -> Cost {
        let mut cost = Cost::default();
        if self.effects == 0 {
            return cost;
        }
        cost.add(Cost::of_function());
        cost.add(Cost::of_function());
        cost.add(Cost::of_code(self.size));
        let dominated = self.blocks.saturating_mul(self.blocks) / 2;
        cost.add(Cost::of_pairs(dominated, 15, 0));
        let regions = self.globals + 1;
        cost.add(Cost::of_pairs(self.effects.saturating_mul(regions), 2, 0));
        let kept = self.blocks.saturating_mul(regions);
        cost.add(Cost::of_pairs(kept, 5, 10));
        cost.add(Cost::of_pairs(kept.saturating_mul(regions), 4, 0));
        cost
    }
}

impl Walk {
    fn payload(&mut self, payload: Payload<'_>) -> Option<()> {
        match payload {
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
                    self.escaping.push(false);
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
            Payload::CodeSectionEntry(body) => self.body(&body),
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
                // The host may call through any signature.
                cost.add(Cost::of_function());
                cost.add(Cost::of_code((params + results) * 4_000));
            }
            CompositeInnerType::Struct(ty) => {
                let fields = ty.fields.len() as u64;
                self.profile.fields = self.profile.fields.max(fields);
                cost.add(Cost::of_items(fields, 100, 100));
            }
            CompositeInnerType::Array(_) | CompositeInnerType::Cont(_) => {}
        }
        self.total.add(cost);
    }

    fn import(&mut self, ty: TypeRef) {
        match ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                self.types.push_function(ty);
                self.profile.functions += 1;
                self.escaping.push(false);
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
                self.profile.globals += 1;
            }
            TypeRef::Tag(ty) => self.types.push_tag(ty.func_type_idx),
        }
    }

    fn global(&mut self, ty: &GlobalType, init: &ConstExpr<'_>) -> Option<()> {
        self.total.add(Cost::of_items(1, 1_000, 200));
        if self.expression(init)? > 0 || is_collected(&ty.content_type) {
            self.startup.code(1_500, 0);
            self.startup.globals += 1;
        }
        Some(())
    }

    /// An expression that is evaluated when the module is instantiated. Returns how many of its
    /// instructions are more than a constant.
    fn expression(&mut self, expr: &ConstExpr<'_>) -> Option<u64> {
        let mut complicated = 0;
        for operator in expr.get_operators_reader() {
            let operator = operator.ok()?;
            self.profile.validation_steps += 1;
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
            complicated += 1;
        }
        self.startup.alive = self.startup.alive.max(complicated);
        Some(complicated)
    }

    fn element_segment(&mut self, segment: Element<'_>) -> Option<()> {
        self.profile.element_segments += 1;
        self.total.add(Cost::of_items(1, 2_000, 300));
        // The elements of a table of the module's own are put into it without code, where they are
        // functions.
        let mut by_code = !matches!(segment.kind, ElementKind::Declared);
        if let ElementKind::Active {
            table_index,
            offset_expr,
        } = &segment.kind
        {
            let complicated = self.expression(offset_expr)?;
            let own = u64::from(table_index.unwrap_or(0)) >= self.imported_tables;
            by_code = complicated > 0 || !own;
            self.startup.code(25_000, 4);
        }
        if let ElementKind::Passive = segment.kind {
            self.startup.code(4_000, 0);
        }
        match segment.items {
            ElementItems::Functions(functions) => {
                self.profile.elements += u64::from(functions.count());
                for function in functions {
                    self.escape(function.ok()?);
                    self.element(by_code);
                }
            }
            ElementItems::Expressions(ty, expressions) => {
                self.profile.elements += u64::from(expressions.count());
                by_code |= is_collected(&ValType::Ref(ty));
                for expression in expressions {
                    self.expression(&expression.ok()?)?;
                    self.element(by_code);
                }
            }
        }
        Some(())
    }

    fn element(&mut self, by_code: bool) {
        self.total.add(Cost::of_items(1, 100, 60));
        if by_code {
            self.startup.code(8_500, 1);
        }
    }

    fn active_data(&mut self, memory: u32, offset: &ConstExpr<'_>, bytes: usize) -> Option<()> {
        self.expression(offset)?;
        self.images
            .put(memory, constant_offset(offset), bytes as u64);
        Some(())
    }

    fn escape(&mut self, function: u32) {
        if let Some(escapes) = self.escaping.get_mut(function as usize) {
            *escapes = true;
        }
    }

    fn body(&mut self, body: &FunctionBody<'_>) {
        if self.next_body == 0 {
            let places = self.profile.memories + self.profile.tables;
            self.around = Surroundings {
                exports: self.profile.exports,
                places,
            };
        }
        let function = self.imported_functions + self.next_body;
        self.next_body += 1;
        self.profile.largest_body = self.profile.largest_body.max(body.range().len() as u64);
        let ty = u32::try_from(function)
            .ok()
            .and_then(|function| self.types.type_of(function));
        let Some(ty) = ty else { return };
        let found = self.bodies.profile(&self.types, ty, body, self.around);
        self.profile.locals = self.profile.locals.max(found.locals);
        self.profile.nesting = self.profile.nesting.max(found.nesting);
        self.profile.regions = self.profile.regions.max(found.regions);
        self.profile.validation_steps += found.validation_steps;
        self.profile.waits |= found.waits && self.shares;
        self.total.add(found.cost);
        if self.escaping.get(function) == Some(&true) {
            let (params, results) = self.types.arity(ty).unwrap_or((0, 0));
            let mut cost = Cost::of_function();
            cost.add(Cost::of_code((params + results) * 2_000));
            self.total.add(cost);
        }
    }

    fn finish(mut self) -> ModuleProfile {
        let contents = self.images.finish(self.profile.binary_bytes);
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
        // To validate is part of the work.
        let validation = self.profile.validation_steps.saturating_mul(20);
        self.profile.compile_ns = self.total.wall_ns().saturating_add(validation);
        self.profile.compile_bytes = self.total.peak_bytes();
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
