//! The content and cost of a module, and their comparison with the limits.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::cost::{Bound, Memory};
use super::walk::Walk;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::{ExceededLimit, ModuleLimits};
use crate::runtime::rewrite::{ExportOrder, standard_exceptions, validate_legacy};

/// The content and cost of a module, up to its first error. Most fields are counts, capped by the limit of the same
/// name: see [`ModuleLimits`].
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct ModuleProfile {
    pub(super) binary_bytes: u64,
    pub(super) types: u64,
    pub(super) imports: u64,
    pub(super) exports: u64,
    pub(super) name_bytes: u64,
    pub(super) functions: u64,
    pub(super) params: u64,
    pub(super) results: u64,
    pub(super) fields: u64,
    /// An upper bound on the operands and results of one instruction that has more than a few, together.
    pub(super) most_operands: u64,
    pub(super) largest_body: u64,
    pub(super) locals: u64,
    pub(super) nesting: u64,
    pub(super) regions: u64,
    pub(super) memories: u64,
    pub(super) tables: u64,
    pub(super) globals: u64,
    pub(super) tags: u64,
    pub(super) element_segments: u64,
    pub(super) elements: u64,
    pub(super) data_segments: u64,
    pub(super) data_bytes: u64,
    pub(super) custom_sections: u64,
    pub(super) custom_section_bytes: u64,
    /// The time to compile it on two cores, in nanoseconds.
    pub(super) compile_ns: u64,
    /// The time to compile it on one core, in nanoseconds.
    pub(super) sequential_ns: u64,
    pub(super) memory: Memory,
    /// The work to validate the module, in steps.
    pub(super) validation_steps: u64,
    /// The maximum number of bytes by which the shared memories that it defines may grow.
    pub(crate) shared_growth: u64,
    /// Whether its data segments are merged before compilation.
    pub(crate) merges_data: bool,
    /// Whether it has legacy exception instructions. Then the costs to compile are those of the rewritten module, once
    /// they are known: see [`ModuleProfile::of_standard`].
    pub(crate) legacy_exceptions: bool,
    /// Whether a function catches exceptions.
    pub(super) catches: bool,
    /// The order in which its exports are compiled. `None` for its own.
    pub(crate) export_order: Option<ExportOrder>,
    /// Whether the counts are those of the rewritten module.
    rewritten: bool,
    /// Whether it contains `memory.atomic.wait32` or `.wait64` and has a shared memory. On other memories these
    /// instructions trap, so they do not count.
    pub(crate) waits: bool,
}

impl ModuleProfile {
    /// Returns an upper bound on the number of its memories with initial contents.
    pub(crate) fn images(&self) -> u32 {
        u32::try_from(self.memories.min(self.data_segments)).unwrap_or(u32::MAX)
    }

    /// Analyses a binary that will be compiled within these limits.
    pub(crate) fn of(wasm: &[u8], limits: &ModuleLimits) -> Self {
        let bytes = wasm.len() as u64;
        Walk::new(Some(bound(limits, bytes))).through(wasm, bytes)
    }

    /// Analyses a binary that was made from one of `original_bytes` bytes with legacy exceptions. What it may cost
    /// depends on the size of the original, which a few small instructions can make many times larger.
    pub(crate) fn of_standard(
        standard: &[u8],
        original_bytes: usize,
        limits: &ModuleLimits,
    ) -> Self {
        let bytes = original_bytes as u64;
        Self {
            legacy_exceptions: true,
            rewritten: true,
            ..Walk::new(Some(bound(limits, bytes))).through(standard, bytes)
        }
    }

    /// Counts the content of a binary as [`ModuleProfile::of_standard`] does, without an estimate of the cost to compile
    /// it.
    pub(crate) fn content_of_standard(standard: &[u8], original_bytes: usize) -> Self {
        Self {
            legacy_exceptions: true,
            rewritten: true,
            ..Walk::new(None).through(standard, original_bytes as u64)
        }
    }

    /// Analyses a binary as it is compiled: without legacy exceptions, if it has any and is valid.
    pub(super) fn of_compiled(wasm: &[u8], limits: &ModuleLimits) -> Self {
        let profile = Self::of(wasm, limits);
        let is_rewritten = profile.legacy_exceptions
            && profile.may_be_validated(limits)
            && validate_legacy(wasm).is_ok();
        if !is_rewritten {
            return profile;
        }
        match standard_exceptions(wasm) {
            Ok(standard) => Self::of_standard(&standard.wasm, wasm.len(), limits),
            Err(_) => profile,
        }
    }

    /// Counts the content of a binary, without an estimate of the cost to compile it.
    pub(crate) fn content_of(wasm: &[u8]) -> Self {
        Walk::new(None).through(wasm, wasm.len() as u64)
    }

    /// Counts what a binary has outside of its bodies.
    pub(crate) fn sections_of(wasm: &[u8]) -> Self {
        Walk::without_bodies().through(wasm, wasm.len() as u64)
    }

    /// Whether a module with these [sections](ModuleProfile::sections_of) [may be
    /// validated](ModuleProfile::may_be_validated) whatever its bodies are.
    pub(crate) fn may_be_validated_with_any_bodies(&self, limits: &ModuleLimits) -> bool {
        let ns = self
            .most_validation_steps()
            .saturating_mul(VALIDATION_STEP_NS);
        ns <= bound(limits, self.binary_bytes).ns
    }

    /// Returns an upper bound on the steps to validate a module with these [sections](ModuleProfile::sections_of).
    pub(super) fn most_validation_steps(&self) -> u64 {
        // An instruction takes at least a byte, and steps for its operands and results, at both ends if it is a block.
        let steps_per_byte = self.most_operands.saturating_mul(2).saturating_add(10);
        let steps = self.binary_bytes.saturating_mul(steps_per_byte);
        self.validation_steps.saturating_add(steps)
    }

    /// Whether the module may be validated before its cost is estimated. If not, validation alone takes longer than the
    /// limit on the time to compile it, and [`ModuleProfile::check`] refuses it.
    pub(crate) fn may_be_validated(&self, limits: &ModuleLimits) -> bool {
        let ns = self
            .whole_validation_steps()
            .saturating_mul(VALIDATION_STEP_NS);
        ns <= bound(limits, self.binary_bytes).ns
    }

    /// Returns the work to validate the module before it is compiled, in steps.
    pub(crate) fn whole_validation_steps(&self) -> u64 {
        let passes = match self.legacy_exceptions && !self.rewritten {
            // It is validated, rewritten, and validated again. The last may take longer: see `Compiler::rewrite`.
            true => 3,
            false => 1,
        };
        self.validation_steps.saturating_mul(passes)
    }

    /// Returns each count with its description, and the limit on it with its name.
    fn counts(&self, limits: &ModuleLimits) -> [(u64, &'static str, u64, &'static str); 23] {
        macro_rules! counts {
            ($($field:ident: $what:literal, $limit:ident;)*) => {
                [$((self.$field, $what, limits.$limit, stringify!($limit))),*]
            };
        }
        counts! {
            binary_bytes: "bytes", max_binary_bytes;
            types: "types", max_types;
            imports: "imports", max_imports;
            exports: "exports", max_exports;
            name_bytes: "bytes in the names of imports and exports", max_name_bytes;
            functions: "functions", max_functions;
            params: "parameters in one type", max_params;
            results: "results in one type", max_results;
            fields: "fields in one type", max_fields;
            largest_body: "bytes in one function body", max_function_body_bytes;
            locals: "locals in one function", max_locals;
            nesting: "nested blocks in one function", max_nesting;
            regions: "globals, types and references for one function to keep apart", max_function_regions;
            memories: "memories", max_memories;
            tables: "tables", max_tables;
            globals: "globals", max_globals;
            tags: "tags", max_tags;
            element_segments: "element segments", max_element_segments;
            elements: "elements in segments", max_elements;
            data_segments: "data segments", max_data_segments;
            data_bytes: "bytes of data", max_data_bytes;
            custom_sections: "custom sections", max_custom_sections;
            custom_section_bytes: "bytes in custom sections", max_custom_section_bytes;
        }
    }

    /// Makes the sum of the profiles of the modules in a component: of none yet.
    pub(super) fn in_component(wasm: &[u8]) -> Self {
        Self {
            binary_bytes: wasm.len() as u64,
            ..Self::default()
        }
    }

    /// Adds the profile of a module to the sum. Numbers that have a limit because one module or function is compiled at
    /// a time are those of the module with the most.
    pub(super) fn add(&mut self, module: &Self) {
        macro_rules! combine {
            ($combine:expr; $($field:ident)*) => {
                $(self.$field = $combine(self.$field, module.$field);)*
            };
        }
        combine!(u64::saturating_add; types imports exports name_bytes functions tags element_segments elements
            data_segments data_bytes custom_sections custom_section_bytes compile_ns sequential_ns validation_steps);
        self.memory.merge(&module.memory);
        combine!(u64::max; params results fields largest_body locals nesting regions memories tables globals);
    }

    /// Adds the cost of the items that a component makes when it is instantiated.
    pub(super) fn add_items(&mut self, items: u64) {
        self.add_cost(
            items.saturating_mul(ITEM_NS),
            items.saturating_mul(ITEM_BYTES),
        );
    }

    /// Adds to the time, in nanoseconds, and memory, in bytes, for the compilation.
    pub(super) fn add_cost(&mut self, ns: u64, bytes: u64) {
        self.compile_ns = self.compile_ns.saturating_add(ns);
        self.sequential_ns = self.sequential_ns.saturating_add(ns);
        self.memory.add_retained(bytes);
    }

    /// Checks a module in a component: the number of the module there is `index`.
    ///
    /// # Errors
    /// `CompileError` if the module exceeds a limit, or has legacy exceptions.
    pub(super) fn check_nested(
        &self,
        index: usize,
        limits: &ModuleLimits,
    ) -> Result<(), WasmError> {
        if self.legacy_exceptions {
            return Err(WasmError::compile(format!(
                "module {index} of the component has legacy exceptions, which only a module that is compiled alone may have"
            )));
        }
        let checked = self.check(limits);
        checked.map_err(|error| {
            WasmError::compile(format!(
                "module {index} of the component: {}",
                error.message
            ))
        })
    }

    /// Checks the sum of the modules in a component.
    ///
    /// # Errors
    /// `CompileError` if the component exceeds a limit.
    pub(super) fn check_component(&self, limits: &ModuleLimits) -> Result<(), WasmError> {
        self.check_as("component", limits)
    }

    /// Returns every limit that the module exceeds.
    pub(super) fn exceeded(&self, limits: &ModuleLimits) -> Vec<ExceededLimit> {
        let mut exceeded: Vec<ExceededLimit> = self
            .counts(limits)
            .into_iter()
            .filter(|(value, _, allowed, _)| value > allowed)
            .map(|(value, _, allowed, name)| ExceededLimit {
                name,
                value,
                allowed,
            })
            .collect();
        let bound = bound(limits, self.binary_bytes);
        let cost = self.cost_within(&bound);
        if cost.ns > bound.ns {
            exceeded.push(ExceededLimit {
                name: "max_compile_ms",
                value: match cost.ns {
                    u64::MAX => u64::MAX,
                    ns => ns.div_ceil(1_000_000),
                },
                allowed: bound.ns / 1_000_000,
            });
        }
        if cost.bytes > bound.bytes {
            exceeded.push(ExceededLimit {
                name: "max_compile_bytes",
                value: cost.bytes,
                allowed: bound.bytes,
            });
        }
        exceeded
    }

    /// Checks the limits.
    ///
    /// # Errors
    /// `CompileError` if the module exceeds a limit. The message has the name of the limit and both values.
    pub(crate) fn check(&self, limits: &ModuleLimits) -> Result<(), WasmError> {
        self.check_as("module", limits)
    }

    /// Checks the cost of a component alone.
    ///
    /// # Errors
    /// `CompileError` if it exceeds a limit.
    pub(super) fn check_component_cost(&self, limits: &ModuleLimits) -> Result<(), WasmError> {
        self.check_cost_as("component", limits)
    }

    fn check_as(&self, kind: &str, limits: &ModuleLimits) -> Result<(), WasmError> {
        self.check_counts_as(kind, limits)?;
        self.check_cost_as(kind, limits)
    }

    fn check_cost_as(&self, kind: &str, limits: &ModuleLimits) -> Result<(), WasmError> {
        let bound = bound(limits, self.binary_bytes);
        let cost = self.cost_within(&bound);
        if cost.ns > bound.ns {
            let estimate = match cost.ns {
                u64::MAX => "more than can be estimated".to_owned(),
                ns => format!("an estimated {} ms", ns / 1_000_000),
            };
            return Err(exceeds_of(
                kind,
                format_args!("would take {estimate} to compile"),
                bound.ns / 1_000_000,
                "max_compile_ms and max_compile_ns_per_byte",
            ));
        }
        if cost.bytes > bound.bytes {
            let estimate = cost.bytes;
            return Err(exceeds_of(
                kind,
                format_args!("would take an estimated {estimate} bytes of memory to compile"),
                bound.bytes,
                "max_compile_bytes and max_compile_bytes_per_byte",
            ));
        }
        Ok(())
    }

    /// Returns the estimated cost to compile two functions at a time; or one at a time, if only this is within the bound.
    fn cost_within(&self, bound: &Bound) -> Bound {
        let sequential = Bound {
            ns: self.sequential_ns,
            bytes: self.memory.peak(1),
        };
        let parallel = Bound {
            ns: self.compile_ns,
            bytes: self.memory.peak(2),
        };
        match parallel.bytes > bound.bytes && sequential.is_within(bound) {
            true => sequential,
            false => parallel,
        }
    }

    /// Returns the number of functions, up to `most`, that can be compiled at a time without more memory than these
    /// limits allow, at least one.
    pub(crate) fn parallel_functions(&self, limits: &ModuleLimits, most: usize) -> usize {
        let bound = bound(limits, self.binary_bytes);
        self.memory.parallel_within(bound.bytes, most).max(1)
    }

    /// Whether the estimate of the time to compile it is at most `ns` nanoseconds.
    pub(crate) fn compiles_within(&self, ns: u64) -> bool {
        self.compile_ns <= ns
    }

    /// Whether these limits let the single-pass register allocator compile the module. The allocator panics for some
    /// calls with handlers around them.
    pub(crate) fn takes_single_pass(&self, limits: &ModuleLimits) -> bool {
        self.largest_body > limits.single_pass_above_body_bytes && !self.catches
    }

    /// Checks the limits on the content.
    ///
    /// # Errors
    /// As [`ModuleProfile::check`].
    pub(crate) fn check_counts(&self, limits: &ModuleLimits) -> Result<(), WasmError> {
        self.check_counts_as("module", limits)
    }

    fn check_counts_as(&self, kind: &str, limits: &ModuleLimits) -> Result<(), WasmError> {
        let rewritten = match self.rewritten {
            true => "with its legacy exceptions rewritten ",
            false => "",
        };
        for (value, what, cap, name) in self.counts(limits) {
            if value > cap {
                let has = format_args!("{rewritten}has {value} {what}");
                return Err(exceeds_of(kind, has, cap, name));
            }
        }
        Ok(())
    }
}

/// The time that the compiler takes for an item of a component, in nanoseconds, and the memory, in bytes.
const ITEM_NS: u64 = 5_000;
const ITEM_BYTES: u64 = 1_000;

/// The time of one validation step, in nanoseconds.
pub(super) const VALIDATION_STEP_NS: u64 = 20;

/// Returns the maximum cost to compile a binary of `binary_bytes` bytes.
pub(super) fn bound(limits: &ModuleLimits, binary_bytes: u64) -> Bound {
    let ms = limits.max_compile_ms.saturating_mul(1_000_000);
    let (bytes, per_byte) = (limits.max_compile_bytes, limits.max_compile_bytes_per_byte);
    Bound {
        ns: by_size(ms, limits.max_compile_ns_per_byte, binary_bytes),
        bytes: by_size(bytes, per_byte, binary_bytes),
    }
}

fn by_size(base: u64, per_byte: u64, bytes: u64) -> u64 {
    base.saturating_add(per_byte.saturating_mul(bytes))
}

/// Returns the error of a module that exceeds the limit `name`.
pub(super) fn exceeds(what: fmt::Arguments<'_>, cap: u64, name: &str) -> WasmError {
    exceeds_of("module", what, cap, name)
}

/// Returns the error of a source of this kind that exceeds the limit `name`.
pub(super) fn exceeds_of(kind: &str, what: fmt::Arguments<'_>, cap: u64, name: &str) -> WasmError {
    WasmError::compile(format!(
        "the {kind} {what}, which exceeds the cap of {cap} ({name})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes_single_pass(body: &str, above: u64) -> bool {
        let wasm = wat::parse_str(format!("(module (func {body} nop nop nop))")).unwrap();
        let profile = ModuleProfile::of(&wasm, &ModuleLimits::default());
        assert!(!profile.takes_single_pass(&ModuleLimits::default()));
        profile.takes_single_pass(&ModuleLimits {
            single_pass_above_body_bytes: above,
            ..ModuleLimits::default()
        })
    }

    #[test]
    fn large_bodies_take_a_single_pass_where_the_host_says_so_unless_they_catch_exceptions() {
        let catches = "(block $label (try_table (catch_all $label)))";
        // The number of locals, three instructions, and the end.
        assert!(!takes_single_pass("", 5));
        assert!(takes_single_pass("", 4));
        assert!(!takes_single_pass(catches, 4));
    }
}
