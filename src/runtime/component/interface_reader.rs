//! The description of a component's imports and exports, made from the types of the validator.

use std::collections::HashMap;

use wasmparser::PrimitiveValType;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
    ComponentFuncTypeId, ComponentItem as ParsedItem, ComponentValType, ResourceId,
};
use wasmparser::types::{TypeIdentifier, TypesRef};

use super::plans::Plans;
use super::types::{
    Function, FunctionType, Interface, InterfaceSize, Item, ItemType, Items, PRIMITIVES, Resource,
    ResourceIndex, TypeIndex, TypeTraits, ValueType,
};
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;
use crate::runtime::wasi::p2;

impl Interface {
    /// Reads the interface of a component from the validator's types. `imports` and `exports` are their names, in the
    /// order of the component.
    ///
    /// # Errors
    /// `CompileError` if it exceeds a limit.
    pub(crate) fn of(
        types: TypesRef<'_>,
        imports: &[&str],
        exports: &[&str],
        limits: &ModuleLimits,
    ) -> Result<Self, WasmError> {
        let mut builder = Builder {
            parsed: types,
            types: Vec::new(),
            names: HashMap::new(),
            known: HashMap::new(),
            resources: Vec::new(),
            known_resources: HashMap::new(),
            imported_resources: None,
            size: InterfaceSize::default(),
            limits,
        };
        for (_, ty) in PRIMITIVES {
            builder.types.push(ty);
        }
        let imports = builder.items(imports, |name| types.component_item_for_import(name))?;
        let imported_resources = builder.resources.len() as ResourceIndex;
        builder.imported_resources = Some(imported_resources);
        let exports = builder.items(exports, |name| types.component_item_for_export(name))?;
        Ok(Self {
            size: builder.size,
            traits: TypeTraits::of(&builder.types, &builder.resources),
            plans: Plans::of(&builder.types, &imports.functions, &exports.functions),
            types: builder.types.into(),
            names: builder.names,
            resources: builder.resources.into(),
            imported_resources,
            imports,
            exports,
        })
    }
}

struct Builder<'a> {
    parsed: TypesRef<'a>,
    types: Vec<ValueType>,
    names: HashMap<TypeIndex, Box<[Box<str>]>>,
    /// The types that were added, by the validator's numbers.
    known: HashMap<ComponentDefinedTypeId, TypeIndex>,
    resources: Vec<Resource>,
    known_resources: HashMap<ResourceId, ResourceIndex>,
    /// The number of resources among the imports, once these are read.
    imported_resources: Option<ResourceIndex>,
    size: InterfaceSize,
    limits: &'a ModuleLimits,
}

impl<'a> Builder<'a> {
    fn items(
        &mut self,
        names: &[&str],
        find: impl Fn(&str) -> Option<&'a ParsedItem>,
    ) -> Result<Items, WasmError> {
        let mut functions = Vec::new();
        let mut items = Vec::new();
        for name in names {
            if let Some(found) = find(name) {
                items.push(self.item(&[], name, &found.ty, &mut functions)?);
            }
        }
        Ok(Items {
            items: items.into(),
            functions: functions.into(),
        })
    }

    fn item(
        &mut self,
        around: &[Box<str>],
        name: &str,
        ty: &ComponentEntityType,
        functions: &mut Vec<Function>,
    ) -> Result<Item, WasmError> {
        self.count(1)?;
        let ty = match ty {
            ComponentEntityType::Func(id) => {
                let ty = self.function(*id)?;
                let path = self.path(around, name)?;
                functions.push(Function { path, ty });
                let number = functions.len() as u32 - 1;
                ItemType::Function { number }
            }
            ComponentEntityType::Instance(id) => {
                let path = self.path(around, name)?;
                let mut items = Vec::new();
                for (name, item) in &self.get(*id).exports {
                    items.push(self.item(&path, name, &item.ty, functions)?);
                }
                ItemType::Instance {
                    items: items.into(),
                }
            }
            ComponentEntityType::Type {
                created,
                referenced,
            } => match created {
                ComponentAnyTypeId::Defined(id) => {
                    let same_as = self.name_of(*referenced);
                    let ty = self.value(ComponentValType::Type(*id))?;
                    // A primitive type has no other name than its own.
                    if ty as usize >= PRIMITIVES.len() && !self.names.contains_key(&ty) {
                        let path = self.path(around, name)?;
                        self.names.insert(ty, path);
                    }
                    let ty = Some(ty);
                    ItemType::Type { ty, same_as }
                }
                ComponentAnyTypeId::Resource(id) => {
                    let resource = self.resource(id.resource());
                    if self.resources[resource as usize].path.is_empty() {
                        let path = self.path(around, name)?;
                        let known = &mut self.resources[resource as usize];
                        known.of_wasi =
                            self.imported_resources.is_none() && p2::provision(&path[0]).is_some();
                        known.path = path;
                    }
                    ItemType::Resource { resource }
                }
                _ => ItemType::Type {
                    ty: None,
                    same_as: None,
                },
            },
            ComponentEntityType::Module(_) => ItemType::Module,
            ComponentEntityType::Component(_) => ItemType::Component,
            ComponentEntityType::Value(_) => ItemType::Value,
        };
        let is_import = self.imported_resources.is_none() && around.is_empty();
        let is_instance = matches!(ty, ItemType::Instance { .. });
        let provision = (is_import && is_instance).then(|| p2::provision(name));
        Ok(Item {
            name: name.into(),
            ty,
            provision: provision.flatten(),
        })
    }

    /// Returns the place of a type that has a name already.
    fn name_of(&self, id: ComponentAnyTypeId) -> Option<TypeIndex> {
        let ComponentAnyTypeId::Defined(id) = id else {
            return None;
        };
        let known = self.known.get(&id)?;
        self.names.contains_key(known).then_some(*known)
    }

    fn resource(&mut self, id: ResourceId) -> ResourceIndex {
        let resources = &mut self.resources;
        *self.known_resources.entry(id).or_insert_with(|| {
            resources.push(Resource {
                path: Box::default(),
                of_wasi: false,
            });
            resources.len() as ResourceIndex - 1
        })
    }

    fn function(&mut self, id: ComponentFuncTypeId) -> Result<FunctionType, WasmError> {
        let ty = self.get(id);
        self.count(ty.params.len())?;
        let params = ty.params.iter();
        let params = params.map(|(name, ty)| Ok((name.as_str().into(), self.value(*ty)?)));
        let params = params.collect::<Result<_, WasmError>>()?;
        Ok(FunctionType {
            params,
            result: self.optional(ty.result)?,
            is_async: ty.async_,
        })
    }

    /// Returns what the validator knows by a number that it gave itself.
    fn get<T: TypeIdentifier>(&self, id: T) -> &'a T::Data {
        // The validator panics for other numbers.
        self.parsed.get(id).expect("the number is the validator's")
    }

    fn optional(&mut self, ty: Option<ComponentValType>) -> Result<Option<TypeIndex>, WasmError> {
        ty.map(|ty| self.value(ty)).transpose()
    }

    /// Returns the place of a type, and adds it if it is new. The validator bounds how deep types nest.
    fn value(&mut self, ty: ComponentValType) -> Result<TypeIndex, WasmError> {
        match ty {
            ComponentValType::Primitive(primitive) => Ok(place_of(primitive)),
            ComponentValType::Type(id) => match self.known.get(&id) {
                Some(index) => Ok(*index),
                None => self.defined(id),
            },
        }
    }

    fn defined(&mut self, id: ComponentDefinedTypeId) -> Result<TypeIndex, WasmError> {
        let parsed = self.get(id);
        if let ComponentDefinedType::Primitive(primitive) = parsed {
            let index = place_of(*primitive);
            self.known.insert(id, index);
            return Ok(index);
        }
        let ty = match parsed {
            ComponentDefinedType::Primitive(_) => unreachable!("returned above"),
            ComponentDefinedType::Record(record) => {
                self.count(record.fields.len())?;
                let fields = record.fields.iter();
                let fields = fields.map(|(name, ty)| Ok((name.as_str().into(), self.value(*ty)?)));
                ValueType::Record {
                    fields: fields.collect::<Result<_, WasmError>>()?,
                }
            }
            ComponentDefinedType::Variant(variant) => {
                self.count(variant.cases.len())?;
                let cases = variant.cases.iter();
                let cases =
                    cases.map(|(name, case)| Ok((name.as_str().into(), self.optional(case.ty)?)));
                ValueType::Variant {
                    cases: cases.collect::<Result<_, WasmError>>()?,
                }
            }
            ComponentDefinedType::List { element, .. } => ValueType::List {
                element: self.value(*element)?,
            },
            ComponentDefinedType::FixedLengthList {
                element, length, ..
            } => ValueType::FixedLengthList {
                element: self.value(*element)?,
                length: *length,
            },
            ComponentDefinedType::Map { key, value, .. } => ValueType::Map {
                key: self.value(*key)?,
                value: self.value(*value)?,
            },
            ComponentDefinedType::Tuple(tuple) => {
                self.count(tuple.types.len())?;
                let types = tuple.types.iter().map(|ty| self.value(*ty));
                ValueType::Tuple {
                    types: types.collect::<Result<_, WasmError>>()?,
                }
            }
            ComponentDefinedType::Flags(names) => {
                self.count(names.len())?;
                ValueType::Flags {
                    names: names.iter().map(|name| name.as_str().into()).collect(),
                }
            }
            ComponentDefinedType::Enum(names) => {
                self.count(names.len())?;
                ValueType::Enum {
                    names: names.iter().map(|name| name.as_str().into()).collect(),
                }
            }
            ComponentDefinedType::Option { ty, .. } => ValueType::Option {
                some: self.value(*ty)?,
            },
            ComponentDefinedType::Result { ok, err, .. } => ValueType::Result {
                ok: self.optional(*ok)?,
                err: self.optional(*err)?,
            },
            ComponentDefinedType::Own(id) => ValueType::Own {
                resource: self.resource(id.resource()),
            },
            ComponentDefinedType::Borrow(id) => ValueType::Borrow {
                resource: self.resource(id.resource()),
            },
            ComponentDefinedType::Future { ty, .. } => ValueType::Future {
                value: self.optional(*ty)?,
            },
            ComponentDefinedType::Stream { ty, .. } => ValueType::Stream {
                element: self.optional(*ty)?,
            },
        };
        self.count(1)?;
        let index = self.types.len() as TypeIndex;
        self.types.push(ty);
        self.known.insert(id, index);
        Ok(index)
    }

    fn count(&mut self, more: usize) -> Result<(), WasmError> {
        self.size.types += more as u64;
        self.size.check(self.limits)
    }

    /// Returns the path of an item. Each item has its own, so that long names of instances could make many bytes.
    fn path(&mut self, around: &[Box<str>], name: &str) -> Result<Box<[Box<str>]>, WasmError> {
        let outer: usize = around.iter().map(|name| name.len()).sum();
        self.size.name_bytes += (outer + name.len()) as u64;
        self.size.check(self.limits)?;
        let own = std::iter::once(Box::from(name));
        Ok(around.iter().cloned().chain(own).collect())
    }
}

fn place_of(primitive: PrimitiveValType) -> TypeIndex {
    let found = PRIMITIVES.iter().position(|(ty, _)| *ty == primitive);
    found.unwrap_or(PRIMITIVES.len() - 1) as TypeIndex
}
