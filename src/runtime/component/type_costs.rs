//! The sizes of types, and of the code that converts their values, in a component that is being validated.

use std::collections::{HashMap, HashSet};

use wasmparser::PrimitiveValType;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
    ComponentFuncTypeId, ComponentItem, ComponentValType,
};
use wasmparser::types::{TypeIdentifier, TypesRef};

/// The units of code that wasmtime puts into one function that converts values before it makes another function for the
/// parts that are left: `INITIAL_FUEL` in its `fact/trampoline.rs`.
const UNITS_OF_FUNCTION: u64 = 1_000;

/// The number of bytes of a name that cost as much as a part of a type.
const NAME_BYTES_OF_PART: u64 = 16;

/// The costs of types, by the validator's numbers. Each type is visited once; the validator bounds how deep types nest.
#[derive(Default)]
pub(super) struct TypeCosts {
    sizes: HashMap<ComponentAnyTypeId, u64>,
    units: HashMap<ComponentDefinedTypeId, u64>,
}

/// The types of the values that a component takes from functions of others, with all their parts.
#[derive(Default)]
pub(super) struct Conversions {
    types: HashSet<ComponentDefinedTypeId>,
    /// The units of code in one conversion of each of the types.
    pub(super) units: u64,
}

impl TypeCosts {
    /// Returns the number of parts of a type, each as often as it occurs.
    pub(super) fn size(&mut self, types: TypesRef<'_>, ty: ComponentAnyTypeId) -> u64 {
        if let Some(known) = self.sizes.get(&ty) {
            return *known;
        }
        let size = match ty {
            ComponentAnyTypeId::Resource(_) => 0,
            ComponentAnyTypeId::Defined(id) => {
                let mut size = match get(types, id) {
                    ComponentDefinedType::Flags(names) | ComponentDefinedType::Enum(names) => {
                        names.len() as u64
                    }
                    _ => 0,
                };
                for_each_part(get(types, id), |part| {
                    size = size.saturating_add(self.value_size(types, part));
                });
                size
            }
            ComponentAnyTypeId::Func(id) => {
                let mut size = 0_u64;
                for part in values_of(types, id) {
                    size = size.saturating_add(self.value_size(types, part));
                }
                size
            }
            ComponentAnyTypeId::Instance(id) => self.sum(types, get(types, id).exports.iter()),
            ComponentAnyTypeId::Component(id) => {
                let component = get(types, id);
                self.sum(
                    types,
                    component.imports.iter().chain(component.exports.iter()),
                )
            }
        };
        let size = size.saturating_add(1);
        self.sizes.insert(ty, size);
        size
    }

    fn value_size(&mut self, types: TypesRef<'_>, ty: ComponentValType) -> u64 {
        match ty {
            ComponentValType::Primitive(_) => 1,
            ComponentValType::Type(id) => self.size(types, ComponentAnyTypeId::Defined(id)),
        }
    }

    fn sum<'a>(
        &mut self,
        types: TypesRef<'_>,
        items: impl Iterator<Item = (&'a String, &'a ComponentItem)>,
    ) -> u64 {
        let sizes = items.map(|(name, item)| {
            let named = name.len() as u64 / NAME_BYTES_OF_PART;
            let size = match &item.ty {
                ComponentEntityType::Module(_) => 1,
                ComponentEntityType::Func(id) => self.size(types, ComponentAnyTypeId::Func(*id)),
                ComponentEntityType::Value(ty) => self.value_size(types, *ty),
                ComponentEntityType::Type { referenced, .. } => self.size(types, *referenced),
                ComponentEntityType::Instance(id) => {
                    self.size(types, ComponentAnyTypeId::Instance(*id))
                }
                ComponentEntityType::Component(id) => {
                    self.size(types, ComponentAnyTypeId::Component(*id))
                }
            };
            size.saturating_add(named)
        });
        sizes.fold(0, u64::saturating_add)
    }

    /// Returns the units of code that a function gets which converts the arguments and results of a function.
    pub(super) fn units_of_function(
        &mut self,
        types: TypesRef<'_>,
        function: ComponentFuncTypeId,
    ) -> u64 {
        let units = values_of(types, function).map(|ty| self.value_units(types, ty));
        let units = units.fold(1, u64::saturating_add);
        units.min(2 * UNITS_OF_FUNCTION)
    }

    /// Adds the types of the arguments and results of a function to `conversions`.
    pub(super) fn add_conversions(
        &mut self,
        types: TypesRef<'_>,
        function: ComponentFuncTypeId,
        conversions: &mut Conversions,
    ) {
        let mut left: Vec<ComponentValType> = values_of(types, function).collect();
        while let Some(ty) = left.pop() {
            let ComponentValType::Type(id) = ty else {
                continue;
            };
            if conversions.types.insert(id) {
                conversions.units += self.value_units(types, ty);
                for_each_part(get(types, id), |part| left.push(part));
            }
        }
    }

    /// Returns the units of code in the function that converts values of a type. More functions convert the parts that
    /// do not fit into it.
    fn value_units(&mut self, types: TypesRef<'_>, ty: ComponentValType) -> u64 {
        let id = match ty {
            ComponentValType::Primitive(ty) => return primitive(ty),
            ComponentValType::Type(id) => id,
        };
        if let Some(known) = self.units.get(&id) {
            return *known;
        }
        let ty = get(types, id);
        let mut units = layer(ty);
        for_each_part(ty, |part| {
            units = units.saturating_add(self.value_units(types, part));
        });
        let units = units.min(UNITS_OF_FUNCTION).max(layer(ty));
        self.units.insert(id, units);
        units
    }
}

/// The units of code that copies a string or a list.
const LOOP: u64 = 40;

/// Returns the units of code that converts a value, without its parts: at least those that wasmtime counts.
fn layer(ty: &ComponentDefinedType) -> u64 {
    let names = match ty {
        ComponentDefinedType::Record(record) => record.fields.len(),
        ComponentDefinedType::Variant(variant) => variant.cases.len(),
        ComponentDefinedType::Tuple(tuple) => tuple.types.len(),
        ComponentDefinedType::Flags(names) | ComponentDefinedType::Enum(names) => names.len(),
        ComponentDefinedType::Primitive(ty) => return primitive(*ty),
        ComponentDefinedType::List { .. }
        | ComponentDefinedType::Map { .. }
        | ComponentDefinedType::FixedLengthList { .. } => return LOOP,
        ComponentDefinedType::Option { .. }
        | ComponentDefinedType::Result { .. }
        | ComponentDefinedType::Own(_)
        | ComponentDefinedType::Borrow(_)
        | ComponentDefinedType::Future { .. }
        | ComponentDefinedType::Stream { .. } => 2,
    };
    names as u64 + 1
}

fn primitive(ty: PrimitiveValType) -> u64 {
    match ty {
        PrimitiveValType::String => LOOP,
        _ => 1,
    }
}

fn for_each_part(ty: &ComponentDefinedType, mut f: impl FnMut(ComponentValType)) {
    match ty {
        ComponentDefinedType::Primitive(_)
        | ComponentDefinedType::Flags(_)
        | ComponentDefinedType::Enum(_)
        | ComponentDefinedType::Own(_)
        | ComponentDefinedType::Borrow(_) => {}
        ComponentDefinedType::Record(record) => record.fields.values().copied().for_each(f),
        ComponentDefinedType::Variant(variant) => {
            variant
                .cases
                .values()
                .filter_map(|case| case.ty)
                .for_each(f);
        }
        ComponentDefinedType::Tuple(tuple) => tuple.types.iter().copied().for_each(f),
        ComponentDefinedType::List { element, .. }
        | ComponentDefinedType::FixedLengthList { element, .. } => f(*element),
        ComponentDefinedType::Map { key, value, .. } => {
            f(*key);
            f(*value);
        }
        ComponentDefinedType::Option { ty, .. } => f(*ty),
        ComponentDefinedType::Result { ok, err, .. } => {
            ok.iter().chain(err).copied().for_each(f);
        }
        ComponentDefinedType::Future { ty, .. } | ComponentDefinedType::Stream { ty, .. } => {
            ty.iter().copied().for_each(f);
        }
    }
}

fn values_of(
    types: TypesRef<'_>,
    function: ComponentFuncTypeId,
) -> impl Iterator<Item = ComponentValType> {
    let function = get(types, function);
    let params = function.params.iter().map(|(_, ty)| *ty);
    params.chain(function.result)
}

/// Returns what the validator knows by a number that it gave itself.
fn get<T: TypeIdentifier>(types: TypesRef<'_>, id: T) -> &T::Data {
    // The validator panics for other numbers.
    types.get(id).expect("the number is the validator's")
}
