//! What a module may hold and cost, before the compiler sees it.

use serde::Deserialize;

/// The caps on one module, which are checked before it is compiled.
///
/// A module that exceeds one is refused with `CompileError`, and the message names the field, its
/// value and the module's. The defaults let through what is published today: a database of 40 MB with
/// 75,000 exports, a geometry kernel of 66 MB with 83,000 functions.
///
/// ```
/// use ext_wasm::{ModuleLimits, WasmCapabilities};
///
/// let mut limits = ModuleLimits::default();
/// limits.max_binary_bytes = 1 << 20;
/// let mut capabilities = WasmCapabilities::default();
/// capabilities.module_limits = limits;
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ModuleLimits {
    /// The most bytes of a module in the binary format. Default: 128 MiB.
    pub max_binary_bytes: u64,
    /// The most bytes of a module in the text format, which takes far more work for each byte than the
    /// binary one does: up to 80 bytes of memory. Default: 2 MiB.
    pub max_text_bytes: u64,
    /// How deep parentheses and blocks may be nested in the text format. Default: 10,000.
    pub max_text_nesting: u64,
    /// The most types. Default: 100,000.
    pub max_types: u64,
    /// The most imports. Default: 10,000.
    pub max_imports: u64,
    /// The most exports. Default: 100,000.
    pub max_exports: u64,
    /// The most bytes that the names of all imports and exports may have together. Default: 32 MiB.
    pub max_name_bytes: u64,
    /// The most functions, imported ones included. Default: 200,000.
    pub max_functions: u64,
    /// The most parameters of one function, block or tag. WebAssembly's implementations agree on
    /// 1,000, which no setting here exceeds. Default: 1,000.
    pub max_params: u64,
    /// The most results of one function or block, up to 1,000 like the parameters. Default: 1,000.
    pub max_results: u64,
    /// The most fields of one structure, up to 10,000. Default: 2,000.
    pub max_fields: u64,
    /// The most bytes of one function's body, up to 7,654,321. Default: 6,000,000.
    pub max_function_body_bytes: u64,
    /// The most locals of one function, parameters included, up to 50,000. Default: 50,000.
    pub max_locals: u64,
    /// How deep blocks may be nested in one function. Default: 10,000.
    pub max_nesting: u64,
    /// The most things that the compiler keeps apart in one function: globals that it accesses, types that
    /// it makes objects of or tests for, and references that are alive while it calls something. The
    /// compiler fails beyond some 65,000. Default: 60,000.
    pub max_function_regions: u64,
    /// The most memories, imported ones included, up to 100. Default: 100.
    pub max_memories: u64,
    /// The most tables, imported ones included, up to 100. Default: 100.
    pub max_tables: u64,
    /// The most globals, imported ones included. The compiler fails beyond some 65,000. Default:
    /// 50,000.
    pub max_globals: u64,
    /// The most tags, imported ones included. Default: 10,000.
    pub max_tags: u64,
    /// The most element segments, up to 100,000. Default: 10,000.
    pub max_element_segments: u64,
    /// The most elements of all element segments together. Default: 1,000,000.
    pub max_elements: u64,
    /// The most data segments, up to 100,000. Default: 100,000.
    pub max_data_segments: u64,
    /// The most bytes of all data segments together. Default: 128 MiB.
    pub max_data_bytes: u64,
    /// The most custom sections. Default: 10,000.
    pub max_custom_sections: u64,
    /// The most bytes of all custom sections together, their names included. Default: 128 MiB.
    pub max_custom_section_bytes: u64,
    /// How long a module may take to compile on two cores, in milliseconds, beside what
    /// `max_compile_ns_per_byte` adds. Default: 1,000.
    ///
    /// The time is estimated from what the module holds, generously, before it is compiled.
    pub max_compile_ms: u64,
    /// How much longer it may take for each byte of the binary, in nanoseconds. Default: 10,000, a
    /// second for every 100 KB.
    pub max_compile_ns_per_byte: u64,
    /// How much memory it may take to compile a module on two cores, in bytes, beside what
    /// `max_compile_bytes_per_byte` adds. Estimated like the time. Default: 128 MiB.
    pub max_compile_bytes: u64,
    /// How much more memory it may take for each byte of the binary, in bytes. Default: 100.
    pub max_compile_bytes_per_byte: u64,
    /// How much work `validate` may do, during which JavaScript waits: about one step for an
    /// instruction, for each of its operands and for each target of a branch. Default: 2,000,000, less
    /// than a tenth of a second.
    pub max_validation_steps: u64,
    /// The same for `validateAsync`. Default: 2,000,000,000.
    pub max_async_validation_steps: u64,
}

impl ModuleLimits {
    /// The most bytes of a source, whichever its format.
    pub(crate) fn max_source_bytes(&self) -> u64 {
        self.max_binary_bytes.max(self.max_text_bytes)
    }
}

impl Default for ModuleLimits {
    fn default() -> Self {
        Self {
            max_binary_bytes: 128 << 20,
            max_text_bytes: 2 << 20,
            max_text_nesting: 10_000,
            max_types: 100_000,
            max_imports: 10_000,
            max_exports: 100_000,
            max_name_bytes: 32 << 20,
            max_functions: 200_000,
            max_params: 1_000,
            max_results: 1_000,
            max_fields: 2_000,
            max_function_body_bytes: 6_000_000,
            max_locals: 50_000,
            max_nesting: 10_000,
            max_function_regions: 60_000,
            max_memories: 100,
            max_tables: 100,
            max_globals: 50_000,
            max_tags: 10_000,
            max_element_segments: 10_000,
            max_elements: 1_000_000,
            max_data_segments: 100_000,
            max_data_bytes: 128 << 20,
            max_custom_sections: 10_000,
            max_custom_section_bytes: 128 << 20,
            max_compile_ms: 1_000,
            max_compile_ns_per_byte: 10_000,
            max_compile_bytes: 128 << 20,
            max_compile_bytes_per_byte: 100,
            max_validation_steps: 2_000_000,
            max_async_validation_steps: 2_000_000_000,
        }
    }
}
