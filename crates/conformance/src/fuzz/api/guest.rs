//! The modules that programs run, with the types of their imports and exports.

use std::sync::LazyLock;

use anyhow::Context as _;
use wasmparser::{ExternalKind, FuncType, Parser, Payload, TypeRef, ValType, Validator};

use crate::fuzz::features;

/// A guest, and its name in programs.
#[derive(Debug)]
pub struct Guest {
    pub name: &'static str,
    pub text: &'static str,
    /// The same in the binary format, which is the only one that the standard `WebAssembly` takes.
    pub binary: Vec<u8>,
    pub imports: Vec<Import>,
    pub functions: Vec<(String, FuncType)>,
}

/// An import of a guest.
#[derive(Debug)]
pub struct Import {
    pub module: String,
    pub name: String,
    pub kind: ImportKind,
}

/// The kind of value that satisfies an import.
#[derive(Debug)]
pub enum ImportKind {
    Function(FuncType),
    /// A live object, from the pool of this name.
    Object(&'static str),
}

macro_rules! guests {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("guests/", $name, ".wat")))),*]
    };
}

/// All guests. Most programs use the first one.
pub static GUESTS: LazyLock<Vec<Guest>> = LazyLock::new(|| {
    let texts = guests![
        "calls", "values", "objects", "start", "outside", "memories", "waits", "wasi"
    ];
    let guests = texts.map(|(name, text)| Guest::new(name, text).with_context(|| name));
    guests
        .map(|guest| guest.unwrap_or_else(|error| panic!("{error:#}")))
        .into()
});

impl Guest {
    fn new(name: &'static str, text: &'static str) -> anyhow::Result<Self> {
        let module = wat::parse_str(text)?;
        let types = Validator::new_with_features(features().flags()).validate_all(&module)?;
        let types = types.as_ref();
        let mut this = Self {
            name,
            text,
            binary: module.clone(),
            imports: Vec::new(),
            functions: Vec::new(),
        };
        for payload in Parser::new(0).parse_all(&module) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        let kind = match import.ty {
                            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                                let ty = types.core_type_at_in_module(ty);
                                ImportKind::Function(types[ty].unwrap_func().clone())
                            }
                            TypeRef::Table(_) => ImportKind::Object("table"),
                            TypeRef::Memory(_) => ImportKind::Object("memory"),
                            TypeRef::Global(_) => ImportKind::Object("global"),
                            TypeRef::Tag(_) => ImportKind::Object("tag"),
                        };
                        this.imports.push(Import {
                            module: import.module.to_owned(),
                            name: import.name.to_owned(),
                            kind,
                        });
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.kind == ExternalKind::Func {
                            let ty = types.core_function_at(export.index);
                            let ty = types[ty].unwrap_func().clone();
                            this.functions.push((export.name.to_owned(), ty));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(this)
    }
}

/// The kind of JavaScript value that a WebAssembly type takes.
pub enum Shape {
    Number,
    BigInt,
    Bytes,
    Function,
    Reference,
    Anything,
}

impl Shape {
    pub fn of(ty: ValType) -> Self {
        match ty {
            ValType::I32 | ValType::F32 | ValType::F64 => Self::Number,
            ValType::I64 => Self::BigInt,
            ValType::V128 => Self::Bytes,
            ValType::Ref(ty) if ty.is_func_ref() => Self::Function,
            ValType::Ref(ty) if ty.is_extern_ref() => Self::Anything,
            ValType::Ref(_) => Self::Reference,
        }
    }
}
