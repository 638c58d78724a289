//! The contents of a module, as far as they say what it needs.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use ext_wasm::ExportKind;
use serde::{Deserialize, Serialize};
use wasmparser::{Encoding, ExternalKind, KnownCustom, MemoryType, Name, Parser, Payload, TypeRef};

use super::imports::{Origin, Origins};
use super::proposals::Proposals;
use super::text::show;

/// What a module has in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Contents {
    /// The names of the proposals that it uses.
    pub proposals: Vec<String>,
    /// How many imports there are for each toolchain.
    pub imports: BTreeMap<Origin, u64>,
    /// How many exports there are of each kind.
    pub exports: BTreeMap<String, u64>,
    pub memories: Vec<Memory>,
    /// How many functions there are, imports included, and so on.
    pub functions: u64,
    pub tables: u64,
    pub globals: u64,
    /// The minimum sizes of all tables together.
    pub table_elements: u64,
    pub has_start: bool,
    pub largest_body: Option<Body>,
}

/// A memory of a module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    pub is_imported: bool,
    /// In pages.
    pub minimum: u64,
    /// In pages.
    pub maximum: Option<u64>,
    pub page_bytes: u64,
    pub is_shared: bool,
    pub is_64: bool,
}

/// The body of a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Body {
    pub bytes: u64,
    /// The index of the function.
    pub function: u32,
    /// The name of the function, if the module has names.
    pub name: Option<String>,
}

impl Contents {
    /// Reads a module in the binary format.
    ///
    /// # Errors
    ///
    /// When it is malformed.
    pub fn of(wasm: &[u8]) -> anyhow::Result<Self> {
        let mut this = Self::default();
        let mut proposals = Proposals::default();
        let mut origins = Origins::default();
        let mut imported_functions = 0;
        let mut bodies = 0;
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            proposals.payload(&payload)?;
            match payload {
                Payload::Version {
                    encoding: Encoding::Component,
                    ..
                } => {
                    bail!("it is a component, not a module");
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import?;
                        origins.add(import.module, import.name);
                        match import.ty {
                            TypeRef::Func(_) | TypeRef::FuncExact(_) => imported_functions += 1,
                            TypeRef::Memory(ty) => this.memories.push(Memory::new(&ty, true)),
                            TypeRef::Table(ty) => this.table(ty.initial),
                            TypeRef::Global(_) => this.globals += 1,
                            TypeRef::Tag(_) => {}
                        }
                    }
                    this.functions = u64::from(imported_functions);
                }
                Payload::FunctionSection(functions) => {
                    this.functions += u64::from(functions.count());
                }
                Payload::TableSection(tables) => {
                    for table in tables {
                        this.table(table?.ty.initial);
                    }
                }
                Payload::MemorySection(memories) => {
                    for memory in memories {
                        this.memories.push(Memory::new(&memory?, false));
                    }
                }
                Payload::GlobalSection(globals) => this.globals += u64::from(globals.count()),
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let kind = kind(export?.kind)?;
                        *this.exports.entry(kind).or_default() += 1;
                    }
                }
                Payload::StartSection { .. } => this.has_start = true,
                Payload::CodeSectionEntry(body) => {
                    proposals.body(&body)?;
                    let bytes = body.range().len() as u64;
                    let largest = this.largest_body.as_ref();
                    if largest.is_none_or(|largest| bytes > largest.bytes) {
                        this.largest_body = Some(Body {
                            bytes,
                            function: imported_functions + bodies,
                            name: None,
                        });
                    }
                    bodies += 1;
                }
                Payload::CustomSection(section) => {
                    if let (KnownCustom::Name(names), Some(body)) =
                        (section.as_known(), &mut this.largest_body)
                    {
                        body.name = function_name(names, body.function);
                    }
                }
                _ => {}
            }
        }
        this.proposals = proposals.names().into_iter().map(str::to_owned).collect();
        for origin in origins.all() {
            *this.imports.entry(origin).or_default() += 1;
        }
        Ok(this)
    }

    fn table(&mut self, elements: u64) {
        self.tables += 1;
        self.table_elements = self.table_elements.saturating_add(elements);
    }
}

impl Memory {
    fn new(ty: &MemoryType, is_imported: bool) -> Self {
        let page_bytes = 1u64.checked_shl(ty.page_size_log2.unwrap_or(16));
        Self {
            is_imported,
            minimum: ty.initial,
            maximum: ty.maximum,
            page_bytes: page_bytes.unwrap_or(0),
            is_shared: ty.shared,
            is_64: ty.memory64,
        }
    }
}

/// Returns the name of a kind of export, as `host:wasm` has it.
fn kind(kind: ExternalKind) -> anyhow::Result<String> {
    let kind = match kind {
        ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Function,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Tag => ExportKind::Tag,
    };
    let name = serde_json::to_value(kind)?;
    Ok(name.as_str().context("no name of a kind")?.to_owned())
}

/// Returns the name of a function. A name section that is malformed names nothing.
fn function_name(names: wasmparser::NameSectionReader<'_>, function: u32) -> Option<String> {
    let functions = names.into_iter().find_map(|subsection| match subsection {
        Ok(Name::Function(functions)) => Some(functions),
        _ => None,
    })?;
    let mut names = functions.into_iter().map_while(Result::ok);
    let naming = names.find(|naming| naming.index == function)?;
    Some(show(naming.name))
}
