//! The types of the values that a component takes and returns, and its functions and interfaces.

use std::collections::HashMap;

use serde::{Serialize, Serializer};
use wasmparser::PrimitiveValType;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
    ComponentFuncTypeId, ComponentItem as ParsedItem, ComponentValType, ResourceId,
};
use wasmparser::types::{TypeIdentifier, TypesRef};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;
use crate::runtime::wasi::p2::{self, Provision};

/// The bytes that a name in a value takes besides its own: a `String`, and what the allocator adds.
pub(crate) const NAME_ROOM: u64 = 48;

/// The place of a type in [`Interface::types`].
pub(crate) type TypeIndex = u32;

/// The place of a resource in [`Interface::resources`].
pub(crate) type ResourceIndex = u32;

/// A type of values.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(crate) enum ValueType {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    List {
        element: TypeIndex,
    },
    FixedLengthList {
        element: TypeIndex,
        length: u32,
    },
    Map {
        key: TypeIndex,
        value: TypeIndex,
    },
    Record {
        fields: Box<[(Box<str>, TypeIndex)]>,
    },
    Tuple {
        types: Box<[TypeIndex]>,
    },
    Variant {
        cases: Box<[(Box<str>, Option<TypeIndex>)]>,
    },
    Enum {
        names: Box<[Box<str>]>,
    },
    Flags {
        names: Box<[Box<str>]>,
    },
    Option {
        some: TypeIndex,
    },
    Result {
        ok: Option<TypeIndex>,
        err: Option<TypeIndex>,
    },
    /// A handle that its receiver owns.
    Own {
        resource: ResourceIndex,
    },
    /// A handle that its receiver may use until the call has ended.
    Borrow {
        resource: ResourceIndex,
    },
    /// A type whose values cannot cross between the component and the host.
    Other {
        name: &'static str,
    },
}

impl ValueType {
    /// Returns the name of the type in WIT, without its parts.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::S8 => "s8",
            Self::U8 => "u8",
            Self::S16 => "s16",
            Self::U16 => "u16",
            Self::S32 => "s32",
            Self::U32 => "u32",
            Self::S64 => "s64",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Char => "char",
            Self::String => "string",
            Self::List { .. } | Self::FixedLengthList { .. } => "list",
            Self::Map { .. } => "map",
            Self::Record { .. } => "record",
            Self::Tuple { .. } => "tuple",
            Self::Variant { .. } => "variant",
            Self::Enum { .. } => "enum",
            Self::Flags { .. } => "flags",
            Self::Option { .. } => "option",
            Self::Result { .. } => "result",
            Self::Own { .. } => "own",
            Self::Borrow { .. } => "borrow",
            Self::Other { name } => name,
        }
    }
}

/// The types without parts, which every interface has first.
const PRIMITIVES: [(PrimitiveValType, ValueType); 14] = [
    (PrimitiveValType::Bool, ValueType::Bool),
    (PrimitiveValType::S8, ValueType::S8),
    (PrimitiveValType::U8, ValueType::U8),
    (PrimitiveValType::S16, ValueType::S16),
    (PrimitiveValType::U16, ValueType::U16),
    (PrimitiveValType::S32, ValueType::S32),
    (PrimitiveValType::U32, ValueType::U32),
    (PrimitiveValType::S64, ValueType::S64),
    (PrimitiveValType::U64, ValueType::U64),
    (PrimitiveValType::F32, ValueType::F32),
    (PrimitiveValType::F64, ValueType::F64),
    (PrimitiveValType::Char, ValueType::Char),
    (PrimitiveValType::String, ValueType::String),
    (
        PrimitiveValType::ErrorContext,
        ValueType::Other {
            name: "error-context",
        },
    ),
];

/// The place of the type `u32`, which is the same in every interface.
pub(crate) const U32: TypeIndex = 6;

/// The type of a function.
#[derive(Debug, Serialize)]
pub(crate) struct FunctionType {
    pub(crate) params: Box<[(Box<str>, TypeIndex)]>,
    pub(crate) result: Option<TypeIndex>,
    #[serde(rename = "async")]
    pub(crate) is_async: bool,
}

impl FunctionType {
    /// Returns the types of the parameters and of the result.
    fn types(&self) -> impl Iterator<Item = TypeIndex> {
        self.params.iter().map(|(_, ty)| *ty).chain(self.result)
    }
}

/// A function that a component imports or exports.
#[derive(Debug, Serialize)]
pub(crate) struct Function {
    /// The names of the instances around it, the outermost first, and its own.
    pub(crate) path: Box<[Box<str>]>,
    #[serde(flatten)]
    pub(crate) ty: FunctionType,
}

/// A type of resources.
#[derive(Debug, Serialize)]
pub(crate) struct Resource {
    /// The names of the instances around it, and its own, where it is imported or exported first.
    pub(crate) path: Box<[Box<str>]>,
    /// Whether the host defines it.
    pub(crate) imported: bool,
    /// Whether it is of an interface that WASI provides.
    #[serde(skip)]
    of_wasi: bool,
}

/// Something that a component imports or exports.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(crate) enum ItemType {
    Function {
        /// Its number among the functions of the imports or of the exports.
        number: u32,
    },
    Instance {
        items: Box<[Item]>,
    },
    /// A type, which gives a type of values its name.
    Type {
        /// `None` if it is a type of functions, instances or components.
        #[serde(skip)]
        ty: Option<TypeIndex>,
        /// The type of another interface that it is, if it has a name there.
        #[serde(skip)]
        same_as: Option<TypeIndex>,
    },
    Resource {
        /// Its place among all resources of the component.
        resource: ResourceIndex,
    },
    Module,
    Component,
    Value,
}

/// A named item.
#[derive(Debug, Serialize)]
pub(crate) struct Item {
    pub(crate) name: Box<str>,
    #[serde(flatten)]
    pub(crate) ty: ItemType,
    /// How WASI satisfies it if it is an import. Hosts need no functions for it where the store has WASI.
    #[serde(rename = "wasi", serialize_with = "is_some")]
    pub(crate) provision: Option<Provision>,
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn is_some<S: Serializer>(value: &Option<Provision>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(value.is_some())
}

/// The imports or exports of a component.
#[derive(Debug, Serialize)]
pub(crate) struct Items {
    pub(crate) items: Box<[Item]>,
    /// The functions among them, by number.
    pub(crate) functions: Box<[Function]>,
}

/// The imports and exports of a component, with their types.
#[derive(Debug, Serialize)]
pub(crate) struct Interface {
    #[serde(skip)]
    size: InterfaceSize,
    pub(crate) types: Box<[ValueType]>,
    /// Whether values of each type have handles in them.
    #[serde(skip)]
    holds_handles: Box<[bool]>,
    /// The names of the types that have one: those of the instances around it, and its own.
    #[serde(skip)]
    names: HashMap<TypeIndex, Box<[Box<str>]>>,
    pub(crate) resources: Box<[Resource]>,
    pub(crate) imports: Items,
    pub(crate) exports: Items,
}

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
            reads_imports: true,
            size: InterfaceSize::default(),
            limits,
        };
        for (_, ty) in PRIMITIVES {
            builder.types.push(ty);
        }
        let imports = builder.items(imports, |name| types.component_item_for_import(name))?;
        builder.reads_imports = false;
        let exports = builder.items(exports, |name| types.component_item_for_export(name))?;
        Ok(Self {
            size: builder.size,
            holds_handles: holds_handles(&builder.types),
            types: builder.types.into(),
            names: builder.names,
            resources: builder.resources.into(),
            imports,
            exports,
        })
    }

    /// Checks the size of the interface.
    ///
    /// # Errors
    /// `CompileError` if it exceeds a limit.
    pub(crate) fn check_size(&self, limits: &ModuleLimits) -> Result<(), WasmError> {
        self.size.check(limits)
    }

    /// Returns how many times as much memory flags take in the host than wasmtime counts for them: their names, without
    /// what each takes besides its bytes. Flags of functions that WASI provides are not kept by their names.
    pub(crate) fn flags_factor(&self, has_wasi: bool) -> u64 {
        let is_kept = |function: &&Function| {
            let provision = p2::provision(&function.path[0]);
            !has_wasi || provision != Some(Provision::Provided)
        };
        let imports = self.imports.functions.iter().filter(is_kept);
        let functions = self.exports.functions.iter().chain(imports);
        let mut factor = 1;
        self.any_part_of(functions.flat_map(|function| function.ty.types()), |ty| {
            if let ValueType::Flags { names } = ty {
                for name in names {
                    let bytes = name.len().max(1) as u64;
                    factor = factor.max((NAME_ROOM + bytes).div_ceil(bytes));
                }
            }
            false
        });
        factor
    }

    /// Returns the type at this place.
    pub(crate) fn ty(&self, index: TypeIndex) -> &ValueType {
        &self.types[index as usize]
    }

    /// Returns the name of a type, behind those of the instances around it.
    pub(crate) fn name_of(&self, index: TypeIndex) -> Option<&[Box<str>]> {
        self.names.get(&index).map(|path| &**path)
    }

    /// Whether values of this type have handles in them.
    pub(crate) fn holds_handles(&self, index: TypeIndex) -> bool {
        self.holds_handles[index as usize]
    }

    /// Whether a function takes or returns handles.
    pub(crate) fn has_handles(&self, function: &FunctionType) -> bool {
        let mut types = function
            .params
            .iter()
            .map(|(_, ty)| ty)
            .chain(&function.result);
        types.any(|ty| self.holds_handles(*ty))
    }

    /// Whether a function takes or returns handles of resources that WASI provides.
    pub(crate) fn has_wasi_handles(&self, function: &FunctionType) -> bool {
        self.any_part(function, |ty| match ty {
            ValueType::Own { resource } | ValueType::Borrow { resource } => {
                self.resources[*resource as usize].of_wasi
            }
            _ => false,
        })
        .is_some()
    }

    /// Whether a resource is of an interface that WASI provides.
    pub(crate) fn is_of_wasi(&self, resource: ResourceIndex) -> bool {
        self.resources[resource as usize].of_wasi
    }

    /// Returns the places of the resources that the host defines.
    pub(crate) fn imported_resources(&self) -> impl Iterator<Item = ResourceIndex> {
        let resources = (0..).zip(&self.resources);
        resources.filter_map(|(index, resource)| resource.imported.then_some(index))
    }

    /// Returns the name of a type that a function takes or returns, or that is a part of one, whose values cannot cross.
    pub(crate) fn uncrossable(&self, function: &FunctionType) -> Option<&'static str> {
        let found = self.any_part(function, |ty| matches!(ty, ValueType::Other { .. }))?;
        Some(found.name())
    }

    /// Returns a type that a function takes or returns, or that is a part of one, and that `is_wanted`.
    fn any_part(
        &self,
        function: &FunctionType,
        is_wanted: impl FnMut(&ValueType) -> bool,
    ) -> Option<&ValueType> {
        self.any_part_of(function.types(), is_wanted)
    }

    /// Returns one of these types, or a part of one, that `is_wanted`. Each is looked at once.
    fn any_part_of(
        &self,
        types: impl Iterator<Item = TypeIndex>,
        mut is_wanted: impl FnMut(&ValueType) -> bool,
    ) -> Option<&ValueType> {
        let mut left: Vec<TypeIndex> = types.collect();
        let mut seen = vec![false; self.types.len()];
        while let Some(index) = left.pop() {
            if std::mem::replace(&mut seen[index as usize], true) {
                continue;
            }
            let ty = self.ty(index);
            if is_wanted(ty) {
                return Some(ty);
            }
            match ty {
                ValueType::List { element } | ValueType::FixedLengthList { element, .. } => {
                    left.push(*element);
                }
                ValueType::Map { key, value } => left.extend([*key, *value]),
                ValueType::Record { fields } => left.extend(fields.iter().map(|(_, ty)| *ty)),
                ValueType::Tuple { types } => left.extend(types),
                ValueType::Variant { cases } => {
                    left.extend(cases.iter().filter_map(|(_, ty)| *ty));
                }
                ValueType::Option { some } => left.push(*some),
                ValueType::Result { ok, err } => left.extend(ok.iter().chain(err)),
                _ => {}
            }
        }
        None
    }
}

/// Returns whether values of each type have handles in them. A type follows its parts.
fn holds_handles(types: &[ValueType]) -> Box<[bool]> {
    let mut holds: Vec<bool> = Vec::with_capacity(types.len());
    for ty in types {
        let part = |index: &TypeIndex| holds[*index as usize];
        let own = match ty {
            ValueType::Own { .. } | ValueType::Borrow { .. } => true,
            ValueType::List { element } | ValueType::FixedLengthList { element, .. } => {
                part(element)
            }
            ValueType::Map { key, value } => part(key) || part(value),
            ValueType::Record { fields } => fields.iter().any(|(_, ty)| part(ty)),
            ValueType::Tuple { types } => types.iter().any(part),
            ValueType::Variant { cases } => {
                let mut types = cases.iter().filter_map(|(_, ty)| ty.as_ref());
                types.any(part)
            }
            ValueType::Option { some } => part(some),
            ValueType::Result { ok, err } => ok.iter().chain(err).any(part),
            _ => false,
        };
        holds.push(own);
    }
    holds.into()
}

struct Builder<'a> {
    parsed: TypesRef<'a>,
    types: Vec<ValueType>,
    names: HashMap<TypeIndex, Box<[Box<str>]>>,
    /// The types that were added, by the validator's numbers.
    known: HashMap<ComponentDefinedTypeId, TypeIndex>,
    resources: Vec<Resource>,
    known_resources: HashMap<ResourceId, ResourceIndex>,
    /// Whether the items are imports.
    reads_imports: bool,
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
                        known.of_wasi = known.imported && p2::provision(&path[0]).is_some();
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
        let is_import = self.reads_imports && around.is_empty();
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
        let (resources, imported) = (&mut self.resources, self.reads_imports);
        *self.known_resources.entry(id).or_insert_with(|| {
            resources.push(Resource {
                path: Box::default(),
                imported,
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
            ComponentDefinedType::Future { .. } => ValueType::Other { name: "future" },
            ComponentDefinedType::Stream { .. } => ValueType::Other { name: "stream" },
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

/// The size of an interface.
#[derive(Debug, Default, Clone, Copy)]
struct InterfaceSize {
    /// The number of its types, fields and cases.
    types: u64,
    /// The number of bytes in the paths of its items.
    name_bytes: u64,
}

impl InterfaceSize {
    fn check(self, limits: &ModuleLimits) -> Result<(), WasmError> {
        let (types, names) = (limits.max_interface_types, limits.max_name_bytes);
        let (has, cap, limit) = if self.types > types {
            ("types, fields and cases", types, "max_interface_types")
        } else if self.name_bytes > names {
            ("bytes in the paths of functions", names, "max_name_bytes")
        } else {
            return Ok(());
        };
        Err(WasmError::compile(format!(
            "the imports and exports of the component have more than {cap} {has} ({limit})"
        )))
    }
}

fn place_of(primitive: PrimitiveValType) -> TypeIndex {
    let found = PRIMITIVES.iter().position(|(ty, _)| *ty == primitive);
    found.unwrap_or(PRIMITIVES.len() - 1) as TypeIndex
}
