//! The caps on one module or component, which are checked before it is compiled.

use serde::Deserialize;

/// The caps on the content and the compilation cost of one module, which are checked before it is compiled.
///
/// They hold for a component too: the caps on numbers and on the cost for all modules in it together, the caps on one
/// function, type, memory or table for each.
///
/// A module that exceeds a cap is refused with `CompileError`; the message names the field, its value, and the
/// module's value. The defaults allow the largest modules that are published today: a database of 40 MB with 75,000
/// exports, and a geometry kernel of 66 MB with 83,000 functions.
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
    /// The maximum number of bytes of a module in the binary format. Default: 128 MiB.
    pub max_binary_bytes: u64,
    /// The maximum number of bytes of a module in the text format, which costs far more per byte than the binary
    /// format: up to 80 bytes of memory. Default: 2 MiB.
    pub max_text_bytes: u64,
    /// The maximum depth of nested parentheses and blocks in the text format. Default: 10,000.
    pub max_text_nesting: u64,
    /// The maximum number of types. Default: 100,000.
    pub max_types: u64,
    /// The maximum number of imports. Default: 10,000.
    pub max_imports: u64,
    /// The maximum number of exports. Default: 100,000.
    pub max_exports: u64,
    /// The maximum number of bytes of the names of all imports and exports together. Default: 32 MiB.
    pub max_name_bytes: u64,
    /// The maximum number of functions, including imports. Default: 200,000.
    pub max_functions: u64,
    /// The maximum number of parameters of one function, block or tag. WebAssembly implementations agree on 1,000;
    /// a higher setting has no effect. Default: 1,000.
    pub max_params: u64,
    /// The maximum number of results of one function or block, up to 1,000 as for parameters. Default: 1,000.
    pub max_results: u64,
    /// The maximum number of fields of one struct type, up to 10,000. Default: 2,000.
    pub max_fields: u64,
    /// The maximum number of bytes of one function body, up to 7,654,321. Default: 6,000,000.
    pub max_function_body_bytes: u64,
    /// The size of a function body above which its module is compiled with Cranelift's single-pass register allocator,
    /// in bytes. Default: no module is.
    ///
    /// The usual allocator takes more than linear time: 13 minutes for a body of 4.5 MB, where this one takes half a
    /// minute. But its code is slower, and the authors of wasmtime do not recommend it for code that is not trusted:
    /// they do not treat its faults as vulnerabilities. Set it for modules whose authors you know. Modules that catch
    /// exceptions always have the usual allocator.
    pub single_pass_above_body_bytes: u64,
    /// The maximum number of locals of one function, including parameters, up to 50,000. Default: 50,000.
    pub max_locals: u64,
    /// The maximum depth of nested blocks in one function. Default: 10,000.
    pub max_nesting: u64,
    /// The maximum number of entities that the compiler numbers separately in one function: globals that it
    /// accesses, types that it allocates or tests for, and references that are live across a call. The compiler
    /// fails above about 65,000. Default: 60,000.
    pub max_function_regions: u64,
    /// The maximum number of memories, including imports, up to 100. Default: 100.
    pub max_memories: u64,
    /// The maximum number of tables, including imports, up to 100. Default: 100.
    pub max_tables: u64,
    /// The maximum number of globals, including imports. The compiler fails above about 65,000. Default: 50,000.
    pub max_globals: u64,
    /// The maximum number of tags, including imports. Default: 10,000.
    pub max_tags: u64,
    /// The maximum number of element segments, up to 100,000. Default: 10,000.
    pub max_element_segments: u64,
    /// The maximum number of elements of all element segments together. Default: 1,000,000.
    pub max_elements: u64,
    /// The maximum number of data segments, up to 100,000. Default: 100,000.
    pub max_data_segments: u64,
    /// The maximum number of bytes of all data segments together. Default: 128 MiB.
    pub max_data_bytes: u64,
    /// The maximum number of custom sections. Default: 10,000.
    pub max_custom_sections: u64,
    /// The maximum number of bytes of all custom sections together, including their names. Default: 128 MiB.
    pub max_custom_section_bytes: u64,
    /// The maximum number of modules in a component. Default: 1,000.
    pub max_component_modules: u64,
    /// The maximum depth of nested components, and of instantiations in instantiations. Default: 100.
    pub max_component_nesting: u64,
    /// The maximum number of items that the instantiation of a component makes: the definitions in it, and those in each
    /// component that it instantiates, as often as it does. The compiler expands all of them. Default: 100,000.
    pub max_component_items: u64,
    /// The maximum number of types, fields and cases in the imports and exports of a component together. Default: 100,000.
    pub max_interface_types: u64,
    /// The base part of the maximum time to compile a module on two cores, in milliseconds.
    /// `max_compile_ns_per_byte` adds to it. Default: 1,000.
    ///
    /// The time is estimated from the module's content before it is compiled, with a generous margin.
    pub max_compile_ms: u64,
    /// The part of the maximum time to compile a module that each byte of the binary adds, in nanoseconds. Default:
    /// 10,000, which is one second per 100 KB.
    pub max_compile_ns_per_byte: u64,
    /// The base part of the maximum memory to compile a module, in bytes. `max_compile_bytes_per_byte` adds to it. The
    /// memory is estimated like the time. As many functions are compiled at a time as fit into it, up to one for each
    /// core. Default: 128 MiB.
    pub max_compile_bytes: u64,
    /// The part of the maximum memory to compile a module that each byte of the binary adds, in bytes. Default:
    /// 100.
    pub max_compile_bytes_per_byte: u64,
    /// The maximum work of `validate`, which blocks JavaScript, in steps: about one step for each instruction, for
    /// each of its operands and for each target of a branch. Default: 2,000,000, which take less than a tenth of a
    /// second.
    pub max_validation_steps: u64,
    /// The maximum work of `validateAsync`, in the same steps. Default: 2,000,000,000.
    pub max_async_validation_steps: u64,
}

/// A limit that a module exceeds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExceededLimit {
    /// The name of the field of [`ModuleLimits`].
    pub name: &'static str,
    /// The value of the module. For `max_compile_ms` and `max_compile_bytes` it is the whole estimate, of which the
    /// size of the module allows a part. `u64::MAX` is more than can be estimated.
    pub value: u64,
    /// The value that the limits allow this module.
    pub allowed: u64,
}

impl ModuleLimits {
    /// Returns the maximum number of bytes of a source of either format.
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
            single_pass_above_body_bytes: u64::MAX,
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
            max_component_modules: 1_000,
            max_component_nesting: 100,
            max_component_items: 100_000,
            max_interface_types: 100_000,
            max_compile_ms: 1_000,
            max_compile_ns_per_byte: 10_000,
            max_compile_bytes: 128 << 20,
            max_compile_bytes_per_byte: 100,
            max_validation_steps: 2_000_000,
            max_async_validation_steps: 2_000_000_000,
        }
    }
}
