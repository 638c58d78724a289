//! The reason why a binary is not a valid module.

use std::fmt::Write as _;

use wasmparser::{KnownCustom, Name, Parser, Payload, TypeRef, WasmFeatures};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::text;

/// Returns the error of a binary that the validator refused. The message has the function if the error is in one, the
/// offset in the binary, and the proposal that the binary would need.
pub(crate) fn invalid(wasm: &[u8], error: &wasmtime::Error) -> WasmError {
    match error.downcast_ref::<wasmparser::Error>() {
        Some(found) => invalid_at(wasm, found, found.offset()),
        None => WasmError::compile(text::one_line(error)),
    }
}

/// Returns the error of a binary as [`invalid`] does. `offset` is the offset of the error in `wasm`, which the validator
/// may have seen in another form.
pub(crate) fn invalid_at(wasm: &[u8], found: &wasmparser::Error, offset: usize) -> WasmError {
    let mut message = String::new();
    if let Some(function) = function_at(wasm, offset) {
        // Writing to a string cannot fail.
        let _ = write!(message, "function {function} ");
        if let Some(name) = function_name(wasm, function) {
            let _ = write!(message, "{} ", text::quote(name));
        }
    }
    add_reason(&mut message, found, offset);
    WasmError::compile(message)
}

/// Returns the error of a component that the validator refused: the offset in the binary, and the proposal that the
/// component would need.
pub(crate) fn invalid_component(found: &wasmparser::Error) -> WasmError {
    let mut message = String::new();
    add_reason(&mut message, found, found.offset());
    WasmError::compile(message)
}

fn add_reason(message: &mut String, found: &wasmparser::Error, offset: usize) {
    // Writing to a string cannot fail.
    let _ = write!(message, "at {offset:#x}: ");
    if let Some(proposal) = found.missing_wasm_feature().and_then(proposal) {
        let _ = write!(message, "requires the {proposal} proposal: ");
    }
    message.push_str(&text::show_long(found.message()));
}

/// Returns the name of the proposal that a feature belongs to. `None` if it is not from a proposal.
fn proposal(feature: WasmFeatures) -> Option<String> {
    if feature == WasmFeatures::LEGACY_EXCEPTIONS {
        return Some("legacy exception-handling".to_owned());
    }
    if feature == WasmFeatures::EXCEPTIONS {
        return Some("exception-handling".to_owned());
    }
    if feature == WasmFeatures::FLOATS || feature == WasmFeatures::GC_TYPES {
        return None;
    }
    let (name, _) = feature.iter_names().next()?;
    Some(name.to_ascii_lowercase().replace('_', "-"))
}

/// Returns the index of the function whose body is at this offset.
fn function_at(wasm: &[u8], offset: usize) -> Option<u32> {
    let mut function = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.ok()? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    if let TypeRef::Func(_) | TypeRef::FuncExact(_) = import.ok()?.ty {
                        function += 1;
                    }
                }
            }
            // The end counts too: an error may be that a body is too short.
            Payload::CodeSectionEntry(body) if offset <= body.range().end => {
                return (offset >= body.range().start).then_some(function);
            }
            Payload::CodeSectionEntry(_) => function += 1,
            _ => {}
        }
    }
    None
}

/// Returns the name of a function in the name section.
fn function_name(wasm: &[u8], function: u32) -> Option<&str> {
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CustomSection(section) = payload.ok()? else {
            continue;
        };
        let KnownCustom::Name(names) = section.as_known() else {
            continue;
        };
        for names in names {
            if let Name::Function(names) = names.ok()? {
                let mut names = names.into_iter().map_while(Result::ok);
                let found = names.find(|naming| naming.index == function);
                if let Some(naming) = found {
                    return Some(naming.name);
                }
            }
        }
    }
    None
}
