//! Validation of components, which gives their types.

use wasmparser::types::{Types, TypesRef};
use wasmparser::{BinaryReader, FromReader, FuncToValidate, FunctionBody, Parser, Payload};
use wasmparser::{SectionLimited, ValidPayload, Validator, ValidatorResources, WasmFeatures};

use super::types::Interface;
use super::validation_cost::Cost;
use crate::runtime::admission::ComponentProfile;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;
use crate::runtime::engine::EngineKind;

/// The features that a component without asynchronous functions may have. The engine checks its own when it compiles the
/// component.
const FEATURES: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::THREADS)
    .union(WasmFeatures::CUSTOM_PAGE_SIZES)
    .union(WasmFeatures::WIDE_ARITHMETIC)
    .union(WasmFeatures::COMPONENT_MODEL)
    .union(WasmFeatures::CM_ERROR_CONTEXT)
    .union(WasmFeatures::CM_FIXED_LENGTH_LISTS)
    .union(WasmFeatures::CM_MAP)
    .union(WasmFeatures::CM_IMPLEMENTS);

/// The features that only an asynchronous component has.
const ASYNC_FEATURES: WasmFeatures = WasmFeatures::CM_ASYNC
    .union(WasmFeatures::CM_ASYNC_STACKFUL)
    .union(WasmFeatures::CM_MORE_ASYNC_BUILTINS)
    .union(WasmFeatures::CM_THREADING);

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

impl From<WasmError> for Refusal {
    fn from(error: WasmError) -> Self {
        Self::Limit(error)
    }
}

/// Validates a component, and returns the kind of the engines that it needs, and its interface. Adds the cost of its types
/// to `profile`.
///
/// A component that is valid without the features of asynchronous ones needs none of them.
///
/// # Errors
/// If it is not valid, or it exceeds a limit.
pub(crate) fn validate(
    wasm: &[u8],
    profile: &mut ComponentProfile,
    limits: &ModuleLimits,
) -> Result<(EngineKind, Interface), Refusal> {
    match validate_with(FEATURES, wasm, profile, limits) {
        Ok(interface) => Ok((EngineKind::Plain, interface)),
        Err(Refusal::Limit(error)) => Err(error.into()),
        Err(Refusal::Invalid(_)) => {
            // Without the costs that were added up to the error.
            *profile = ComponentProfile::check(wasm, limits)?;
            let features = FEATURES.union(ASYNC_FEATURES);
            let interface = validate_with(features, wasm, profile, limits)?;
            Ok((EngineKind::Async, interface))
        }
    }
}

fn validate_with(
    features: WasmFeatures,
    wasm: &[u8],
    profile: &mut ComponentProfile,
    limits: &ModuleLimits,
) -> Result<Interface, Refusal> {
    let mut validation = Validation {
        wasm,
        validator: Validator::new_with_features(features),
        cost: Cost::new(profile, limits),
        is_in_module: false,
    };
    let mut functions: Vec<(FuncToValidate<ValidatorResources>, FunctionBody<'_>)> = Vec::new();
    let mut names = Names::default();
    let mut types: Option<Types> = None;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        names.add(&payload)?;
        match validation.payload(&payload)? {
            ValidPayload::Func(function, body) => functions.push((function, body)),
            // The last one is that of the root.
            ValidPayload::End(of) => types = Some(of),
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
    }
    validation.cost.finish()?;
    let mut allocations = Default::default();
    for (function, body) in functions {
        let mut validator = function.into_validator(allocations);
        validator.validate(&body)?;
        allocations = validator.into_allocations();
    }
    let Some(types) = types else {
        let message = WasmError::compile("not a WebAssembly component: it has no end");
        return Err(message.into());
    };
    let interface = Interface::of(types.as_ref(), &names.imports, &names.exports, limits);
    Ok(interface?)
}

/// A validation that stops where its cost exceeds a limit.
struct Validation<'w, 'p> {
    wasm: &'w [u8],
    validator: Validator,
    cost: Cost<'p>,
    is_in_module: bool,
}

impl<'w> Validation<'w, '_> {
    fn payload(&mut self, payload: &Payload<'w>) -> Result<ValidPayload<'w>, Refusal> {
        let valid = match payload {
            Payload::ComponentTypeSection(section) => {
                for item in self.items(section)? {
                    self.validator.component_type_section(&item.section()?)?;
                    self.count(|cost, types| cost.add_type(types))?;
                }
                ValidPayload::Ok
            }
            Payload::ComponentInstanceSection(section) => {
                for item in self.items(section)? {
                    let section = item.section()?;
                    for instance in section.clone() {
                        let instance = instance?;
                        self.count(|cost, types| cost.add_instance(types, &instance))?;
                    }
                    self.validator.component_instance_section(&section)?;
                }
                ValidPayload::Ok
            }
            Payload::ComponentCanonicalSection(section) => {
                for item in self.items(section)? {
                    let section = item.section()?;
                    self.validator.component_canonical_section(&section)?;
                    for function in section {
                        let function = function?;
                        self.count(|cost, types| cost.add_function(types, &function))?;
                    }
                }
                ValidPayload::Ok
            }
            payload => self.validator.payload(payload)?,
        };
        match payload {
            Payload::ModuleSection { .. } => self.is_in_module = true,
            Payload::ComponentSection { .. } => self.cost.begin_component(),
            Payload::End(_) if self.is_in_module => self.is_in_module = false,
            Payload::End(_) => self.count(|cost, types| cost.end_component(types))?,
            _ => {}
        }
        Ok(valid)
    }

    /// Counts something in the current component.
    fn count(
        &mut self,
        f: impl FnOnce(&mut Cost<'_>, TypesRef<'_>) -> Result<(), WasmError>,
    ) -> Result<(), Refusal> {
        match self.validator.types(0) {
            Some(types) => Ok(f(&mut self.cost, types)?),
            // The root has ended.
            None => Ok(()),
        }
    }

    /// Returns the items of a section as sections of their own, so that the cost can be counted between them.
    fn items<T: FromReader<'w>>(
        &self,
        section: &SectionLimited<'w, T>,
    ) -> Result<Vec<OneItem>, Refusal> {
        let end = section.range().end;
        let starts = section.clone().into_iter_with_offsets();
        let starts = starts.map(|item| item.map(|(start, _)| start));
        let mut bounds = starts.collect::<Result<Vec<_>, _>>()?;
        bounds.push(end);
        let item = |bounds: &[usize]| OneItem {
            bytes: [&[1], &self.wasm[bounds[0]..bounds[1]]].concat(),
            // So that errors have the places of the items.
            offset: bounds[0] - 1,
        };
        Ok(bounds.windows(2).map(item).collect())
    }
}

/// A section with one item.
struct OneItem {
    bytes: Vec<u8>,
    offset: usize,
}

impl OneItem {
    fn section<'a, T>(&'a self) -> wasmparser::Result<SectionLimited<'a, T>> {
        SectionLimited::new(BinaryReader::new(&self.bytes, self.offset))
    }
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
