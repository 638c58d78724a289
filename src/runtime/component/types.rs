//! The types of the values that a component takes and returns, and its functions and interfaces.

use std::collections::HashMap;

use serde::{Serialize, Serializer};
use wasmparser::PrimitiveValType;

use super::plans::{FunctionPlan, Plans};
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;
use crate::runtime::wasi::p2::{self, Provision, ProvisionKind};

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
    /// The readable end of a future, whose receiver reads one value.
    Future {
        /// `None` if it brings no value.
        value: Option<TypeIndex>,
    },
    /// The readable end of a stream, whose receiver reads elements.
    Stream {
        /// `None` if the elements have no value.
        element: Option<TypeIndex>,
    },
    /// A type whose values cannot cross between the component and the host.
    Other {
        name: &'static str,
    },
}

impl ValueType {
    /// Calls `f` for each type that the type is made of.
    pub(super) fn for_each_part(&self, mut f: impl FnMut(TypeIndex)) {
        match self {
            Self::List { element } | Self::FixedLengthList { element, .. } => f(*element),
            Self::Map { key, value } => [*key, *value].into_iter().for_each(f),
            Self::Record { fields } => fields.iter().for_each(|(_, ty)| f(*ty)),
            Self::Tuple { types } => types.iter().copied().for_each(f),
            Self::Variant { cases } => cases.iter().filter_map(|(_, ty)| *ty).for_each(f),
            Self::Option { some } => f(*some),
            Self::Result { ok, err } => ok.iter().chain(err).copied().for_each(f),
            Self::Future { value: part } | Self::Stream { element: part } => {
                part.iter().copied().for_each(f);
            }
            _ => {}
        }
    }

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
            Self::Future { .. } => "future",
            Self::Stream { .. } => "stream",
            Self::Other { name } => name,
        }
    }
}

/// The types without parts, which every interface has first.
pub(super) const PRIMITIVES: [(PrimitiveValType, ValueType); 14] = [
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
    /// Whether it is of an interface that WASI provides.
    #[serde(skip)]
    pub(super) of_wasi: bool,
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
    pub(super) size: InterfaceSize,
    pub(crate) types: Box<[ValueType]>,
    /// How the values of each function cross.
    pub(crate) plans: Plans,
    /// What is known of the values of each type.
    #[serde(skip)]
    pub(super) traits: Box<[TypeTraits]>,
    /// The names of the types that have one: those of the instances around it, and its own.
    #[serde(skip)]
    pub(super) names: HashMap<TypeIndex, Box<[Box<str>]>>,
    /// The types of resources: first those that the host defines.
    pub(crate) resources: Box<[Resource]>,
    /// The number of resources that the host defines.
    #[serde(rename = "importedResources")]
    pub(crate) imported_resources: u32,
    pub(crate) imports: Items,
    pub(crate) exports: Items,
}

impl Interface {
    /// Checks the size of the interface.
    ///
    /// # Errors
    /// `CompileError` if it exceeds a limit.
    pub(crate) fn check_size(&self, limits: &ModuleLimits) -> Result<(), WasmError> {
        self.size.check(limits)
    }

    /// Returns the type at this place.
    pub(crate) fn ty(&self, index: TypeIndex) -> &ValueType {
        &self.types[index as usize]
    }

    /// Returns the name of a type, behind those of the instances around it.
    pub(crate) fn name_of(&self, index: TypeIndex) -> Option<&[Box<str>]> {
        self.names.get(&index).map(|path| &**path)
    }

    /// Returns what is known of the values of this type.
    pub(crate) fn traits(&self, index: TypeIndex) -> TypeTraits {
        self.traits[index as usize]
    }

    /// Returns what is known of the values that a function takes and returns.
    pub(crate) fn traits_of(&self, function: &FunctionType) -> TypeTraits {
        let types = function.params.iter().map(|(_, ty)| *ty);
        let types = types.chain(function.result);
        types.fold(TypeTraits::default(), |all, ty| all.with(self.traits(ty)))
    }

    /// Returns what is known of the values of all functions that cross as `Val`: those that WASI provides do not.
    pub(crate) fn crossing_traits(&self, has_wasi: bool) -> TypeTraits {
        let crosses = |function: &Function| {
            let provision = p2::provision(&function.path[0]);
            !has_wasi || provision.is_none_or(|of| of.kind != ProvisionKind::Provided)
        };
        let is_val = |plan: Option<&FunctionPlan>| plan.is_none();
        let imports = (0..).zip(&self.imports.functions);
        let imports = imports
            .filter(|(number, function)| crosses(function) && is_val(self.plans.import(*number)));
        let exports = (0..).zip(&self.exports.functions);
        let exports = exports.filter(|(number, _)| is_val(self.plans.export(*number)));
        let functions = imports.chain(exports).map(|(_, function)| function);
        functions.fold(TypeTraits::default(), |all, function| {
            all.with(self.traits_of(&function.ty))
        })
    }

    /// Returns the number of the exported function that handles requests of HTTP, if there is one: that of WASI 0.2, or the
    /// asynchronous one of WASI 0.3.
    pub(crate) fn http_handler(&self, is_async: bool) -> Option<u32> {
        let is_handler = |function: &Function| match &*function.path {
            [interface, name] => {
                function.ty.is_async == is_async
                    && &**name == "handle"
                    && p2::is_http_handler(interface)
            }
            _ => false,
        };
        let found = self.exports.functions.iter().position(is_handler);
        found.map(|number| number as u32)
    }

    /// Whether it imports an interface of WASI 0.3.
    pub(crate) fn imports_wasi_03(&self) -> bool {
        let mut items = self.imports.items.iter();
        items.any(|item| item.provision.is_some_and(|provision| provision.is_of_03))
    }

    /// Whether a resource is of an interface that WASI provides.
    pub(crate) fn is_of_wasi(&self, resource: ResourceIndex) -> bool {
        self.resources[resource as usize].of_wasi
    }
}

/// What is known of the values of a type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypeTraits {
    pub(crate) has_handles: bool,
    /// Whether there are handles of resources that WASI provides.
    pub(crate) has_wasi_handles: bool,
    /// The name of a type in them whose values cannot cross.
    pub(crate) uncrossable: Option<&'static str>,
    /// How many times as much memory flags take in the host than wasmtime counts for them: their names, without what each
    /// takes besides its bytes.
    pub(crate) flags_factor: u64,
}

impl Default for TypeTraits {
    fn default() -> Self {
        Self {
            has_handles: false,
            has_wasi_handles: false,
            uncrossable: None,
            flags_factor: 1,
        }
    }
}

impl TypeTraits {
    /// Returns the traits of each type. A type follows its parts.
    pub(super) fn of(types: &[ValueType], resources: &[Resource]) -> Box<[Self]> {
        let mut all: Vec<Self> = Vec::with_capacity(types.len());
        for ty in types {
            let mut traits = Self::default();
            match ty {
                ValueType::Own { resource } | ValueType::Borrow { resource } => {
                    traits.has_handles = true;
                    traits.has_wasi_handles = resources[*resource as usize].of_wasi;
                }
                ValueType::Future { .. } | ValueType::Stream { .. } => traits.has_handles = true,
                ValueType::Other { name } => traits.uncrossable = Some(name),
                ValueType::Flags { names } => {
                    for name in names {
                        let bytes = name.len().max(1) as u64;
                        let factor = (NAME_ROOM + bytes).div_ceil(bytes);
                        traits.flags_factor = traits.flags_factor.max(factor);
                    }
                }
                _ => {}
            }
            ty.for_each_part(|part| traits = traits.with(all[part as usize]));
            all.push(traits);
        }
        all.into()
    }

    fn with(self, other: Self) -> Self {
        Self {
            has_handles: self.has_handles || other.has_handles,
            has_wasi_handles: self.has_wasi_handles || other.has_wasi_handles,
            uncrossable: self.uncrossable.or(other.uncrossable),
            flags_factor: self.flags_factor.max(other.flags_factor),
        }
    }
}

/// The size of an interface.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct InterfaceSize {
    /// The number of its types, fields and cases.
    pub(super) types: u64,
    /// The number of bytes in the paths of its items.
    pub(super) name_bytes: u64,
}

impl InterfaceSize {
    pub(super) fn check(self, limits: &ModuleLimits) -> Result<(), WasmError> {
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
