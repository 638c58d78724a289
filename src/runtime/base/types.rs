//! Descriptions of what modules export and import, as data.

use serde::Serialize;
use wasmtime::{ExternType, FuncType, GlobalType, HeapType, MemoryType, Mutability, RefType};
use wasmtime::{TableType, TagType, ValType};

/// What kind of thing an export or import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ExportKind {
    /// A function.
    Function,
    /// A linear memory.
    Memory,
    /// A global variable.
    Global,
    /// A table of references.
    Table,
    /// A tag of exceptions.
    Tag,
}

/// One export: its name, its kind, and its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExportInfo {
    /// The name it is exported under.
    pub name: String,
    /// What it is.
    pub kind: ExportKind,
    /// Its type.
    #[serde(flatten)]
    pub ty: ExternInfo,
}

/// One import: where it comes from, its kind, and its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ImportInfo {
    /// The first part of the name it is imported by.
    pub module: String,
    /// The second part.
    pub name: String,
    /// What it is.
    pub kind: ExportKind,
    /// Its type.
    #[serde(flatten)]
    pub ty: ExternInfo,
}

/// The type of an export or import. Value types are written as in the text format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum ExternInfo {
    /// A function's parameters and results.
    Function {
        /// What it takes.
        params: Vec<String>,
        /// What it returns.
        results: Vec<String>,
    },
    /// A memory's limits and kind.
    Memory {
        /// In pages.
        minimum: u64,
        /// In pages.
        #[serde(skip_serializing_if = "Option::is_none")]
        maximum: Option<u64>,
        /// Whether threads may share it.
        shared: bool,
        /// The type of an address: `i32` or `i64`.
        address: &'static str,
    },
    /// A global's content and mutability.
    Global {
        /// The type of its value.
        value: String,
        /// Whether it may be set.
        mutable: bool,
    },
    /// A table's element type and limits.
    Table {
        /// The type of its elements.
        element: String,
        /// In elements.
        minimum: u64,
        /// In elements.
        #[serde(skip_serializing_if = "Option::is_none")]
        maximum: Option<u64>,
        /// The type of an index: `i32` or `i64`.
        address: &'static str,
    },
    /// A tag's parameters.
    Tag {
        /// What its exceptions carry.
        params: Vec<String>,
    },
}

impl ExportInfo {
    pub(crate) fn new(name: &str, ty: &ExternType) -> Self {
        let ty = ExternInfo::new(ty);
        Self {
            name: name.to_owned(),
            kind: ty.kind(),
            ty,
        }
    }
}

impl ImportInfo {
    pub(crate) fn new(module: &str, name: &str, ty: &ExternType) -> Self {
        let ty = ExternInfo::new(ty);
        Self {
            module: module.to_owned(),
            name: name.to_owned(),
            kind: ty.kind(),
            ty,
        }
    }
}

impl ExternInfo {
    pub(crate) fn new(ty: &ExternType) -> Self {
        match ty {
            ExternType::Func(ty) => Self::function(ty),
            ExternType::Memory(ty) => Self::memory(ty),
            ExternType::Global(ty) => Self::global(ty),
            ExternType::Table(ty) => Self::table(ty),
            ExternType::Tag(ty) => Self::tag(ty),
        }
    }

    pub(crate) fn function(ty: &FuncType) -> Self {
        Self::Function {
            params: ty.params().map(|ty| type_name(&ty)).collect(),
            results: ty.results().map(|ty| type_name(&ty)).collect(),
        }
    }

    pub(crate) fn memory(ty: &MemoryType) -> Self {
        Self::Memory {
            minimum: ty.minimum(),
            maximum: ty.maximum(),
            shared: ty.is_shared(),
            address: address(ty.is_64()),
        }
    }

    pub(crate) fn global(ty: &GlobalType) -> Self {
        Self::Global {
            value: type_name(ty.content()),
            mutable: ty.mutability() == Mutability::Var,
        }
    }

    pub(crate) fn table(ty: &TableType) -> Self {
        Self::Table {
            element: type_name(&ValType::Ref(ty.element().clone())),
            minimum: ty.minimum(),
            maximum: ty.maximum(),
            address: address(ty.is_64()),
        }
    }

    pub(crate) fn tag(ty: &TagType) -> Self {
        Self::Tag {
            params: ty.ty().params().map(|ty| type_name(&ty)).collect(),
        }
    }

    fn kind(&self) -> ExportKind {
        match self {
            Self::Function { .. } => ExportKind::Function,
            Self::Memory { .. } => ExportKind::Memory,
            Self::Global { .. } => ExportKind::Global,
            Self::Table { .. } => ExportKind::Table,
            Self::Tag { .. } => ExportKind::Tag,
        }
    }
}

fn address(is_64: bool) -> &'static str {
    if is_64 { "i64" } else { "i32" }
}

/// A value type as the text format writes it, with the shorthand where there is one. Types that
/// a module defines itself have no name outside it and are written by what they are.
pub(crate) fn type_name(ty: &ValType) -> String {
    match ty {
        ValType::I32 => "i32".into(),
        ValType::I64 => "i64".into(),
        ValType::F32 => "f32".into(),
        ValType::F64 => "f64".into(),
        ValType::V128 => "v128".into(),
        ValType::Ref(ty) => ref_type_name(ty),
    }
}

fn ref_type_name(ty: &RefType) -> String {
    let (heap, shorthand) = match ty.heap_type() {
        HeapType::Extern => ("extern", "externref"),
        HeapType::NoExtern => ("noextern", "nullexternref"),
        HeapType::Func => ("func", "funcref"),
        HeapType::NoFunc => ("nofunc", "nullfuncref"),
        HeapType::Any => ("any", "anyref"),
        HeapType::Eq => ("eq", "eqref"),
        HeapType::I31 => ("i31", "i31ref"),
        HeapType::Array => ("array", "arrayref"),
        HeapType::Struct => ("struct", "structref"),
        HeapType::None => ("none", "nullref"),
        HeapType::Exn => ("exn", "exnref"),
        HeapType::NoExn => ("noexn", "nullexnref"),
        HeapType::ConcreteFunc(_) => return concrete(ty, "func"),
        HeapType::ConcreteArray(_) => return concrete(ty, "array"),
        HeapType::ConcreteStruct(_) => return concrete(ty, "struct"),
        HeapType::ConcreteExn(_) => return concrete(ty, "exn"),
        _ => return concrete(ty, "cont"),
    };
    if ty.is_nullable() {
        shorthand.into()
    } else {
        format!("(ref {heap})")
    }
}

fn concrete(ty: &RefType, what: &str) -> String {
    let null = if ty.is_nullable() { "null " } else { "" };
    format!("(ref {null}${what})")
}

/// The value type that `name` is the shorthand of, for types that no module needs to define.
pub(crate) fn parse_type(name: &str) -> Option<ValType> {
    Some(match name {
        "i32" => ValType::I32,
        "i64" => ValType::I64,
        "f32" => ValType::F32,
        "f64" => ValType::F64,
        "v128" => ValType::V128,
        "externref" => ValType::EXTERNREF,
        "funcref" => ValType::FUNCREF,
        "anyref" => ValType::ANYREF,
        "eqref" => nullable(HeapType::Eq),
        "i31ref" => nullable(HeapType::I31),
        "structref" => nullable(HeapType::Struct),
        "arrayref" => nullable(HeapType::Array),
        "nullref" => nullable(HeapType::None),
        "nullexternref" => nullable(HeapType::NoExtern),
        "nullfuncref" => nullable(HeapType::NoFunc),
        "exnref" => nullable(HeapType::Exn),
        "nullexnref" => nullable(HeapType::NoExn),
        _ => return None,
    })
}

fn nullable(heap: HeapType) -> ValType {
    ValType::Ref(RefType::new(true, heap))
}
