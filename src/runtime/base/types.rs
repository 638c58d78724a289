//! Descriptions of the exports and imports of modules, as data.

use serde::Serialize;
use wasmtime::{ExternType, FuncType, GlobalType, HeapType, MemoryType, Mutability, RefType};
use wasmtime::{TableType, TagType, ValType};

/// The kind of an export or import.
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

/// The name, kind and type of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExportInfo {
    /// The name of the export.
    pub name: String,
    /// The kind of the export.
    pub kind: ExportKind,
    /// The type of the export.
    #[serde(flatten)]
    pub ty: ExternInfo,
}

/// The names, kind and type of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ImportInfo {
    /// The module name, which is the first part of the import's name.
    pub module: String,
    /// The field name, which is the second part of the import's name.
    pub name: String,
    /// The kind of the import.
    pub kind: ExportKind,
    /// The type of the import.
    #[serde(flatten)]
    pub ty: ExternInfo,
}

/// The type of an export or import. Value types are written as in the WebAssembly text format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum ExternInfo {
    /// A function's parameters and results.
    Function {
        /// The types of the parameters.
        params: Vec<String>,
        /// The types of the results.
        results: Vec<String>,
    },
    /// A memory's limits and kind.
    Memory {
        /// The minimum size, in pages.
        minimum: u64,
        /// The maximum size, in pages, if there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        maximum: Option<u64>,
        /// Whether threads can share the memory.
        shared: bool,
        /// The type of an address: `i32` or `i64`.
        address: &'static str,
    },
    /// A global's content and mutability.
    Global {
        /// The type of its value.
        value: String,
        /// Whether the value can be set.
        mutable: bool,
    },
    /// A table's element type and limits.
    Table {
        /// The type of its elements.
        element: String,
        /// The minimum size, in elements.
        minimum: u64,
        /// The maximum size, in elements, if there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        maximum: Option<u64>,
        /// The type of an index: `i32` or `i64`.
        address: &'static str,
    },
    /// A tag's parameters.
    Tag {
        /// The types of the values that its exceptions carry.
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

/// Returns a value type as in the text format, with the shorthand if there is one. Types that a module defines have
/// no name outside of the module; they are written by their kind.
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

/// Parses a value type as in the text format, in its shorthand or as `(ref extern)` or `(ref null extern)`. Covers the
/// types that do not need a definition in a module.
pub(crate) fn parse_type(name: &str) -> Option<ValType> {
    if let Some(reference) = name.strip_prefix("(ref ") {
        let reference = reference.strip_suffix(')')?;
        let heap = reference.strip_prefix("null ");
        let ty = RefType::new(heap.is_some(), heap_type(heap.unwrap_or(reference))?);
        return Some(ValType::Ref(ty));
    }
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

/// Parses a heap type that does not need a definition in a module.
fn heap_type(name: &str) -> Option<HeapType> {
    Some(match name {
        "extern" => HeapType::Extern,
        "noextern" => HeapType::NoExtern,
        "func" => HeapType::Func,
        "nofunc" => HeapType::NoFunc,
        "any" => HeapType::Any,
        "eq" => HeapType::Eq,
        "i31" => HeapType::I31,
        "struct" => HeapType::Struct,
        "array" => HeapType::Array,
        "none" => HeapType::None,
        "exn" => HeapType::Exn,
        "noexn" => HeapType::NoExn,
        _ => return None,
    })
}

fn nullable(heap: HeapType) -> ValType {
    ValType::Ref(RefType::new(true, heap))
}
