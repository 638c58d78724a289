//! Looking through a module, section by section.

use wasmparser::{
    CompositeInnerType, ConstExpr, DataKind, Element, ElementItems, ElementKind, Encoding,
    FunctionBody, GlobalType, MemoryType, Operator, Parser, Payload, TableInit, TypeRef, ValType,
};

use super::body::{Bodies, Surroundings};
use super::cost::{self, Bound, Cost, Total};
use super::images::Images;
use super::profile::ModuleProfile;
use super::startup::Startup;
use super::types::{Types, is_collected};
use crate::runtime::rewrite::constant_offset;

/// The state of looking through a module.
#[derive(Default)]
pub(super) struct Walk {
    profile: ModuleProfile,
    types: Types,
    bodies: Bodies,
    total: Total,
    around: Surroundings,
    /// Which functions the host may call, or tables may hold: each gets a second entry. By index, up to
    /// the last of them.
    escaping: Vec<bool>,
    /// How many functions are imported.
    imported_functions: usize,
    next_body: usize,
    imported_tables: u64,
    images: Images,
    shares: bool,
    startup: Startup,
}

impl Walk {
    /// For a module that is refused if it takes more to compile than this bound: see [`Bodies::new`].
    pub fn new(bound: Option<Bound>) -> Self {
        Self {
            bodies: Bodies::new(bound),
            ..Self::default()
        }
    }

    /// Looks through a binary. What is not valid is left to who compiles it: nothing that follows it is
    /// compiled.
    pub fn through(mut self, wasm: &[u8]) -> ModuleProfile {
        self.profile.binary_bytes = wasm.len() as u64;
        for payload in Parser::new(0).parse_all(wasm) {
            let Ok(payload) = payload else { break };
            if self.payload(payload).is_none() {
                break;
            }
        }
        self.finish()
    }

    fn payload(&mut self, payload: Payload<'_>) -> Option<()> {
        match payload {
            // A component is no module. It could hold others, one in another, as deep as it is long.
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
        // What is beyond is no function, or is not looked at.
        if u64::from(function) >= self.profile.functions.min(Types::KEPT) {
            return;
        }
        let function = function as usize;
        if function >= self.escaping.len() {
            self.escaping.resize(function + 1, false);
        }
        self.escaping[function] = true;
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
        let ns = self.total.wall_ns().saturating_add(validation);
        let binary_bytes = self.profile.binary_bytes;
        self.profile.compile_ns = cost::with_room(ns, binary_bytes);
        self.profile.compile_bytes = cost::with_room(self.total.peak_bytes(), binary_bytes);
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
