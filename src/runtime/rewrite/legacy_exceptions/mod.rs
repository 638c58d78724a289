//! Turns the legacy exception instructions (`try`, `catch`, `catch_all`, `rethrow`, `delegate`) into the standard ones
//! (`try_table`, `throw_ref`), which are the only ones that wasmtime compiles.
//!
//! Compilers still write the legacy instructions by default. A module may have both kinds. The indices of all types,
//! functions, tags and so on stay the same; types that handlers need follow the module's own.

mod body;
mod plan;
mod types;

use wasm_encoder::Encode as _;
use wasmparser::{Parser, Payload, TypeRef, Validator, WasmFeatures};

use self::body::{Bodies, Output};
use self::types::Types;
use super::offsets::{OffsetMap, OffsetMapBuilder, SectionEnd};
use crate::runtime::base::error::WasmError;

/// A module without legacy exception instructions.
pub(crate) struct StandardModule {
    pub wasm: Vec<u8>,
    /// From the offsets in `wasm` to those in the module that it was made from.
    pub offsets: OffsetMap,
}

/// The features that a module with legacy exceptions may have. The engine's own are checked when it compiles the
/// rewritten module.
const FEATURES: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::LEGACY_EXCEPTIONS)
    .union(WasmFeatures::CUSTOM_PAGE_SIZES)
    .union(WasmFeatures::WIDE_ARITHMETIC);

/// Validates a module that may have legacy exceptions.
///
/// # Errors
/// If the module is not valid.
pub(crate) fn validate_legacy(wasm: &[u8]) -> Result<(), wasmparser::Error> {
    Validator::new_with_features(FEATURES).validate_all(wasm)?;
    Ok(())
}

/// Returns a [valid](validate_legacy) module with the standard exception instructions in place of the legacy ones. Time
/// and memory are linear in its size.
///
/// # Errors
/// `CompileError` if its handlers need too many types.
pub(crate) fn standard_exceptions(wasm: &[u8]) -> Result<StandardModule, WasmError> {
    rewrite(wasm).ok_or_else(|| {
        WasmError::compile("the types of the module's legacy exception handlers are too large")
    })
}

/// A section of the original.
struct Section {
    id: u8,
    /// The positions of its id, of its end, and of the first item of a type section.
    start: usize,
    end: usize,
    items: usize,
    /// The number of items of a type section.
    count: u32,
}

/// The size of the magic number and the version.
const HEADER_BYTES: usize = 8;
const TYPE_SECTION: u8 = 1;
const CODE_SECTION: u8 = 10;

fn rewrite(wasm: &[u8]) -> Option<StandardModule> {
    let mut sections = Vec::new();
    let mut types = Types::new(wasm.len());
    let mut bodies = Bodies::default();
    let mut output = Output {
        wasm,
        code: Vec::new(),
        offsets: OffsetMapBuilder::default(),
    };
    let mut end_of_last_section = HEADER_BYTES;
    let mut end_of_last_body = 0;
    let mut function = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.ok()?;
        if let Some((id, range)) = payload.as_section() {
            let start = std::mem::replace(&mut end_of_last_section, range.end);
            let (items, count) = match &payload {
                Payload::TypeSection(groups) => (groups.original_position(), groups.count()),
                _ => (range.start, 0),
            };
            if !has_offsets(&payload) {
                sections.push(Section {
                    id,
                    start,
                    end: range.end,
                    items,
                    count,
                });
            }
        }
        match payload {
            Payload::TypeSection(groups) => {
                for group in groups {
                    for ty in group.ok()?.into_types() {
                        types.push_type(ty);
                    }
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    match import.ok()?.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                            types.push_function(ty);
                            function += 1;
                        }
                        TypeRef::Tag(tag) => types.push_tag(tag.func_type_idx),
                        TypeRef::Table(_) | TypeRef::Memory(_) | TypeRef::Global(_) => {}
                    }
                }
            }
            Payload::FunctionSection(functions) => {
                for ty in functions {
                    types.push_function(ty.ok()?);
                }
            }
            Payload::TagSection(tags) => {
                for tag in tags {
                    types.push_tag(tag.ok()?.func_type_idx);
                }
            }
            Payload::CodeSectionStart { count, range, .. } => {
                let bytes = wasm.get(range.clone())?.iter();
                let count_bytes = 1 + bytes.take_while(|byte| **byte & 0x80 != 0).count();
                end_of_last_body = range.start + count_bytes;
                output.offsets.inserted(0, range.start);
                count.encode(&mut output.code);
            }
            Payload::CodeSectionEntry(body) => {
                let params = types.params_of_function(function)?;
                bodies.write(&body, end_of_last_body, params, &mut types, &mut output)?;
                end_of_last_body = body.range().end;
                function += 1;
            }
            _ => {}
        }
    }
    assemble(&sections, &types, output)
}

/// Whether a custom section speaks of offsets in the code, which are other offsets in the rewritten module.
fn has_offsets(payload: &Payload<'_>) -> bool {
    let Payload::CustomSection(section) = payload else {
        return false;
    };
    section.name().starts_with(".debug_") || section.name().starts_with("metadata.code.")
}

fn assemble(sections: &[Section], types: &Types, output: Output<'_>) -> Option<StandardModule> {
    let Output {
        wasm: original,
        code,
        offsets,
    } = output;
    let mut wasm = Vec::with_capacity(original.len() + code.len() / 4);
    wasm.extend_from_slice(&original[..HEADER_BYTES]);
    let mut base = 0;
    let mut resized = SectionEnd::default();
    for section in sections {
        match (section.id, types.added()) {
            (CODE_SECTION, _) => {
                wasm.push(CODE_SECTION);
                u32::try_from(code.len()).ok()?.encode(&mut wasm);
                base = wasm.len();
                wasm.extend_from_slice(&code);
            }
            (TYPE_SECTION, (added @ 1.., bytes)) => {
                let mut count = Vec::new();
                section.count.checked_add(added)?.encode(&mut count);
                let own = &original[section.items..section.end];
                let size = count.len() + own.len() + bytes.len();
                wasm.push(TYPE_SECTION);
                u32::try_from(size).ok()?.encode(&mut wasm);
                for part in [&count, own, bytes] {
                    wasm.extend_from_slice(part);
                }
                resized = SectionEnd {
                    rewritten: wasm.len(),
                    original: section.end,
                };
            }
            _ => wasm.extend_from_slice(&original[section.start..section.end]),
        }
    }
    Some(StandardModule {
        wasm,
        offsets: offsets.finish(base, resized),
    })
}

#[cfg(test)]
mod tests;
