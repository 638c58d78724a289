//! The cost of the types in a component, which is counted while the component is validated.
//!
//! A type can have a part many times, so that a few bytes make a type with a million parts. The validator, and the
//! compiler's own validation, walk through all of them: for each name that the type gets, each function that has it, and
//! each instantiation that takes it. The validator bounds the parts of one component, but not the number of walks.
//!
//! Where components call each other, the compiler makes functions that convert the values.

use wasmparser::component_types::ComponentAnyTypeId;
use wasmparser::types::TypesRef;
use wasmparser::{CanonicalFunction, ComponentInstance};

use super::type_costs::{Conversions, TypeCosts};
use crate::runtime::admission::ComponentProfile;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;

/// The time of a walk through one part of a type, in nanoseconds, in both validations.
const PART_NS: u64 = 60;

/// The time to compare one part of a type with another type, in nanoseconds, in both validations.
const COMPARED_PART_NS: u64 = 160;

/// The time and memory for a unit of code that converts a value, in nanoseconds and bytes.
const UNIT_NS: u64 = 8_000;
const UNIT_BYTES: u64 = 500;

/// Counts the cost of a component against its limits.
pub(super) struct Cost<'p> {
    limits: &'p ModuleLimits,
    profile: &'p mut ComponentProfile,
    types: TypeCosts,
    /// The components, the root first, in the order of the binary.
    components: Vec<Functions>,
    /// The components that are being read, from the root on.
    open: Vec<usize>,
}

/// The functions that a component takes from others and gives to others.
#[derive(Default)]
struct Functions {
    lowered: u64,
    /// The units of code in the functions that stand for the lowered ones.
    units: u64,
    conversions: Conversions,
    is_lifted: bool,
}

impl<'p> Cost<'p> {
    pub(super) fn new(profile: &'p mut ComponentProfile, limits: &'p ModuleLimits) -> Self {
        Self {
            limits,
            profile,
            types: TypeCosts::default(),
            components: vec![Functions::default()],
            open: vec![0],
        }
    }

    /// Begins a component in the current one.
    pub(super) fn begin_component(&mut self) {
        self.open.push(self.components.len());
        self.components.push(Functions::default());
    }

    /// Ends the current component, which is in another one. `types` are those of the other one.
    ///
    /// # Errors
    /// `CompileError` if a limit is exceeded.
    pub(super) fn end_component(&mut self, types: TypesRef<'_>) -> Result<(), WasmError> {
        self.open.pop();
        let Some(last) = types.component_count().checked_sub(1) else {
            return Ok(());
        };
        let ended = ComponentAnyTypeId::Component(types.component_at(last));
        let size = self.types.size(types, ended);
        self.spend(size.saturating_mul(PART_NS), 0)
    }

    /// Counts a type that was defined last.
    ///
    /// # Errors
    /// As [`Cost::end_component`].
    pub(super) fn add_type(&mut self, types: TypesRef<'_>) -> Result<(), WasmError> {
        let Some(last) = types.component_type_count().checked_sub(1) else {
            return Ok(());
        };
        let size = self.types.size(types, types.component_any_type_at(last));
        self.spend(size.saturating_mul(PART_NS), 0)
    }

    /// Counts an instance that is made next.
    ///
    /// # Errors
    /// As [`Cost::end_component`].
    pub(super) fn add_instance(
        &mut self,
        types: TypesRef<'_>,
        instance: &ComponentInstance<'_>,
    ) -> Result<(), WasmError> {
        let ComponentInstance::Instantiate {
            component_index, ..
        } = instance
        else {
            return Ok(());
        };
        if *component_index >= types.component_count() {
            // Not valid.
            return Ok(());
        }
        let component = ComponentAnyTypeId::Component(types.component_at(*component_index));
        let size = self.types.size(types, component);
        self.spend(size.saturating_mul(COMPARED_PART_NS), 0)
    }

    /// Counts a valid function.
    ///
    /// # Errors
    /// As [`Cost::end_component`].
    pub(super) fn add_function(
        &mut self,
        types: TypesRef<'_>,
        function: &CanonicalFunction,
    ) -> Result<(), WasmError> {
        let current = self.open.last().copied().unwrap_or(0);
        let functions = &mut self.components[current];
        let ty = match function {
            CanonicalFunction::Lift { type_index, .. } => {
                functions.is_lifted = true;
                types.component_any_type_at(*type_index)
            }
            CanonicalFunction::Lower { func_index, .. } => {
                let function = types.component_function_at(*func_index);
                let (costs, conversions) = (&mut self.types, &mut functions.conversions);
                functions.lowered += 1;
                functions.units += costs.units_of_function(types, function);
                costs.add_conversions(types, function, conversions);
                ComponentAnyTypeId::Func(function)
            }
            _ => return Ok(()),
        };
        let size = self.types.size(types, ty);
        self.spend(size.saturating_mul(PART_NS), 0)
    }

    /// Counts the functions that the compiler makes for calls between the components.
    ///
    /// It makes some for each function that a component lowers, and some for each of the types in them and each component
    /// instance that the functions come from. A component cannot call those around it and in it, so the root calls none.
    ///
    /// # Errors
    /// As [`Cost::end_component`].
    pub(super) fn finish(mut self) -> Result<(), WasmError> {
        let components = std::mem::take(&mut self.components);
        let nested = components.iter().enumerate().skip(1);
        let lifting = nested.clone().filter(|(_, functions)| functions.is_lifted);
        let lifting: u64 = lifting.map(|(number, _)| self.instances_of(number)).sum();
        for (number, functions) in nested {
            let sources = functions.lowered.min(lifting);
            let converting = functions.conversions.units.saturating_mul(sources);
            let units = match sources {
                0 => 0,
                _ => functions.units.saturating_add(converting),
            };
            let units = units.saturating_mul(self.instances_of(number));
            self.spend(
                units.saturating_mul(UNIT_NS),
                units.saturating_mul(UNIT_BYTES),
            )?;
        }
        Ok(())
    }

    fn instances_of(&self, component: usize) -> u64 {
        self.profile.instances_of(component).into()
    }

    fn spend(&mut self, ns: u64, bytes: u64) -> Result<(), WasmError> {
        self.profile.add_cost(ns, bytes);
        self.profile.check_cost(self.limits)
    }
}
