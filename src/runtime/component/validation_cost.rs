//! The cost of the types in a component, which is counted while the component is validated.
//!
//! A type can have a part many times, so that a few bytes make a type with a million parts. The validator, and the
//! compiler's own validation, walk through all of them: for each name that the type gets, each function that has it, and
//! each instantiation that takes it. The validator bounds the parts of one component, but not the number of walks.
//!
//! Where components call each other, the compiler makes functions that convert the values. For each instantiation, which the
//! compiler carries out, it converts the types of the component again, with all names in them, and copies the instances that
//! are passed.

use wasmparser::component_types::ComponentAnyTypeId;
use wasmparser::types::TypesRef;
use wasmparser::{CanonicalFunction, ComponentExternalKind, ComponentInstance};

use super::type_costs::{Conversions, TypeCosts};
use crate::runtime::admission::ComponentProfile;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;

/// The time of a walk through one part of a type, in nanoseconds, in both validations.
const PART_NS: u64 = 60;

/// The time to compare one part of a type with another type, in nanoseconds, in both validations.
const COMPARED_PART_NS: u64 = 160;

/// The memory for a part of a type in an instantiation that is validated, in bytes.
const COMPARED_PART_BYTES: u64 = 30;

/// The time and memory for a part of a type in an instantiation that is carried out, in nanoseconds and bytes.
const EXPANDED_PART_NS: u64 = 110;
const EXPANDED_PART_BYTES: u64 = 60;

/// The time and memory for the code of a canonical function of an instance, in nanoseconds and bytes.
const CANONICAL_FUNCTION_NS: u64 = 90_000;
const CANONICAL_FUNCTION_BYTES: u64 = 4_000;

/// The time for a resource type in each instantiation: the compiler copies the list of all, in nanoseconds.
const RESOURCE_NS: u64 = 3;

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
    /// The canonical functions of all kinds.
    canonical: u64,
    /// The size of the component's own type, and those of the instances that it passes to others.
    expanded_parts: u64,
    resources: u64,
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
        let number = self.open.pop().unwrap_or(0);
        let Some(last) = types.component_count().checked_sub(1) else {
            return Ok(());
        };
        let ended = ComponentAnyTypeId::Component(types.component_at(last));
        let size = self.types.size(types, ended);
        let parts = &mut self.components[number].expanded_parts;
        *parts = parts.saturating_add(size);
        self.spend(size.saturating_mul(PART_NS), 0)
    }

    fn current(&mut self) -> &mut Functions {
        let current = self.open.last().copied().unwrap_or(0);
        &mut self.components[current]
    }

    /// Counts a type that was defined last.
    ///
    /// # Errors
    /// As [`Cost::end_component`].
    pub(super) fn add_type(&mut self, types: TypesRef<'_>) -> Result<(), WasmError> {
        let Some(last) = types.component_type_count().checked_sub(1) else {
            return Ok(());
        };
        let ty = types.component_any_type_at(last);
        if let ComponentAnyTypeId::Resource(_) = ty {
            self.current().resources += 1;
        }
        let size = self.types.size(types, ty);
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
            component_index,
            args,
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
        let mut passed = 0_u64;
        for arg in args {
            if arg.kind == ComponentExternalKind::Instance
                && arg.index < types.component_instance_count()
            {
                let instance = types.component_instance_at(arg.index);
                let size = self
                    .types
                    .size(types, ComponentAnyTypeId::Instance(instance));
                passed = passed.saturating_add(size);
            }
        }
        let parts = &mut self.current().expanded_parts;
        *parts = parts.saturating_add(passed);
        self.spend(
            size.saturating_add(passed).saturating_mul(COMPARED_PART_NS),
            size.saturating_mul(COMPARED_PART_BYTES),
        )
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
        functions.canonical += 1;
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

    /// Counts the instantiations, and the functions that the compiler makes for calls between the components.
    ///
    /// It makes some for each function that a component lowers, and some for each of the types in them and each component
    /// instance that the functions come from. A component cannot call those around it and in it, so the root calls none.
    ///
    /// # Errors
    /// As [`Cost::end_component`].
    pub(super) fn finish(mut self) -> Result<(), WasmError> {
        let components = std::mem::take(&mut self.components);
        let (mut instances, mut resources) = (0_u64, 0_u64);
        for (number, functions) in components.iter().enumerate() {
            let count = self.instances_of(number);
            instances = instances.saturating_add(count);
            resources = resources.saturating_add(functions.resources.saturating_mul(count));
            let canonical = functions.canonical.saturating_mul(count);
            let parts = functions.expanded_parts.saturating_mul(count);
            let ns = canonical.saturating_mul(CANONICAL_FUNCTION_NS);
            let bytes = canonical.saturating_mul(CANONICAL_FUNCTION_BYTES);
            self.spend(
                ns.saturating_add(parts.saturating_mul(EXPANDED_PART_NS)),
                bytes.saturating_add(parts.saturating_mul(EXPANDED_PART_BYTES)),
            )?;
        }
        let copied = instances.saturating_mul(resources);
        self.spend(copied.saturating_mul(RESOURCE_NS), 0)?;
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
