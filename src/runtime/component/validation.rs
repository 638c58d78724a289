//! Validation of components, which gives their types.

use wasmparser::types::Types;
use wasmparser::{FuncToValidate, FunctionBody, Parser, Payload, ValidPayload, Validator};
use wasmparser::{ValidatorResources, WasmFeatures};

use super::types::Interface;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;

/// The features that a component may have. The engine checks its own when it compiles the component.
const FEATURES: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::THREADS)
    .union(WasmFeatures::CUSTOM_PAGE_SIZES)
    .union(WasmFeatures::WIDE_ARITHMETIC)
    .union(WasmFeatures::COMPONENT_MODEL)
    .union(WasmFeatures::CM_ASYNC)
    .union(WasmFeatures::CM_ASYNC_STACKFUL)
    .union(WasmFeatures::CM_MORE_ASYNC_BUILTINS)
    .union(WasmFeatures::CM_THREADING)
    .union(WasmFeatures::CM_ERROR_CONTEXT)
    .union(WasmFeatures::CM_FIXED_LENGTH_LISTS)
    .union(WasmFeatures::CM_MAP)
    .union(WasmFeatures::CM_IMPLEMENTS);

/// The reason why a component is not accepted.
pub(crate) enum Refusal {
    Invalid(wasmparser::Error),
    Limit(WasmError),
}

impl From<wasmparser::Error> for Refusal {
    fn from(error: wasmparser::Error) -> Self {
        Self::Invalid(error)
    }
}

/// Validates a component, and returns its interface.
///
/// # Errors
/// If it is not valid, or its interface exceeds a limit.
pub(crate) fn validate(wasm: &[u8], limits: &ModuleLimits) -> Result<Interface, Refusal> {
    let mut validator = Validator::new_with_features(FEATURES);
    let mut functions: Vec<(FuncToValidate<ValidatorResources>, FunctionBody<'_>)> = Vec::new();
    let mut names = Names::default();
    let mut types: Option<Types> = None;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        names.add(&payload)?;
        match validator.payload(&payload)? {
            ValidPayload::Func(function, body) => functions.push((function, body)),
            // The last one is that of the root.
            ValidPayload::End(of) => types = Some(of),
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
    }
    let mut allocations = Default::default();
    for (function, body) in functions {
        let mut validator = function.into_validator(allocations);
        validator.validate(&body)?;
        allocations = validator.into_allocations();
    }
    let Some(types) = types else {
        let message = WasmError::compile("not a WebAssembly component: it has no end");
        return Err(Refusal::Limit(message));
    };
    let cap = limits.max_interface_types;
    Interface::of(types.as_ref(), &names.imports, &names.exports, cap).map_err(Refusal::Limit)
}

/// The names of the imports and exports of the root.
#[derive(Default)]
struct Names<'a> {
    imports: Vec<&'a str>,
    exports: Vec<&'a str>,
    /// The number of components and modules around the payload, below the root.
    depth: usize,
}

impl<'a> Names<'a> {
    fn add(&mut self, payload: &Payload<'a>) -> Result<(), wasmparser::Error> {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => self.depth += 1,
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if self.depth == 0 => {
                for import in imports.clone() {
                    self.imports.push(import?.name.name);
                }
            }
            Payload::ComponentExportSection(exports) if self.depth == 0 => {
                for export in exports.clone() {
                    self.exports.push(export?.name.name);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
